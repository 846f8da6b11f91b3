//! How far the record is final: beyond that instant nothing is judged.
//!
//! A bucket of operations is final once its last operation has ended or met its
//! deadline. A run that came to its planned end is final up to it, since the
//! drain lets everything end. A run that was cut off is final only up to the
//! first bucket that still had operations under way with time left.

use super::series::Series;
use crate::record::{Event, Record, StopCause};
use crate::units::Nanos;

/// The part of the run that figures are computed from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Observation {
    /// The end of the warm-up, on an edge of the buckets.
    pub from: Nanos,
    /// The end of the last final bucket, at most the planned end of the load.
    pub to: Nanos,
    /// Whether the run came to its planned end.
    pub completed: bool,
}

/// Looks how far a record can be trusted to be final.
pub(super) fn observation(record: &Record, series: &Series) -> Observation {
    let plan = &record.header.plan;
    let completed = matches!(
        record.events.last(),
        Some((
            _,
            Event::RunEnded {
                cause: StopCause::Completed
            }
        ))
    );
    let from = series.edge_after(plan.warm_up);
    let to = if completed {
        plan.end
    } else {
        final_until(record, series).min(plan.end)
    };
    Observation {
        from,
        to: to.max(from.min(plan.end)),
        completed,
    }
}

/// The end of the last bucket before the first that is not final.
fn final_until(record: &Record, series: &Series) -> Nanos {
    let plan = &record.header.plan;
    // Without a deadline an operation gets as long as the plan gives those at the end.
    let patience = plan.load.client.deadline.unwrap_or(plan.drain);
    let stop = record.events.last().map_or(Nanos::ZERO, |(at, _)| *at);
    let mut until = Nanos::ZERO;
    for bucket in &series.buckets {
        let Some(operations) = bucket.operations else {
            continue;
        };
        if operations.unfinished > 0 && bucket.to.saturating_add(patience) > stop {
            break;
        }
        until = bucket.to;
    }
    until
}
