//! The slowest operations of each phase, with the traces in which to look for why.
//!
//! Only operations whose traces were to be recorded: of the others there is nothing to look
//! at. So with a share of 1 % they are the slowest of a hundredth, and a figure's own slowest
//! may be slower.

use std::cmp::Reverse;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::totals::millis;
use crate::record::{Event, Record, SlowOperation};
use crate::units::Nanos;

/// As many of a phase as somebody opens one after the other.
const SLOWEST_MAX: usize = 5;

/// An operation that was slow, and its trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SlowTrace {
    /// Its intended start.
    pub at_s: f64,
    /// How long it took, or was waited for.
    pub response_ms: f64,
    /// Whether it ended with success.
    pub succeeded: bool,
    /// The id of its trace, in 32 hexadecimal digits.
    pub trace: String,
}

/// Between two edges of the buckets, the slowest first.
pub(super) fn between(record: &Record, from: Nanos, to: Nanos) -> Vec<SlowTrace> {
    let events = record.events.iter();
    let told = events.filter_map(|(_, event)| match event {
        Event::Slowest { operations } => Some(operations),
        _ => None,
    });
    let inside = told
        .flatten()
        .filter(|it| (from..to).contains(&it.intended));
    let mut slowest: Vec<&SlowOperation> = inside.collect();
    slowest.sort_by_key(|it| (Reverse(it.response), it.intended));
    slowest.truncate(SLOWEST_MAX);
    let slowest = slowest.into_iter().map(|it| SlowTrace {
        at_s: it.intended.as_secs_f64(),
        response_ms: millis(it.response),
        succeeded: it.succeeded,
        trace: it.trace.clone(),
    });
    slowest.collect()
}
