//! What the generator's sockets saw beside the attempts: what connecting, encryption and
//! the first byte of an answer took, which statuses came, and how many bytes went.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::findings::Latency;
use super::series::{merge, middle};
use super::totals::latency;
use crate::model::SourceName;
use crate::record::{
    AttemptCounters, Counters, GeneratorCounters, Histogram, Measure, Record, Sample,
    StatusCounters,
};
use crate::units::Nanos;

/// How often a status came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatusCount {
    /// The status.
    pub status: u16,
    /// Answers to users' attempts that had it.
    pub count: u64,
}

/// What went over the users' connections.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Exchanged {
    /// Answers by status; of a record that does not tell each, those that it tells.
    pub statuses: Vec<StatusCount>,
    /// Bytes handed to the kernel, before encryption, probes included.
    pub sent_bytes: u64,
    /// Bytes taken from it, likewise.
    pub received_bytes: u64,
    /// Connections opened, those of probes included.
    pub connections_opened: u64,
}

impl Exchanged {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Of the whole record.
pub(super) fn exchanged(record: &Record) -> Exchanged {
    let mut statuses = StatusCounters::default();
    let mut attempts = AttemptCounters::default();
    let mut generator = GeneratorCounters::default();
    for sample in &record.samples {
        match &sample.counters {
            Counters::Statuses(counters) if sample.source == SourceName::User => {
                statuses.merge(counters);
            }
            Counters::Generator(counters) => generator.merge(counters),
            Counters::Attempts(counters) if sample.source == SourceName::User => {
                attempts.merge(counters);
            }
            _ => {}
        }
    }
    let mut each = statuses.each();
    if each.is_empty() {
        each = attempts.statuses().collect();
    }
    let each = each.into_iter();
    Exchanged {
        statuses: each
            .map(|(status, count)| StatusCount { status, count })
            .collect(),
        sent_bytes: generator.sent_bytes,
        received_bytes: generator.received_bytes,
        connections_opened: generator.connections_opened,
    }
}

/// What connections and answers took, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Times {
    pub connect: Option<Latency>,
    pub tls: Option<Latency>,
    pub first_byte: Option<Latency>,
}

/// Between two edges of the buckets.
pub(super) fn times(record: &Record, from: Nanos, to: Nanos) -> Times {
    let samples = record.samples.iter();
    let inside = samples.filter(|it| matches!(it.counters, Counters::Generator(_)));
    let inside = inside.filter(|it| (from..to).contains(&middle(it)));
    let mut all: [Option<Histogram>; 3] = Default::default();
    for sample in inside {
        for (into, measure) in all.iter_mut().zip(MEASURES) {
            take(into, sample, measure);
        }
    }
    let [connect, tls, first_byte] = all.map(|it| it.map(|it| latency(Some(&it))));
    Times {
        connect,
        tls,
        first_byte,
    }
}

const MEASURES: [Measure; 3] = [Measure::Connect, Measure::TlsHandshake, Measure::FirstByte];

fn take(into: &mut Option<Histogram>, sample: &Sample, measure: Measure) {
    if let Some(histogram) = sample.histogram(measure) {
        merge(into, histogram);
    }
}
