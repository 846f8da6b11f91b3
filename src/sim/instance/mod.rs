//! An instance: job queues, workers that hold their jobs, and the books.
//!
//! Probes may have a crew of their own. Its jobs are jobs of the instance in every
//! count; time and depth are those of the workers that serve, as in a live one.

mod crew;
mod links;

pub(super) use crew::{Call, Job, NONE, Worker};
pub(super) use links::{Link, Links};

use super::calendar::{Awaited, Event, Place};
use super::fleet::Arrival;
use crate::model::fault::FaultSet;
use crate::model::{
    Bulkhead, Crew, FleetSpec, Line, Patience, PeerMap, QueuePolicy, RoleCache, Settings,
    SourceName,
};
use crate::record::{Counters, Histogram, InstanceCounters, Measure, Sample};
use crate::rng::{self, StdRng};
use crate::slots::Slab;
use crate::units::Nanos;
use crew::{FREE, Team};

/// What waits for a paused instance to go on.
#[derive(Debug, Default)]
pub(super) struct Pause {
    /// What came due for its workers, in that order.
    pub(super) held: Vec<Event>,
    /// Requests that have yet to be read.
    pub(super) arrived: Vec<Arrival>,
    /// Whether its world stands still, and not its process: its gauges can be read.
    pub(super) within: bool,
}

/// How an instance crashes, where a fault lets it.
#[derive(Debug)]
pub(super) struct Crashes {
    /// The number of the plan by which it does.
    pub(super) plan: u32,
    pub(super) rng: StdRng,
    /// Crashes in a row, as back-offs count them.
    pub(super) row: u32,
    /// Since when its process serves.
    pub(super) serves_since: Nanos,
    /// Whether it is down, and its supervisor starts it again.
    pub(super) down: bool,
}

/// One instance of the fleet, through all its launches.
#[derive(Debug)]
pub(super) struct Instance {
    name: SourceName,
    index: u32,
    seed: u64,
    pub(super) launch: u32,
    pub(super) up: bool,
    pub(super) pause: Option<Pause>,
    pub(super) settings: Settings,
    serving: Team,
    monitors: Team,
    /// Those that serve, then the monitors'.
    pub(super) workers: Vec<Worker>,
    pub(super) bulkhead: Bulkhead,
    bulkhead_limit: Option<u32>,
    /// Verifications that its workers have waited for, through all its launches.
    asked: u32,
    pub(super) roles: RoleCache,
    /// The faults that act in it.
    pub(super) faults: FaultSet,
    /// How often it has forgotten its roles.
    pub(super) forgotten: u64,
    /// The lock that requests take where a fault makes them.
    pub(super) lock: Line<u32>,
    /// The connections to the database; those without a pool take none.
    pub(super) connections: Line<u32>,
    connections_size: u32,
    /// The number of the plan by which its world stops.
    pub(super) world: u32,
    /// The launch that the plan is of.
    pub(super) world_of: u32,
    pub(super) world_rng: StdRng,
    pub(super) crash: Crashes,
    /// The connections from the balancer.
    pub(super) links: Links,
    /// The map of its cluster; whole where there is none.
    pub(super) map: PeerMap,
    /// Whether it collects telemetry, and the number of the plan by which it does.
    pub(super) collects: bool,
    pub(super) telemetry_plan: u32,
    /// Of each that collects, the number of the call that it waits for, or zero.
    pub(super) collectors: Vec<u32>,
    /// What its workers draw from.
    pub(super) rng: StdRng,
    /// Counted since the last sample; levels and integrals are entered when it is taken.
    pub(super) counted: InstanceCounters,
    queue_wait: Histogram,
    /// Since when its worker-time counts for the next sample.
    since: Nanos,
    /// Areas of the busy level and the queue's depth at the last booking.
    booked: (u64, u64),
    /// Of it: by a launch that has been stopped since.
    pending: InstanceCounters,
    /// Counted since it began to serve.
    total: InstanceCounters,
}

impl Instance {
    /// An instance that has long been in service.
    pub(super) fn new(index: u32, spec: &FleetSpec, seed: u64) -> Self {
        let name = SourceName::Instance(index + 1);
        let all = spec.workers + spec.monitor_workers;
        let connections_size = spec.pool.map_or(u32::MAX, |pool| pool.size);
        let mut map = PeerMap::default();
        if let Some(peers) = spec.peers {
            map.make(peers.threads(&FaultSet::default()));
        }
        Self {
            index,
            seed,
            launch: 0,
            up: true,
            pause: None,
            settings: Settings::default(),
            serving: Team::new(0, spec.workers, spec.queue),
            monitors: Team::new(spec.workers, spec.monitor_workers, QueuePolicy::default()),
            workers: vec![FREE; all as usize],
            bulkhead: Bulkhead::new(spec.bulkhead),
            bulkhead_limit: spec.bulkhead,
            asked: 0,
            roles: RoleCache::warm(spec.users + 1),
            faults: FaultSet::default(),
            forgotten: 0,
            lock: Line::new(1),
            connections: Line::new(connections_size),
            connections_size,
            world: 0,
            world_of: 0,
            world_rng: rng::stream(seed, &format!("{name} world")),
            crash: Crashes {
                plan: 0,
                rng: rng::stream(seed, &format!("{name} crash")),
                row: 0,
                serves_since: Nanos::ZERO,
                down: false,
            },
            links: Links::default(),
            map,
            collects: false,
            telemetry_plan: 0,
            collectors: Vec::new(),
            rng: rng::stream(seed, &format!("{name} 0")),
            counted: InstanceCounters::default(),
            queue_wait: Histogram::small(),
            since: Nanos::ZERO,
            booked: (0, 0),
            pending: InstanceCounters::default(),
            total: InstanceCounters::default(),
            name,
        }
    }

    /// The same, up or down.
    pub(super) fn up_if(mut self, up: impl Fn(u32) -> bool) -> Self {
        self.up = up(self.index);
        self
    }

    pub(super) const fn name(&self) -> &SourceName {
        &self.name
    }

    pub(super) const fn place(&self, worker: u32) -> Place {
        Place {
            instance: self.index,
            launch: self.launch,
            worker,
        }
    }

    /// Whether the place is a worker of the launch that runs.
    pub(super) const fn runs(&self, place: Place) -> bool {
        self.up && self.launch == place.launch
    }

    /// The verification that the worker waits for from now on, until it gives up.
    pub(super) fn awaits(&mut self, worker: u32, gives_up_at: Nanos) -> Awaited {
        let awaited = self.asks(worker);
        let waits = &mut self.workers[worker as usize];
        (waits.awaits, waits.gives_up_at) = (awaited.number, gives_up_at);
        awaited
    }

    /// One more thing that somebody of it waits for.
    pub(super) fn asks(&mut self, worker: u32) -> Awaited {
        // Zero is none's; four billion later nobody waits for the first any more.
        self.asked = self.asked.wrapping_add(1).max(1);
        Awaited {
            instance: self.index,
            worker,
            number: self.asked,
        }
    }

    /// Whether the worker still waits for this verification.
    pub(super) fn still_awaits(&self, awaited: Awaited) -> bool {
        self.workers[awaited.worker as usize].awaits == awaited.number
    }

    /// The worker waits for nothing any more.
    pub(super) fn awaits_no_more(&mut self, worker: u32) {
        let worker = &mut self.workers[worker as usize];
        (worker.awaits, worker.blocked) = (0, false);
    }

    /// The worker waits for no verification any more.
    pub(super) fn verifies_no_more(&mut self, worker: u32) {
        self.awaits_no_more(worker);
        self.bulkhead.leave();
    }

    /// Whether its process stands still: nothing can be read of it.
    pub(super) fn stands_still(&self) -> bool {
        self.pause.as_ref().is_some_and(|pause| !pause.within)
    }

    /// Whose worker it is.
    pub(super) const fn crew(&self, worker: u32) -> Crew {
        if worker < self.monitors.first {
            Crew::Serving
        } else {
            Crew::Monitors
        }
    }

    const fn team(&mut self, crew: Crew) -> &mut Team {
        match crew {
            Crew::Serving => &mut self.serving,
            Crew::Monitors => &mut self.monitors,
        }
    }

    /// Jobs that wait for a worker that serves.
    pub(super) fn waiting(&self) -> usize {
        self.serving.queue.len()
    }

    /// Jobs that workers hold.
    pub(super) const fn held(&self) -> u64 {
        self.serving.busy.get() + self.monitors.busy.get()
    }

    /// Puts a job into the crew's queue; false where it is full.
    pub(super) fn submit(&mut self, now: Nanos, crew: Crew, patience: Patience, job: u32) -> bool {
        let taken = self.team(crew).queue.push(now, patience, job).is_ok();
        if taken {
            self.counted.enqueued += 1;
        } else {
            self.counted.rejected += 1;
        }
        taken
    }

    /// Hands the next job to a free worker; those found expired go to `expired`.
    pub(super) fn take(&mut self, now: Nanos, expired: &mut Vec<u32>) -> Option<u32> {
        if self.pause.is_some() {
            return None;
        }
        self.take_for(Crew::Serving, now, expired)
            .or_else(|| self.take_for(Crew::Monitors, now, expired))
    }

    fn take_for(&mut self, crew: Crew, now: Nanos, expired: &mut Vec<u32>) -> Option<u32> {
        let team = self.team(crew);
        if team.queue.is_empty() {
            return None;
        }
        let worker = *team.free.last()?;
        let before = expired.len();
        let popped = team.queue.pop(now, expired);
        if popped.is_some() {
            team.free.pop();
            team.busy.set(now, team.busy.get() + 1);
        }
        self.counted.expired += (expired.len() - before) as u64;
        let popped = popped?;
        if crew == Crew::Serving {
            self.queue_wait.record(popped.wait);
        }
        self.workers[worker as usize] = Worker {
            job: popped.job,
            booked: now,
            ..FREE
        };
        Some(worker)
    }

    /// The worker's job is done; the job.
    pub(super) fn finish(&mut self, now: Nanos, worker: u32, jobs: &mut Slab<Job>) -> Option<Job> {
        self.book(now, worker, jobs);
        let held = std::mem::replace(&mut self.workers[worker as usize], FREE);
        let crew = self.crew(worker);
        if crew == Crew::Serving {
            self.counted.busy_cold_ns += held.cold.0;
        }
        self.counted.finished += 1;
        self.counted.finished_for_monitors += u64::from(crew == Crew::Monitors);
        let team = self.team(crew);
        team.busy.set(now, team.busy.get() - 1);
        team.free.push(worker);
        jobs.remove(held.job)
    }

    /// The worker's job is answered, and the worker never comes back from it; who was
    /// answered.
    pub(super) fn lose(&mut self, now: Nanos, worker: u32, jobs: &mut Slab<Job>) -> Option<u32> {
        self.book(now, worker, jobs);
        let job = jobs.get_mut(self.workers[worker as usize].job)?;
        job.gone_at = job.gone_at.min(now);
        Some(std::mem::replace(&mut job.caller, NONE))
    }

    /// Enters what the worker did for nobody, and waited for, since it was last booked.
    pub(super) fn book(&mut self, now: Nanos, worker: u32, jobs: &Slab<Job>) {
        if self.crew(worker) == Crew::Monitors {
            return;
        }
        let worker = &mut self.workers[worker as usize];
        let since = std::mem::replace(&mut worker.booked, now);
        if worker.waits_for_connection() {
            self.counted.busy_connection_ns += (now - since).0;
        }
        let Some(job) = jobs.get(worker.job) else {
            return;
        };
        if job.call == Call::Verification {
            self.counted.busy_detached_ns += (now - since).0;
        } else {
            let zombie = now.saturating_sub(since.max(job.gone_at));
            self.counted.busy_zombie_ns += zombie.0;
            if job.probe {
                self.counted.busy_probe_ns += (now - since).saturating_sub(zombie).0;
            }
        }
    }

    /// Enters levels and integrals up to `now`.
    fn book_all(&mut self, now: Nanos, jobs: &Slab<Job>) {
        for worker in 0..self.serving.workers {
            self.book(now, worker, jobs);
        }
        let depth = self.serving.queue.mark_depth(now);
        let busy = self.serving.busy.read(now);
        let counted = &mut self.counted;
        counted.worker_ns += u64::from(self.serving.workers) * (now - self.since).0;
        counted.busy_ns += busy.area - self.booked.0;
        counted.queue_depth_ns += depth.area - self.booked.1;
        counted.queue_depth_max = counted.queue_depth_max.max(depth.max);
        counted.accepts_failed += self.links.take_failed(now);
        self.booked = (busy.area, depth.area);
        self.since = now;
    }

    /// The sample of what was counted since the last one; none where it was down
    /// throughout, or is paused: then the next one covers that time too.
    pub(super) fn sample(&mut self, from: Nanos, to: Nanos, jobs: &Slab<Job>) -> Option<Sample> {
        if self.stands_still() {
            return None;
        }
        if self.up {
            self.book_all(to, jobs);
        }
        let mut counters = std::mem::take(&mut self.counted);
        if self.up {
            self.total.merge(&counters);
        }
        counters.merge(&std::mem::take(&mut self.pending));
        if counters == InstanceCounters::default() {
            return None;
        }
        counters.workers = self.serving.workers.into();
        counters.waiting = (self.serving.queue.len() + self.monitors.queue.len()) as u64;
        counters.running = self.held();
        let queue_wait = self.queue_wait.packed();
        self.queue_wait.clear();
        Some(Sample {
            from,
            to,
            source: self.name.clone(),
            counters: Counters::Instance(counters),
            histograms: vec![(Measure::QueueWait, queue_wait)],
        })
    }

    /// Stops: what waits and runs is lost and comes back for its callers to be
    /// told, beside the counters of the whole launch.
    pub(super) fn stop(
        &mut self,
        now: Nanos,
        jobs: &mut Slab<Job>,
    ) -> (InstanceCounters, Vec<Job>) {
        self.book_all(now, jobs);
        let mut lost = Vec::new();
        let held = self.workers.iter_mut();
        let held: Vec<u32> = held
            .map(|worker| std::mem::replace(worker, FREE).job)
            .filter(|job| *job != NONE)
            .collect();
        let mut waiting = self.serving.clear();
        waiting.append(&mut self.monitors.clear());
        for job in held.into_iter().chain(waiting) {
            lost.extend(jobs.remove(job));
        }
        self.counted.lost += lost.len() as u64;
        let mut total = std::mem::take(&mut self.total);
        total.merge(&self.counted);
        total.workers = self.serving.workers.into();
        self.pending.merge(&std::mem::take(&mut self.counted));
        self.up = false;
        self.bulkhead = Bulkhead::new(self.bulkhead_limit);
        self.lock = Line::new(1);
        self.connections = Line::new(self.connections_size);
        self.collectors.clear();
        self.booked = (0, 0);
        (total, lost)
    }

    /// A new launch serves, with an empty role cache.
    pub(super) fn start(&mut self, now: Nanos, settings: Settings) {
        self.launch += 1;
        self.up = true;
        self.settings = settings;
        self.roles = RoleCache::default();
        self.map = PeerMap::default();
        (self.crash.serves_since, self.crash.down) = (now, false);
        self.rng = rng::stream(self.seed, &format!("{} {}", self.name, self.launch));
        self.since = now;
        self.serving.busy.set(now, 0);
        self.monitors.busy.set(now, 0);
        self.booked = (0, 0);
    }
}
