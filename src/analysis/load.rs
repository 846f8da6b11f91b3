//! The rates of a load by itself, which `threadbare load` answers with.
//!
//! Nothing happens in such a run that could be recovered from: it is asked how much of
//! what was offered succeeded, and how fast.

use super::phases::completed;
use super::series::series;
use super::totals::Totals;
use crate::record::{OperationCounters, Record};
use crate::units::Nanos;

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
    /// Succeeded. Where the last ended long after it was due, as many as had by the end of
    /// the load: what users were served, and not what was only promised to them.
    pub(crate) succeeded_per_s: f64,
    /// Where the last operation of an open loop ended long after it was due: how many
    /// seconds after, and what succeeded per second until then.
    pub(crate) late: Option<(f64, f64)>,
}

/// The rates of a record whose operations these are, of which so many succeeded per second
/// by its end; none where it was too short, or too little, to have any.
pub(crate) fn load_rates(
    record: &Record,
    operations: &OperationCounters,
    completed_per_s: Option<f64>,
) -> Option<LoadRates> {
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
    let late = (after > LATE * seconds).then(|| (after, succeeded / (seconds + after)));
    let in_time = late.and(completed_per_s);
    Some(LoadRates {
        offered_per_s: operations.scheduled as f64 / seconds,
        succeeded_per_s: in_time.unwrap_or(succeeded / seconds),
        late,
    })
}

/// Operations that ended with success per second, in the whole intervals of these slices of
/// an open loop's load before its `end`; none where there is none, or they do not tell.
pub(super) fn completed_per_s(slices: &Record, end: Nanos) -> Option<f64> {
    let series = series(slices);
    let to = series.edge_before(end);
    let totals = Totals::over(series.between(Nanos::ZERO, to));
    let open = slices.header.plan.load.drive.closed.is_none();
    let completed = completed(&totals.users).filter(|_| open && to > Nanos::ZERO)?;
    Some(completed as f64 / to.as_secs_f64())
}
