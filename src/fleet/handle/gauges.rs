//! What the fleet's parts counted, as samples of the record.
//!
//! Parts report totals since they began; a sample is the difference of two
//! readings, and covers the time between those readings rather than its nominal
//! interval: `worker_ns` counts how much worker-time that was. Nothing is lost between them: the totals of a process that was
//! stopped go to the next sample of its name, so that the samples of an
//! instance add up to what its processes did.

use std::thread;

use serde_json::Value;

use super::fleet::{Fleet, Slot};
use crate::fleet::lock;
use crate::fleet::message::Reading;
use crate::record::{Counters, Event, Histogram, Measure, PAUSED, Sample, busy_share};
use crate::units::Nanos;

/// What has been sampled of a part and what has yet to be.
#[derive(Debug, Default)]
pub(super) struct Books {
    /// The last reading of the process that runs.
    last: Option<Totals>,
    /// What a stopped process did since its last sample.
    pending: Option<Totals>,
}

/// Counters and the queue wait, totals or differences.
#[derive(Debug, Clone)]
struct Totals {
    counters: Counters,
    queue_wait: Histogram,
}

impl Books {
    /// A new process takes the place.
    pub(super) fn begin(&mut self) {
        self.last = None;
    }

    /// The process has stopped with this reading.
    pub(super) fn close(&mut self, reading: &Reading) {
        let rest = self.advance(Totals::of(reading));
        self.pending = Some(match self.pending.take() {
            Some(pending) => rest.with(&pending),
            None => rest,
        });
        self.last = None;
    }

    /// What was counted between the last totals and these: from one reading to
    /// the next, whenever those were made. How long that was is among the
    /// counters (`worker_ns`), so a late reading distorts no share. Totals only
    /// grow; one that seemed to shrink would stand still here, so that no
    /// difference wraps around and all of them add up to the last totals.
    fn advance(&mut self, mut totals: Totals) -> Totals {
        let difference = match &self.last {
            Some(last) => {
                totals.counters = combine(&totals.counters, &last.counters, u64::max);
                totals.since(last)
            }
            None => totals.clone(),
        };
        self.last = Some(totals);
        difference
    }
}

impl Totals {
    fn of(reading: &Reading) -> Self {
        Self {
            counters: reading.counters.into(),
            queue_wait: reading.queue_wait.clone().unwrap_or_default(),
        }
    }

    fn since(&self, earlier: &Self) -> Self {
        let mut queue_wait = self.queue_wait.clone();
        // Where it fails the part has counted backwards; then the total stands.
        let _ = queue_wait.subtract(&earlier.queue_wait);
        Self {
            counters: combine(&self.counters, &earlier.counters, u64::saturating_sub),
            queue_wait,
        }
    }

    /// With what another process of the same name did before.
    fn with(mut self, before: &Self) -> Self {
        self.counters = combine(&self.counters, &before.counters, u64::saturating_add);
        for ((name, own), (_, other)) in
            self.counters.rows().into_iter().zip(before.counters.rows())
        {
            if name.ends_with("_max") {
                // Merging takes the larger of both.
                self.counters.merge_row(name, own.max(other));
            }
        }
        self.queue_wait.merge(&before.queue_wait);
        self
    }

    fn sample(self, source: &str, from: Nanos, to: Nanos) -> Sample {
        let histograms = match self.counters {
            Counters::Instance(_) => vec![(Measure::QueueWait, self.queue_wait)],
            _ => Vec::new(),
        };
        Sample {
            from,
            to,
            source: source.into(),
            counters: self.counters,
            histograms,
        }
    }
}

/// Sums of `first` combined with those of `second`; levels and maxima of `first`.
fn combine(first: &Counters, second: &Counters, sums: fn(u64, u64) -> u64) -> Counters {
    let mut combined = Counters::of_kind(first.kind()).expect("a kind that exists");
    for ((name, first), (_, second)) in first.rows().into_iter().zip(second.rows()) {
        let level = matches!(name, "workers" | "waiting" | "running") || name.ends_with("_max");
        let value = if level { first } else { sums(first, second) };
        combined.merge_row(name, value);
    }
    combined
}

/// The sentence for a part whose gauges are not an instance's.
pub(super) fn unread(name: &str) -> String {
    format!("{name} answered with the gauges of something else")
}

impl Fleet {
    /// What every part counted since the last sample, for the interval `from`
    /// to `to`; what could not be read comes as [`Event::ScrapeFailed`].
    pub fn sample(&self, from: Nanos, to: Nanos) -> Vec<Result<Sample, Event>> {
        let reads: Vec<Read> = thread::scope(|scope| {
            let reads: Vec<_> = self
                .slots()
                .map(|slot| scope.spawn(|| read(slot)))
                .collect();
            reads
                .into_iter()
                .map(|read| read.join().expect("reading gauges does not panic"))
                .collect()
        });
        let ended = self.ending.begun();
        let mut results = Vec::new();
        for (slot, read) in self.slots().zip(reads) {
            if let Some(totals) = read.counted {
                results.push(Ok(totals.sample(&slot.name, from, to)));
            }
            // After the end there is nothing left to be read.
            if let Some(cause) = read.failure.filter(|_| !ended) {
                let source = slot.name.as_str().into();
                results.push(Err(Event::ScrapeFailed { source, cause }));
            }
        }
        self.look_at_load((from, to, busy_share(results.iter().flatten())));
        results
    }

    /// The totals of every part since it began, for a person to look at; does
    /// not disturb [`Fleet::sample`].
    pub fn gauges(&self) -> Value {
        self.slots()
            .map(|slot| {
                let mut state = lock(&slot.state);
                let paused = state.paused;
                let reading = match &mut state.part {
                    Some(_) if paused => Err(PAUSED.to_owned()),
                    Some(part) => part.call::<Value>("GET", "/gauges", &Value::Null),
                    None => Err(NOT_RUNNING.to_owned()),
                };
                let value = reading.unwrap_or_else(|cause| serde_json::json!({ "error": cause }));
                (slot.name.clone(), value)
            })
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

const NOT_RUNNING: &str = "it is not running";

/// The result of reading a part's gauges.
struct Read {
    /// What was counted since the last sample, by the process that runs and by
    /// those that ran before it.
    counted: Option<Totals>,
    /// Why the process that should run could not be read.
    failure: Option<String>,
}

fn read(slot: &Slot) -> Read {
    let mut state = lock(&slot.state);
    let paused = state.paused;
    let reading = match &mut state.part {
        // What stands still cannot answer, and waiting for it would delay the others.
        Some(_) if paused => Err(PAUSED.to_owned()),
        Some(part) => part.call::<Reading>("POST", "/gauges/mark", &Value::Null),
        // Down on purpose, between two processes: that is no failure to read.
        None => {
            return Read {
                counted: state.books.pending.take(),
                failure: None,
            };
        }
    };
    let books = &mut state.books;
    let pending = books.pending.take();
    let reading = match reading {
        Ok(reading) => reading,
        Err(cause) => {
            return Read {
                counted: pending,
                failure: Some(cause),
            };
        }
    };
    let fresh = books.advance(Totals::of(&reading));
    Read {
        counted: Some(match &pending {
            Some(pending) => fresh.with(pending),
            None => fresh,
        }),
        failure: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::message::PartCounters;
    use crate::record::InstanceCounters;

    fn reading(counters: InstanceCounters) -> Reading {
        Reading::of(PartCounters::Instance(counters))
    }

    fn counters(enqueued: u64, finished: u64, lost: u64, max: u64) -> InstanceCounters {
        InstanceCounters {
            workers: 2,
            enqueued,
            finished,
            lost,
            queue_depth_max: max,
            running: enqueued - finished - lost,
            ..InstanceCounters::default()
        }
    }

    fn instance(totals: &Totals) -> InstanceCounters {
        match totals.counters {
            Counters::Instance(counters) => counters,
            _ => panic!("an instance's"),
        }
    }

    #[test]
    fn a_restart_between_two_samples_loses_nothing() {
        let mut books = Books::default();
        books.advance(Totals::of(&reading(counters(10, 8, 0, 5))));
        books.close(&reading(counters(15, 12, 3, 7))); // stopped
        books.begin();
        let fresh = books.advance(Totals::of(&reading(counters(4, 3, 0, 1))));
        let whole = instance(&fresh.with(&books.pending.take().unwrap()));
        assert_eq!(
            (whole.enqueued, whole.finished, whole.lost, whole.running),
            (5 + 4, 4 + 3, 3, 1)
        );
        assert_eq!((whole.workers, whole.queue_depth_max), (2, 7));
    }

    #[test]
    fn totals_never_count_backwards() {
        let busy = |busy_ns| InstanceCounters {
            busy_ns,
            ..InstanceCounters::default()
        };
        let mut books = Books::default();
        let differences = [100, 90, 130]
            .map(|total| instance(&books.advance(Totals::of(&reading(busy(total))))).busy_ns);
        assert_eq!(differences, [100, 0, 30]);
    }
}
