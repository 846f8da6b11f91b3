//! What users got while service was lost: the parts of `summary.json` that size an
//! incident.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::findings::is_false;

/// What users got from the start of a loss on. Rates are of the stretch from `from_s` to
/// `to_s`, up to which more operations were hurt than is usual, within the phase of the
/// impact; counts are of the time until service was back, or the end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Harm {
    /// Its start, on an edge of the buckets.
    pub from_s: f64,
    /// Its end, likewise.
    pub to_s: f64,
    /// Operations scheduled per second.
    pub offered_per_s: f64,
    /// Operations succeeded per second, by intended start.
    pub goodput_per_s: f64,
    /// Operations that ended without success / that ended; null where none ended.
    pub error_share: Option<f64>,
    /// 99th percentile of the response time of those that succeeded, in milliseconds; null
    /// where too few did.
    pub response_p99_ms: Option<f64>,
    /// Whether more of it is the generator's own lag than may be overlooked; only where it is.
    #[serde(default, skip_serializing_if = "is_false")]
    pub response_p99_marked: bool,
    /// Whether operations were slow and no more failed than the bounds allow.
    pub latency_alone: bool,
    /// Operations that did not succeed until service was back, or the end.
    pub failed: u64,
    /// Stretches of buckets in that time with goodput below half of the baseline's.
    pub outages: u64,
    /// How long these were together, in seconds.
    pub outages_s: f64,
}

/// Service lost again after it had recovered, without a cause of its own.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Relapse {
    /// When it was lost, as an impact is dated.
    pub lost_s: f64,
    /// The start of the first hold window after that which meets the recovery rule; null
    /// where none was seen.
    pub back_s: Option<f64>,
    /// What users got.
    pub harm: Option<Harm>,
}

/// What users got after service was back for good, until the next incident or the end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AfterRecovery {
    /// The last recovery.
    pub from_s: f64,
    /// The beginning of the next incident, or the end of what was observed.
    pub to_s: f64,
    /// Operations scheduled.
    pub operations: u64,
    /// Of those: did not succeed.
    pub failed: u64,
    /// Whether these are more than chance explains, given the baseline.
    pub beyond_chance: bool,
    /// Stretches of buckets with goodput below half of the baseline's. They are too short
    /// to be a relapse.
    pub outages: u64,
}
