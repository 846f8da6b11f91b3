//! How far the record is final: beyond that instant nothing is judged.
//!
//! A bucket of operations is final once its last operation has ended or met its
//! deadline. A run that came to its planned end is final up to it if the drain
//! let everything end, else up to the first bucket that was still under way; so is a
//! load that was ended early and had its drain. A run that was cut off is final up to
//! the first bucket that was under way, or that is missing: it was to be written once
//! it was final.

use super::series::{Bucket, Series};
use crate::model::SourceName;
use crate::record::{Counters, Event, Record, StopCause};
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

impl Observation {
    /// Tells that a run that came to its end is not final up to it.
    pub(super) fn cut_short(&self, end: Nanos) -> Option<String> {
        (self.completed && self.to < end).then(|| {
            format!(
                "Operations were still in flight when the drain ended, so figures cover {:.1} s of \
                 {:.1} s; a longer drain lets them end.",
                self.to.as_secs_f64(),
                end.as_secs_f64()
            )
        })
    }
}

/// Whether a run came to its planned end.
pub(super) fn completed(record: &Record) -> bool {
    let cause = StopCause::Completed;
    matches!(record.events.last(), Some((_, Event::RunEnded { cause: last })) if *last == cause)
}

/// Looks how far a record can be trusted to be final.
pub(super) fn observation(record: &Record, series: &Series) -> Observation {
    let completed = completed(record);
    let from = series.edge_after(record.header.plan.warm_up);
    let to = if completed || had_its_drain(record) {
        drained_until(record, series)
    } else {
        final_until(record, series)
    };
    let end = record.load_end();
    Observation {
        from,
        to: to.min(end).max(from.min(end)),
        completed,
    }
}

/// Whether what was under way when the load was ended early had as long to end as the plan
/// gives it.
fn had_its_drain(record: &Record) -> bool {
    let mut events = record.events.iter().rev();
    let Some((stopped, Event::RunEnded { .. })) = events.next() else {
        return false;
    };
    // Where more than a load ends, that takes its own time.
    let stopped = match record.merged_to {
        Some(_) => *stopped,
        None => stopped_at(record).min(*stopped),
    };
    let ended = events.find(|(_, event)| *event == Event::LoadEnded);
    ended.is_some_and(|(ended, _)| {
        let ended = (*ended).min(record.load_end());
        stopped >= ended.saturating_add(record.header.plan.drain)
    })
}

/// The start of the first bucket that the drain did not let end, or the planned end.
fn drained_until(record: &Record, series: &Series) -> Nanos {
    let end = record.load_end();
    let stop = end.saturating_add(record.header.plan.drain);
    let mut buckets = series.buckets.iter();
    let open = buckets.find(|bucket| under_way(bucket, record, stop));
    open.map_or(end, |bucket| bucket.from)
}

/// The end of the last bucket before the first that is missing, cut or under way.
fn final_until(record: &Record, series: &Series) -> Nanos {
    let stop = stopped_at(record);
    let mut until = Nanos::ZERO;
    for bucket in &series.buckets {
        if bucket.operations.is_none() {
            continue;
        }
        let missing = bucket.from > until;
        let cut = bucket.to.min(record.load_end()) > stop;
        if missing || cut || under_way(bucket, record, stop) {
            break;
        }
        until = bucket.to;
    }
    until
}

/// How long an operation may take. Without a deadline it gets as long as the
/// plan gives those at the end.
fn patience(record: &Record) -> Nanos {
    let plan = &record.header.plan;
    plan.load.client.deadline.unwrap_or(plan.drain)
}

/// Whether operations of a bucket had time left at the stop: the last of them was due before
/// its end, and before that of the load.
fn under_way(bucket: &Bucket, record: &Record, stop: Nanos) -> bool {
    let unfinished = bucket.operations.is_some_and(|own| own.unfinished > 0);
    let due = bucket.to.min(record.load_end());
    unfinished && due.saturating_add(patience(record)) > stop
}

/// When the load of a run that was cut off stopped. The users' last sample
/// tells; the journal goes on until the fleet has ended, or has long been still.
fn stopped_at(record: &Record) -> Nanos {
    let users = record.samples.iter().filter(|sample| {
        matches!(sample.counters, Counters::Attempts(_)) && sample.source == SourceName::User
    });
    let told = || record.events.last().map_or(Nanos::ZERO, |(at, _)| *at);
    users.map(|sample| sample.to).max().unwrap_or_else(told)
}
