//! Live and simulated runs of the same scenarios, side by side.
//!
//! `./test --long` runs each scenario live and keeps what the runs were found to show in
//! `reports/long`; this holds the simulator to it each time, twice:
//!
//! - The mean of the live runs agrees with that of simulated ones, within the tolerances of
//!   the issue that asked for the simulator. Simulated runs cost little, so there are eight
//!   times as many of them: a figure that scatters (how far a backlog gets before somebody
//!   acts) is compared with the mean that it scatters about.
//! - Seed by seed, the live run agrees with the simulated one in which each request is held for
//!   as much longer as a live worker was measured to hold it. The operations are the same, so
//!   small differences show; nothing but chance may be left.
//!
//! Where they differ by more, the cause is to be found and the model mended.

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

/// The scenarios that run live in the long test, each with so many seeds; `./test` has the
/// same list. Two have a phase that goes another way with each seed, and so more of them.
const SCENARIOS: [(&str, usize); 4] = [
    ("missing-await", 5),
    ("retry-collapse", 20),
    ("slow-database", 20),
    ("surge", 5),
];
/// Simulated runs for each live one.
const SIMULATED: usize = 8;

/// A figure of a phase agrees within this share …
const TOLERANCE: f64 = 0.10;
/// … and the recovery time within this.
const RECOVERY_TOLERANCE: f64 = 0.20;
/// Figures that differ by less than a hundredth of the whole (of the baseline's
/// goodput, of all workers, of one attempt) are the same: one tenth of nearly
/// nothing is nothing.
const NOTHING: f64 = 0.01;
/// The longest own time of a live request that is called small beside the 10 ms of surge.
const OWN_TIME_MAX: Nanos = Nanos::from_micros(600);

/// How many standard errors a mean of so many live runs is off by chance: Student's t, to
/// either side.
struct Chance {
    /// In 99 of 100 cases.
    one_figure: f64,
    /// In 999 of 1000: of fifty figures all, in 95 of 100.
    all_figures: f64,
}

impl Chance {
    fn of(runs: usize) -> Self {
        let (one_figure, all_figures) = match runs {
            5 => (4.604, 8.610),
            20 => (2.861, 3.883),
            _ => panic!("look up Student's t for {} degrees of freedom", runs - 1),
        };
        Self {
            one_figure,
            all_figures,
        }
    }
}

/// What live runs of the scenario were found to show, one for each seed.
fn live(name: &str, seeds: usize) -> Vec<Findings> {
    let read = |seed| {
        let path = root().join(format!("reports/long/{name}/seed-{seed}.json"));
        let text = fs::read_to_string(&path).unwrap_or_else(|cause| {
            panic!(
                "failed to read {}: {cause}; ./test --long makes it",
                path.display()
            )
        });
        serde_json::from_str(&text).unwrap()
    };
    (1..=seeds).map(read).collect()
}

/// The same of simulated runs, in which each request is held for as much longer.
fn simulated(name: &str, seeds: usize, longer: Nanos) -> Vec<Findings> {
    let mut plan = scenario::load(name, false).unwrap();
    if longer > Nanos::ZERO {
        hold_longer(&mut plan, longer);
    }
    let run = |seed| {
        findings(&carried_out(&Plan {
            seed,
            ..plan.clone()
        }))
    };
    (1..=seeds as u64).map(run).collect()
}

/// Evenly from nothing to twice as much: the responses of live runs that never queue scatter
/// so (docs/SIMULATOR.md).
fn hold_longer(plan: &mut Plan, longer: Nanos) {
    let fleet = plan.fleet.as_mut().unwrap();
    let from = constant(&fleet.application);
    let to = from + longer + longer;
    fleet.application = Distribution::Uniform { from, to };
}

fn constant(distribution: &Distribution) -> Nanos {
    match distribution {
        Distribution::Constant(value) => *value,
        other => panic!("{other} is not the same for all"),
    }
}

/// What a live worker holds a request for beyond what is modelled (waking up, the way to the
/// identity service, queries): of the live runs of surge, in the phase in which its only worker
/// is hardly ever free.
fn own_time(surges: &[Findings]) -> Nanos {
    let mean = |of: fn(&Phase) -> Option<f64>| {
        let surge = |run: &Findings| run.phases.iter().find(|it| it.name == "surge").and_then(of);
        surges.iter().map(|run| surge(run).unwrap()).sum::<f64>() / surges.len() as f64
    };
    let held = mean(|it| it.saturation) / mean(|it| it.completed_per_s);
    let fleet = scenario::load("surge", false).unwrap().fleet.unwrap();
    let stages = [&fleet.application, &fleet.identity.latency, &fleet.database];
    let modelled: f64 = stages.map(|it| constant(it).as_secs_f64()).iter().sum();
    assert!(held > modelled, "{held} s and {modelled} s");
    Nanos::from_secs_f64(held - modelled)
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

impl Spread {
    fn shown(&self) -> String {
        format!("{:.2} ({:.2}–{:.2})", self.mean, self.least, self.most)
    }
}

/// The runs of a scenario.
struct Runs {
    scenario: &'static str,
    live: Vec<Findings>,
    simulated: Vec<Findings>,
    /// One for each live run, of the same seed.
    with_own_time: Vec<Findings>,
}

type OfPhase = fn(&Phase) -> Option<f64>;

/// A figure of a run.
struct Figure<'a> {
    phase: &'a str,
    name: &'static str,
    of: &'a dyn Fn(&Findings) -> Option<f64>,
    tolerance: f64,
    /// Less than this is nothing.
    nothing: f64,
}

impl Runs {
    fn of(scenario: &'static str, seeds: usize, own: Nanos) -> Self {
        let runs = Self {
            scenario,
            live: live(scenario, seeds),
            simulated: simulated(scenario, seeds * SIMULATED, Nanos::ZERO),
            with_own_time: simulated(scenario, seeds, own),
        };
        runs.check();
        runs
    }

    fn all(&self) -> impl Iterator<Item = &Findings> {
        self.live
            .iter()
            .chain(&self.simulated)
            .chain(&self.with_own_time)
    }

    /// All are of one plan, and end together.
    fn check(&self) {
        let scenario = self.scenario;
        let measured = fs::read_to_string(root().join(format!("reports/long/{scenario}.plan")));
        assert_eq!(
            measured.unwrap().trim(),
            scenario::load(scenario, false).unwrap().fingerprint(),
            "{scenario}: the runs in reports/long are of another plan; ./test --long makes them anew"
        );
        for run in self.all() {
            assert_eq!(
                names(run),
                self.phases(),
                "{scenario}: the phases are the same"
            );
        }
        for run in &self.live {
            let (own, now) = (run.seen_to_s(), self.simulated[0].seen_to_s());
            assert!(
                (own - now).abs() < 1.0,
                "{scenario}: a run in reports/long ends at {own} s and the simulated one at {now} s"
            );
        }
    }

    fn phases(&self) -> Vec<String> {
        names(&self.live[0])
    }

    /// A row of the table, and whether the figure agrees.
    fn compare(&self, figure: &Figure<'_>) -> (String, bool) {
        let chance = Chance::of(self.live.len());
        let all = |runs: &[Findings]| -> Option<Vec<f64>> { runs.iter().map(figure.of).collect() };
        let known = [&self.live, &self.simulated, &self.with_own_time].map(|runs| all(runs));
        let start = format!("| {} | {} | {} |", self.scenario, figure.phase, figure.name);
        let [Some(live), Some(simulated), Some(with_own_time)] = known else {
            return (format!("{start} – | – | – | – |"), self.as_often(figure));
        };
        let pairs: Vec<_> = with_own_time
            .iter()
            .zip(&live)
            .map(|(a, b)| a - b)
            .collect();
        let [live, simulated, pairs] = [live, simulated, pairs].map(|values| spread(&values));

        let error = chance.one_figure * live.error.hypot(simulated.error);
        let allowed = (figure.tolerance * live.mean.abs())
            .max(error)
            .max(figure.nothing);
        let apart = simulated.mean - live.mean;
        let allowed_seed_by_seed = (chance.all_figures * pairs.error).max(figure.nothing);
        let agrees = apart.abs() <= allowed && pairs.mean.abs() <= allowed_seed_by_seed;

        let share = |of: f64, allowed: f64| {
            let percent = 100.0 / live.mean;
            if live.mean.abs() > figure.nothing {
                format!("{:+.1} % ({:.1} %)", percent * of, percent * allowed)
            } else {
                "–".to_owned()
            }
        };
        let row = format!(
            "{start} {} | {} | {} | {} |",
            live.shown(),
            simulated.shown(),
            share(apart, allowed),
            share(pairs.mean, allowed_seed_by_seed),
        );
        (row, agrees)
    }

    /// Whether as many of the simulated runs have the figure as of the live ones, to one live run.
    fn as_often(&self, figure: &Figure<'_>) -> bool {
        let share = |runs: &[Findings]| {
            let with = runs.iter().filter(|run| (figure.of)(run).is_some());
            with.count() as f64 / runs.len() as f64
        };
        let one = 1.0 / self.live.len() as f64;
        let live = share(&self.live);
        let arms = [&self.simulated, &self.with_own_time];
        arms.iter().all(|runs| (share(runs) - live).abs() < one)
    }

    /// A row for each figure, and those of figures that do not agree.
    fn table(&self) -> (String, Vec<String>) {
        let first = &self.live[0];
        let (mut table, mut apart) = (String::new(), Vec::new());
        let mut compare = |figure: &Figure<'_>| {
            let (row, agrees) = self.compare(figure);
            let _ = writeln!(table, "{row}");
            if !agrees {
                apart.push(row);
            }
        };
        let of_a_phase: [(&str, OfPhase, f64); 3] = [
            (
                "goodput /s",
                |it| Some(it.goodput_per_s),
                NOTHING * first.phases[0].goodput_per_s,
            ),
            ("saturation", |it| it.saturation, NOTHING),
            ("attempts /op", |it| it.attempts_per_operation, NOTHING),
        ];
        for (place, phase) in self.phases().iter().enumerate() {
            for (name, of, nothing) in of_a_phase {
                compare(&Figure {
                    phase,
                    name,
                    of: &|run| of(&run.phases[place]),
                    tolerance: TOLERANCE,
                    nothing,
                });
            }
        }
        compare(&Figure {
            phase: "–",
            name: "recovery s",
            of: &|run| run.incident.recovery_after_trigger_off_s,
            tolerance: RECOVERY_TOLERANCE,
            // It is known to one bucket.
            nothing: first.interval_s,
        });
        // The same seeds lead to the same end.
        let seeds = self.live.len();
        let verdict = first.incident.verdict;
        let _ = writeln!(
            table,
            "| {} | – | verdict | {verdict} | {verdict} | same in all runs | same in all runs |",
            self.scenario
        );
        let mut same_seeds = self.live.iter().chain(&self.simulated[..seeds]);
        if !same_seeds.all(|run| run.incident.verdict == verdict) {
            apart.push(format!("{}: verdicts differ", self.scenario));
        }
        (table, apart)
    }
}

fn names(run: &Findings) -> Vec<String> {
    run.phases.iter().map(|phase| phase.name.clone()).collect()
}

#[test]
fn live_and_simulated_runs_agree() {
    let own = own_time(&live("surge", 5));
    assert!(own < OWN_TIME_MAX, "{own} of a request is not small");
    let mut table = format!(
        "A live worker holds a request for {:.2} ms more.\n\n\
         | scenario | phase | figure | live: mean (least–most) | simulated | difference (allowed) \
         | seed by seed, with own time |\n|---|---|---|---|---|---|---|\n",
        own.as_secs_f64() * 1e3
    );
    let mut apart = Vec::new();
    for (scenario, seeds) in SCENARIOS {
        let (rows, differing) = Runs::of(scenario, seeds, own).table();
        table.push_str(&rows);
        apart.extend(differing);
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
