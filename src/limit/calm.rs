//! Whether a service is back at its baseline: a small load, served as before.
//!
//! A probe must show something: it lasts until some twenty operations have come, and each
//! has other arrivals than the one before.

use super::search::Trial;
use crate::analysis::Findings;
use crate::analysis::limit::{LimitFound, LimitStage, LimitStep, LimitVerdict};

/// Seconds for which a probe measures at least …
const SECONDS: f64 = 3.0;
/// … and operations that come in it, on average.
const OPERATIONS: f64 = 20.0;
/// A probe's rate is this part of what is served …
const PART: f64 = 4.0;
/// … and of a step's, where it is not known what is served.
const PART_UNKNOWN: f64 = 64.0;
/// And at least so many a second, or the probe lasts for ever.
const LEAST: f64 = 1.0;
/// A median up to so many times that of the best step, or so much above it, is as before.
const TIMES: f64 = 2.0;
const MORE_MS: f64 = 5.0;
/// Errors up to this share are no sign of a service that is down.
const ERRORS: f64 = 0.02;

/// The small load after a step, for the time of asking that this is.
pub(super) fn probe(after: &LimitStep, found: &LimitFound, attempt: u64) -> Trial {
    let served = found.served.low_per_s;
    let known = served.map(|low| low.min(after.rate_per_s) / PART);
    let rate = known.unwrap_or(after.rate_per_s / PART_UNKNOWN);
    let rate = rate.max(LEAST).min(after.rate_per_s);
    Trial {
        stage: LimitStage::Served,
        rate_per_s: rate,
        window_s: SECONDS.max(OPERATIONS / rate),
        seed: after.seed.wrapping_add(1_000_000 + attempt),
        measure: None,
    }
}

/// Whether a small load is served as before. Where nothing was served before, that it is
/// served at all is all that can be asked.
pub(super) fn is_calm(findings: &Findings, found: &LimitFound) -> bool {
    let Some(phase) = findings.phases.first().filter(|_| findings.complete) else {
        return false;
    };
    let served = phase.error_share.is_some_and(|share| share <= ERRORS);
    let held = found.steps.iter();
    let held = held.filter(|it| it.verdict == LimitVerdict::Holds);
    let before = held.filter_map(|it| it.figures.response_p50_ms);
    let before = before.reduce(f64::min);
    let as_before = match (phase.response_ms.p50, before) {
        (Some(now), Some(before)) => now <= (before * TIMES).max(before + MORE_MS),
        (now, None) => now.is_some(),
        (None, Some(_)) => false,
    };
    served && as_before
}
