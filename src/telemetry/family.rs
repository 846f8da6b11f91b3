//! Metrics as both ways out have them: a name, its meaning, and points with labels.
//!
//! One list of families becomes the page that Prometheus reads (`page`) and the OTLP messages
//! (`otlp`). So the two cannot differ in a name, a unit or a number. A crate of live metric
//! objects would have to be set from the record's sums before each scrape; here the sums are
//! the metrics.

use crate::record::Histogram;
use crate::units::Nanos;

/// Upper ends of the buckets of every histogram of durations, in seconds: 1, 2.5 and 5 of each
/// decade from a tenth of a millisecond to ten seconds, then half a minute and a minute.
pub const BOUNDS_S: [f64; 18] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0, 60.0,
];

/// One metric with all its points.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// Its name by the conventions of Prometheus: the unit in it, `_total` at the end of a
    /// counter.
    pub name: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// How its points are read.
    pub kind: MetricKind,
    /// The unit as OTLP has it (UCUM): `s`, `By`, `1`, or what is counted in braces.
    pub unit: &'static str,
    /// Its points.
    pub points: Vec<Point>,
}

/// How the points of a metric are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// A sum that only grows while a run goes on.
    Counter,
    /// A level.
    Gauge,
    /// Durations in buckets.
    Histogram,
}

/// A value with what tells it from others of its metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Names and values of its labels.
    pub labels: Vec<(&'static str, String)>,
    /// Its value.
    pub value: PointValue,
}

/// The value of a point.
#[derive(Debug, Clone, PartialEq)]
pub enum PointValue {
    /// A count.
    Whole(u64),
    /// Any number.
    Real(f64),
    /// Durations.
    Durations(Buckets),
}

/// Durations in the buckets of [`BOUNDS_S`].
#[derive(Debug, Clone, PartialEq)]
pub struct Buckets {
    /// How many are in each bucket, and in the last those past all bounds.
    pub counts: [u64; BOUNDS_S.len() + 1],
    /// How many there are.
    pub count: u64,
    /// Their sum in seconds, each known to within 0.1 %.
    pub sum_s: f64,
}

impl From<u64> for PointValue {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<f64> for PointValue {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<&Histogram> for PointValue {
    fn from(histogram: &Histogram) -> Self {
        Self::Durations(Buckets::of(histogram))
    }
}

impl Buckets {
    /// The values of a histogram.
    pub fn of(histogram: &Histogram) -> Self {
        let mut buckets = Self {
            counts: [0; BOUNDS_S.len() + 1],
            count: 0,
            sum_s: 0.0,
        };
        for (value, times) in histogram.buckets() {
            let seconds = value.as_secs_f64();
            let place = BOUNDS_S.partition_point(|bound| *bound < seconds);
            buckets.counts[place] = buckets.counts[place].saturating_add(times);
            buckets.count = buckets.count.saturating_add(times);
            buckets.sum_s += seconds * times as f64;
        }
        buckets
    }
}

impl Family {
    fn new(kind: MetricKind, name: &'static str, unit: &'static str, help: &'static str) -> Self {
        Self {
            name,
            help,
            kind,
            unit,
            points: Vec::new(),
        }
    }

    /// A sum of whole things.
    pub(super) fn counter(name: &'static str, unit: &'static str, help: &'static str) -> Self {
        Self::new(MetricKind::Counter, name, unit, help)
    }

    /// A level.
    pub(super) fn gauge(name: &'static str, unit: &'static str, help: &'static str) -> Self {
        Self::new(MetricKind::Gauge, name, unit, help)
    }

    /// Durations.
    pub(super) fn histogram(name: &'static str, help: &'static str) -> Self {
        Self::new(MetricKind::Histogram, name, "s", help)
    }

    /// The same with one more point.
    pub(super) fn with(
        mut self,
        labels: &[(&'static str, &str)],
        value: impl Into<PointValue>,
    ) -> Self {
        self.add(labels, value);
        self
    }

    /// Adds a point.
    pub(super) fn add(&mut self, labels: &[(&'static str, &str)], value: impl Into<PointValue>) {
        let labels = labels.iter();
        self.points.push(Point {
            labels: labels
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
            value: value.into(),
        });
    }
}

/// A time as a number of seconds.
pub(super) fn seconds(nanos: u64) -> f64 {
    Nanos(nanos).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_fall_into_the_buckets_whose_ends_they_do_not_pass() {
        let mut histogram = Histogram::new();
        for (value, times) in [
            (Nanos::from_micros(90), 3),
            (Nanos::from_millis(4), 2), // between 2.5 and 5 ms
            (Nanos::from_secs(61), 1),  // past all bounds
        ] {
            histogram.record_times(value, times);
        }
        let buckets = Buckets::of(&histogram);
        assert_eq!(buckets.count, 6);
        assert_eq!(buckets.counts[0], 3);
        assert_eq!(buckets.counts[5], 2);
        assert_eq!(buckets.counts[BOUNDS_S.len()], 1);
        let sum = 3.0 * 90e-6 + 2.0 * 4e-3 + 61.0;
        assert!((buckets.sum_s / sum - 1.0).abs() < 2e-3, "{buckets:?}");
    }

    #[test]
    fn the_bounds_ascend() {
        assert!(BOUNDS_S.is_sorted());
    }
}
