//! The rates of a load by itself, which `threadbare load` answers with.
//!
//! Nothing happens in such a run that could be recovered from: it is asked how much of
//! what was offered succeeded, and how fast.

use crate::record::{OperationCounters, Record};

/// Seconds and operations below which a rate says nothing.
const SHORTEST: f64 = 0.1;
const FEWEST: u64 = 10;
/// Share of a load's length past which its end is worth telling.
const LATE: f64 = 0.1;

/// Operations per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LoadRates {
    /// Offered.
    pub(crate) offered_per_s: f64,
    /// Succeeded, of the time in which they were offered.
    pub(crate) goodput_per_s: f64,
    /// Where the last operation of an open loop ended long after it was due: how many
    /// seconds after, and what succeeded per second until then.
    pub(crate) late: Option<(f64, f64)>,
}

/// The rates of a record whose operations these are; none where it was too short, or
/// too little, to have any.
pub(crate) fn load_rates(record: &Record, operations: &OperationCounters) -> Option<LoadRates> {
    let seconds = record.load_end().as_secs_f64();
    if seconds < SHORTEST || operations.scheduled < FEWEST {
        return None;
    }
    let succeeded = operations.succeeded as f64;
    // Users of a closed loop do not go on after its end.
    let open = record.header.plan.load.drive.closed.is_none();
    let last = record.events.last().filter(|_| open);
    let after = last.map_or(0.0, |(stopped, _)| {
        stopped.saturating_sub(record.load_end()).as_secs_f64()
    });
    Some(LoadRates {
        offered_per_s: operations.scheduled as f64 / seconds,
        goodput_per_s: succeeded / seconds,
        late: (after > LATE * seconds).then(|| (after, succeeded / (seconds + after))),
    })
}
