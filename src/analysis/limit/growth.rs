//! Whether the number of operations in flight still grows: a rate at which it does is not
//! served, whatever the percentiles are so far.
//!
//! What is in flight is taken by Little's law, block by block: the response times of the
//! operations that were scheduled in a block, added up, over its length. That counts all
//! of them, also those that wait for a connection, and none of the target's own gauges is
//! needed. Of a target that is asked for a share more than it does, it grows by that share
//! of the rate.

use super::interval::widening;
use crate::analysis::phases::Stretch;
use crate::analysis::series::{Bucket, Series};
use crate::analysis::student;

/// Blocks at most, as in the intervals of the figures.
const BLOCKS_MAX: usize = 20;
/// Blocks at least: below, a line goes through anything.
const BLOCKS_MIN: usize = 8;
/// The share of the draws in which a line that is level would seem to rise less.
const CONFIDENCE: f64 = 0.99;

/// How the number of operations in flight went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Growth {
    /// On average.
    pub mean: f64,
    /// By how many it grew in a second.
    pub per_s: f64,
    /// The least that this can be, with 99 % (two-sided).
    pub low_per_s: f64,
}

/// That of a stretch; none where it is too short, or nothing was recorded of it.
pub(super) fn growth(series: &Series, stretch: &Stretch) -> Option<Growth> {
    let buckets = stretch.buckets(series);
    let count = buckets.len().min(BLOCKS_MAX);
    if count < BLOCKS_MIN {
        return None;
    }
    let edge = |place: usize| place * buckets.len() / count;
    let points: Vec<(f64, f64)> = (0..count)
        .map(|place| point(&buckets[edge(place)..edge(place + 1)]))
        .collect();
    line(&points)
}

/// The middle of some buckets, and how many operations were in flight in them.
fn point(buckets: &[Bucket]) -> (f64, f64) {
    let from = buckets.first().map_or(0.0, |it| it.from.as_secs_f64());
    let to = buckets.last().map_or(0.0, |it| it.to.as_secs_f64());
    let spent = buckets.iter().filter_map(|bucket| bucket.operations);
    let spent: f64 = spent.map(|own| own.response_ns as f64 / 1e9).sum();
    (f64::midpoint(from, to), spent / (to - from).max(1e-9))
}

/// The line of least squares, and how steep it is at least.
fn line(points: &[(f64, f64)]) -> Option<Growth> {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (middle, level) = (mean(|it| it.0), mean(|it| it.1));
    let spread: f64 = points.iter().map(|(at, _)| (at - middle).powi(2)).sum();
    if spread <= 0.0 {
        return None;
    }
    let together: f64 = points
        .iter()
        .map(|(at, value)| (at - middle) * (value - level))
        .sum();
    let slope = together / spread;
    let left: Vec<f64> = points
        .iter()
        .map(|(at, value)| value - level - slope * (at - middle))
        .collect();
    let squares: f64 = left.iter().map(|it| it.powi(2)).sum();
    let freedom = points.len() - 2;
    let error = (squares / freedom as f64 / spread).sqrt() * widening(&left);
    Some(Growth {
        mean: level,
        per_s: slope,
        low_per_s: slope - student::reach(CONFIDENCE, freedom) * error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grown(values: impl Fn(f64) -> f64) -> Growth {
        let points: Vec<_> = (0..20).map(f64::from).map(|at| (at, values(at))).collect();
        line(&points).unwrap()
    }

    #[test]
    fn a_line_is_found_and_noise_is_none() {
        let steady = grown(|at| 10.0 + (at * 2.4).sin());
        assert!((steady.mean - 10.0).abs() < 0.2 && steady.low_per_s < 0.0);
        let rising = grown(|at| 10.0 + 3.0 * at + (at * 2.4).sin());
        assert!((rising.per_s - 3.0).abs() < 0.1 && rising.low_per_s > 2.8);
        // A hump is no growth that is beyond chance.
        let hump = grown(|at| 10.0 + 8.0 * (-(at - 12.0).powi(2) / 9.0).exp());
        assert!(hump.low_per_s < 0.0, "{hump:?}");
        assert_eq!(line(&[(1.0, 2.0); 9]), None);
    }
}
