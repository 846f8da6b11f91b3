//! When service was lost and when it was back, by the scenario's own rule.
//!
//! Everything here lies on the intended-start axis: an operation delayed into
//! the recovery counts against the instant at which its user began to wait.
//! Windows slide by one bucket, which is the resolution of every answer.
//!
//! Goodput is compared as a *share of the offered load*, not in operations per
//! second: arrivals are random, and one second of 350/s offers anything from
//! 300 to 400. A window must meet the rule as a whole, and its first bucket
//! must meet it in goodput too; else a window could begin with the last bad
//! buckets and thin them out with the good ones behind.

use super::observation::Observation;
use super::series::{Bucket, Series, bad, merge, share};
use super::totals::Totals;
use crate::plan::RecoveryRule;
use crate::record::{Histogram, OperationCounters};
use crate::units::{Nanos, Ratio, counted};

/// Load this much above the baseline's still counts as at the baseline: the
/// same 5 % by which goodput may miss it.
const LOAD_TOLERANCE: f64 = 0.05;

/// Standard deviations of a count of random arrivals that pass for chance: of
/// a thousand windows three lie outside.
const CHANCE_DEVIATIONS: f64 = 3.0;

/// Users' service before the first action or surge.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Baseline {
    pub from: Nanos,
    pub to: Nanos,
    pub operations: OperationCounters,
    pub goodput_share: f64,
    pub error_share: f64,
    pub p99: Nanos,
}

impl Baseline {
    /// Its length in seconds, never zero.
    pub(super) fn seconds(&self) -> f64 {
        self.to.saturating_sub(self.from).as_secs_f64()
    }

    /// Operations scheduled per second.
    pub(super) fn offered_per_s(&self) -> f64 {
        self.operations.scheduled as f64 / self.seconds()
    }
}

/// The baseline, from the end of the warm-up to the first action or surge.
///
/// # Errors
///
/// One sentence, where there is none.
pub(super) fn baseline(
    series: &Series,
    observation: Observation,
    first: Option<Nanos>,
    rule: &RecoveryRule,
) -> Result<Baseline, String> {
    let until = first.map_or(observation.to, |at| series.edge_before(at));
    let to = until.min(observation.to);
    let totals = Totals::over(series.between(observation.from, to));
    let operations = totals.operations;
    let needed = rule.operations_min.max(1);
    if operations.scheduled < needed {
        return Err(format!(
            "there is no baseline: {} between the warm-up and the first action, and {needed} are \
             needed",
            counted(operations.scheduled, "operation")
        ));
    }
    let p99 = totals.response.and_then(|response| response.quantile(0.99));
    let (Some(p99), Some(goodput_share)) = (p99, goodput_share(&operations)) else {
        return Err("there is no baseline: no operation succeeded before the first action".into());
    };
    Ok(Baseline {
        from: observation.from,
        to,
        operations,
        goodput_share,
        error_share: error_share(&operations).unwrap_or(0.0),
        p99,
    })
}

fn goodput_share(operations: &OperationCounters) -> Option<f64> {
    share(operations.succeeded, operations.scheduled).filter(|share| *share > 0.0)
}

fn error_share(operations: &OperationCounters) -> Option<f64> {
    share(bad(operations), operations.ended())
}

/// What users got, bucket by bucket, held against a baseline.
#[derive(Debug, Clone, Copy)]
pub(super) struct Service<'a> {
    series: &'a Series,
    buckets: &'a [Bucket],
    baseline: &'a Baseline,
    rule: &'a RecoveryRule,
    end: Nanos,
}

impl<'a> Service<'a> {
    /// The observed service of a run.
    pub(super) fn new(
        series: &'a Series,
        observation: Observation,
        baseline: &'a Baseline,
        rule: &'a RecoveryRule,
    ) -> Self {
        Self {
            series,
            buckets: series.between(observation.from, observation.to),
            baseline,
            rule,
            end: observation.to,
        }
    }

    /// The hold window, at least one bucket.
    pub(super) fn hold(&self) -> Nanos {
        self.rule.hold.max(self.series.interval)
    }

    /// The impact: in the first bucket that is hit, the intended start of the
    /// first operation that failed. Where the record does not tell it (nothing
    /// failed, but operations were still under way at the stop, or it is older
    /// than this counter), the bucket's start; the trigger where that is later.
    pub(super) fn impact(&self, trigger: Nanos) -> Option<Nanos> {
        let from = self.series.edge_before(trigger);
        let first = self.since(from).iter().find(|bucket| {
            let operations = bucket.operations.unwrap_or_default();
            operations.scheduled > 0
                && !(self.goodput_at_least(&operations, self.rule.goodput)
                    && self.errors_within(&operations))
        });
        first.map(|bucket| {
            let failed = bucket.operations.and_then(|own| own.first_failed());
            failed.unwrap_or(bucket.from).max(trigger)
        })
    }

    /// The start of the first hold window at or after `after` in which the
    /// recovery rule holds; none where it was not seen.
    pub(super) fn recovered(&self, after: Nanos) -> Option<Nanos> {
        self.first_window(after, |window, totals| {
            self.goodput_throughout(window, totals, self.rule.goodput)
                && self.errors_within(totals)
                && self.p99_within(window)
        })
    }

    /// The start of the first hold window at or after `after` with half of the
    /// baseline's goodput, or what the rule says instead.
    pub(super) fn mitigated(&self, after: Nanos) -> Option<Nanos> {
        self.first_window(after, |window, totals| {
            self.goodput_throughout(window, totals, self.rule.mitigated)
        })
    }

    /// When service was lost after `recovered` and stayed lost, in every
    /// bucket, for a hold window.
    pub(super) fn lost_again(&self, recovered: Nanos) -> Option<Nanos> {
        let mut lost: Option<(Nanos, Nanos)> = None;
        for bucket in self.since(recovered) {
            lost = match lost {
                _ if !self.is_lost(bucket) => None,
                Some((from, to)) if to == bucket.from => Some((from, bucket.to)),
                _ => Some((bucket.from, bucket.to)),
            };
            if let Some((from, to)) = lost
                && to.saturating_sub(from) >= self.hold()
            {
                return Some(from);
            }
        }
        None
    }

    /// Whether some hold window since `after` had no more load than the
    /// baseline; none where no whole window was seen.
    pub(super) fn load_back(&self, after: Nanos) -> Option<bool> {
        let windows = self.since(after).iter().enumerate();
        windows
            .filter_map(|(start, _)| self.window(self.since(after), start))
            .map(|window| self.load_at_most_baseline(window))
            .reduce(|any, one| any || one)
    }

    /// Whether the last hold window had no more load than the baseline and
    /// less goodput than counts as mitigated: stuck.
    pub(super) fn ends_stuck(&self) -> bool {
        let last = self.since(self.end.saturating_sub(self.hold()));
        let totals = total(last);
        totals.scheduled > 0
            && self.load_at_most_baseline(last)
            && !self.goodput_at_least(&totals, self.rule.mitigated)
    }

    fn since(&self, from: Nanos) -> &'a [Bucket] {
        let start = self.buckets.partition_point(|bucket| bucket.from < from);
        self.buckets.get(start..).unwrap_or_default()
    }

    fn first_window(
        &self,
        after: Nanos,
        holds: impl Fn(&[Bucket], &OperationCounters) -> bool,
    ) -> Option<Nanos> {
        let buckets = self.since(after);
        (0..buckets.len()).find_map(|start| {
            let window = self.window_with_enough(buckets, start)?;
            let from = window.first()?.from;
            holds(window, &total(window)).then_some(from)
        })
    }

    /// The buckets of the hold window that begins with `start`; none where it
    /// would reach past what was observed.
    fn window<'b>(&self, buckets: &'b [Bucket], start: usize) -> Option<&'b [Bucket]> {
        let rest = buckets.get(start..)?;
        let to = rest.first()?.from.saturating_add(self.hold());
        let length = rest.partition_point(|bucket| bucket.from < to);
        (to <= self.end).then(|| rest.get(..length))?
    }

    /// The same, made longer until it holds the operations that the rule asks for.
    fn window_with_enough<'b>(&self, buckets: &'b [Bucket], start: usize) -> Option<&'b [Bucket]> {
        let window = self.window(buckets, start)?;
        let rest = buckets.get(start..)?;
        let mut length = window.len();
        let mut operations = total(window).scheduled;
        while operations < self.rule.operations_min.max(1) {
            operations = operations.saturating_add(rest.get(length)?.scheduled());
            length += 1;
        }
        rest.get(..length)
    }

    fn is_lost(&self, bucket: &Bucket) -> bool {
        let operations = bucket.operations.unwrap_or_default();
        operations.scheduled > 0
            && !(self.goodput_at_least(&operations, self.rule.goodput)
                && self.errors_within(&operations)
                && self.p99_within(std::slice::from_ref(bucket)))
    }

    fn goodput_throughout(
        &self,
        window: &[Bucket],
        totals: &OperationCounters,
        least: Ratio,
    ) -> bool {
        let first = window.first().and_then(|bucket| bucket.operations);
        self.goodput_at_least(totals, least)
            && first.is_none_or(|first| self.goodput_at_least(&first, least))
    }

    /// Whether the goodput, scaled to the offered load, is at least this share
    /// of the baseline's; so it is where nothing was offered.
    fn goodput_at_least(&self, operations: &OperationCounters, least: Ratio) -> bool {
        share(operations.succeeded, operations.scheduled)
            .is_none_or(|share| share >= least.get() * self.baseline.goodput_share)
    }

    fn errors_within(&self, operations: &OperationCounters) -> bool {
        error_share(operations)
            .is_none_or(|share| share <= self.baseline.error_share + self.rule.error_margin.get())
    }

    fn p99_within(&self, window: &[Bucket]) -> bool {
        let mut response: Option<Histogram> = None;
        for bucket in window {
            if let Some(histogram) = &bucket.response {
                merge(&mut response, histogram);
            }
        }
        let p99 = response.and_then(|response| response.quantile(0.99));
        let base = self.baseline.p99;
        let factor = Nanos::from_secs_f64(base.as_secs_f64() * self.rule.p99_factor);
        let bound = factor.max(base.saturating_add(self.rule.p99_margin));
        p99.is_none_or(|p99| p99 <= bound)
    }

    fn load_at_most_baseline(&self, window: &[Bucket]) -> bool {
        let scheduled = total(window).scheduled as f64;
        let expected = self.baseline.offered_per_s() * self.hold().as_secs_f64();
        let chance = CHANCE_DEVIATIONS * expected.sqrt();
        scheduled <= expected + chance.max(LOAD_TOLERANCE * expected)
    }
}

fn total(buckets: &[Bucket]) -> OperationCounters {
    let mut total = OperationCounters::default();
    for operations in buckets.iter().filter_map(|bucket| bucket.operations) {
        total.merge(&operations);
    }
    total
}
