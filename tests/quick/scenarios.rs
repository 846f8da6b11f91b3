//! Every shipped scenario, simulated: it meets what it declares, whatever the seed.

use threadbare::analysis::{Findings, Region, SeedShares, Verdict, findings};
use threadbare::explore::{Grid, seeds, sweep};
use threadbare::plan::Plan;
use threadbare::scenario;
use threadbare::sim::Bounds;
use threadbare::units::Nanos;

use crate::simulated;

fn simulated(plan: Plan) -> Findings {
    findings(&simulated::simulated(plan))
}

/// What a shipped scenario with these settings comes to with each of five seeds.
fn verdicts(name: &str, settings: &[&str]) -> Vec<String> {
    let settings: Vec<_> = settings.iter().map(|text| text.parse().unwrap()).collect();
    let plan = scenario::load_with(name, &settings, false).unwrap();
    let seeds = 1..=5;
    seeds
        .map(|seed| {
            simulated(Plan {
                seed,
                ..plan.clone()
            })
        })
        .map(|found| found.incident.verdict.to_string())
        .collect()
}

#[test]
fn every_shipped_scenario_meets_what_it_declares_with_five_seeds() {
    meet(|name| scenario::load(name, false).unwrap());
}

#[test]
fn every_shipped_scenario_has_a_profile_of_under_a_minute_with_the_same_verdict() {
    meet(|name| {
        let plan = scenario::load_changed(name, &profile("ci"), false).unwrap();
        let longest = plan.end + plan.drain;
        assert!(longest < Nanos::from_secs(60), "{name}: {longest}");
        plan
    });
    let unknown = scenario::load_changed("surge", &profile("cii"), false).unwrap_err();
    assert!(
        unknown.to_string().contains("did you mean `ci`?"),
        "{unknown}"
    );
}

/// What would have prevented or ended each incident does so, whatever the seed.
#[test]
fn every_variant_meets_what_it_declares_with_five_seeds() {
    for (name, _) in scenario::shipped() {
        let plans = scenario::variants(name, &scenario::Changes::default(), false).unwrap();
        let found = seeds(&plans, 5, Bounds::default(), &|_, _| true).unwrap();
        for (plan, found) in plans.iter().zip(found) {
            let shares = SeedShares::of(&plan.expectations, &found, false);
            let variant = plan.variant.as_ref().unwrap();
            // Five seeds can refute a share of nine in ten, and not show it.
            let refuted = shares.expectations.iter();
            let mut refuted = refuted.filter(|it| it.passed == Some(false));
            assert!(
                refuted.next().is_none(),
                "{name}, {}: {:?} {:?}",
                variant.name,
                shares.expectations,
                shares.verdicts
            );
        }
    }
}

/// What is run only where its servers are installed is whole all the same.
#[test]
fn every_example_can_be_read_with_its_variants_which_declare_their_verdicts() {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut variants = 0;
    for folder in std::fs::read_dir(examples).unwrap() {
        let folder = folder.unwrap().path();
        let file = folder.join("scenario.toml");
        if !file.exists() {
            continue;
        }
        let name = file.to_str().unwrap();
        scenario::load(name, false).unwrap_or_else(|error| panic!("{error}"));
        let plans = scenario::variants(name, &scenario::Changes::default(), false);
        let plans = plans.unwrap_or_else(|error| panic!("{error}"));
        variants += plans.len();
        for plan in plans {
            let declared = |it: &threadbare::plan::Expectation| {
                it.that == threadbare::plan::Figure::IncidentVerdict
            };
            assert!(
                plan.expectations.iter().any(declared),
                "{name}: {:?}",
                plan.variant
            );
        }
        // One file a scenario.
        let files = std::fs::read_dir(&folder).unwrap();
        let files = files.filter(|it| {
            let path = it.as_ref().unwrap().path();
            path.extension().is_some_and(|it| it == "toml")
        });
        assert_eq!(files.count(), 1, "{name}");
    }
    assert!(variants >= 18, "{variants}");
}

fn profile(name: &str) -> scenario::Changes<'_> {
    scenario::Changes {
        profile: Some(name),
        ..scenario::Changes::default()
    }
}

/// Every shipped scenario shows what it declares, its verdict among it.
fn meet(plan: impl Fn(&str) -> Plan) {
    for (name, _) in scenario::shipped() {
        let plan = plan(name);
        for seed in 1..=5 {
            let found = simulated(Plan {
                seed,
                ..plan.clone()
            });
            let missed = found
                .expectations
                .iter()
                .filter(|it| it.passed != Some(true));
            let missed: Vec<_> = missed.collect();
            assert!(
                found.verdict == Verdict::Passed,
                "{name} with seed {seed}: {missed:?} {:?}",
                found.sentences
            );
        }
    }
}

/// The edges that Isaacs et al. publish (2025): a bound of 150 never
/// recovers, one of 35 does; and the ways out that were computed for it.
#[test]
fn the_collapse_has_its_published_edges_and_ways_out() {
    let all = |found: &[String], word: &str| found.iter().all(|verdict| verdict == word);
    let collapse = |settings: &[&str]| verdicts("retry-collapse", settings);
    for bound in ["75", "100", "150"] {
        let found = collapse(&[&format!("target.fleet.queue=bounded({bound}), silent")]);
        assert!(all(&found, "metastable"), "{bound}: {found:?}");
    }
    for settings in [
        "target.fleet.queue=bounded(35), silent",
        "target.fleet.queue=bounded(150), silent, lifo",
        "target.fleet.queue=bounded(150), silent, expire 4s",
        "load.client.retries=0",
    ] {
        // Those that drain need longer than the file's forty seconds.
        let found = collapse(&[settings, "end=240s"]);
        let back = |verdict: &String| {
            ["no_impact", "recovered_with_the_trigger", "slow_drain"].contains(&verdict.as_str())
        };
        assert!(found.iter().all(back), "{settings}: {found:?}");
    }
}

/// Without the intervention nothing brings it back.
#[test]
fn the_slow_database_stays_stuck_where_clients_go_on_retrying() {
    let found = verdicts("slow-database", &["timeline.2.retries=3"]);
    // Three are what they made before, so the action changes nothing.
    assert!(found.iter().all(|it| it == "metastable"), "{found:?}");
}

/// The map of the paper over load and queue bound: vulnerable in its middle,
/// stable where the load or the queue is small, overloaded past the capacity.
#[test]
fn the_collapse_has_a_map_of_regions() {
    let plan_of =
        |settings: &[scenario::Setting]| scenario::load_with("retry-collapse", settings, false);
    let x = "load.rate=2..12/s".parse().unwrap();
    let y = "target.fleet.queue=10..200".parse().unwrap();
    let grid = Grid {
        points: 6,
        seeds: 1,
    };
    let map = sweep(
        &plan_of,
        (&x, Some(&y)),
        grid,
        Bounds::default(),
        &|_, _| true,
    )
    .unwrap();
    let (narrow, wide) = (&map.regions[0], &map.regions[map.regions.len() - 1]);
    assert!(
        narrow.iter().all(|region| region.comes_back()),
        "{narrow:?}"
    );
    // 4, 6 and 8/s are served until the surge; 12/s is more than there is capacity for.
    assert!(
        wide[1..4]
            .iter()
            .all(|region| *region == Region::Metastable),
        "{wide:?}"
    );
    assert_eq!(wide[5], Region::Overloaded);
}
