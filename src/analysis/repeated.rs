//! The same run several times with other seeds: what was expected, judged by the interval
//! of the figure over the runs, and not by the luck of one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::expectations::{self, ExpectationResult};
use super::findings::Findings;
use super::proportion::Proportion;
use super::seeds::by_share;
use super::study::Interval;
use crate::error::{EXIT_EXPECTATION, EXIT_INVALID, EXIT_PASSED};
use crate::plan::{Bound, Expectation, Unit};
use crate::units::whole;

/// Runs before anything is settled.
const RUNS_MIN: usize = 3;
/// The most that is ever asked for.
const MORE_MAX: f64 = 1000.0;
/// The chance that the interval of a figure misses its mean at any look.
const MISSED: f64 = 0.05;

/// Runs of one plan with other seeds, judged together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RepeatedRuns {
    /// What was run.
    pub scenario: String,
    /// What makes the first of them again; empty where that is not known.
    pub command: String,
    /// How many count.
    pub runs: usize,
    /// Runs that do not count, and why, one sentence each.
    pub left_out: Vec<String>,
    /// What is expected, over those that count.
    pub expectations: Vec<RepeatedExpectation>,
    /// The first that did not do what a run must do, whatever is expected of it: its exit
    /// code, and why.
    pub failed: Option<(i32, String)>,
    /// What ended them before their time, in a clause; empty where nothing did.
    pub ended: String,
}

impl RepeatedRuns {
    /// These runs, which are looked at so often at most.
    pub fn of(scenario: &str, expected: &[Expectation], runs: &[Findings], looks: usize) -> Self {
        let expectations = match runs {
            [] => Vec::new(),
            runs => repeated(expected, runs, looks),
        };
        Self {
            scenario: scenario.to_owned(),
            command: runs
                .first()
                .map(|run| run.command.clone())
                .unwrap_or_default(),
            runs: runs.len(),
            expectations,
            failed: runs.iter().find_map(failed),
            ..Self::default()
        }
    }

    /// After how many runs it is looked whether everything is settled: with each look the runs
    /// have doubled, since with every look the chance of a false answer grows.
    pub const fn is_look(runs: usize) -> bool {
        runs.is_multiple_of(RUNS_MIN) && (runs / RUNS_MIN).is_power_of_two()
    }

    /// How often it is looked at most, the last time after all of so many runs.
    pub fn looks(runs: usize) -> usize {
        (1..runs).filter(|runs| Self::is_look(*runs)).count() + 1
    }

    /// Whether everything that is expected is settled; where nothing is, nothing is settled.
    pub fn is_settled(&self) -> bool {
        !self.expectations.is_empty() && self.expectations.iter().all(|it| it.passed.is_some())
    }

    /// The exit code of them all, in the order of docs/EXIT-CODES.md. What valid runs have
    /// settled stands, whichever others were left out.
    pub fn exit_code(&self) -> i32 {
        let settled = self.is_settled() || self.expectations.is_empty();
        let missed = self.expectations.iter().any(|it| it.passed == Some(false));
        match &self.failed {
            Some((code, _)) if *code != EXIT_EXPECTATION => *code,
            _ if self.runs == 0 => EXIT_INVALID,
            _ if missed => EXIT_EXPECTATION,
            // Nothing failed, and nobody knows whether it holds.
            _ if !settled => EXIT_INVALID,
            Some((code, _)) => *code,
            None => EXIT_PASSED,
        }
    }
}

/// What a run did not do, besides what is expected of it: its exit code, and why.
fn failed(run: &Findings) -> Option<(i32, String)> {
    let code = run.exit_code();
    let judged = run.expectations.iter().any(|it| it.passed != Some(true));
    let told = code == EXIT_PASSED || (code == EXIT_EXPECTATION && judged);
    (!told).then(|| {
        (
            code,
            run.ending.reasons.first().cloned().unwrap_or_default(),
        )
    })
}

/// An expectation over several runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RepeatedExpectation {
    /// The figure, with its phase or window.
    pub that: String,
    /// What was required, as text with its unit.
    pub required: String,
    /// What each run showed, as text with its unit.
    pub observed: Vec<String>,
    /// The mean over the runs; null where not every run has a number.
    pub mean: Option<f64>,
    /// The lower end of its confidence interval, likewise: Student's t, at 95 % over all the
    /// looks together.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// Whether it holds: by the interval; null where it cannot be told.
    pub passed: Option<bool>,
    /// What that rests on, in one sentence.
    pub reason: String,
}

/// Each expectation over the runs so far, which are looked at so often at most.
fn repeated(expected: &[Expectation], runs: &[Findings], looks: usize) -> Vec<RepeatedExpectation> {
    let each = expected.iter().enumerate();
    each.map(|(place, expectation)| one(expectation, place, runs, looks))
        .collect()
}

fn one(
    expectation: &Expectation,
    place: usize,
    runs: &[Findings],
    looks: usize,
) -> RepeatedExpectation {
    // Each look has its part of the chance that the interval misses.
    let confidence = 1.0 - MISSED / looks as f64;
    let results = runs.iter().filter_map(|run| run.expectations.get(place));
    let results: Vec<_> = results.collect();
    let values: Option<Vec<f64>> = results.iter().map(|result| result.value).collect();
    if let Some(share) = expectation.share.filter(|_| !results.is_empty()) {
        return of_seeds(&results, share.get(), confidence);
    }
    let judged = results.iter().all(|result| result.passed.is_some());
    let values = values.filter(|_| judged && runs.len() >= RUNS_MIN);
    let bound = match expectation.bound {
        Bound::AtMost(most) => Some((most, 1.0)),
        Bound::AtLeast(least) => Some((least, -1.0)),
        Bound::Is(_) => None,
    };
    let interval = values
        .as_deref()
        .and_then(|values| Interval::at(values, confidence));
    let (passed, reason) = match (interval, bound) {
        (Some(Interval { mean, half_width }), Some((bound, sign))) => by_interval(
            (mean, half_width.unwrap_or(f64::INFINITY)),
            (bound, sign),
            (runs.len(), confidence),
            expectation.that.unit(),
        ),
        _ => by_count(
            &results
                .iter()
                .map(|result| result.passed)
                .collect::<Vec<_>>(),
        ),
    };
    let reach = interval.and_then(|it| it.half_width.map(|half| (it.mean, half)));
    RepeatedExpectation {
        that: results
            .first()
            .map(|it| it.that.clone())
            .unwrap_or_default(),
        required: results
            .first()
            .map(|it| it.required.clone())
            .unwrap_or_default(),
        observed: results.iter().map(|it| it.observed.clone()).collect(),
        mean: interval.map(|it| it.mean),
        low: reach.map(|(mean, half)| mean - half),
        high: reach.map(|(mean, half)| mean + half),
        passed,
        reason,
    }
}

/// One that is about a share of seeds: each run is one of them.
fn of_seeds(results: &[&ExpectationResult], share: f64, confidence: f64) -> RepeatedExpectation {
    let judged = results.iter().filter_map(|result| result.held());
    let judged: Vec<bool> = judged.collect();
    let held = judged.iter().filter(|held| **held).count() as u64;
    let seeds = Proportion::at(held, judged.len() as u64, confidence);
    let written = |value| expectations::in_unit(value, Unit::Share);
    let passed = by_share(seeds, share);
    let told = format!(
        "held in {held} of {} runs, {} interval {} to {}",
        seeds.of,
        written(confidence),
        written(seeds.low),
        written(seeds.high)
    );
    RepeatedExpectation {
        that: results[0].that.clone(),
        required: results[0].required.clone(),
        observed: results.iter().map(|it| it.observed.clone()).collect(),
        mean: Some(seeds.share),
        low: Some(seeds.low),
        high: Some(seeds.high),
        passed,
        reason: match passed {
            Some(_) => told,
            None => format!("cannot tell: {told}; run more"),
        },
    }
}

/// `sign`: 1 where the figure is to be at most the bound, -1 where at least.
fn by_interval(
    (mean, half): (f64, f64),
    (bound, sign): (f64, f64),
    (runs, confidence): (usize, f64),
    unit: Unit,
) -> (Option<bool>, String) {
    let written = |value| expectations::in_unit(value, unit);
    let share = (confidence * 1000.0).round() / 10.0;
    let interval = format!(
        "mean {} over {runs} runs, {share} % interval {} to {}",
        written(mean),
        written(mean - half),
        written(mean + half)
    );
    let room = sign * (bound - mean);
    if room >= half {
        return (Some(true), interval);
    }
    if -room > half {
        return (Some(false), interval);
    }
    // The interval narrows with the root of the runs.
    let needed = (runs as f64 * (half / room.abs().max(f64::MIN_POSITIVE)).powi(2)).min(MORE_MAX);
    let more = whole((needed - runs as f64).ceil()).max(1);
    (None, format!("cannot tell: {interval}; run {more} more"))
}

fn by_count(held: &[Option<bool>]) -> (Option<bool>, String) {
    let runs = held.len();
    let passed = held.iter().filter(|it| **it == Some(true)).count();
    let failed = held.iter().filter(|it| **it == Some(false)).count();
    let told = format!("held in {passed} of {runs} runs, failed in {failed}");
    if runs < RUNS_MIN {
        let more = RUNS_MIN - runs;
        return (None, format!("cannot tell: {told}; run {more} more"));
    }
    match (passed, failed) {
        (passed, _) if passed == runs => (Some(true), told),
        (_, failed) if failed == runs => (Some(false), told),
        _ => (None, format!("cannot tell: {told}; run {runs} more")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_within_its_bound_passes_beyond_it_fails_and_across_it_is_not_told() {
        let runs = (4, 0.975);
        let judged =
            |mean, half, bound| by_interval((mean, half), (bound, 1.0), runs, Unit::Number).0;
        assert_eq!(judged(10.0, 2.0, 12.0), Some(true));
        assert_eq!(judged(10.0, 2.0, 7.9), Some(false));
        assert_eq!(judged(10.0, 2.0, 11.0), None);
        let least = by_interval((10.0, 2.0), (8.0, -1.0), runs, Unit::Number);
        assert_eq!(least.0, Some(true));
        // Half the interval takes four times the runs.
        let more = by_interval((10.0, 2.0), (11.0, 1.0), runs, Unit::Number).1;
        assert!(more.ends_with("run 12 more"), "{more}");
        assert!(more.contains("over 4 runs, 97.5 % interval"), "{more}");
    }

    #[test]
    fn it_is_looked_when_the_runs_have_doubled_and_the_chance_is_divided() {
        let looked: Vec<usize> = (1..=100)
            .filter(|runs| RepeatedRuns::is_look(*runs))
            .collect();
        assert_eq!(looked, [3, 6, 12, 24, 48, 96]);
        assert_eq!(
            [1, 3, 4, 6, 7, 12, 100].map(RepeatedRuns::looks),
            [1, 1, 2, 2, 3, 3, 7]
        );
        // Student's t of two degrees of freedom: 4.303 at 95 %, 6.205 at 97.5 %.
        let half = |looks: usize| {
            let confidence = 1.0 - MISSED / looks as f64;
            let interval = Interval::at(&[1.0, 2.0, 3.0], confidence).unwrap();
            interval.half_width.unwrap() * 3f64.sqrt()
        };
        assert!((half(1) - 4.303).abs() < 0.001, "{}", half(1));
        assert!((half(2) - 6.205).abs() < 0.001, "{}", half(2));
    }

    #[test]
    fn what_runs_failed_to_do_comes_first_and_what_is_settled_stands() {
        let one = |passed| RepeatedExpectation {
            that: "response p99".into(),
            required: "at most 50 ms".into(),
            observed: Vec::new(),
            mean: None,
            low: None,
            high: None,
            passed,
            reason: String::new(),
        };
        let left_out = || vec!["run 2 is left out".to_owned()];
        let runs = |passed: &[Option<bool>], left_out: Vec<String>| RepeatedRuns {
            runs: 3,
            left_out,
            expectations: passed.iter().copied().map(one).collect(),
            ..RepeatedRuns::default()
        };
        let (held, missed, open) = (Some(true), Some(false), None);
        assert_eq!(runs(&[], left_out()).exit_code(), 0);
        assert_eq!(runs(&[held, held], left_out()).exit_code(), 0);
        assert_eq!(runs(&[held, missed], Vec::new()).exit_code(), 99);
        // What cannot be told has not failed; nor does it hide what has.
        assert_eq!(runs(&[held, open], Vec::new()).exit_code(), 97);
        assert_eq!(runs(&[held, open], left_out()).exit_code(), 97);
        assert_eq!(runs(&[missed, open], left_out()).exit_code(), 99);
        let failing = |code: i32, runs: RepeatedRuns| RepeatedRuns {
            failed: Some((code, "nothing succeeded".into())),
            ..runs
        };
        assert_eq!(failing(1, runs(&[held, open], left_out())).exit_code(), 1);
        assert_eq!(failing(1, runs(&[missed], Vec::new())).exit_code(), 1);
        // Everything held, and then the target did not serve.
        assert_eq!(failing(99, runs(&[held], Vec::new())).exit_code(), 99);
        let none = RepeatedRuns {
            left_out: left_out(),
            ..RepeatedRuns::default()
        };
        assert_eq!(none.exit_code(), 97);
    }

    #[test]
    fn words_need_every_run() {
        assert_eq!(by_count(&[Some(true); 3]).0, Some(true));
        assert_eq!(by_count(&[Some(false); 3]).0, Some(false));
        assert_eq!(by_count(&[Some(true), Some(true), Some(false)]).0, None);
        assert_eq!(by_count(&[Some(true), Some(true), None]).0, None);
        assert_eq!(by_count(&[Some(true); 2]).0, None);
    }
}
