//! Users' service before anything was done: what the rest of the run is held against.

use super::observation::Observation;
use super::recovery::Service;
use super::series::{Bucket, Series, bad, share};
use super::totals::Totals;
use crate::plan::RecoveryRule;
use crate::record::OperationCounters;
use crate::units::{Nanos, counted};

/// Standard deviations of the dispersion of independent failures that pass for chance.
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
    /// Whether that is not the target's alone.
    pub p99_marked: bool,
    /// What takes longer is slow: the bound that a p99 must keep.
    pub slow_above: Nanos,
    /// Of those that succeeded: slow.
    pub slow: u64,
    /// How many of those that failed count as one, since they fail together: 1 where they
    /// fail independently of each other.
    pub burst: f64,
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

/// The baseline, from the end of the warm-up to the first action or surge. Where failures
/// come in bursts it is without the buckets whose operations were still in flight then: what
/// failed of those may be its doing, and would count as usual.
///
/// # Errors
///
/// One sentence, where there is none.
fn baseline(
    series: &Series,
    observation: Observation,
    first: Option<Nanos>,
    rule: &RecoveryRule,
) -> Result<Baseline, String> {
    let whole = until(series, observation, first, rule)?;
    let in_bursts = first.filter(|_| whole.burst > 1.0);
    let settled = in_bursts.map(|first| first.saturating_sub(whole.p99));
    // Where too little would be left, it is better than none.
    match settled.map(|settled| until(series, observation, Some(settled), rule)) {
        Some(Ok(shorter)) => Ok(shorter),
        _ => Ok(whole),
    }
}

/// The baseline up to an instant.
fn until(
    series: &Series,
    observation: Observation,
    first: Option<Nanos>,
    rule: &RecoveryRule,
) -> Result<Baseline, String> {
    let until = first.map_or(observation.to, |at| series.edge_before(at));
    let to = until.min(observation.to);
    let buckets = series.between(observation.from, to);
    let totals = Totals::over(buckets);
    let operations = totals.operations;
    let needed = rule.operations_min.max(1);
    if operations.scheduled < needed {
        return Err(format!(
            "there is no baseline: {} between the warm-up and the first action, and {needed} are \
             needed",
            counted(operations.scheduled, "operation")
        ));
    }
    let marked = totals.marked();
    let p99 = totals.response.and_then(|response| response.quantile(0.99));
    let goodput_share = share(operations.succeeded, operations.scheduled);
    let (Some(p99), Some(goodput_share)) = (p99, goodput_share.filter(|share| *share > 0.0)) else {
        return Err("there is no baseline: no operation succeeded before the first action".into());
    };
    let slow_above = slow_above(p99, rule);
    Ok(Baseline {
        from: observation.from,
        to,
        operations,
        goodput_share,
        error_share: share(bad(&operations), operations.ended()).unwrap_or(0.0),
        p99,
        p99_marked: marked.p99,
        slow_above,
        slow: buckets.iter().fold(0, |sum, bucket| {
            sum.saturating_add(slow(bucket, slow_above))
        }),
        // Where nothing was done, nothing tells a burst of failures from a loss of service.
        burst: first.map_or(1.0, |_| burst(buckets, &operations)),
    })
}

/// By what factor the failures of the buckets vary more than those of a service whose
/// operations fail independently of each other: Pearson's chi-square over its degrees of
/// freedom (`McCullagh` and Nelder, "Generalized Linear Models", 4.5). 1 where chance
/// explains it.
fn burst(buckets: &[Bucket], whole: &OperationCounters) -> f64 {
    let failed = |own: &OperationCounters| own.scheduled.saturating_sub(own.succeeded) as f64;
    let fails = failed(whole) / whole.scheduled.max(1) as f64;
    let own = buckets.iter().filter_map(|bucket| bucket.operations);
    let own = own.filter(|own| own.scheduled > 0);
    let (mut freedom, mut sum) = (-1.0, 0.0);
    for own in own {
        let expected = fails * own.scheduled as f64;
        freedom += 1.0;
        sum += (failed(&own) - expected).powi(2) / (expected * (1.0 - fails));
    }
    let factor = sum / freedom;
    // The statistic's own variance, where few are expected.
    let expected = failed(whole) / (freedom + 1.0);
    let chance = ((2.0 + 1.0 / expected) / freedom).sqrt();
    if freedom > 0.0 && factor > 1.0 + CHANCE_DEVIATIONS * chance {
        factor
    } else {
        1.0
    }
}

/// The same; where nothing was done, it ends with the first loss of service, if enough of
/// it is left then: what somebody breaks by hand is no usual service.
///
/// # Errors
///
/// As above.
pub(super) fn until_lost(
    series: &Series,
    observation: Observation,
    first: Option<Nanos>,
    rule: &RecoveryRule,
) -> Result<Baseline, String> {
    let whole = baseline(series, observation, first, rule)?;
    if first.is_some() {
        return Ok(whole);
    }
    let lost = Service::new(series, observation, &whole, rule).lost(observation.from);
    let until = lost.map(|loss| baseline(series, observation, Some(loss.bucket), rule));
    Ok(until.and_then(Result::ok).unwrap_or(whole))
}

/// The most that a p99 may be, given the baseline's.
fn slow_above(p99: Nanos, rule: &RecoveryRule) -> Nanos {
    let factor = Nanos::from_secs_f64(p99.as_secs_f64() * rule.p99_factor);
    factor.max(p99.saturating_add(rule.p99_margin))
}

/// Operations of a bucket that succeeded and took longer than this.
pub(super) fn slow(bucket: &Bucket, above: Nanos) -> u64 {
    bucket.response.as_ref().map_or(0, |it| it.above(above))
}
