//! A record in memory that does not grow with the run: everything added up.
//!
//! `threadbare load` keeps no run directory unless asked to, and must run for
//! days; so each source's samples are merged into one that spans the run.
//! Counters and histograms merge exactly, so nothing but the time axis is lost.

use super::{Counters, Event, Header, Histogram, Measure, Observer, Record, Sample};
use crate::units::Nanos;

/// Events kept at most; a run that warns for ever must not grow for ever.
const EVENTS_MAX: usize = 1000;

/// One sample for each source and kind of counter, over the whole run.
#[derive(Debug, Default)]
pub struct Tally {
    samples: Vec<Sample>,
    events: Vec<(Nanos, Event)>,
    load_ended: Option<Nanos>,
}

impl Tally {
    /// The record of a run that has ended, with one bucket: from zero to the
    /// end of the load, which is the planned one or when the last operation
    /// was scheduled.
    #[must_use]
    pub fn into_record(mut self, mut header: Header) -> Record {
        let stopped = self.events.last().map_or(Nanos::ZERO, |(at, _)| *at);
        let end = self.load_ended.unwrap_or(stopped).min(header.plan.end);
        // Whole milliseconds, the precision of the record's axis.
        let end = Nanos(end.0.div_ceil(1_000_000).max(1) * 1_000_000);
        header.plan.end = end;
        header.plan.interval = end;
        for sample in &mut self.samples {
            sample.to = end;
            if let Counters::Generator(counters) = &mut sample.counters {
                counters.threads = header.plan.load.drive.threads.into();
            }
        }
        Record {
            header,
            events: self.events,
            samples: self.samples,
        }
    }
}

impl Observer for Tally {
    fn event(&mut self, at: Nanos, event: &Event) {
        if *event == Event::LoadEnded {
            self.load_ended = Some(at);
        }
        if self.events.len() < EVENTS_MAX || matches!(event, Event::RunEnded { .. }) {
            self.events.push((at, event.clone()));
        }
    }

    fn sample(&mut self, sample: &Sample) {
        // What the machine does in the drain says nothing about the load.
        let drained = self.load_ended.is_some_and(|end| sample.from >= end);
        if drained && matches!(sample.counters, Counters::Machine(_)) {
            return;
        }
        let same = self.samples.iter_mut().find(|kept| {
            kept.source == sample.source && kept.counters.kind() == sample.counters.kind()
        });
        let Some(kept) = same else {
            let whole = Sample {
                from: Nanos::ZERO,
                ..sample.clone()
            };
            return self.samples.push(whole);
        };
        // Threads tell the same interval one by one: their levels add up.
        let next = sample.from >= kept.to;
        kept.to = kept.to.max(sample.to);
        merge(&mut kept.counters, &sample.counters, next);
        for (measure, histogram) in &sample.histograms {
            into(&mut kept.histograms, *measure).merge(histogram);
        }
    }
}

/// Adds counters up; a level is that of the last interval, not a sum over time.
fn merge(kept: &mut Counters, new: &Counters, next: bool) {
    match kept {
        Counters::Attempts(kept) if next => kept.in_flight = 0,
        Counters::Generator(kept) if next => kept.connections_open = 0,
        _ => {}
    }
    for (name, value) in new.rows() {
        kept.merge_row(name, value);
    }
}

fn into(histograms: &mut Vec<(Measure, Histogram)>, measure: Measure) -> &mut Histogram {
    let place = histograms.iter().position(|(kept, _)| *kept == measure);
    let place = place.unwrap_or_else(|| {
        histograms.push((measure, Histogram::new()));
        histograms.len() - 1
    });
    &mut histograms[place].1
}
