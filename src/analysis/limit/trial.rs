//! When a trial with a trigger does what: a baseline, the trigger, and then as long as
//! service may take to come back. The search and the scenario that shows the edge have it
//! from here, so that they show the same edge.

use super::found::LimitSought;
use crate::units::{Nanos, whole};

/// Operations before the trigger at least: half of them tell a baseline.
const BASELINE_OPERATIONS: f64 = 400.0;
/// Watched beyond what is asked for, since recovery is dated by whole buckets.
const MARGIN: Nanos = Nanos::from_secs(2);
/// The share of a hold window's operations that must be there: random arrivals scatter.
const HOLD_SHARE: f64 = 0.8;
/// Operations that tell a hold window at least.
const HOLD_OPERATIONS: u64 = 20;
/// The width of a bucket: recovery is dated by them, and each instant is at an edge of one.
const BUCKET: Nanos = Nanos::from_secs(1);

/// The most operations that may wait for a connection: an overload is the target's, and no
/// fault of the generator.
pub const BACKLOG: u32 = 1_000_000;

/// The instants of a trial with a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrialTimes {
    /// When the baseline begins.
    pub warm_up: Nanos,
    /// When the trigger begins.
    pub begin: Nanos,
    /// When it is over.
    pub over: Nanos,
    /// When the load ends.
    pub end: Nanos,
    /// How wide buckets are.
    pub bucket: Nanos,
}

impl TrialTimes {
    /// Those of a trial at this rate, whose trigger lasts so long, with this hold window.
    pub fn of(sought: &LimitSought, rate_per_s: f64, lasts: Nanos, hold: Nanos) -> Self {
        let seconds = Nanos::from_secs_f64;
        let whole_buckets = |time: Nanos| BUCKET * time.0.div_ceil(BUCKET.0);
        let warm_up = whole_buckets(seconds(sought.warm_up_s));
        let calm = seconds(BASELINE_OPERATIONS / rate_per_s).max(seconds(sought.window_s));
        let begin = whole_buckets(warm_up + calm.max(hold));
        let over = begin + lasts;
        let within = seconds(sought.return_within_s);
        Self {
            warm_up,
            begin,
            over,
            end: whole_buckets(over + within + hold + MARGIN),
            bucket: BUCKET,
        }
    }
}

/// Operations that tell a hold window: `least`, or as many as come in it at this rate.
pub fn hold_operations(rate_per_s: f64, hold: Nanos, least: u64) -> u64 {
    let come = whole(rate_per_s * hold.as_secs_f64() * HOLD_SHARE);
    least.min(come.max(HOLD_OPERATIONS))
}
