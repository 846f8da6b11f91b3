//! The fleet: balancer, instances and identity service, and what is done to them.
//!
//! What comes after what, and what is answered, is in [`crate::model`] for this fleet
//! and the live one; here a wait is an entry in the calendar.
//!
//! - `stages`: workers, from the job they take to its answer
//! - `operations`: what a responder does
//! - `autoscaler`: how many instances there are
//! - `balancing`: which instance a request goes to
//! - `faults`: what acts on it; `limits`: what the operating system refuses it;
//!   `crashes`: how it crashes and is started again
//! - `others`: who asks the identity service beside the workers

mod autoscaler;
mod balancing;
mod crashes;
mod faults;
mod limits;
mod operations;
mod others;
mod stages;

use std::collections::{BTreeMap, VecDeque};

use super::calendar::{Awaited, Calendar, Event};
use super::identity::Identity;
use super::instance::{Call, Instance, Job, NONE};
use crate::model::{
    Admission, Autoscaler, Chooser, Denial, FleetSpec, Patience, ReleasePolicy, Responder,
    SourceName, Standing,
};
use crate::record::{self, BalancerCounters, Counters, Sample};
use crate::rng::{self, StdRng};
use crate::slots::Slab;
use crate::units::{Nanos, Ratio};
use balancing::{Checks, InstanceLoad};
use operations::Restart;
use others::Releases;

/// The status of a request that got its result.
const SUCCESS: u16 = 200;

/// What reaches the balancer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    /// The attempt in this slot.
    pub(super) attempt: u32,
    pub(super) call: Call,
    pub(super) user: u32,
    /// What it says of itself.
    pub(super) standing: Standing,
    /// The milliseconds that the caller has left, where callers tell them.
    pub(super) left_ms: Option<u64>,
}

/// A request on its way into an instance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    job: u32,
    standing: Standing,
    left_ms: Option<u64>,
}

#[cfg(test)]
impl Arrival {
    /// The job in this slot, with nothing else to say.
    pub(super) const fn of_job(job: u32) -> Self {
        Self {
            job,
            standing: Standing::FirstTry,
            left_ms: None,
        }
    }

    pub(super) const fn job(&self) -> u32 {
        self.job
    }
}

/// A response to the attempt in this slot.
#[derive(Debug, Clone, Copy)]
pub(super) struct FleetResponse {
    pub(super) attempt: u32,
    pub(super) status: u16,
    pub(super) retry_after: Option<Nanos>,
}

/// A session that is set up.
#[derive(Debug, Clone, Copy)]
struct Session {
    instance: u32,
    /// What it holds of the instance's connections.
    link: u32,
}

/// The whole fleet.
#[derive(Debug)]
pub(super) struct Fleet {
    spec: FleetSpec,
    responder: Responder,
    admission: Admission,
    choice: Chooser,
    checks: Checks,
    /// Requests that the balancer has under way to each instance.
    load: InstanceLoad,
    /// What the balancer draws from.
    rng: StdRng,
    /// Requests on their way from the balancer, each to a launch of an instance.
    under_way: Slab<(u32, u32, Arrival)>,
    /// Instances in rotation, by their places.
    members: Vec<u32>,
    balancer: BalancerCounters,
    /// One at each place; some may be down.
    instances: Vec<Instance>,
    scaler: Option<Autoscaler>,
    jobs: Slab<Job>,
    identity: Identity,
    /// Releases whose author is being verified.
    releases: Releases,
    /// Sessions that are set up: the attempt that holds each, and its instance.
    sessions: BTreeMap<u32, Session>,
    /// Connections that stay open since nobody ever answers what came on them: the attempt
    /// that waits for it, and whose they are.
    unanswered: BTreeMap<u32, u32>,
    restart: Option<Restart>,
    /// What is to come of its waits.
    pub(super) calendar: Calendar,
    /// Responses on their way to who asked.
    pub(super) answers: VecDeque<FleetResponse>,
    /// What happened, for the journal.
    pub(super) happened: Vec<record::Event>,
    /// Room for jobs found expired.
    expired: Vec<u32>,
}

impl Fleet {
    /// A fleet that has long been in service.
    pub(super) fn new(spec: &FleetSpec, release: ReleasePolicy, seed: u64) -> Self {
        let places = spec.places();
        let mut responder = Responder::with_places(spec.instances as usize, places as usize);
        responder.govern(release);
        let mut calendar = Calendar::default();
        if let Some(health) = spec.balancer.health {
            for instance in 0..places {
                let first = health.first_check(instance, places);
                calendar.enter(first, Event::HealthCheck(instance));
            }
        }
        Self {
            spec: spec.clone(),
            responder,
            admission: Admission::new(Ratio::WHOLE),
            choice: Chooser::new(spec.balancer.choice),
            checks: Checks::new(spec),
            load: InstanceLoad::new(spec),
            rng: rng::stream(seed, "balancer"),
            under_way: Slab::new(),
            members: (0..spec.instances).collect(),
            balancer: BalancerCounters::default(),
            instances: (0..places)
                .map(|index| Instance::new(index, spec, seed))
                .map(|own| own.up_if(|index| index < spec.instances))
                .collect(),
            scaler: spec
                .autoscaler
                .map(|own| Autoscaler::new(own, spec.instances, spec.boot)),
            jobs: Slab::new(),
            identity: Identity::new(spec, seed),
            releases: Releases::default(),
            sessions: BTreeMap::new(),
            unanswered: BTreeMap::new(),
            restart: None,
            calendar,
            answers: VecDeque::new(),
            happened: Vec::new(),
            expired: Vec::new(),
        }
    }

    /// Jobs that wait or run.
    pub(super) fn jobs(&self) -> usize {
        self.jobs.len()
    }

    /// A request reaches the balancer: the job that its attempt waits for, if any;
    /// what is answered at once is among the answers.
    pub(super) fn request(&mut self, now: Nanos, request: Request) -> Option<u32> {
        let attempt = request.attempt;
        if !self.admission.admit() {
            self.balancer.shed += 1;
            self.answer(attempt, Err(Denial::Shed));
            return None;
        }
        let Some(instance) = self.choose() else {
            self.balancer.unserved += 1;
            self.answer(attempt, Err(Denial::NoInstance));
            return None;
        };
        self.balancer.admitted += 1;
        self.load.begins(attempt, instance);
        if self.is_lost(instance) {
            return None;
        }
        let job = self.jobs.insert(Job {
            call: request.call,
            user: request.user,
            probe: request.standing == Standing::Probe,
            caller: attempt,
            gone_at: Nanos::MAX,
            patience: Patience::ENDLESS,
            link: NONE,
            unseen: false,
        });
        let arrival = Arrival {
            job,
            standing: request.standing,
            left_ms: request.left_ms,
        };
        if self.is_delayed(now, instance, arrival) {
            return Some(job);
        }
        self.arrive(now, instance, arrival);
        // It may have been answered at once: the queue was full, or nothing takes time.
        self.waits(job, attempt).then_some(job)
    }

    /// A request reaches an instance: its queue, or the kernel's while it is
    /// paused, where nobody reads what it tells.
    fn arrive(&mut self, now: Nanos, instance: u32, arrival: Arrival) {
        let own = &mut self.instances[instance as usize];
        if !own.up {
            return self.breaks(arrival.job);
        }
        if let Some(pause) = &mut own.pause {
            return pause.arrived.push(arrival);
        }
        self.link(now, instance, arrival);
    }

    /// The instance reads the request, and puts it into a queue.
    fn read(&mut self, now: Nanos, instance: u32, arrival: Arrival) {
        let own = &mut self.instances[instance as usize];
        let patience = Patience::told(now, arrival.left_ms);
        if let Some(job) = self.jobs.get_mut(arrival.job) {
            job.patience = patience;
        }
        match self.spec.crew(arrival.standing, own.waiting()) {
            Err(denial) => {
                own.counted.rejected += 1;
                self.turn_away(now, arrival.job, Some(denial));
            }
            Ok(crew) if own.submit(now, crew, patience, arrival.job) => {
                self.serve(now, instance);
            }
            Ok(_) => self.turn_away(now, arrival.job, self.spec.full()),
        }
    }

    /// Nobody does the job; its caller gets this answer, or none ever.
    fn turn_away(&mut self, now: Nanos, job: u32, denial: Option<Denial>) {
        let Some(job) = self.jobs.remove(job) else {
            return;
        };
        self.ends(now, &job, denial.is_some());
        if let Some(denial) = denial {
            self.answer(job.caller, Err(denial));
        }
    }

    /// The instance that the job was for is gone; the balancer tells who waited for it.
    fn broke(&mut self, job: Job) {
        if job.caller == NONE {
            return;
        }
        // A check of the balancer's own is no request that it passed on.
        if Checks::instance(job.caller).is_none() {
            self.balancer.upstream_errors += 1;
        }
        self.answer(job.caller, Err(Denial::InstanceBroke));
    }

    /// What the job came on is kept where it is answered, but for a check's; where nobody
    /// ever answers it, its caller closes it in the end.
    fn ends(&mut self, now: Nanos, job: &Job, answered: bool) {
        if !answered {
            return self.never_answers(now, job.caller, job.link);
        }
        let kept = Checks::instance(job.caller).is_none();
        self.unlink(now, job.link, kept);
    }

    /// This connection is open until who waits for an answer on it waits no more.
    fn never_answers(&mut self, now: Nanos, attempt: u32, link: u32) {
        let waits = attempt != NONE && Checks::instance(attempt).is_none();
        if waits && link != NONE {
            self.unanswered.insert(attempt, link);
        } else {
            self.unlink(now, link, false);
        }
    }

    fn waits(&self, job: u32, attempt: u32) -> bool {
        self.jobs.get(job).is_some_and(|job| job.caller == attempt)
    }

    /// Who waited for the job has gone; it stays where it is. What is never answered
    /// (a handler that hangs) is no job any more, and another may be in its place.
    pub(super) fn caller_gone(&mut self, job: u32, attempt: u32, now: Nanos) {
        let own = self.jobs.get_mut(job);
        let Some(own) = own.filter(|job| job.caller == attempt) else {
            return;
        };
        own.caller = NONE;
        own.gone_at = now;
        let link = std::mem::replace(&mut own.link, NONE);
        if own.unseen {
            self.jobs.remove(job);
        }
        self.unlink(now, link, false);
    }

    /// Nobody waits any more for what this attempt asked.
    pub(super) fn left(&mut self, now: Nanos, attempt: u32) {
        if let Some(session) = self.sessions.remove(&attempt) {
            self.unlink(now, session.link, false);
        }
        if let Some(link) = self.unanswered.remove(&attempt) {
            self.unlink(now, link, false);
        }
        self.load.ends(attempt);
    }

    fn answer(&mut self, attempt: u32, answer: Result<(), Denial>) {
        if let Some(instance) = Checks::instance(attempt) {
            return self.checks.answered(instance, answer.is_ok());
        }
        if attempt != NONE {
            self.load.ends(attempt);
            let denial = answer.err();
            self.answers.push_back(FleetResponse {
                attempt,
                status: denial.map_or(SUCCESS, Denial::status),
                retry_after: denial.and_then(Denial::retry_after),
            });
        }
    }

    /// Something that was entered into the calendar has come.
    pub(super) fn on(&mut self, now: Nanos, event: Event) {
        match event {
            Event::Stage(place) => {
                if self.instances[place.instance as usize].runs(place) {
                    self.worker(now, place, event);
                }
            }
            Event::Verified(awaited) => {
                if let Some(begun) = self.identity.ended(now, &mut self.calendar) {
                    self.note_cold(begun);
                }
                self.heard(now, awaited, event);
            }
            Event::GivenUp(awaited) => self.heard(now, awaited, event),
            Event::Booted => self.booted(now),
            Event::NextGroup => self.restart_group(now),
            Event::Arrives(slot) => self.arrives(now, slot),
            Event::WorldStops(place) => self.world_stops(now, place),
            Event::WorldGoes(place) => self.world_goes(now, place),
            Event::Crashes(place) => self.crashes(now, place),
            Event::StartsAgain(place) => self.starts_again(now, place),
            Event::TriesAgain(place) => self.tries_again(now, place),
            Event::Telemetry(collector) => self.telemetry_due(now, collector),
            Event::HealthCheck(instance) => self.check_health(now, instance),
            Event::HealthOver { instance, number } => self.check_over(now, instance, number),
        }
    }

    /// Something has come of a verification, if its worker still waits for it.
    fn heard(&mut self, now: Nanos, awaited: Awaited, event: Event) {
        if !others::is_of_a_worker(awaited) {
            return self.others_heard(now, awaited, event);
        }
        let own = &self.instances[awaited.instance as usize];
        if own.still_awaits(awaited) {
            self.worker(now, own.place(awaited.worker), event);
        }
    }

    /// What every part did since the last sample.
    pub(super) fn sample(&mut self, from: Nanos, to: Nanos, emit: &mut dyn FnMut(Sample)) {
        let mut read = Vec::new();
        for instance in &mut self.instances {
            if let Some(sample) = instance.sample(from, to, &self.jobs) {
                read.push(sample);
            } else if instance.stands_still() {
                self.happened.push(record::Event::ScrapeFailed {
                    source: instance.name().clone(),
                    cause: record::PAUSED.to_owned(),
                });
            }
        }
        let busy = record::busy_share(read.iter());
        read.into_iter().for_each(&mut *emit);
        emit(Sample {
            from,
            to,
            source: SourceName::Balancer,
            counters: Counters::Balancer(std::mem::take(&mut self.balancer)),
            histograms: Vec::new(),
        });
        emit(self.identity.sample(from, to));
        self.autoscale(from, to, busy);
    }

    /// Every instance that serves, for the journal.
    pub(super) fn serving(&self) -> impl Iterator<Item = record::Event> + '_ {
        self.instances
            .iter()
            .filter(|instance| instance.up)
            .map(|instance| record::Event::Serving {
                source: instance.name().clone(),
                pid: 0,
            })
    }

    /// Stops every instance that is up; a restart under way is cut short.
    pub(super) fn stop(&mut self, now: Nanos) -> Vec<record::Event> {
        for place in 0..self.instances.len() {
            self.go_on(now, place);
        }
        let mut events = Vec::new();
        for instance in self.instances.iter_mut().filter(|instance| instance.up) {
            let (counters, _) = instance.stop(now, &mut self.jobs);
            events.push(record::Event::Stopped {
                source: instance.name().clone(),
                counters,
            });
        }
        events.append(&mut self.leave_releases());
        if let Some(restart) = self.restart.take() {
            events.push(record::Event::ActionEnded {
                entry: restart.entry,
                outcome: restart.order.cut_short(Vec::new()),
            });
        }
        events
    }
}
