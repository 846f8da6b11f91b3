//! A record in memory, as it is told: what a simulation, or a test, is judged from
//! without a directory.
//!
//! It grows with the run. What must run for days is added up instead, by the
//! [`Tally`](super::Tally).

use super::{Event, Header, Measure, Observer, Record, Sample, Samples};
use crate::units::Nanos;

/// Keeps every event and sample.
#[derive(Debug, Default)]
pub struct MemoryRecorder {
    events: Vec<(Nanos, Event)>,
    samples: Samples,
    /// Of the histograms this one only; none: all.
    only: Option<Measure>,
}

impl MemoryRecorder {
    /// One that keeps the histograms of this measure only: they take most of the room.
    pub fn only(measure: Measure) -> Self {
        Self {
            only: Some(measure),
            ..Self::default()
        }
    }

    /// The record of a run that has ended.
    pub fn into_record(self, header: Header) -> Record {
        Record {
            header,
            events: self.events,
            samples: self.samples,
            merged_to: None,
        }
    }
}

impl Observer for MemoryRecorder {
    fn event(&mut self, at: Nanos, event: &Event) {
        self.events.push((at, event.clone()));
    }

    fn sample(&mut self, sample: &Sample) {
        let all = sample.histograms.iter();
        let wanted = all.filter(|(measure, _)| self.only.is_none_or(|only| only == *measure));
        self.samples.push(Sample {
            histograms: wanted.cloned().collect(),
            source: sample.source.clone(),
            ..*sample
        });
    }
}
