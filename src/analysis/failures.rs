//! Why attempts failed: each cause with how often, since when, and what it looked like.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::findings::Findings;
use super::series::middle;
use crate::model::{FailureCause, SourceName};
use crate::record::{
    AcceptQueueCounters, Counters, Event, FailureCounters, FirstFailure, Record, Sample,
};
use crate::units::{self, Nanos};

/// Attempts of one traffic class that failed for one cause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Failures {
    /// Whose attempts: `user` or `monitor`.
    pub source: String,
    /// Why they failed: a word of docs/TERMS.md, "Failures by cause".
    #[schemars(with = "String")]
    pub cause: FailureCause,
    /// How many.
    pub count: u64,
    /// The first, in seconds from the start of the load, or at the latest then.
    pub first_s: f64,
    /// The first of each status that was not expected, or the first of all.
    pub examples: Vec<FailureExample>,
}

/// How many attempts of one source failed for one cause, in a phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailureCount {
    /// Whose attempts.
    pub source: String,
    /// Why they failed.
    #[schemars(with = "String")]
    pub cause: FailureCause,
    /// How many.
    pub count: u64,
}

/// What a failure looked like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailureExample {
    /// When it was seen.
    pub at_s: f64,
    /// Its status, where that was not expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The first bytes of the answer, escaped, or what the machine said; empty where
    /// nothing was seen.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub seen: String,
}

/// The accept queue of the port that was loaded, on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AcceptQueueFigures {
    /// Readings of its depth.
    pub readings: u64,
    /// Most connections in the accept queue at a reading.
    pub waiting_max: u64,
    /// Connections that found an accept queue full, as the kernel counts them for all
    /// sockets of the machine together.
    pub overflows: u64,
    /// Length of the intervals in which one did.
    pub full_s: f64,
}

/// What was seen of the accept queue; none where it was not read.
pub(super) fn accept_queue(record: &Record) -> Option<AcceptQueueFigures> {
    let mut all = AcceptQueueCounters::default();
    for sample in &record.samples {
        if let Counters::AcceptQueue(counters) = &sample.counters {
            all.merge(counters);
        }
    }
    (all.readings > 0).then(|| AcceptQueueFigures {
        readings: all.readings,
        waiting_max: all.waiting_max,
        overflows: all.overflows,
        full_s: Nanos(all.full_ns).as_secs_f64(),
    })
}

impl Findings {
    /// How users' attempts failed for want of somebody who takes them: the sign of a
    /// server whose workers are all taken. None where none did.
    pub fn not_taken(&self) -> Option<String> {
        let count = |cause| {
            let users = self.failures.iter().filter(|it| it.source == "user");
            let mut own = users.filter(|it| it.cause == cause);
            own.next().map_or(0, |it| it.count)
        };
        let unconnected = count(FailureCause::ConnectTimedOut) + count(FailureCause::QueueFull);
        let unanswered = count(FailureCause::NoAnswer);
        if unconnected == 0 {
            return None;
        }
        let queue = self.accept_queue.as_ref().map_or_else(String::new, queued);
        let were = if unanswered == 1 { "was" } else { "were" };
        Some(format!(
            "{} could not connect in time{queue}; {unanswered} connected and {were} not answered \
             in time.",
            units::counted(unconnected, "attempt")
        ))
    }
}

/// What is known of the accept queue when somebody could not connect. The kernel counts
/// those that it turns away for all ports together: that this port's queue was full is
/// said only where connections were waiting in it.
fn queued(queue: &AcceptQueueFigures) -> String {
    let AcceptQueueFigures {
        waiting_max,
        overflows,
        full_s,
        ..
    } = queue;
    match (waiting_max, overflows) {
        (0, _) => String::new(),
        (_, 0) => format!(" (accept queue: at most {waiting_max} waiting when read)"),
        _ => format!(
            ": the accept queue was full for up to {full_s:.1} s (at most {waiting_max} waiting \
             when read, {overflows} turned away by the kernel)"
        ),
    }
}

/// Failures of the record, users' first, then the monitors', of each source the most
/// frequent cause first.
pub(super) fn failures(record: &Record) -> Vec<Failures> {
    let counted = samples(record).map(|(sample, _)| sample.source);
    let sources: BTreeSet<SourceName> = counted.collect();
    let sources = sources.iter();
    sources.flat_map(|source| of(record, source)).collect()
}

/// The samples that count failures.
fn samples(record: &Record) -> impl Iterator<Item = (Sample, FailureCounters)> {
    let samples = record.samples.iter();
    samples.filter_map(|sample| match sample.counters {
        Counters::Failures(counters) => Some((sample, counters)),
        _ => None,
    })
}

/// Failures between two edges of the buckets, in the same order.
pub(super) fn between(record: &Record, from: Nanos, to: Nanos) -> Vec<FailureCount> {
    let mut all: BTreeMap<SourceName, FailureCounters> = BTreeMap::new();
    let inside = samples(record).filter(|(sample, _)| (from..to).contains(&middle(sample)));
    for (sample, counters) in inside {
        all.entry(sample.source).or_default().merge(&counters);
    }
    let each = all.into_iter().flat_map(|(source, counters)| {
        let mut counts: Vec<_> = counters.iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts.into_iter().map(move |(cause, count)| FailureCount {
            source: source.to_string(),
            cause,
            count,
        })
    });
    each.collect()
}

fn of(record: &Record, source: &SourceName) -> Vec<Failures> {
    let (counts, since) = counted(record, source);
    let mut all: Vec<Failures> = counts
        .iter()
        .map(|(cause, count)| {
            let examples: Vec<FailureExample> = examples(record, source, cause).collect();
            let first = examples.iter().map(|example| example.at_s);
            // Where the journal has none, the end of the first interval that counts one.
            let first = first.min_by(f64::total_cmp);
            Failures {
                source: source.to_string(),
                cause,
                count,
                first_s: first.unwrap_or(since[cause as usize].as_secs_f64()),
                examples,
            }
        })
        .collect();
    all.sort_by_key(|failures| std::cmp::Reverse(failures.count));
    all
}

/// How many failed for which cause, and the end of the first interval in which one did.
fn counted(
    record: &Record,
    source: &SourceName,
) -> (FailureCounters, [Nanos; FailureCause::ALL.len()]) {
    let mut all = FailureCounters::default();
    let mut since = [Nanos::MAX; FailureCause::ALL.len()];
    for (sample, counters) in samples(record).filter(|(sample, _)| sample.source == *source) {
        all.merge(&counters);
        for (cause, _) in counters.iter() {
            since[cause as usize] = since[cause as usize].min(sample.to);
        }
    }
    (all, since)
}

fn examples(
    record: &Record,
    source: &SourceName,
    cause: FailureCause,
) -> impl Iterator<Item = FailureExample> {
    let events = record.events.iter();
    let first = events.filter_map(move |(_, event)| match event {
        Event::FirstFailure(first) if first.source == *source && first.cause == cause => {
            Some(first)
        }
        _ => None,
    });
    first.map(|first: &FirstFailure| FailureExample {
        at_s: first.at.as_secs_f64(),
        status: first.status,
        seen: first.example.clone(),
    })
}

/// Why the measurement is invalid, where this machine lacked what attempts needed:
/// the target never saw those.
pub(super) fn lacking(record: &Record) -> Option<String> {
    let (counts, _) = counted(record, &SourceName::User);
    let own = counts.iter().filter(|(cause, _)| cause.is_own());
    let lacks: Vec<String> = own
        .map(|(cause, count)| format!("{count} with {}", cause.clause()))
        .collect();
    (!lacks.is_empty()).then(|| {
        format!(
            "Attempts failed that the target never saw, for lack of something on this machine: {}.",
            lacks.join(", ")
        )
    })
}
