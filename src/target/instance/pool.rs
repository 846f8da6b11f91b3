//! The job queue in front of the workers, with its exact gauges.
//!
//! One lock holds the queue, who works on what, and every counter, so that
//! `enqueued = finished + expired + lost + waiting + running` holds at every
//! reading, not just at rest. Times are integrals: what a worker holds at the
//! instant of a reading counts up to that instant.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::super::lock;
use super::super::message::{PartCounters, Reading};
use super::api::Answer;
use super::job::{Caller, Job};
use crate::clock::Clock;
use crate::model::{Level, Queue, QueuePolicy};
use crate::record::{Histogram, InstanceCounters};
use crate::units::Nanos;

/// The queue and the workers' books.
#[derive(Debug)]
pub(super) struct Pool {
    pub clock: Clock,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Debug)]
struct State {
    /// Since when there are workers.
    began: Nanos,
    queue: Queue<Job>,
    /// What each worker holds.
    held: Vec<Option<Held>>,
    busy: Level,
    /// Everything that is not derived from the levels.
    counted: InstanceCounters,
    queue_wait: Histogram,
    /// The last reading, once the instance has been told to stop.
    last: Option<Reading>,
}

/// A job that a worker holds.
#[derive(Debug)]
struct Held {
    since: Nanos,
    /// None: nobody waits, it is a detached verification.
    caller: Option<Arc<Caller>>,
}

impl Held {
    /// Busy time up to `now` for a caller who had gone; none while they are there.
    fn zombie(&self, now: Nanos) -> Option<Nanos> {
        self.caller.as_ref()?.absent(self.since, now)
    }

    /// Busy time up to `now` in a detached verification; none where it is something else.
    fn detached(&self, now: Nanos) -> Option<Nanos> {
        self.caller
            .is_none()
            .then(|| now.saturating_sub(self.since))
    }
}

/// Why a job was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The queue is at its bound.
    Full,
    /// The instance has been told to stop.
    Stopping,
}

impl Pool {
    pub(super) fn new(clock: Clock, workers: u32, policy: QueuePolicy) -> Self {
        let counted = InstanceCounters {
            workers: u64::from(workers),
            ..InstanceCounters::default()
        };
        Self {
            clock,
            state: Mutex::new(State {
                queue: Queue::new(policy),
                began: clock.now(),
                held: (0..workers).map(|_| None).collect(),
                busy: Level::default(),
                counted,
                queue_wait: Histogram::new(),
                last: None,
            }),
            work: Condvar::new(),
        }
    }

    /// Puts a job into the queue.
    pub(super) fn submit(&self, job: Job) -> Result<(), Refused> {
        let detached = matches!(job, Job::Verification { .. });
        let mut state = lock(&self.state);
        if state.last.is_some() {
            return Err(Refused::Stopping);
        }
        if state.queue.push(self.clock.now(), job).is_err() {
            state.counted.rejected += 1;
            return Err(Refused::Full);
        }
        state.counted.enqueued += 1;
        state.counted.detached += u64::from(detached);
        drop(state);
        self.work.notify_one();
        Ok(())
    }

    /// Waits for a job and hands it to a worker; none once the instance stops.
    pub(super) fn take(&self, worker: usize) -> Option<Job> {
        let mut expired = Vec::new();
        let mut state = lock(&self.state);
        let taken = loop {
            if state.last.is_some() {
                break None;
            }
            let now = self.clock.now();
            let popped = state.queue.pop(now, &mut expired);
            state.counted.expired += expired.len() as u64;
            if let Some(popped) = popped {
                state.hold(worker, now, &popped.job);
                state.queue_wait.record(popped.wait);
                break Some(popped.job);
            }
            if expired.is_empty() {
                state = self
                    .work
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            } else {
                drop(state);
                turn_away(&mut expired);
                state = lock(&self.state);
            }
        };
        drop(state);
        turn_away(&mut expired);
        taken
    }

    /// The worker's job is done; false where the instance stopped meanwhile:
    /// then the job counts as lost, and its caller must not be answered.
    pub(super) fn finish(&self, worker: usize, cold: Nanos) -> bool {
        let mut state = lock(&self.state);
        if state.last.is_some() {
            return false;
        }
        let now = self.clock.now();
        let held = state.held[worker]
            .take()
            .expect("a worker finishes what it has taken");
        let busy = state.busy.get() - 1;
        state.busy.set(now, busy);
        state.counted.busy_zombie_ns += held.zombie(now).unwrap_or_default().0;
        state.counted.busy_detached_ns += held.detached(now).unwrap_or_default().0;
        state.counted.busy_cold_ns += cold.0;
        state.counted.finished += 1;
        true
    }

    /// The gauges now.
    pub(super) fn read(&self) -> Reading {
        let state = lock(&self.state);
        state
            .last
            .clone()
            .unwrap_or_else(|| state.read(self.clock.now()))
    }

    /// The gauges now; their maxima then start afresh.
    pub(super) fn mark(&self) -> Reading {
        let mut state = lock(&self.state);
        if let Some(last) = &state.last {
            return last.clone();
        }
        let now = self.clock.now();
        let reading = state.read(now);
        state.queue.mark_depth(now);
        reading
    }

    /// Takes no more jobs; those that wait or run are lost. The last reading.
    pub(super) fn freeze(&self) -> Reading {
        let mut state = lock(&self.state);
        if let Some(last) = &state.last {
            return last.clone();
        }
        let mut last = state.read(self.clock.now());
        if let PartCounters::Instance(counters) = &mut last.counters {
            counters.lost = counters.waiting + counters.running;
            counters.waiting = 0;
            counters.running = 0;
        }
        state.last = Some(last.clone());
        drop(state);
        self.work.notify_all();
        last
    }
}

impl State {
    fn hold(&mut self, worker: usize, now: Nanos, job: &Job) {
        let caller = match job {
            Job::Request { caller, .. } => Some(Arc::clone(caller)),
            Job::Verification { .. } => None,
        };
        self.held[worker] = Some(Held { since: now, caller });
        let busy = self.busy.get() + 1;
        self.busy.set(now, busy);
    }

    fn read(&self, now: Nanos) -> Reading {
        let depth = self.queue.read_depth(now);
        let busy = self.busy.read(now);
        let mut counters = self.counted;
        counters.worker_ns = counters.workers * now.saturating_sub(self.began).0;
        counters.busy_ns = busy.area;
        counters.queue_depth_ns = depth.area;
        counters.queue_depth_max = depth.max;
        counters.waiting = depth.level;
        counters.running = busy.level;
        for held in self.held.iter().flatten() {
            if let Some(time) = held.zombie(now) {
                counters.busy_zombie_ns += time.0;
            }
            if let Some(time) = held.detached(now) {
                counters.busy_detached_ns += time.0;
            }
        }
        Reading {
            counters: PartCounters::Instance(counters),
            queue_wait: Some(self.queue_wait.clone()),
        }
    }
}

/// Tells the callers of expired jobs.
fn turn_away(expired: &mut Vec<Job>) {
    for job in expired.drain(..) {
        if let Job::Request { reply, .. } = job {
            // A caller who has gone needs no answer.
            let _ = reply.send(Some(Answer::error(503, "the request waited too long")));
        }
    }
}
