//! Workers: from the job they take, through the stages of its handler, to its answer.
//!
//! A stage that takes time is left by an event of the calendar. Nothing here says
//! what comes after it: [`crate::model::Handler`] does.

use std::ops::ControlFlow;

use super::super::calendar::{Event, Place};
use super::super::identity::{StartedVerification, VerificationAdmission};
use super::super::instance::{Call, Job, NONE};
use super::{Fleet, Session, others};
use crate::model::{Denial, Patience, Stage};
use crate::units::Nanos;

impl Fleet {
    /// Something has come due for a worker: it goes on, unless its instance is
    /// paused.
    pub(super) fn worker(&mut self, now: Nanos, place: Place, event: Event) {
        let own = &mut self.instances[place.instance as usize];
        if let Some(pause) = &mut own.pause {
            return pause.held.push(event);
        }
        let gives_up_at = own.workers[place.worker as usize].gives_up_at;
        match event {
            Event::Verified(_) => {
                own.verifies_no_more(place.worker);
                self.verified(now, place);
            }
            // It was paused meanwhile, and waits anew.
            Event::GivenUp(_) if now < gives_up_at => {
                return self.calendar.enter(gives_up_at, event);
            }
            Event::GivenUp(_) => self.gives_up(now, place),
            _ => self.leave(now, place, Ok(())),
        }
        self.serve(now, place.instance);
    }

    /// Hands waiting jobs to free workers, until there is none of either.
    pub(super) fn serve(&mut self, now: Nanos, instance: u32) {
        loop {
            let own = &mut self.instances[instance as usize];
            let taken = own.take(now, &mut self.expired);
            // In the order in which they left the queue: those told first try again first.
            let mut expired = std::mem::take(&mut self.expired);
            for job in expired.drain(..) {
                self.turn_away(now, job, Some(Denial::Expired));
            }
            self.expired = expired;
            let Some(worker) = taken else { return };
            let own = &self.instances[instance as usize];
            let place = own.place(worker);
            if let Some(job) = self.jobs.get(own.workers[worker as usize].job) {
                self.enter(now, place, job.handler().first(&own.faults));
            }
        }
    }

    /// The worker goes on to this stage.
    pub(super) fn enter(&mut self, now: Nanos, place: Place, stage: Stage) {
        let own = &mut self.instances[place.instance as usize];
        own.workers[place.worker as usize].stage = stage;
        match stage {
            Stage::Verify => return self.verify(now, place),
            Stage::Detach(_) => self.detach(now, place),
            Stage::Lock => return self.lock(now, place),
            Stage::Connect(_) => return self.connect(now, place),
            Stage::Application | Stage::Authenticate | Stage::Database(_) => {
                if stage != Stage::Application && self.meets_the_database(now, place, stage) {
                    return;
                }
                let own = &mut self.instances[place.instance as usize];
                let others = own.held() - 1;
                let takes = stage.takes(&self.spec, self.responder.slow(), others, &mut own.rng);
                if takes > Nanos::ZERO {
                    return self
                        .calendar
                        .enter(now.saturating_add(takes), Event::Stage(place));
                }
            }
        }
        self.leave(now, place, Ok(()));
    }

    /// The worker's stage has ended like this.
    pub(super) fn leave(&mut self, now: Nanos, place: Place, result: Result<(), Denial>) {
        let own = &self.instances[place.instance as usize];
        let worker = own.workers[place.worker as usize];
        let Some(job) = self.jobs.get(worker.job) else {
            return;
        };
        let handler = job.handler();
        match handler.after(worker.stage, result, now, own.settings, &self.spec) {
            ControlFlow::Continue(stage) => self.enter(now, place, stage),
            ControlFlow::Break(answer) => self.finish(now, place, answer),
        }
        if worker.stage == Stage::Lock {
            self.unlock(now, place.instance);
        }
    }

    /// The verification becomes a job of its own.
    fn detach(&mut self, now: Nanos, place: Place) {
        let own = &mut self.instances[place.instance as usize];
        let held = self.jobs.get(own.workers[place.worker as usize].job);
        let job = Job {
            call: Call::Verification,
            user: held.map_or(0, |job| job.user),
            probe: false,
            caller: NONE,
            gone_at: Nanos::ZERO,
            patience: Patience::ENDLESS,
            link: NONE,
            unseen: false,
        };
        let job = self.jobs.insert(job);
        if own.submit(now, own.crew(place.worker), Patience::ENDLESS, job) {
            own.counted.detached += 1;
        } else {
            // Dropped, unseen by anyone.
            self.jobs.remove(job);
        }
    }

    /// The worker asks the identity service and waits for it, where the bulkhead
    /// and the service let it.
    fn verify(&mut self, now: Nanos, place: Place) {
        let own = &mut self.instances[place.instance as usize];
        if !own.bulkhead.enter() {
            return self.leave(now, place, Err(Denial::BulkheadFull));
        }
        let timeout = self.spec.identity.timeout;
        let gives_up_at = timeout.map_or(Nanos::MAX, |timeout| now.saturating_add(timeout));
        let awaited = own.awaits(place.worker, gives_up_at);
        let worker = &own.workers[place.worker as usize];
        if let Some(blocks) = &own.faults.identity_blocks {
            own.workers[place.worker as usize].blocked = !blocks.stay;
            if timeout.is_some() {
                self.calendar.enter(gives_up_at, Event::GivenUp(awaited));
            }
            return;
        }
        let job = self.jobs.get(worker.job);
        let held = job.is_none_or(|job| job.call != Call::Session && own.roles.holds(job.user));
        match self.identity.ask(now, awaited, held, &mut self.calendar) {
            VerificationAdmission::Begun(begun) => self.note_cold(begun),
            VerificationAdmission::Waits => {}
            VerificationAdmission::Refused => {
                own.verifies_no_more(place.worker);
                return self.leave(now, place, Err(Denial::IdentityFailed));
            }
        }
        if timeout.is_some() {
            self.calendar.enter(gives_up_at, Event::GivenUp(awaited));
        }
    }

    pub(super) fn note_cold(&mut self, begun: StartedVerification) {
        if !others::is_of_a_worker(begun.awaited) {
            return;
        }
        let own = &mut self.instances[begun.awaited.instance as usize];
        if own.still_awaits(begun.awaited) {
            own.workers[begun.awaited.worker as usize].cold = begun.cold;
        }
    }

    /// The identity service has answered.
    fn verified(&mut self, now: Nanos, place: Place) {
        let own = &mut self.instances[place.instance as usize];
        let Some(job) = self.jobs.get(own.workers[place.worker as usize].job) else {
            return;
        };
        // What a session needs is held by no instance.
        if job.call != Call::Session {
            own.roles.insert(job.user);
        }
        let wrong = own.faults.permissions_wrong.as_ref();
        let result = match job.call {
            Call::Request { allowed, .. } if !wrong.map_or(allowed, |it| it.allow) => {
                Err(Denial::RoleForbids)
            }
            Call::Session if wrong.is_some_and(|it| !it.allow) => Err(Denial::RoleForbids),
            Call::Request { .. } | Call::Shallow | Call::Session | Call::Verification => Ok(()),
        };
        self.leave(now, place, result);
    }

    /// The worker's job is done, with this answer or none ever.
    fn finish(&mut self, now: Nanos, place: Place, answer: Option<Result<(), Denial>>) {
        self.give_back(now, place);
        if self.loses_its_worker(place) {
            let own = &mut self.instances[place.instance as usize];
            let worker = own.workers[place.worker as usize];
            let job = self.jobs.get_mut(worker.job);
            let session = job.as_ref().is_some_and(|job| job.call == Call::Session);
            let link = job.map_or(NONE, |job| std::mem::replace(&mut job.link, NONE));
            let caller = own.lose(now, place.worker, &mut self.jobs);
            let Some(answer) = answer else {
                let caller = caller.unwrap_or(NONE);
                return if session {
                    self.hold_session(now, caller, place.instance, link);
                } else {
                    self.never_answers(now, caller, link);
                };
            };
            self.unlink(now, link, true);
            if let Some(caller) = caller {
                self.answer(caller, answer);
            }
            return;
        }
        let own = &mut self.instances[place.instance as usize];
        let job = own.finish(now, place.worker, &mut self.jobs);
        let Some(job) = job else { return };
        if job.call == Call::Session && answer.is_none() {
            return self.hold_session(now, job.caller, place.instance, job.link);
        }
        self.ends(now, &job, answer.is_some());
        if let Some(answer) = answer {
            self.answer(job.caller, answer);
        }
    }

    /// The attempt's session is set up: it is answered when the instance goes.
    fn hold_session(&mut self, now: Nanos, attempt: u32, instance: u32, link: u32) {
        if attempt == NONE {
            self.unlink(now, link, false);
        } else {
            self.sessions.insert(attempt, Session { instance, link });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::instance::Call;
    use super::super::Request;
    use super::*;
    use crate::model::{FleetSpec, ReleasePolicy, Standing};

    /// Four that came together: the first is served, the rest wait for too long.
    #[test]
    fn callers_of_expired_and_of_lost_jobs_are_told_in_the_order_in_which_they_came() {
        let fleet = || {
            let mut fleet = Fleet::new(
                &FleetSpec {
                    instances: 1,
                    workers: 1,
                    queue: "unbounded, expire 1ms".parse().unwrap(),
                    ..FleetSpec::default()
                },
                ReleasePolicy::default(),
                1,
            );
            for attempt in 0..4 {
                let call = Call::Request {
                    allowed: true,
                    writes: false,
                };
                let request = Request {
                    attempt,
                    call,
                    user: 1,
                    standing: Standing::FirstTry,
                    left_ms: None,
                };
                fleet.request(Nanos::ZERO, request);
            }
            fleet
        };
        let told = |fleet: &mut Fleet| -> Vec<u32> {
            fleet.answers.drain(..).map(|it| it.attempt).collect()
        };

        let mut expire = fleet();
        loop {
            let at = expire.calendar.next();
            let Some(event) = expire.calendar.take() else {
                break;
            };
            expire.on(at, event);
        }
        assert_eq!(told(&mut expire), [0, 1, 2, 3]);

        let mut lose = fleet();
        lose.stop_instance(Nanos::from_millis(2), 0);
        assert_eq!(told(&mut lose), [0, 1, 2, 3]);
    }
}
