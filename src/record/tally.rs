//! A record in memory that does not grow with the run: everything added up.
//!
//! `threadbare load` keeps no run directory unless asked to, and must run for
//! days; so each source's samples are merged into one that spans the run, and beside
//! it into a bounded number of slices. Counters and histograms merge exactly, so nothing
//! but the time axis is lost.

use std::cmp::Ordering;

use super::{
    AgentCounters, Counters, Event, Header, Histogram, Measure, Observer, Record, Sample,
    SlowOperation,
};
use crate::model::SourceName;
use crate::plan::Plan;
use crate::units::Nanos;

/// Events kept at most; a run that warns for ever must not grow for ever.
const EVENTS_MAX: usize = 1000;
/// Slow operations that are kept: what a run is told by, and more.
const SLOWEST_MAX: usize = 20;
/// Slices of the planned load at most: ten for each tenth of a ramp, which is as fine as
/// a row of a table needs.
const SLICES_MAX: u64 = 100;

/// Samples added up: one for each source and kind of counter.
#[derive(Debug, Default)]
struct Sums {
    /// Each with the start of the newest interval that is in it.
    samples: Vec<(Sample, Nanos)>,
}

/// One sample for each source and kind of counter, over the whole run and in slices.
#[derive(Debug)]
pub struct Tally {
    whole: Sums,
    slices: Vec<Sums>,
    /// Of a slice: a multiple of the plan's interval.
    width: Nanos,
    events: Vec<(Nanos, Event)>,
    /// The slowest operations of the whole run, of those whose traces are recorded.
    slowest: Vec<SlowOperation>,
    /// Whether users wait for their answers: then the load lasts until the last.
    closed: bool,
    load_ended: Option<Nanos>,
    /// The end of the last interval in which a user was answered.
    answered_to: Nanos,
}

/// What was added up of a run.
#[derive(Debug)]
pub struct Tallied {
    /// Over the whole run: one bucket, from zero to the end of the load.
    pub whole: Record,
    /// In slices of equal width, which is the interval of its plan.
    pub slices: Record,
}

impl Tally {
    /// An empty tally of a run of this plan.
    pub fn new(plan: &Plan) -> Self {
        let interval = plan.interval.0.max(1);
        let intervals = plan.end.0.div_ceil(interval).div_ceil(SLICES_MAX).max(1);
        Self {
            whole: Sums::default(),
            slices: Vec::new(),
            width: Nanos(interval.saturating_mul(intervals)),
            events: Vec::new(),
            slowest: Vec::new(),
            closed: plan.load.drive.closed.is_some(),
            load_ended: None,
            answered_to: Nanos::ZERO,
        }
    }

    /// The record of a run that has ended. The load ended when it was planned to or when
    /// the last operation was scheduled; in a closed loop, when the last one was answered
    /// after that, since there a rate is what was answered. Who waits in vain for the rest of
    /// the drain adds no time: nobody else asks meanwhile.
    pub fn into_records(mut self, header: Header) -> Tallied {
        self.tell_slowest();
        let stopped = self.events.last().map_or(Nanos::ZERO, |(at, _)| *at);
        let end = if self.closed {
            let last = self.whole.last_attempt().unwrap_or(stopped);
            let ended = self.load_ended.unwrap_or(last);
            ended.max(self.answered_to).min(last)
        } else {
            self.load_ended.unwrap_or(stopped).min(header.plan.end)
        };
        // Whole milliseconds, the precision of the record's axis.
        let end = Nanos(end.0.div_ceil(1_000_000).max(1) * 1_000_000);
        let threads = header.plan.load.drive.threads;
        let mut sliced = header.clone();
        sliced.plan.interval = self.width;
        let mut samples = Vec::new();
        for (place, slice) in (0..).zip(self.slices) {
            let from = Nanos(self.width.0.saturating_mul(place));
            let to = from.saturating_add(self.width);
            samples.extend(slice.spanning(from, to, threads));
        }
        Tallied {
            slices: Record {
                header: sliced,
                events: self.events.clone(),
                samples: samples.into(),
                merged_to: None,
            },
            whole: Record {
                header,
                events: self.events,
                samples: self.whole.spanning(Nanos::ZERO, end, threads).collect(),
                merged_to: Some(end),
            },
        }
    }

    /// One event for those that were not kept one by one, before the run's end.
    fn tell_slowest(&mut self) {
        let operations = std::mem::take(&mut self.slowest);
        if operations.is_empty() {
            return;
        }
        let last = self.events.len().saturating_sub(1);
        let at = self.events.last().map_or(Nanos::ZERO, |(at, _)| *at);
        self.events
            .insert(last, (at, Event::Slowest { operations }));
    }

    fn note_slowest(&mut self, operations: &[SlowOperation]) {
        self.slowest.extend_from_slice(operations);
        self.slowest
            .sort_by_key(|it| std::cmp::Reverse(it.response));
        self.slowest.truncate(SLOWEST_MAX);
    }

    /// The slice of an instant; what comes long after the planned end is in the last.
    fn slice(&mut self, at: Nanos) -> &mut Sums {
        let place = (at.0 / self.width.0).min(2 * SLICES_MAX);
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        if self.slices.len() <= place {
            self.slices.resize_with(place + 1, Sums::default);
        }
        &mut self.slices[place]
    }
}

impl Observer for Tally {
    fn event(&mut self, at: Nanos, event: &Event) {
        if *event == Event::LoadEnded {
            self.load_ended = Some(at);
        }
        if let Event::Slowest { operations } = event {
            return self.note_slowest(operations);
        }
        if self.events.len() < EVENTS_MAX || matches!(event, Event::RunEnded { .. }) {
            self.events.push((at, event.clone()));
        }
    }

    fn sample(&mut self, sample: &Sample) {
        self.slice(sample.from).add(sample.clone());
        if let Counters::Attempts(counters) = &sample.counters
            && sample.source == SourceName::User
            && counters.responses > 0
        {
            self.answered_to = self.answered_to.max(sample.to);
        }
        let mut sample = sample.clone();
        // How busy generator and machine are in the drain says nothing about the load.
        let drained = self.load_ended.is_some_and(|end| sample.from >= end);
        if drained && !self.closed {
            match &mut sample.counters {
                Counters::Machine(_) => return,
                Counters::Generator(counters) => {
                    counters.cpu_ns = 0;
                    counters.spin_ns = 0;
                    counters.away_ns = 0;
                }
                Counters::Agent(counters) => *counters = AgentCounters::default(),
                _ => {}
            }
        }
        self.whole.add(sample);
    }
}

impl Sums {
    fn add(&mut self, mut sample: Sample) {
        let same = self.samples.iter_mut().find(|(kept, _)| {
            kept.source == sample.source && kept.counters.kind() == sample.counters.kind()
        });
        let Some((kept, newest)) = same else {
            let from = sample.from;
            return self.samples.push((sample, from));
        };
        // Threads tell the same interval one by one: their levels add up.
        match sample.from.cmp(newest) {
            Ordering::Greater => level(&mut kept.counters),
            Ordering::Equal => {}
            // One that comes late tells of a time for which a later one stands.
            Ordering::Less => level(&mut sample.counters),
        }
        *newest = sample.from.max(*newest);
        kept.to = kept.to.max(sample.to);
        for (name, value) in sample.counters.rows() {
            kept.counters.merge_row(name, value);
        }
        for (measure, histogram) in &sample.histograms {
            into(&mut kept.histograms, *measure).merge(histogram);
        }
    }

    /// The end of the last interval in which attempts were told.
    fn last_attempt(&self) -> Option<Nanos> {
        let attempts = self.samples.iter().map(|(sample, _)| sample);
        let attempts = attempts.filter(|it| matches!(it.counters, Counters::Attempts(_)));
        attempts.map(|it| it.to).max()
    }

    /// The sums as samples of one bucket.
    fn spanning(self, from: Nanos, to: Nanos, threads: u32) -> impl Iterator<Item = Sample> {
        self.samples.into_iter().map(move |(sample, _)| {
            let mut counters = sample.counters;
            if let Counters::Generator(counters) = &mut counters {
                counters.threads = threads.into();
            }
            Sample {
                from,
                to,
                counters,
                ..sample
            }
        })
    }
}

/// Takes a level out, which is that of the last interval and no sum over time.
const fn level(counters: &mut Counters) {
    match counters {
        Counters::Attempts(counters) => counters.in_flight = 0,
        Counters::Generator(counters) => counters.connections_open = 0,
        _ => {}
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ClosedLoop;
    use crate::record::{AttemptCounters, Backend, StopCause};

    #[test]
    fn threads_that_tell_late_add_their_levels_once() {
        let mut tally = Tally::new(&Plan::default());
        let seconds = Nanos::from_secs;
        let told = |from, to| Sample {
            from,
            to,
            source: SourceName::User,
            counters: Counters::Attempts(AttemptCounters {
                first_tries: 1,
                in_flight: 32,
                ..AttemptCounters::default()
            }),
            histograms: Vec::new(),
        };
        let last = seconds(15) + Nanos::from_millis(1);
        // One thread tells its last two intervals before the other does.
        for _ in 0..2 {
            tally.sample(&told(seconds(14), seconds(15)));
            tally.sample(&told(seconds(15), last));
        }
        let Counters::Attempts(counters) = tally.whole.samples[0].0.counters else {
            panic!("{:?}", tally.whole);
        };
        assert_eq!((counters.first_tries, counters.in_flight), (4, 64));
    }

    #[test]
    fn a_closed_loop_lasts_until_its_last_answer_and_not_as_long_as_one_waits_in_vain() {
        let seconds = Nanos::from_secs;
        let mut plan = Plan {
            end: seconds(60),
            ..Plan::default()
        };
        plan.load.drive.closed = Some(ClosedLoop {
            users: 2,
            think: Nanos::ZERO,
        });
        // It is ended after ten seconds. When the last is answered, and what it lasts.
        for (answered, lasts) in [(9, 10), (12, 12), (70, 70)] {
            let mut tally = Tally::new(&plan);
            for second in 0..70 {
                if second == 10 {
                    tally.event(seconds(10), &Event::LoadEnded);
                }
                tally.sample(&Sample {
                    from: seconds(second),
                    to: seconds(second + 1),
                    source: SourceName::User,
                    counters: Counters::Attempts(AttemptCounters {
                        responses: u64::from(second < 9 || second + 1 == answered),
                        in_flight: 1,
                        ..AttemptCounters::default()
                    }),
                    histograms: Vec::new(),
                });
            }
            let cause = StopCause::Interrupted { signal: 2 };
            tally.event(seconds(70), &Event::RunEnded { cause });
            let header = Header::new(plan.clone(), Backend::Live);
            let whole = tally.into_records(header).whole;
            assert_eq!(whole.load_end(), seconds(lasts), "{answered}");
        }
    }
}
