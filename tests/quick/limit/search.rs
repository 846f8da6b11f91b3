//! The search against scripted services, whose limits are known exactly.

use rand::RngExt as _;

use threadbare::analysis::limit::{
    LimitCause, LimitEnded, LimitFigures, LimitRecovery, LimitResource, LimitSought, LimitStage,
    LimitStatus, LimitStep, LimitVerdict, returns, served, summarize,
};
use threadbare::limit::{Next, Trial, next, steps_max};
use threadbare::model::IncidentVerdict;
use threadbare::rng;

use super::sought;

/// What a scripted service shows in a step.
type Shown = (LimitVerdict, Option<LimitResource>);

/// A step that came to this.
fn step(trial: &Trial, number: usize, (verdict, resource): Shown) -> LimitStep {
    let returning = matches!(trial.stage, LimitStage::Returns | LimitStage::Advice);
    let returned = match verdict {
        LimitVerdict::Holds => Some(true),
        LimitVerdict::DoesNot => Some(false),
        LimitVerdict::CannotTell => None,
    };
    LimitStep {
        number: u32::try_from(number).unwrap(),
        stage: trial.stage,
        rate_per_s: trial.rate_per_s,
        seed: trial.seed,
        window_s: trial.window_s,
        took_s: 1.0,
        measure: trial.measure.clone(),
        verdict,
        why: String::new(),
        objectives: Vec::new(),
        figures: LimitFigures::default(),
        recovery: returning.then(|| LimitRecovery {
            returned,
            after_s: returned.filter(|it| *it).map(|_| 1.0),
            censored_after_s: None,
            verdict: IncidentVerdict::default(),
            sustaining: None,
        }),
        limited_by: resource
            .map(|resource| LimitCause {
                resource,
                name: None,
                value: 1.0,
                sentence: String::new(),
            })
            .into_iter()
            .collect(),
        run: None,
    }
}

/// Searches until it is complete, or the bound is met.
fn searched(sought: &LimitSought, service: impl FnMut(&Trial) -> Shown) -> Vec<LimitStep> {
    searched_with(sought, &[], service)
}

/// … with these measures of the advice.
fn searched_with(
    sought: &LimitSought,
    measures: &[String],
    mut service: impl FnMut(&Trial) -> Shown,
) -> Vec<LimitStep> {
    let mut steps = Vec::new();
    while let Next::Try(trial) = next(sought, &steps, measures) {
        let shown = service(&trial);
        steps.push(step(&trial, steps.len() + 1, shown));
        assert!(steps.len() <= 1_000, "it loops");
    }
    steps
}

fn of_stage(steps: &[LimitStep], stage: LimitStage) -> usize {
    steps.iter().filter(|step| step.stage == stage).count()
}

fn shown(holds: bool) -> Shown {
    let verdict = if holds {
        LimitVerdict::Holds
    } else {
        LimitVerdict::DoesNot
    };
    (verdict, None)
}

const UNTOLD: Shown = (LimitVerdict::CannotTell, None);

/// Holds up to a rate, and never past it.
fn sharp(edge: f64) -> impl FnMut(&Trial) -> Shown {
    move |trial| shown(trial.rate_per_s <= edge)
}

/// Rates from 3/s to 9,000/s, evenly on their logarithm, and where steps land.
fn edges() -> impl Iterator<Item = f64> {
    let grid = (0..60).map(|place| 3.0 * 3_000f64.powf(f64::from(place) / 59.0));
    grid.chain([100.0, 200.0, 199.9, 400.1, 9_999.0])
}

#[test]
fn a_sharp_limit_is_found_in_as_few_steps_as_there_can_be() {
    for tolerance in [0.005, 0.03, 0.1] {
        let sought = LimitSought {
            tolerance,
            ..sought()
        };
        for edge in edges() {
            let steps = searched(&sought, sharp(edge));
            let found = served(&steps, sought.most_per_s);
            assert_eq!(found.status, LimitStatus::Found, "{edge}: {found:?}");
            let (low, high) = (found.low_per_s.unwrap(), found.high_per_s.unwrap());
            assert!(low <= edge && edge < high, "{edge}: {found:?}");
            assert!(high / low <= 1.0 + tolerance + 1e-9, "{edge}: {found:?}");
            assert!(
                found.confirmed && found.unsure_per_s.is_empty(),
                "{found:?}"
            );
            // log2(range / tolerance), where the range is as far as it had to look, one
            // confirmation of each end, and a step for each of the two.
            let range = (edge / sought.from_per_s)
                .max(sought.from_per_s / edge)
                .max(2.0);
            let least = range.log2() + (2f64.ln() / tolerance.ln_1p()).log2();
            let tried = of_stage(&steps, LimitStage::Served);
            assert!(
                tried as f64 <= least.ceil() + 5.0,
                "{edge}, {tolerance}: {tried} of {least}"
            );
        }
    }
}

#[test]
fn what_cannot_be_told_widens_the_interval_and_is_not_tried_for_ever() {
    let sought = sought();
    for edge in edges().filter(|edge| *edge < 9_200.0) {
        // Within a twentieth of the limit it cannot be told; beyond that it is right.
        let steps = searched(&sought, |trial| {
            let near = (trial.rate_per_s / edge).ln().abs() < 0.05;
            if near {
                UNTOLD
            } else {
                shown(trial.rate_per_s <= edge)
            }
        });
        let found = served(&steps, sought.most_per_s);
        let (low, high) = (found.low_per_s.unwrap(), found.high_per_s.unwrap());
        assert!(low <= edge && edge <= high, "{edge}: {found:?}");
        let room = 0.05f64.exp() * (1.0 + sought.tolerance) * 1.001;
        assert!(
            low * room >= edge && high <= edge * room,
            "{edge}: {found:?}"
        );
        let tried = of_stage(&steps, LimitStage::Served);
        assert!(tried < 30, "{edge}: {tried}");
    }
}

#[test]
fn the_stated_number_of_steps_is_never_passed() {
    let mut sought = sought();
    sought.trigger = Some("pause for 5s".into());
    sought.steps_max = steps_max(&sought, 0);
    let mut draws = rng::stream(7, "oracle");
    for _ in 0..300 {
        // It says whatever comes to mind.
        let steps = searched(&sought, |_| match draws.random_range(0..3) {
            0 => shown(true),
            1 => shown(false),
            _ => UNTOLD,
        });
        assert!(steps.len() <= sought.steps_max as usize);
    }
    // One that is noisy and not mad fits into it with all that is asked for.
    for edge in edges() {
        let steps = searched(&sought, |trial| {
            let off = (trial.rate_per_s / edge).ln();
            let chance = 1.0 / (1.0 + (off / 0.02).exp());
            let holds = draws.random_range(0.0..1.0) < chance;
            let unsure = off.abs() < 0.04 && draws.random_range(0..2) == 0;
            if unsure { UNTOLD } else { shown(holds) }
        });
        assert_eq!(
            next(&sought, &steps, &[]),
            Next::Complete,
            "{edge}: {}",
            steps.len()
        );
    }
}

/// One trial at each rate is told, and no more: the machine is noisy from then on.
#[test]
fn a_rate_whose_further_trials_cannot_be_told_is_left_alone() {
    let mut sought = sought();
    sought.trigger = Some("surge 3x for 10s".into());
    let mut told = std::collections::BTreeSet::new();
    let steps = searched(&sought, |trial| match trial.stage {
        LimitStage::Returns if !told.insert(trial.rate_per_s.to_bits()) => UNTOLD,
        LimitStage::Returns => shown(trial.rate_per_s <= 300.0),
        _ => shown(trial.rate_per_s <= 555.0),
    });
    assert_eq!(next(&sought, &steps, &[]), Next::Complete);
    for rate in threadbare::analysis::limit::trials(&steps, None) {
        assert!(rate.steps.len() <= 2 * sought.trials as usize, "{rate:?}");
    }
}

/// A measure whose first trial cannot be told is tried again; one that fails is not, nor one
/// that twice cannot be told.
#[test]
fn measures_are_tried_until_they_are_told() {
    let mut sought = sought();
    sought.trigger = Some("surge 3x for 10s".into());
    let measures: Vec<String> = ["a budget", "never told", "no use", "once not told"]
        .map(Into::into)
        .into();
    let mut disturbed = false;
    let steps = searched_with(&sought, &measures, |trial| match trial.measure.as_deref() {
        None if trial.stage == LimitStage::Returns => shown(trial.rate_per_s <= 300.0),
        None => shown(trial.rate_per_s <= 555.0),
        Some("never told") => UNTOLD,
        Some("no use") => shown(false),
        Some("once not told") if !disturbed => {
            disturbed = true;
            UNTOLD
        }
        Some(_) => shown(true),
    });
    assert_eq!(next(&sought, &steps, &measures), Next::Complete);
    let tried = measures.iter().map(|name| {
        let own = steps.iter();
        own.filter(|it| it.measure.as_deref() == Some(name)).count()
    });
    assert_eq!(tried.collect::<Vec<_>>(), [4, 2, 1, 5]);
    assert!(steps.len() <= steps_max(&sought, measures.len()) as usize);
}

/// That the first rate does not hold says little while lower ones are still to be tried.
#[test]
fn a_search_that_ends_early_does_not_say_that_nothing_is_served() {
    let sought = sought();
    let mut found = super::cases::found();
    found.steps.clear();
    let Next::Try(trial) = next(&sought, &[], &[]) else {
        panic!("there is a first step");
    };
    found.steps.push(step(&trial, 1, shown(false)));
    for (ended, status) in [
        (LimitEnded::Interrupted, LimitStatus::Unknown),
        (LimitEnded::Bound, LimitStatus::Unknown),
        (LimitEnded::Complete, LimitStatus::Nothing),
    ] {
        found.ended = ended;
        summarize(&mut found);
        assert_eq!(found.served.status, status, "{ended:?}");
    }
}

#[test]
fn a_generators_limit_is_not_the_services() {
    let sought = sought();
    for limit in [150.0, 700.0, 6_000.0] {
        let steps = searched(&sought, |trial| {
            if trial.rate_per_s <= limit {
                shown(true)
            } else {
                (LimitVerdict::CannotTell, Some(LimitResource::Generator))
            }
        });
        let found = served(&steps, sought.most_per_s);
        assert_eq!(found.status, LimitStatus::NotTheService, "{found:?}");
        let low = found.low_per_s.unwrap();
        assert!(low <= limit && low * 1.031 > limit, "{limit}: {found:?}");
        assert_eq!(found.high_per_s, None);
        assert!(
            found.sentence.starts_with("No limit was found below"),
            "{}",
            found.sentence
        );
        // Past what it cannot offer it offers no more.
        let highest = steps.iter().map(|it| it.rate_per_s).fold(0.0, f64::max);
        assert!(highest <= 2.0 * limit, "{highest}");
    }
    // The service's own limit is still found below it.
    let steps = searched(&sought, |trial| {
        if trial.rate_per_s > 350.0 {
            (LimitVerdict::CannotTell, Some(LimitResource::Machine))
        } else {
            shown(trial.rate_per_s <= 250.0)
        }
    });
    let found = served(&steps, sought.most_per_s);
    assert_eq!(found.status, LimitStatus::Found, "{found:?}");
}

#[test]
fn ends_of_what_is_allowed_are_told() {
    let sought = sought();
    let all = searched(&sought, sharp(1e9));
    let found = served(&all, sought.most_per_s);
    assert_eq!(found.status, LimitStatus::NoLimit, "{found:?}");
    assert!(found.confirmed && all.iter().all(|it| it.rate_per_s <= sought.most_per_s));
    let nothing = searched(&sought, sharp(0.0));
    let found = served(&nothing, sought.most_per_s);
    assert_eq!(found.status, LimitStatus::Nothing, "{found:?}");
    assert!(nothing.len() < 8, "{}", nothing.len());
    let untold = searched(&sought, |_| UNTOLD);
    let found = served(&untold, sought.most_per_s);
    assert_eq!(found.status, LimitStatus::Unknown, "{found:?}");
    assert!(untold.len() < 20, "{}", untold.len());
}

#[test]
fn a_limit_that_was_not_confirmed_is_looked_for_below() {
    let sought = sought();
    // The first look is too kind above 300/s.
    let mut seen = Vec::new();
    let steps = searched(&sought, |trial| {
        let again = seen.contains(&trial.rate_per_s.to_bits());
        seen.push(trial.rate_per_s.to_bits());
        let kind = !again && trial.rate_per_s <= 330.0;
        shown(kind || trial.rate_per_s <= 300.0)
    });
    let found = served(&steps, sought.most_per_s);
    assert!(found.confirmed, "{found:?}");
    assert!(found.low_per_s.unwrap() <= 300.0, "{found:?}");
}

#[test]
fn a_search_goes_on_where_it_was_interrupted() {
    let mut sought = sought();
    sought.trigger = Some("surge 3x for 10s".into());
    let mut service = |trial: &Trial| match trial.stage {
        LimitStage::Returns => shown(trial.rate_per_s <= 190.0),
        _ => shown(trial.rate_per_s <= 555.0),
    };
    let steps = searched(&sought, &mut service);
    for end in 0..steps.len() {
        let Next::Try(trial) = next(&sought, &steps[..end], &[]) else {
            panic!("it ends after {end} of {}", steps.len());
        };
        assert_eq!(step(&trial, end + 1, service(&trial)), steps[end]);
    }
    // What is past the limit is looked at once, up to twice the limit.
    assert_eq!(of_stage(&steps, LimitStage::Beyond), 3);
    let seeds: std::collections::BTreeSet<u64> = steps.iter().map(|it| it.seed).collect();
    assert_eq!(seeds.len(), steps.len(), "each step has a seed of its own");
}

#[test]
fn the_edge_of_coming_back_is_a_band_with_enough_trials() {
    let mut sought = sought();
    sought.trigger = Some("surge 3x for 10s".into());
    let mut draws = rng::stream(3, "oracle");
    for edge in [20.0, 77.0, 300.0, 5_000.0] {
        // Chance decides within a tenth.
        let steps = searched(&sought, |trial| match trial.stage {
            LimitStage::Returns => {
                let off = (trial.rate_per_s / edge).ln();
                let back = off < -0.1 || (off < 0.1 && draws.random_range(0..2) == 0);
                shown(back)
            }
            _ => shown(trial.rate_per_s <= 555.0),
        });
        let top = served(&steps, sought.most_per_s).low_per_s;
        let found = returns(&steps, top, "surge").unwrap();
        let tried = of_stage(&steps, LimitStage::Returns);
        assert!(tried <= 40, "{edge}: {tried}");
        if edge > 1_000.0 {
            assert_eq!(found.status, LimitStatus::NoLimit, "{found:?}");
            assert_eq!(found.low_per_s, top);
            continue;
        }
        assert_eq!(found.status, LimitStatus::Found, "{edge}: {found:?}");
        let (low, high) = (found.low_per_s.unwrap(), found.high_per_s.unwrap());
        assert!(low <= edge * 1.11 && low >= edge * 0.8, "{edge}: {found:?}");
        assert!(
            high >= edge * 0.9 && high <= edge * 1.25,
            "{edge}: {found:?}"
        );
        let at_low = found
            .rates
            .iter()
            .find(|it| (it.rate_per_s - low).abs() < 1e-9);
        assert!(at_low.unwrap().low > 0.5, "{edge}: {found:?}");
    }
}
