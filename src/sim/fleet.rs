//! The fleet: balancer, instances and identity service, and what is done to them.
//!
//! What the live fleet does with threads that block is done here with stages
//! that end: application → authorize → database → respond, in the same order
//! and under the same settings.

use std::collections::VecDeque;
use std::num::NonZeroU32;

use super::calendar::{Awaited, Calendar, Event, Place};
use super::identity::{Identity, StartedVerification, VerificationAdmission};
use super::instance::{Call, Instance, Job, NONE, Stage};
use crate::model::{
    Action, Admission, Document, FleetSpec, Patience, Refusal, Release, ReleasePolicy, RoundRobin,
    SlowPart, Slowness, SourceName, Standing, Unverified, Verification, first,
};
use crate::record::{self, BalancerCounters, Counters, Outcome, Sample};
use crate::slots::Slab;
use crate::units::{Nanos, Ratio};

/// Who releases configurations in a run.
const RESPONDER: &str = "responder";
/// What a client is told to wait when it is shed.
const RETRY_AFTER: Nanos = Nanos::from_secs(1);

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

/// A response to the attempt in this slot.
#[derive(Debug, Clone, Copy)]
pub(super) struct FleetResponse {
    pub(super) attempt: u32,
    pub(super) status: u16,
    pub(super) retry_after: Option<Nanos>,
}

/// A restart under way.
#[derive(Debug)]
struct Restart {
    entry: usize,
    pause: Option<Nanos>,
    /// The instances that are being restarted.
    group: std::ops::Range<usize>,
}

/// The whole fleet.
#[derive(Debug)]
pub(super) struct Fleet {
    spec: FleetSpec,
    release: Release,
    slow: Slowness,
    admission: Admission,
    choice: RoundRobin,
    /// Instances in rotation, by their places.
    members: Vec<u32>,
    balancer: BalancerCounters,
    instances: Vec<Instance>,
    jobs: Slab<Job>,
    identity: Identity,
    restart: Option<Restart>,
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
        Self {
            spec: spec.clone(),
            release: Release::default().under(release),
            slow: Slowness::default(),
            admission: Admission::new(Ratio::WHOLE),
            choice: RoundRobin::default(),
            members: (0..spec.instances).collect(),
            balancer: BalancerCounters::default(),
            instances: (0..spec.instances)
                .map(|index| Instance::new(index, spec, seed))
                .collect(),
            jobs: Slab::new(),
            identity: Identity::new(spec, seed),
            restart: None,
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
    pub(super) fn request(
        &mut self,
        now: Nanos,
        request: Request,
        calendar: &mut Calendar,
    ) -> Option<u32> {
        let attempt = request.attempt;
        if !self.admission.admit() {
            self.balancer.shed += 1;
            self.answer(attempt, 503, Some(RETRY_AFTER));
            return None;
        }
        let Some(member) = self.choice.choose(self.members.len()) else {
            self.balancer.unserved += 1;
            self.answer(attempt, 503, None);
            return None;
        };
        self.balancer.admitted += 1;
        let instance = self.members[member];
        let job = self.jobs.insert(Job {
            call: request.call,
            user: request.user,
            caller: attempt,
            gone_at: Nanos::MAX,
            patience: Patience::ENDLESS,
        });
        let arrival = Arrival {
            job,
            standing: request.standing,
            left_ms: request.left_ms,
        };
        self.arrive(now, instance, arrival, calendar);
        // It may have been answered at once: the queue was full, or nothing takes time.
        self.waits(job, attempt).then_some(job)
    }

    /// A request reaches an instance: its queue, or the kernel's while it is
    /// paused, where nobody reads what it tells.
    fn arrive(&mut self, now: Nanos, instance: u32, arrival: Arrival, calendar: &mut Calendar) {
        let own = &mut self.instances[instance as usize];
        if let Some(pause) = &mut own.pause {
            return pause.arrived.push(arrival);
        }
        let patience = Patience::told(now, arrival.left_ms);
        if let Some(job) = self.jobs.get_mut(arrival.job) {
            job.patience = patience;
        }
        match self.spec.crew(arrival.standing, own.waiting()) {
            None => {
                own.counted.rejected += 1;
                self.turn_away(arrival.job, false);
            }
            Some(crew) if own.submit(now, crew, patience, arrival.job) => {
                self.serve(now, instance, calendar);
            }
            Some(_) => self.turn_away(arrival.job, self.spec.queue.silent),
        }
    }

    /// The request does not become a job.
    fn turn_away(&mut self, job: u32, silently: bool) {
        if let Some(job) = self.jobs.remove(job)
            && !silently
        {
            self.answer(job.caller, 503, None);
        }
    }

    fn waits(&self, job: u32, attempt: u32) -> bool {
        self.jobs.get(job).is_some_and(|job| job.caller == attempt)
    }

    /// Who waited for the job has gone; it stays where it is.
    pub(super) fn caller_gone(&mut self, job: u32, now: Nanos) {
        if let Some(job) = self.jobs.get_mut(job) {
            job.caller = NONE;
            job.gone_at = now;
        }
    }

    fn answer(&mut self, attempt: u32, status: u16, retry_after: Option<Nanos>) {
        if attempt != NONE {
            self.answers.push_back(FleetResponse {
                attempt,
                status,
                retry_after,
            });
        }
    }

    /// Something that was entered into the calendar has come.
    pub(super) fn on(&mut self, now: Nanos, event: Event, calendar: &mut Calendar) {
        match event {
            Event::Stage(place) => {
                if self.instances[place.instance as usize].runs(place) {
                    self.worker(now, place, event, calendar);
                }
            }
            Event::Verified(awaited) => {
                if let Some(begun) = self.identity.ended(now, calendar) {
                    self.note_cold(begun);
                }
                self.heard(now, awaited, event, calendar);
            }
            Event::GivenUp(awaited) => self.heard(now, awaited, event, calendar),
            Event::Booted => self.booted(now, calendar),
            Event::NextGroup => self.restart_group(now, calendar),
        }
    }

    /// Something has come of a verification, if its worker still waits for it.
    fn heard(&mut self, now: Nanos, awaited: Awaited, event: Event, calendar: &mut Calendar) {
        let own = &self.instances[awaited.instance as usize];
        if own.still_awaits(awaited) {
            self.worker(now, own.place(awaited.worker), event, calendar);
        }
    }

    /// Something has come due for a worker: it goes on, unless its instance is
    /// paused.
    fn worker(&mut self, now: Nanos, place: Place, event: Event, calendar: &mut Calendar) {
        let own = &mut self.instances[place.instance as usize];
        if let Some(pause) = &mut own.pause {
            return pause.held.push(event);
        }
        let gives_up_at = own.workers[place.worker as usize].gives_up_at;
        match event {
            Event::Verified(_) => {
                own.awaits_no_more(place.worker);
                self.verified(now, place, calendar);
            }
            // It was paused meanwhile, and waits anew.
            Event::GivenUp(_) if now < gives_up_at => return calendar.enter(gives_up_at, event),
            Event::GivenUp(_) => {
                own.awaits_no_more(place.worker);
                // What the wait had to do with the cache nobody was told.
                own.workers[place.worker as usize].cold = Nanos::ZERO;
                self.finish(now, place, Some(503));
            }
            _ => self.proceed(now, place, calendar),
        }
        self.serve(now, place.instance, calendar);
    }

    /// Hands waiting jobs to free workers, until there is none of either.
    fn serve(&mut self, now: Nanos, instance: u32, calendar: &mut Calendar) {
        loop {
            let taken = self.instances[instance as usize].take(now, &mut self.expired);
            while let Some(job) = self.expired.pop() {
                if let Some(job) = self.jobs.remove(job) {
                    self.answer(job.caller, 503, None);
                }
            }
            let Some(worker) = taken else { return };
            self.begin(now, instance, worker, calendar);
        }
    }

    /// The worker begins with the job that it has taken.
    fn begin(&mut self, now: Nanos, instance: u32, worker: u32, calendar: &mut Calendar) {
        let own = &mut self.instances[instance as usize];
        let place = own.place(worker);
        let verification = self
            .jobs
            .get(own.workers[worker as usize].job)
            .is_none_or(|job| job.call == Call::Verification);
        if verification {
            return self.verify(now, place, calendar);
        }
        let drawn = self.spec.application.sample(&mut own.rng);
        let alone = self.slow.stretch(SlowPart::Application, drawn);
        let takes = self.spec.contended(alone, own.held() - 1);
        self.pass(now, place, takes, calendar);
    }

    /// The worker's stage takes so long.
    fn pass(&mut self, now: Nanos, place: Place, takes: Nanos, calendar: &mut Calendar) {
        if takes == Nanos::ZERO {
            self.proceed(now, place, calendar);
        } else {
            calendar.enter(now.saturating_add(takes), Event::Stage(place));
        }
    }

    /// The worker's stage is over.
    fn proceed(&mut self, now: Nanos, place: Place, calendar: &mut Calendar) {
        let own = &self.instances[place.instance as usize];
        let worker = own.workers[place.worker as usize];
        match worker.stage {
            Stage::Database => self.finish(now, place, Some(200)),
            // The identity service says when that is over.
            Stage::Verifying => {}
            Stage::Application => {
                let Some(job) = self.jobs.get(worker.job).copied() else {
                    return;
                };
                match (job.call, own.settings.verification) {
                    // Nobody waits any more, so nobody is told.
                    (Call::Request { .. }, _) if job.patience.over(now) => {
                        self.finish(now, place, Some(503));
                    }
                    (Call::Request { .. }, Verification::Awaited) => {
                        self.verify(now, place, calendar);
                    }
                    (Call::Request { .. }, Verification::Detached) => {
                        self.detach(now, place, job.user, calendar);
                    }
                    (Call::Shallow | Call::Verification, _) => self.finish(now, place, Some(200)),
                }
            }
        }
    }

    /// The verification becomes a job of its own, and the handler goes on without it.
    fn detach(&mut self, now: Nanos, place: Place, user: u32, calendar: &mut Calendar) {
        let job = self.jobs.insert(Job {
            call: Call::Verification,
            user,
            caller: NONE,
            gone_at: Nanos::ZERO,
            patience: Patience::ENDLESS,
        });
        let own = &mut self.instances[place.instance as usize];
        if own.submit(now, own.crew(place.worker), Patience::ENDLESS, job) {
            own.counted.detached += 1;
        } else {
            // Dropped, unseen by anyone.
            self.jobs.remove(job);
        }
        match own.settings.unverified {
            Unverified::Deny => self.finish(now, place, Some(500)),
            Unverified::Allow => self.query(now, place, calendar),
            Unverified::Hang => self.finish(now, place, None),
        }
    }

    /// The worker asks the identity service and waits for it; where the bulkhead
    /// or the service turns it away, its job is done.
    fn verify(&mut self, now: Nanos, place: Place, calendar: &mut Calendar) {
        let own = &mut self.instances[place.instance as usize];
        if !own.bulkhead.enter() {
            return self.finish(now, place, Some(503));
        }
        let timeout = self.spec.identity.timeout;
        let gives_up_at = timeout.map_or(Nanos::MAX, |timeout| now.saturating_add(timeout));
        let awaited = own.awaits(place.worker, gives_up_at);
        let worker = &mut own.workers[place.worker as usize];
        worker.stage = Stage::Verifying;
        let user = self.jobs.get(worker.job).map_or(0, |job| job.user);
        let held = own.roles.holds(user);
        match self.identity.ask(now, awaited, held, calendar) {
            VerificationAdmission::Begun(begun) => self.note_cold(begun),
            VerificationAdmission::Waits => {}
            VerificationAdmission::Refused => {
                own.awaits_no_more(place.worker);
                return self.finish(now, place, Some(503));
            }
        }
        if timeout.is_some() {
            calendar.enter(gives_up_at, Event::GivenUp(awaited));
        }
    }

    fn note_cold(&mut self, begun: StartedVerification) {
        let own = &mut self.instances[begun.awaited.instance as usize];
        if own.still_awaits(begun.awaited) {
            own.workers[begun.awaited.worker as usize].cold = begun.cold;
        }
    }

    /// The identity service has answered.
    fn verified(&mut self, now: Nanos, place: Place, calendar: &mut Calendar) {
        let own = &mut self.instances[place.instance as usize];
        let worker = own.workers[place.worker as usize];
        let Some(job) = self.jobs.get(worker.job) else {
            return;
        };
        own.roles.insert(job.user);
        match job.call {
            Call::Request { allowed: true } => self.query(now, place, calendar),
            Call::Request { allowed: false } => self.finish(now, place, Some(403)),
            Call::Shallow | Call::Verification => self.finish(now, place, None),
        }
    }

    /// The worker goes to the database, if anybody still waits.
    fn query(&mut self, now: Nanos, place: Place, calendar: &mut Calendar) {
        let own = &mut self.instances[place.instance as usize];
        let job = self.jobs.get(own.workers[place.worker as usize].job);
        if job.is_some_and(|job| job.patience.over(now)) {
            return self.finish(now, place, Some(503));
        }
        own.workers[place.worker as usize].stage = Stage::Database;
        let drawn = self.spec.database.sample(&mut own.rng);
        let takes = self.slow.stretch(SlowPart::Database, drawn);
        self.pass(now, place, takes, calendar);
    }

    /// The worker's job is done, with this answer or none ever.
    fn finish(&mut self, now: Nanos, place: Place, status: Option<u16>) {
        let own = &mut self.instances[place.instance as usize];
        let job = own.finish(now, place.worker, &mut self.jobs);
        if let (Some(job), Some(status)) = (job, status) {
            self.answer(job.caller, status, None);
        }
    }

    /// Carries out what is done to the fleet; none where it takes its time, and
    /// its end is told among what happened.
    pub(super) fn act(
        &mut self,
        now: Nanos,
        entry: usize,
        action: &Action,
        calendar: &mut Calendar,
    ) -> Option<Outcome> {
        let instances = self.instances.len();
        let done = || Outcome::Applied {
            detail: action.done(instances),
        };
        Some(match action {
            Action::Push {
                set,
                schema,
                tested,
                canary,
            } => {
                let release = &mut self.release;
                let pushed = release.push(now, RESPONDER, set, *schema, *tested, *canary);
                let document = pushed.cloned();
                self.released(document)
            }
            Action::Rollback => {
                let document = self.release.rollback(now, RESPONDER).cloned();
                self.released(document)
            }
            Action::Waive { check } => match self.release.waive(check) {
                Ok(()) => done(),
                Err(refusal) => refusal.into(),
            },
            Action::Admit { share } => {
                self.admission = Admission::new(*share);
                done()
            }
            Action::Restart { pause } => {
                if self.restart.is_some() {
                    return Some(Outcome::Failed {
                        reason: "another restart is under way".into(),
                    });
                }
                self.restart = Some(Restart {
                    entry,
                    pause: *pause,
                    group: 0..0,
                });
                self.restart_group(now, calendar);
                return None;
            }
            Action::Slow { part, factor } => {
                self.slow.set(*part, *factor);
                self.identity.slow = self.slow;
                let mut detail = action.done(instances);
                if *part != SlowPart::Identity {
                    self.later(&mut detail);
                }
                Outcome::Applied { detail }
            }
            Action::Pause { instances: count } => self.each(*count, action, |fleet, place| {
                fleet.instances[place].pause.get_or_insert_default();
            }),
            Action::Continue { instances: count } => self.each(*count, action, |fleet, place| {
                fleet.go_on(now, place, calendar);
            }),
            Action::Monitors { .. }
            | Action::Retries { .. }
            | Action::Hook { .. }
            | Action::Process { .. }
            | Action::Configure { .. }
            | Action::Fault { .. }
            | Action::Occupy { .. }
            | Action::Undo { .. } => return None,
        })
    }

    /// Does something to so many instances that run.
    fn each(
        &mut self,
        count: Option<NonZeroU32>,
        action: &Action,
        mut act: impl FnMut(&mut Self, usize),
    ) -> Outcome {
        let all = self.instances.len();
        let meant = first(count, all);
        let mut missed = Vec::new();
        for place in 0..meant {
            if self.instances[place].up {
                act(self, place);
            } else {
                missed.push(format!(
                    "{}: it is not running",
                    self.instances[place].name()
                ));
            }
        }
        if missed.len() == meant {
            return Outcome::Failed {
                reason: missed.join("; "),
            };
        }
        let mut detail = action.done(all);
        if !missed.is_empty() {
            detail.push_str("; but not ");
            detail.push_str(&missed.join("; "));
        }
        Outcome::Applied { detail }
    }

    /// A paused instance goes on: first with what its workers waited for, then
    /// with what arrived for it.
    fn go_on(&mut self, now: Nanos, place: usize, calendar: &mut Calendar) {
        let Some(pause) = self.instances[place].pause.take() else {
            return;
        };
        // A wait on a socket that a stop has interrupted begins anew.
        if let Some(timeout) = self.spec.identity.timeout {
            for worker in &mut self.instances[place].workers {
                worker.gives_up_at = now.saturating_add(timeout);
            }
        }
        for event in pause.held {
            match event {
                Event::Stage(place) => self.worker(now, place, event, calendar),
                Event::Verified(awaited) | Event::GivenUp(awaited) => {
                    self.heard(now, awaited, event, calendar);
                }
                _ => {}
            }
        }
        let instance = u32::try_from(place).unwrap_or(NONE);
        for arrival in pause.arrived {
            self.arrive(now, instance, arrival, calendar);
        }
    }

    /// A release holds for every instance that runs, and for those that start.
    fn released(&mut self, document: Result<Document, Refusal>) -> Outcome {
        let document = match document {
            Ok(document) => document,
            Err(refusal) => return refusal.into(),
        };
        let all = self.instances.len();
        let mut detail = document.named_in(all);
        self.later(&mut detail);
        for (place, instance) in self.instances.iter_mut().enumerate() {
            instance.settings = self.release.settings_of(place, all);
        }
        Outcome::Applied { detail }
    }

    /// Adds on which instances it will be in force later.
    fn later(&self, detail: &mut String) {
        let mut add = |when: &str, which: fn(&Instance) -> bool| {
            let instances = self.instances.iter().filter(|instance| which(instance));
            let names: Vec<String> = instances.map(|it| it.name().to_string()).collect();
            if !names.is_empty() {
                for text in ["; to be in force when they ", when, ": ", &names.join(", ")] {
                    detail.push_str(text);
                }
            }
        };
        add("start", |instance| !instance.up);
        add("go on", |instance| instance.pause.is_some());
    }

    /// The next instances leave the rotation and stop; what waits and runs in
    /// them is lost.
    fn restart_group(&mut self, now: Nanos, calendar: &mut Calendar) {
        let all = self.instances.len();
        let Some(restart) = &mut self.restart else {
            return;
        };
        let from = restart.group.end;
        let group = from..if restart.pause.is_some() {
            from + 1
        } else {
            all
        };
        restart.group = group.clone();
        self.members
            .retain(|member| !group.contains(&(*member as usize)));
        for place in group {
            // What is paused could not stop.
            self.go_on(now, place, calendar);
            let instance = &mut self.instances[place];
            let (counters, lost) = instance.stop(now, &mut self.jobs);
            self.happened.push(record::Event::Stopped {
                source: instance.name().clone(),
                counters,
            });
            for job in lost {
                if job.caller != NONE {
                    self.balancer.upstream_errors += 1;
                    self.answer(job.caller, 502, None);
                }
            }
        }
        calendar.enter(now.saturating_add(self.spec.boot), Event::Booted);
    }

    /// The instances being restarted serve again, cold.
    fn booted(&mut self, now: Nanos, calendar: &mut Calendar) {
        let all = self.instances.len();
        let Some(restart) = &self.restart else {
            return;
        };
        for place in restart.group.clone() {
            let settings = self.release.settings_of(place, all);
            self.instances[place].start(now, settings);
            self.happened.push(record::Event::Serving {
                source: self.instances[place].name().clone(),
                pid: 0,
            });
        }
        self.members = (0..)
            .zip(&self.instances)
            .filter(|(_, instance)| instance.up)
            .map(|(place, _)| place)
            .collect();
        if let Some(pause) = restart.pause.filter(|_| restart.group.end < all) {
            return calendar.enter(now.saturating_add(pause), Event::NextGroup);
        }
        let action = Action::Restart {
            pause: restart.pause,
        };
        self.happened.push(record::Event::ActionEnded {
            entry: restart.entry,
            outcome: Outcome::Applied {
                detail: action.done(all),
            },
        });
        self.restart = None;
    }

    /// What every part did since the last sample.
    pub(super) fn sample(&mut self, from: Nanos, to: Nanos, emit: &mut dyn FnMut(Sample)) {
        for instance in &mut self.instances {
            if let Some(sample) = instance.sample(from, to, &self.jobs) {
                emit(sample);
            } else if instance.pause.is_some() {
                self.happened.push(record::Event::ScrapeFailed {
                    source: instance.name().clone(),
                    cause: record::PAUSED.to_owned(),
                });
            }
        }
        emit(Sample {
            from,
            to,
            source: SourceName::Balancer,
            counters: Counters::Balancer(std::mem::take(&mut self.balancer)),
            histograms: Vec::new(),
        });
        emit(self.identity.sample(from, to));
    }

    /// Every instance that serves, for the journal.
    pub(super) fn serving(&self) -> impl Iterator<Item = record::Event> + '_ {
        self.instances
            .iter()
            .map(|instance| record::Event::Serving {
                source: instance.name().clone(),
                pid: 0,
            })
    }

    /// Stops every instance that is up; a restart under way is cut short.
    pub(super) fn stop(&mut self, now: Nanos, calendar: &mut Calendar) -> Vec<record::Event> {
        for place in 0..self.instances.len() {
            self.go_on(now, place, calendar);
        }
        let mut events = Vec::new();
        for instance in self.instances.iter_mut().filter(|instance| instance.up) {
            let (counters, _) = instance.stop(now, &mut self.jobs);
            events.push(record::Event::Stopped {
                source: instance.name().clone(),
                counters,
            });
        }
        if let Some(restart) = self.restart.take() {
            events.push(record::Event::ActionEnded {
                entry: restart.entry,
                outcome: Outcome::Failed {
                    reason: "the fleet was ended".into(),
                },
            });
        }
        events
    }
}
