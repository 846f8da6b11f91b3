//! Whose a time is: the target's, the clients', or the generator's.
//!
//! A response time is only the target's where the generator's own lag is a small part of
//! it, and percentiles of those that succeeded say nothing of those that did not. So each
//! percentile is held against the lag, and stands beside one over all operations.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::totals::{Totals, millis};
use crate::record::{Histogram, OperationCounters};
use crate::units::Nanos;

/// Lag up to this is what two ticks of the coarsest pacing come to, whatever is measured.
const LAG_FLOOR: Nanos = Nanos::from_millis(2);
/// A tenth of a figure is what may be the generator's: as in the bound on a measurement.
const LAG_DIVISOR: u64 = 10;

/// Where the response times of all operations that ended went, however they ended, added
/// up in nanoseconds. `response_ns` is the sum of the four after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimeSpent {
    /// All of it.
    pub response_ns: u64,
    /// Attempts under way: the target, with its network and accept queue.
    pub target_ns: u64,
    /// Waiting for a connection: the clients' limit.
    pub connection_wait_ns: u64,
    /// Pauses before retries: the clients.
    pub pause_ns: u64,
    /// Due and not sent, or answered and not seen: the generator and its machine.
    pub generator_ns: u64,
    /// Pauses of users between steps, which are in no response time.
    pub think_ns: u64,
}

impl TimeSpent {
    /// That of these operations; none where no time was spent.
    pub(super) fn of(operations: &OperationCounters) -> Option<Self> {
        (operations.response_ns > 0).then_some(Self {
            response_ns: operations.response_ns,
            target_ns: operations.target_ns,
            connection_wait_ns: operations.connection_wait_ns,
            pause_ns: operations.pause_ns,
            generator_ns: operations.generator_ns,
            think_ns: operations.think_ns,
        })
    }

    /// Who had which share of it, from 0 to 1.
    pub fn shares(&self) -> [(&'static str, f64); 4] {
        [
            ("target", self.target_ns),
            ("connection wait", self.connection_wait_ns),
            ("pauses", self.pause_ns),
            ("generator", self.generator_ns),
        ]
        .map(|(owner, part)| (owner, part as f64 / self.response_ns.max(1) as f64))
    }
}

/// Percentiles of a response time that are not the target's: the generator's send lag, or
/// all of its part, at the same quantile is more than a tenth of them, and more than 2 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[expect(clippy::struct_excessive_bools, reason = "one for each percentile")]
pub struct Marked {
    /// The median.
    pub p50: bool,
    /// The 90th percentile.
    pub p90: bool,
    /// The 99th percentile.
    pub p99: bool,
    /// The 99.9th percentile.
    pub p999: bool,
}

impl Marked {
    /// Those of these quantiles.
    pub(super) fn each(marked: impl Fn(f64) -> bool) -> Self {
        Self {
            p50: marked(0.5),
            p90: marked(0.9),
            p99: marked(0.99),
            p999: marked(0.999),
        }
    }

    /// Whether none is.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether the generator's part is too large a part of a response time for that to be the
/// target's.
pub(crate) fn lags(response: Option<Nanos>, lag: Option<Nanos>) -> bool {
    response
        .zip(lag)
        .is_some_and(|(response, lag)| lag > LAG_FLOOR.max(response / LAG_DIVISOR))
}

/// The quantile among the values that are not zero, which alone are counted, of a quantile
/// over all: that of the generator's part of response times. None where it falls among the
/// zeros.
pub(crate) fn beyond_zeros(quantile: f64, all: u64, counted: u64) -> Option<f64> {
    let zeros = all.saturating_sub(counted);
    let beyond = (quantile * all as f64 - zeros as f64) / counted as f64;
    (counted > 0 && beyond > 0.0).then_some(beyond)
}

/// A response time over all operations: one that failed or did not end has taken longer
/// than any that succeeded, and longer than it was waited for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum OverAll {
    /// It is known.
    Seen(Nanos),
    /// It is longer than this.
    Above(Nanos),
}

/// The response time that so large a share of all operations has at most; none where
/// there was no operation.
pub(crate) fn over_all(totals: &Totals, quantile: f64) -> Option<OverAll> {
    let served = totals.operations.succeeded;
    let all = totals.operations.scheduled;
    let rank = quantile * all as f64;
    if all == 0 || (served > 0 && rank <= served as f64) {
        let served = totals.response.as_ref()?;
        return Some(OverAll::Seen(
            served.quantile(rank / served.count() as f64)?,
        ));
    }
    let beyond = (rank - served as f64) / (all - served) as f64;
    let waited = totals.unserved.as_ref().and_then(|it| it.quantile(beyond));
    let longest = totals.response.as_ref().and_then(Histogram::max);
    waited.max(longest).map(OverAll::Above)
}

/// Percentiles of the response time over all operations, in milliseconds: those that
/// failed or did not end rank last. Where the percentile falls among them it is null, and
/// `…_censored_after` is what it is longer than.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OverAllLatency {
    /// Operations, all that were scheduled.
    pub count: u64,
    /// Share of them that failed or did not end: those have no response time.
    pub unserved_share: f64,
    /// Median.
    pub p50: Option<f64>,
    /// What it is longer than.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_censored_after: Option<f64>,
    /// 90th percentile.
    pub p90: Option<f64>,
    /// What it is longer than.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p90_censored_after: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// What it is longer than.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_censored_after: Option<f64>,
    /// 99.9th percentile.
    pub p999: Option<f64>,
    /// What it is longer than.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p999_censored_after: Option<f64>,
}

impl OverAllLatency {
    /// Those of the operations of these totals; none where there was none, or in a record
    /// that is older than this figure.
    pub(super) fn of(totals: &Totals) -> Option<Self> {
        TimeSpent::of(&totals.operations)?;
        let count = totals.operations.scheduled;
        let unserved_share = 1.0 - totals.succeeded_share()?;
        let at = |quantile| match over_all(totals, quantile) {
            None => (None, None),
            Some(OverAll::Seen(value)) => (Some(millis(value)), None),
            Some(OverAll::Above(value)) => (None, Some(millis(value))),
        };
        let [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map(at);
        Some(Self {
            count,
            unserved_share,
            p50: p50.0,
            p50_censored_after: p50.1,
            p90: p90.0,
            p90_censored_after: p90.1,
            p99: p99.0,
            p99_censored_after: p99.1,
            p999: p999.0,
            p999_censored_after: p999.1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(value: u64) -> Nanos {
        Nanos::from_millis(value)
    }

    fn totals(served: &[u64], unserved: &[u64], without_wait: u64) -> Totals {
        let of = |values: &[u64]| {
            let mut histogram = Histogram::small();
            for value in values {
                histogram.record(ms(*value));
            }
            (!values.is_empty()).then_some(histogram)
        };
        let mut totals = Totals {
            response: of(served),
            unserved: of(unserved),
            ..Totals::default()
        };
        let operations = &mut totals.operations;
        operations.succeeded = served.len() as u64;
        operations.timed_out = unserved.len() as u64 + without_wait;
        operations.scheduled = operations.succeeded + operations.timed_out;
        totals
    }

    #[test]
    fn over_all_a_failure_is_later_than_any_success() {
        let near = |found: Option<OverAll>, value: u64, seen: bool| {
            let (found, was_seen) = match found.unwrap() {
                OverAll::Seen(found) => (found, true),
                OverAll::Above(found) => (found, false),
            };
            let off = found.0.abs_diff(ms(value).0);
            assert!(
                was_seen == seen && off <= ms(value).0 / 500,
                "{found} {was_seen}"
            );
        };
        // Half succeeded; of the others one was refused at once.
        let half = totals(&[10, 20, 30, 40], &[1, 5000, 5000, 5000], 0);
        near(over_all(&half, 0.25), 20, true);
        near(over_all(&half, 0.5), 40, true);
        near(over_all(&half, 0.6), 40, false);
        near(over_all(&half, 0.9), 5000, false);
        // A record that is older than these waits still knows the longest success.
        near(over_all(&totals(&[10, 20], &[], 2), 0.9), 20, false);
        near(over_all(&totals(&[10, 20], &[], 0), 0.99), 20, true);
        near(over_all(&totals(&[], &[70], 0), 0.5), 70, false);
        assert_eq!(over_all(&totals(&[], &[], 3), 0.5), None);
        assert_eq!(over_all(&totals(&[], &[], 0), 0.5), None);
    }

    #[test]
    fn a_quantile_among_zeros_is_none_of_those_beyond() {
        assert_eq!(beyond_zeros(0.5, 100, 50), None);
        assert_eq!(beyond_zeros(0.75, 100, 50), Some(0.5));
        assert_eq!(beyond_zeros(0.9, 100, 100), Some(0.9));
        assert_eq!(beyond_zeros(0.99, 100, 0), None);
        // As many as there are, where some were counted of operations that failed since.
        assert_eq!(beyond_zeros(0.5, 10, 12), Some(0.5 * 10.0 / 12.0));
    }

    #[test]
    fn a_percentile_is_the_targets_up_to_a_tenth_of_lag() {
        let lag_of = |response, lag| lags(Some(ms(response)), Some(ms(lag)));
        assert!(!lag_of(1, 2) && lag_of(1, 3));
        assert!(!lag_of(100, 10) && lag_of(100, 11));
        assert!(!lags(None, Some(ms(11))) && !lags(Some(ms(11)), None));
    }
}
