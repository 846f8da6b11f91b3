//! Live and simulated runs of the same scenarios, side by side.
//!
//! `./test --long` runs each scenario live with five seeds and keeps what the runs
//! were found to show in `reports/long`; this holds the simulator to it each time.
//! Where they differ by more, the cause is to be found and the model mended: the
//! tolerances are those of the issue that asked for the simulator.
//!
//! Simulated runs cost a second, so there are eight times as many of them: a figure
//! that scatters (how far a backlog gets before somebody acts) is compared with the
//! mean that it scatters about, and the table says from which difference on it would
//! be told.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::carried_out::carried_out;
use crate::documented::documented;
use threadbare::analysis::{Findings, Phase, findings};
use threadbare::model::Distribution;
use threadbare::plan::Plan;
use threadbare::scenario;
use threadbare::units::Nanos;

/// The scenarios that run live in the long test; `./test` has the same list.
const SCENARIOS: [&str; 4] = ["missing-await", "retry-collapse", "slow-database", "surge"];
/// The seeds of the live runs; of the simulated ones, the first.
const LIVE_SEEDS: usize = 5;
/// The seeds of the simulated runs: their mean is then known nearly three times as
/// well as the live runs'.
const SIMULATED_SEEDS: usize = 40;

/// A figure of a phase agrees within this share …
const TOLERANCE: f64 = 0.10;
/// … and the recovery time within this.
const RECOVERY_TOLERANCE: f64 = 0.20;
/// Figures that differ by less than a hundredth of the whole (of the baseline's
/// goodput, of all workers, of one attempt) are the same: one tenth of nearly
/// nothing is nothing.
const NOTHING: f64 = 0.01;
/// Differences of so many standard errors are chance: Student's t for 99 % with seven
/// degrees of freedom, between the four of the live runs alone and many.
const CHANCE: f64 = 3.5;

const GOODPUT: &str = "goodput /s";
const ATTEMPTS: &str = "attempts /op";

/// How a scenario is carried out.
#[derive(Clone, Copy)]
enum Arm {
    Live,
    Simulated,
    /// Simulated, with this much of a live request's own time, in the mean.
    WithOwnTime(Nanos),
}

impl Arm {
    /// What runs of the scenario were found to show, one for each seed.
    fn runs(self, scenario: &str) -> Vec<Findings> {
        let seeds = match self {
            Self::Live => LIVE_SEEDS,
            Self::Simulated => SIMULATED_SEEDS,
            Self::WithOwnTime(_) => SIMULATED_SEEDS / 2,
        };
        (1..=seeds as u64)
            .map(|seed| self.run(scenario, seed))
            .collect()
    }

    fn run(self, name: &str, seed: u64) -> Findings {
        match self {
            Self::Live => {
                let path = root().join(format!("reports/long/{name}/seed-{seed}.json"));
                let text = fs::read_to_string(&path).unwrap_or_else(|cause| {
                    panic!(
                        "failed to read {}: {cause}; ./test --long makes it",
                        path.display()
                    )
                });
                serde_json::from_str(&text).unwrap()
            }
            Self::Simulated => findings(&carried_out(&plan(name, seed))),
            Self::WithOwnTime(own) => findings(&carried_out(&with_own_time(name, seed, own))),
        }
    }
}

fn plan(name: &str, seed: u64) -> Plan {
    let plan = scenario::load(name, false).unwrap();
    Plan { seed, ..plan }
}

/// The application's part of a request takes as much longer as a live worker's own work, evenly
/// from nothing to twice as much: that scatters so.
fn with_own_time(name: &str, seed: u64, own: Nanos) -> Plan {
    let mut plan = plan(name, seed);
    let fleet = plan.fleet.as_mut().unwrap();
    let Distribution::Constant(modelled) = fleet.application else {
        panic!("{name}: the application's part is {}", fleet.application);
    };
    fleet.application = Distribution::Uniform {
        from: modelled,
        to: modelled + own + own,
    };
    plan
}

/// A live request's own time (parsing, SQLite): what its worker holds it for beyond the 10 ms that
/// are modelled, of the live runs of surge, while the only worker was never free.
fn own_time() -> Nanos {
    let runs = Arm::Live.runs("surge");
    let mean = |of: fn(&Phase) -> Option<f64>| {
        let values = runs.iter().map(|run| of(&run.phases[1]).unwrap());
        values.sum::<f64>() / runs.len() as f64
    };
    let held = mean(|it| it.saturation) / mean(|it| it.completed_per_s);
    Nanos::from_secs_f64(held - 0.010)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The mean and the ends of what runs gave, and the mean's standard error.
#[derive(Clone, Copy)]
struct Spread {
    mean: f64,
    least: f64,
    most: f64,
    error: f64,
}

fn spread(values: &[f64]) -> Spread {
    let fold = |from: f64, pick: fn(f64, f64) -> f64| values.iter().copied().fold(from, pick);
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares = values.iter().map(|value| (value - mean).powi(2));
    Spread {
        mean,
        error: (squares.sum::<f64>() / (count - 1.0) / count).sqrt(),
        least: fold(f64::INFINITY, f64::min),
        most: fold(f64::NEG_INFINITY, f64::max),
    }
}

/// One figure of both arms.
struct Pair {
    scenario: &'static str,
    phase: String,
    figure: &'static str,
    /// Of the live runs, the simulated ones and those with a live request's own time.
    /// None where an arm has none in some run.
    arms: [Option<Spread>; 3],
    tolerance: f64,
    /// Less than this is nothing.
    nothing: f64,
}

impl Pair {
    /// A difference of more than this is told: more than the tolerance, than chance
    /// makes of so many runs, and than nothing.
    fn told_from(&self, live: Spread, simulated: Spread) -> f64 {
        (self.tolerance * live.mean.abs())
            .max(CHANCE * live.error.hypot(simulated.error))
            .max(self.nothing)
    }

    fn agrees(&self) -> bool {
        match self.arms {
            [Some(live), Some(simulated), Some(_)] => {
                (live.mean - simulated.mean).abs() <= self.told_from(live, simulated)
            }
            [None, None, None] => true,
            _ => false,
        }
    }

    /// Whether chance makes this difference, or the one thing that docs/SIMULATOR.md names: a
    /// live request costs processor time of its own. With as much of it as was measured, no
    /// more than chance is left.
    fn is_chance_or_named(&self) -> bool {
        let [Some(live), simulated @ ..] = self.arms else {
            return true;
        };
        simulated.iter().flatten().any(|simulated| {
            let chance = CHANCE * live.error.hypot(simulated.error);
            (simulated.mean - live.mean).abs() <= chance.max(self.nothing)
        })
    }

    fn row(&self) -> String {
        let shown = |arm: Option<Spread>| {
            arm.map_or_else(
                || "–".to_owned(),
                |it| format!("{:.2} ({:.2}–{:.2})", it.mean, it.least, it.most),
            )
        };
        let (difference, told_from) = match self.arms {
            [Some(live), Some(simulated), _] if live.mean.abs() > self.nothing => (
                format!("{:+.1} %", 100.0 * (simulated.mean / live.mean - 1.0)),
                format!(
                    "{:.0} %",
                    100.0 * self.told_from(live, simulated) / live.mean.abs()
                ),
            ),
            _ => ("–".to_owned(), "–".to_owned()),
        };
        let with_own_time =
            self.arms[2].map_or_else(|| "–".to_owned(), |it| format!("{:.2}", it.mean));
        let [live, simulated, _] = self.arms.map(shown);
        format!(
            "| {} | {} | {} | {live} | {simulated} | {difference} | {told_from} | {with_own_time} |",
            self.scenario, self.phase, self.figure
        )
    }
}

/// What is compared of a phase: its name, the figure, what of it is nothing.
type Figure = (&'static str, fn(&Phase) -> Option<f64>, f64);

/// The pairs of a scenario, and the verdicts of both arms.
fn pairs(scenario: &'static str, own: Nanos) -> (Vec<Pair>, Vec<String>) {
    let arms = [Arm::Live, Arm::Simulated, Arm::WithOwnTime(own)].map(|arm| arm.runs(scenario));
    let [live, simulated, with_own_time] = &arms;
    let names = |run: &Findings| -> Vec<String> {
        run.phases.iter().map(|phase| phase.name.clone()).collect()
    };
    let phases = names(&live[0]);
    for run in live.iter().chain(simulated).chain(with_own_time) {
        assert_eq!(names(run), phases, "{scenario}: the phases are the same");
    }
    let measured = fs::read_to_string(root().join(format!("reports/long/{scenario}.plan")));
    assert_eq!(
        measured.unwrap().trim(),
        scenario::load(scenario, false).unwrap().fingerprint(),
        "{scenario}: the runs in reports/long are of another plan; ./test --long makes them anew"
    );
    for run in live {
        let (own, now) = (run.seen_to_s(), simulated[0].seen_to_s());
        assert!(
            (own - now).abs() < 1.0,
            "{scenario}: a run in reports/long ends at {own} s and the simulated one at {now} s"
        );
    }
    let baseline = live[0].phases[0].goodput_per_s;
    let figures: [Figure; 3] = [
        (GOODPUT, |it| Some(it.goodput_per_s), NOTHING * baseline),
        ("saturation", |it| it.saturation, NOTHING),
        (ATTEMPTS, |it| it.attempts_per_operation, NOTHING),
    ];
    let mut all = Vec::new();
    for (place, name) in phases.iter().enumerate() {
        for (figure, of, nothing) in figures {
            let arms = arms.each_ref().map(|runs| {
                let values: Option<Vec<f64>> =
                    runs.iter().map(|run| of(&run.phases[place])).collect();
                values.map(|values| spread(&values))
            });
            all.push(Pair {
                scenario,
                phase: name.clone(),
                figure,
                arms,
                tolerance: TOLERANCE,
                nothing,
            });
        }
    }
    let recovery = arms.each_ref().map(|runs| {
        let values: Option<Vec<f64>> = runs
            .iter()
            .map(|run| run.incident.recovery_after_trigger_off_s)
            .collect();
        values.map(|values| spread(&values))
    });
    all.push(Pair {
        scenario,
        phase: "–".into(),
        figure: "recovery s",
        arms: recovery,
        tolerance: RECOVERY_TOLERANCE,
        // It is known to one bucket.
        nothing: live[0].interval_s,
    });
    // The same seeds lead to the same end.
    let verdicts = live.iter().chain(&simulated[..LIVE_SEEDS]);
    (
        all,
        verdicts
            .map(|run| run.incident.verdict.to_string())
            .collect(),
    )
}

#[test]
fn live_and_simulated_runs_agree() {
    let mut apart = Vec::new();
    let mut table = String::from(
        "| scenario | phase | figure | live: mean (least–most) | simulated | difference | smallest \
         that fails | with own time |\n|---|---|---|---|---|---|---|---|\n",
    );
    let own = own_time();
    println!("own time: {own}");
    for scenario in SCENARIOS {
        let (pairs, verdicts) = pairs(scenario, own);
        for pair in &pairs {
            let _ = writeln!(table, "{}", pair.row());
            if !pair.agrees() || !pair.is_chance_or_named() {
                apart.push(pair.row());
            }
        }
        let first = &verdicts[0];
        let _ = writeln!(
            table,
            "| {scenario} | – | verdict | {first} | {first} | same in all runs | – | – |"
        );
        if verdicts.iter().any(|verdict| verdict != first) {
            apart.push(format!("{scenario}: {verdicts:?}"));
        }
    }
    println!("{table}");
    assert!(apart.is_empty(), "apart:\n{}", apart.join("\n"));
    documented(
        "docs/SIMULATOR.md",
        "parity",
        &table,
        "cargo test --test quick sim::parity",
    );
}
