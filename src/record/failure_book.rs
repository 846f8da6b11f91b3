//! Failures of everything that asks anybody beside the load: hooks, ready checks,
//! gauges, the upstream connections of proxies, occupations.
//!
//! Each notes into one book, from a thread of its own; once an interval the book is
//! emptied into the record, so that these failures stand there like the load's: a
//! sample for each source, and the first of each kind with what was seen.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::{Counters, Event, FailureCounters, FirstFailure, Sample, printable};
use crate::clock::Clock;
use crate::model::{FailureCause, SourceName};
use crate::net::Failed;
use crate::sync::lock;
use crate::units::Nanos;

/// Kinds of failures whose first is told at most: as many as a run can have sources,
/// with some kinds of each.
const TOLD_MAX: usize = 1_000;

/// What has failed and is not in the record yet.
#[derive(Debug, Default)]
pub(crate) struct FailureBook(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    /// The run's clock; none before the load begins, which is all at its zero.
    clock: Option<Clock>,
    counts: BTreeMap<SourceName, FailureCounters>,
    /// Those of which a first was told.
    told: Vec<(SourceName, FailureCause, Option<u16>)>,
    first: Vec<FirstFailure>,
}

impl FailureBook {
    /// From now on instants are those of this clock.
    pub(crate) fn begin(&self, clock: Clock) {
        lock(&self.0).clock = Some(clock);
    }

    /// A request of this source failed; one that was not sent is none.
    pub(crate) fn note(&self, source: &SourceName, failed: &Failed) {
        let Some(cause) = failed.cause else { return };
        let status = failed.status;
        // What the cause says already is not said again.
        let seen = Some(&failed.words).filter(|words| *words != cause.clause());
        let mut open = lock(&self.0);
        open.counts.entry(source.clone()).or_default().count(cause);
        let kind = (source.clone(), cause, status);
        if open.told.len() == TOLD_MAX || open.told.contains(&kind) {
            return;
        }
        open.told.push(kind);
        let at = open.clock.map_or(Nanos::ZERO, Clock::now);
        open.first.push(FirstFailure {
            at,
            source: source.clone(),
            cause,
            status,
            example: seen.cloned().unwrap_or_default(),
        });
    }

    /// What of this source was noted and not taken: a line for each cause, the most
    /// frequent first, with the first example of what was seen.
    pub(crate) fn lines(&self, source: &SourceName) -> String {
        let open = lock(&self.0);
        let counts = open.counts.get(source).into_iter();
        let mut counts: Vec<_> = counts.flat_map(FailureCounters::iter).collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let lines = counts.into_iter().map(|(cause, count)| {
            let mut first = open.first.iter();
            let first = first.find(|first| first.source == *source && first.cause == cause);
            let seen = first.map_or("", |first| first.example.as_str());
            let seen = if seen.is_empty() {
                String::new()
            } else {
                format!(", at first: {}", printable(seen))
            };
            format!("  {count} failed: {}{seen}\n", cause.clause())
        });
        lines.collect()
    }

    /// What was noted since it was last taken, for the interval that is over.
    pub(crate) fn take(&self, from: Nanos, to: Nanos) -> (Vec<Sample>, Vec<Event>) {
        let mut open = lock(&self.0);
        let counts = std::mem::take(&mut open.counts).into_iter();
        let samples = counts.map(|(source, counters)| Sample {
            from,
            to,
            source,
            counters: Counters::Failures(counters),
            histograms: Vec::new(),
        });
        let first = std::mem::take(&mut open.first).into_iter();
        (samples.collect(), first.map(Event::FirstFailure).collect())
    }
}
