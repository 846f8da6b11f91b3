//! The job queues in front of the workers, with their exact gauges.
//!
//! There is one for the workers that serve and, where monitors have workers of
//! their own, one for those. Jobs of both are jobs of the instance in every count;
//! busy time, queue depth and queue wait are those of the workers that serve, so
//! that saturation tells of them alone.
//!
//! One lock holds the queues, who works on what, and every counter, so that
//! `enqueued = finished + expired + lost + waiting + running` holds at every
//! reading, not just at rest. Times are integrals: what a worker holds at the
//! instant of a reading counts up to that instant.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::api::ApiAnswer;
use super::job::{Caller, Job};
use crate::clock::Clock;
use crate::fleet::lock;
use crate::fleet::message::{PartCounters, Reading};
use crate::model::{Crew, Denial, FleetSpec, Level, Queue, QueuePolicy, Standing};
use crate::record::{Histogram, InstanceCounters};
use crate::units::Nanos;

/// The queues and the workers' books.
#[derive(Debug)]
pub(super) struct Pool {
    pub clock: Clock,
    spec: FleetSpec,
    state: Mutex<PoolState>,
    /// What tells the workers of each crew that there is work.
    work: [Condvar; 2],
}

#[derive(Debug)]
struct PoolState {
    /// Since when there are workers.
    began: Nanos,
    serving: Team,
    monitors: Team,
    /// Everything that is not derived from the levels.
    counted: InstanceCounters,
    queue_wait: Histogram,
    /// The last reading, once the instance has been told to stop.
    last: Option<Reading>,
}

/// Workers with a queue of their own.
#[derive(Debug)]
struct Team {
    queue: Queue<Job>,
    /// What each worker holds.
    held: Vec<Option<JobInWork>>,
    busy: Level,
}

/// A worker's place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Post {
    pub crew: Crew,
    /// Which of the crew it is.
    pub index: usize,
}

/// A job that a worker holds.
#[derive(Debug)]
struct JobInWork {
    since: Nanos,
    /// None: nobody waits, it is a detached verification.
    caller: Option<Arc<Caller>>,
    probe: bool,
    /// Since when it waits for a connection, where it does.
    waits_since: Option<Nanos>,
    /// How long it had waited for others before.
    waited: Nanos,
}

impl JobInWork {
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

    /// Busy time up to `now` for a probe while its monitor waited; none where it is no probe.
    fn probe(&self, now: Nanos) -> Option<Nanos> {
        let held = now.saturating_sub(self.since);
        self.probe
            .then(|| held.saturating_sub(self.zombie(now).unwrap_or_default()))
    }

    /// Busy time up to `now` in waits for a connection.
    fn waited(&self, now: Nanos) -> Nanos {
        let waits = self.waits_since.map(|since| now.saturating_sub(since));
        self.waited.saturating_add(waits.unwrap_or_default())
    }
}

impl Pool {
    pub(super) fn new(clock: Clock, spec: &FleetSpec) -> Self {
        let counted = InstanceCounters {
            workers: u64::from(spec.workers),
            ..InstanceCounters::default()
        };
        Self {
            clock,
            spec: spec.clone(),
            state: Mutex::new(PoolState {
                began: clock.now(),
                serving: Team::new(spec.workers, spec.queue),
                monitors: Team::new(spec.monitor_workers, QueuePolicy::default()),
                counted,
                queue_wait: Histogram::new(),
                last: None,
            }),
            work: [Condvar::new(), Condvar::new()],
        }
    }

    /// Puts a request into the queue that its standing leads to.
    ///
    /// # Errors
    ///
    /// What it is answered where it is not taken; none where nobody is told.
    pub(super) fn submit(&self, standing: Standing, job: Job) -> Result<(), Option<Denial>> {
        let mut state = lock(&self.state);
        if state.last.is_some() {
            return Err(Some(Denial::Stopping));
        }
        let crew = self.spec.crew(standing, state.serving.queue.len());
        let crew = crew.map_err(|denial| {
            state.counted.rejected += 1;
            Some(denial)
        })?;
        let taken = state.enqueue(self.clock.now(), crew, job);
        drop(state);
        if taken {
            self.work(crew).notify_one();
            Ok(())
        } else {
            Err(self.spec.full())
        }
    }

    /// A try to accept a connection failed.
    pub(super) fn accept_failed(&self) {
        let mut state = lock(&self.state);
        if state.last.is_none() {
            state.counted.accepts_failed += 1;
        }
    }

    /// Makes a verification a job of its own on the crew's workers. Where the
    /// queue is full it is dropped, unseen by anyone.
    pub(super) fn detach(&self, crew: Crew, user: u32) {
        let mut state = lock(&self.state);
        if state.last.is_some() {
            return;
        }
        let taken = state.enqueue(self.clock.now(), crew, Job::Verification { user });
        state.counted.detached += u64::from(taken);
        drop(state);
        if taken {
            self.work(crew).notify_one();
        }
    }

    const fn work(&self, crew: Crew) -> &Condvar {
        match crew {
            Crew::Serving => &self.work[0],
            Crew::Monitors => &self.work[1],
        }
    }

    /// Waits for a job and hands it to a worker; none once the instance stops.
    pub(super) fn take(&self, post: Post) -> Option<Job> {
        let mut expired = Vec::new();
        let mut state = lock(&self.state);
        let taken = loop {
            if state.last.is_some() {
                break None;
            }
            let now = self.clock.now();
            let popped = state.team(post.crew).queue.pop(now, &mut expired);
            state.counted.expired += expired.len() as u64;
            if let Some(popped) = popped {
                state.team(post.crew).hold(post.index, now, &popped.job);
                if post.crew == Crew::Serving {
                    state.queue_wait.record(popped.wait);
                }
                break Some(popped.job);
            }
            if expired.is_empty() {
                state = self
                    .work(post.crew)
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

    /// Jobs that workers of the instance hold beside the one of whoever asks.
    pub(super) fn others(&self) -> u64 {
        let state = lock(&self.state);
        let held = state.serving.busy.get() + state.monitors.busy.get();
        held.saturating_sub(1)
    }

    /// The worker waits for a connection from now on, or no longer does.
    pub(super) fn waits_for_connection(&self, post: Post, waits: bool) {
        let mut state = lock(&self.state);
        let now = self.clock.now();
        if let Some(held) = &mut state.team(post.crew).held[post.index] {
            held.waited = held.waited(now);
            held.waits_since = waits.then_some(now);
        }
    }

    /// The worker's job is done; false where the instance stopped meanwhile:
    /// then the job counts as lost, and its caller must not be answered.
    pub(super) fn finish(&self, post: Post, cold: Nanos) -> bool {
        let mut state = lock(&self.state);
        if state.last.is_some() {
            return false;
        }
        let now = self.clock.now();
        let held = state.team(post.crew).let_go(post.index, now);
        state.counted.finished += 1;
        state.counted.finished_for_monitors += u64::from(post.crew == Crew::Monitors);
        if post.crew == Crew::Serving {
            state.counted.busy_zombie_ns += held.zombie(now).unwrap_or_default().0;
            state.counted.busy_detached_ns += held.detached(now).unwrap_or_default().0;
            state.counted.busy_probe_ns += held.probe(now).unwrap_or_default().0;
            state.counted.busy_connection_ns += held.waited(now).0;
            state.counted.busy_cold_ns += cold.0;
        }
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
        state.serving.queue.mark_depth(now);
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
        for work in &self.work {
            work.notify_all();
        }
        last
    }
}

impl Team {
    fn new(workers: u32, policy: QueuePolicy) -> Self {
        Self {
            queue: Queue::new(policy),
            held: (0..workers).map(|_| None).collect(),
            busy: Level::default(),
        }
    }

    fn hold(&mut self, worker: usize, now: Nanos, job: &Job) {
        let (caller, probe) = match job {
            Job::Request { caller, call, .. } => (Some(Arc::clone(caller)), call.is_probe()),
            Job::Verification { .. } => (None, false),
        };
        self.held[worker] = Some(JobInWork {
            since: now,
            caller,
            probe,
            waits_since: None,
            waited: Nanos::ZERO,
        });
        self.busy.set(now, self.busy.get() + 1);
    }

    fn let_go(&mut self, worker: usize, now: Nanos) -> JobInWork {
        self.busy.set(now, self.busy.get() - 1);
        self.held[worker]
            .take()
            .expect("a worker finishes what it has taken")
    }
}

impl PoolState {
    const fn team(&mut self, crew: Crew) -> &mut Team {
        match crew {
            Crew::Serving => &mut self.serving,
            Crew::Monitors => &mut self.monitors,
        }
    }

    /// Puts a job into the crew's queue; false where it is full.
    fn enqueue(&mut self, now: Nanos, crew: Crew, job: Job) -> bool {
        let taken = self.team(crew).queue.push(now, job.patience(), job).is_ok();
        if taken {
            self.counted.enqueued += 1;
        } else {
            self.counted.rejected += 1;
        }
        taken
    }

    fn read(&self, now: Nanos) -> Reading {
        let depth = self.serving.queue.read_depth(now);
        let busy = self.serving.busy.read(now);
        let mut counters = self.counted;
        counters.worker_ns = counters.workers * now.saturating_sub(self.began).0;
        counters.busy_ns = busy.area;
        counters.queue_depth_ns = depth.area;
        counters.queue_depth_max = depth.max;
        counters.waiting = depth.level + self.monitors.queue.len() as u64;
        counters.running = busy.level + self.monitors.busy.get();
        for held in self.serving.held.iter().flatten() {
            if let Some(time) = held.zombie(now) {
                counters.busy_zombie_ns += time.0;
            }
            if let Some(time) = held.detached(now) {
                counters.busy_detached_ns += time.0;
            }
            if let Some(time) = held.probe(now) {
                counters.busy_probe_ns += time.0;
            }
            counters.busy_connection_ns += held.waited(now).0;
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
            let _ = reply.send(Some(ApiAnswer::denied(Denial::Expired)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(crew: Crew, index: usize) -> Post {
        Post { crew, index }
    }

    fn read(pool: &Pool) -> InstanceCounters {
        match pool.read().counters {
            PartCounters::Instance(counters) => counters,
            _ => panic!("an instance's"),
        }
    }

    #[test]
    fn others_are_those_that_are_held_now_and_waits_are_a_part_of_the_busy_time() {
        let spec = FleetSpec {
            workers: 2,
            monitor_workers: 1,
            ..FleetSpec::default()
        };
        let pool = Pool::new(Clock::start(), &spec);
        for crew in [Crew::Serving, Crew::Serving, Crew::Monitors] {
            pool.detach(crew, 1);
        }
        let first = post(Crew::Serving, 0);
        assert!(pool.take(first).is_some());
        assert_eq!(pool.others(), 0);
        assert!(pool.take(post(Crew::Serving, 1)).is_some());
        assert!(pool.take(post(Crew::Monitors, 0)).is_some());
        // What was taken since counts too.
        assert_eq!(pool.others(), 2);
        assert_eq!(read(&pool).busy_connection_ns, 0);
        pool.waits_for_connection(first, true);
        let waiting = read(&pool);
        pool.waits_for_connection(first, false);
        assert!(pool.finish(first, Nanos::ZERO));
        assert!(pool.finish(post(Crew::Monitors, 0), Nanos::ZERO));
        let after = read(&pool);
        assert!(after.busy_connection_ns >= waiting.busy_connection_ns);
        assert!(
            (1..=after.busy_ns).contains(&after.busy_connection_ns),
            "{after:?}"
        );
        assert_eq!((after.finished, after.finished_serving()), (2, 1));
    }
}
