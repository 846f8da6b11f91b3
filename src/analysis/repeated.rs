//! The same run several times with other seeds: what was expected, judged by the interval
//! of the figure over the runs, and not by the luck of one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::expectations;
use super::findings::Findings;
use super::study::Interval;
use crate::plan::{Bound, Expectation, Unit};
use crate::units::whole;

/// Runs before anything is settled.
const RUNS_MIN: usize = 3;
/// The most that is ever asked for.
const MORE_MAX: f64 = 1000.0;

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
    /// The lower end of its 95 % confidence interval (Student's t), likewise.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// Whether it holds: by the interval; null where it cannot be told.
    pub passed: Option<bool>,
    /// What that rests on, in one sentence.
    pub reason: String,
}

/// Each expectation over the runs so far.
pub fn repeated(expected: &[Expectation], runs: &[Findings]) -> Vec<RepeatedExpectation> {
    let each = expected.iter().enumerate();
    each.map(|(place, expectation)| one(expectation, place, runs))
        .collect()
}

fn one(expectation: &Expectation, place: usize, runs: &[Findings]) -> RepeatedExpectation {
    let results = runs.iter().filter_map(|run| run.expectations.get(place));
    let results: Vec<_> = results.collect();
    let values: Option<Vec<f64>> = results.iter().map(|result| result.value).collect();
    let judged = results.iter().all(|result| result.passed.is_some());
    let values = values.filter(|_| judged && runs.len() >= RUNS_MIN);
    let bound = match expectation.bound {
        Bound::AtMost(most) => Some((most, 1.0)),
        Bound::AtLeast(least) => Some((least, -1.0)),
        Bound::Is(_) => None,
    };
    let interval = values.as_deref().and_then(Interval::of);
    let (passed, reason) = match (interval, bound) {
        (Some(Interval { mean, half_width }), Some((bound, sign))) => by_interval(
            (mean, half_width.unwrap_or(f64::INFINITY)),
            (bound, sign),
            runs.len(),
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

/// `sign`: 1 where the figure is to be at most the bound, -1 where at least.
fn by_interval(
    (mean, half): (f64, f64),
    (bound, sign): (f64, f64),
    runs: usize,
    unit: Unit,
) -> (Option<bool>, String) {
    let written = |value| expectations::in_unit(value, unit);
    let interval = format!(
        "mean {} over {runs} runs, 95 % interval {} to {}",
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
        let judged = |mean, half, bound| by_interval((mean, half), (bound, 1.0), 4, Unit::Number).0;
        assert_eq!(judged(10.0, 2.0, 12.0), Some(true));
        assert_eq!(judged(10.0, 2.0, 7.9), Some(false));
        assert_eq!(judged(10.0, 2.0, 11.0), None);
        let least = by_interval((10.0, 2.0), (8.0, -1.0), 4, Unit::Number);
        assert_eq!(least.0, Some(true));
        // Half the interval takes four times the runs.
        let more = by_interval((10.0, 2.0), (11.0, 1.0), 4, Unit::Number).1;
        assert!(more.ends_with("run 12 more"), "{more}");
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
