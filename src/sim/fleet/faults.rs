//! The faults of the fleet, in virtual time.
//!
//! What each does is described in `model::fault`; whatever blocks a live worker is
//! here a wait without an event, or with one that ends it.

use rand::RngExt as _;

use super::super::calendar::{Event, Place};
use super::super::instance::NONE;
use super::{Arrival, Fleet};
use crate::model::fault::{FaultPlace, REQUEST_BYTES};
use crate::model::{DatabaseFate, Denial, RoleCache, Stage};
use crate::units::Nanos;

/// Whether something that happens to such a share happens now.
fn happens(share: Option<f64>, rng: &mut crate::rng::StdRng) -> bool {
    share.is_some_and(|share| rng.random::<f64>() < share)
}

impl Fleet {
    /// The part gets the faults that act on it now.
    pub(super) fn put_faults(&mut self, now: Nanos, place: FaultPlace) {
        match place {
            FaultPlace::Identity => {
                let down = self.responder.faults().identity_down.as_ref();
                self.identity.down = down.map(|it| it.share.get());
            }
            // It looks at them with each request.
            FaultPlace::Balancer => {}
            FaultPlace::Instances => {
                for index in 0..self.instances.len() {
                    self.begin_faults(now, index);
                }
            }
        }
    }

    /// What acts on the instance now begins to, and what does no longer ends.
    pub(super) fn begin_faults(&mut self, now: Nanos, index: usize) {
        let forgotten = self.responder.forgotten(index);
        let faults = self.responder.faults().of(index);
        let own = &mut self.instances[index];
        let before = std::mem::replace(&mut own.faults, faults);
        if std::mem::replace(&mut own.forgotten, forgotten) < forgotten {
            own.roles = RoleCache::default();
        }
        let launched = std::mem::replace(&mut own.world_of, own.launch) != own.launch;
        let stops = before.stop_the_world != own.faults.stop_the_world;
        let crashes = before.crash_loop != own.faults.crash_loop;
        let limits = before.descriptors_limited != own.faults.descriptors_limited;
        if launched || limits {
            let limited = own.faults.descriptors_limited.as_ref();
            own.links.limit(limited.map(|it| it.spare));
        }
        if launched || stops {
            own.world += 1;
            self.next_stop(now, index);
        }
        if launched || crashes {
            self.next_crash(now, index);
        }
        self.follow_peers(now, index, launched);
        if self.instances[index].pause.is_none() {
            self.let_go(now, u32::try_from(index).unwrap_or(NONE));
        }
    }

    /// Workers go on that wait for the end of a fault which acts no longer.
    pub(super) fn let_go(&mut self, now: Nanos, instance: u32) {
        let own = &self.instances[instance as usize];
        let held = |stage| match stage {
            Stage::Verify => own.faults.identity_blocks.is_some(),
            _ => own.faults.statement(true) != DatabaseFate::Works,
        };
        let free: Vec<u32> = (0..)
            .zip(&own.workers)
            .filter(|(_, worker)| worker.blocked && !held(worker.stage))
            .map(|(index, _)| index)
            .collect();
        for worker in free {
            let own = &mut self.instances[instance as usize];
            let place = own.place(worker);
            match own.workers[worker as usize].stage {
                Stage::Verify => {
                    own.verifies_no_more(worker);
                    self.leave(now, place, Err(Denial::IdentityFailed));
                }
                stage => {
                    own.awaits_no_more(worker);
                    self.enter(now, place, stage);
                }
            }
        }
        self.serve(now, instance);
        self.accept(now, instance);
    }

    /// What the worker waited for did not come in time.
    pub(super) fn gives_up(&mut self, now: Nanos, place: Place) {
        let own = &mut self.instances[place.instance as usize];
        let denial = match own.workers[place.worker as usize].stage {
            Stage::Verify => {
                own.verifies_no_more(place.worker);
                // What the wait had to do with the cache nobody was told.
                own.workers[place.worker as usize].cold = Nanos::ZERO;
                Denial::IdentityFailed
            }
            Stage::Connect(_) => {
                own.book(now, place.worker, &self.jobs);
                own.awaits_no_more(place.worker);
                own.connections.give_up(place.worker);
                Denial::NoConnection
            }
            _ => {
                own.awaits_no_more(place.worker);
                Denial::DatabaseFailed
            }
        };
        self.leave(now, place, Err(denial));
    }

    /// Whether the statement of this stage fails or waits; then the rest is done.
    pub(super) fn meets_the_database(&mut self, now: Nanos, place: Place, stage: Stage) -> bool {
        let own = &mut self.instances[place.instance as usize];
        let job = own.workers[place.worker as usize].job;
        let job = self.jobs.get(job);
        let writes = job.is_some_and(super::Job::writes) && stage != Stage::Authenticate;
        match own.faults.statement(writes) {
            DatabaseFate::Works if own.map.broken && matches!(stage, Stage::Database(_)) => {
                self.leave(now, place, Err(Denial::NoRoute));
                true
            }
            DatabaseFate::Works => false,
            DatabaseFate::Fails => {
                self.leave(now, place, Err(Denial::DatabaseFailed));
                true
            }
            DatabaseFate::Waits(waits) => {
                let until = now.saturating_add(waits);
                let awaited = own.awaits(place.worker, until);
                own.workers[place.worker as usize].blocked = true;
                self.calendar.enter(until, Event::GivenUp(awaited));
                true
            }
        }
    }

    /// The worker takes the lock of its instance, or waits for it.
    pub(super) fn lock(&mut self, now: Nanos, place: Place) {
        let own = &mut self.instances[place.instance as usize];
        if own.lock.enter(place.worker) {
            self.hold(now, place);
        }
    }

    /// The worker has the lock.
    fn hold(&mut self, now: Nanos, place: Place) {
        let own = &mut self.instances[place.instance as usize];
        let convoy = own.faults.lock_convoy.as_ref();
        match convoy.map(|convoy| convoy.holds.sample(&mut own.rng)) {
            Some(holds) if holds > Nanos::ZERO => self
                .calendar
                .enter(now.saturating_add(holds), Event::Stage(place)),
            _ => self.leave(now, place, Ok(())),
        }
    }

    /// The lock comes free.
    pub(super) fn unlock(&mut self, now: Nanos, instance: u32) {
        let own = &mut self.instances[instance as usize];
        if let Some(next) = own.lock.leave() {
            let place = own.place(next);
            self.hold(now, place);
        }
    }

    /// The worker takes a connection, or waits for one.
    pub(super) fn connect(&mut self, now: Nanos, place: Place) {
        let own = &mut self.instances[place.instance as usize];
        if own.connections.enter(place.worker) {
            own.workers[place.worker as usize].connections += 1;
            return self.leave(now, place, Ok(()));
        }
        let timeout = self.spec.pool.and_then(|pool| pool.timeout);
        let until = timeout.map_or(Nanos::MAX, |timeout| now.saturating_add(timeout));
        own.book(now, place.worker, &self.jobs);
        let awaited = own.awaits(place.worker, until);
        if timeout.is_some() {
            self.calendar.enter(until, Event::GivenUp(awaited));
        }
    }

    /// The worker gives its connections back, where it does: those who wait have them.
    pub(super) fn give_back(&mut self, now: Nanos, place: Place) {
        let own = &mut self.instances[place.instance as usize];
        let worker = &mut own.workers[place.worker as usize];
        let count = std::mem::take(&mut worker.connections);
        let abandoned = self.jobs.get(worker.job).is_none_or(super::Job::abandoned);
        if own.faults.connections_leaked.is_some() && abandoned {
            return;
        }
        for _ in 0..count {
            let own = &mut self.instances[place.instance as usize];
            let Some(next) = own.connections.leave() else {
                continue;
            };
            own.book(now, next, &self.jobs);
            own.awaits_no_more(next);
            own.workers[next as usize].connections += 1;
            let next = own.place(next);
            self.leave(now, next, Ok(()));
        }
    }

    /// Whether the worker never comes back from its job.
    pub(super) fn loses_its_worker(&mut self, place: Place) -> bool {
        let own = &mut self.instances[place.instance as usize];
        let share = own.faults.workers_leaked.as_ref().map(|it| it.share.get());
        happens(share, &mut own.rng)
    }

    /// Whether a request is lost on its way to the instance.
    pub(super) fn is_lost(&mut self, instance: u32) -> bool {
        let share = self.responder.faults().lost_to(instance as usize);
        happens(share, &mut self.rng)
    }

    /// Whether a request takes long on its way to the instance; then it is under way.
    pub(super) fn is_delayed(&mut self, now: Nanos, instance: u32, arrival: Arrival) -> bool {
        let faults = self.responder.faults();
        let delay = faults.delay_to(instance as usize);
        let drips = faults.drips_to(instance as usize);
        let drips = drips.map(|drips| drips.takes(REQUEST_BYTES));
        let delay = delay.map(|delay| delay.sample(&mut self.rng));
        if delay.is_none() && drips.is_none() {
            return false;
        }
        let takes = delay.unwrap_or_default() + drips.unwrap_or_default();
        let at = now.saturating_add(takes);
        // The balancer has chosen where it goes to: a later launch is somewhere else.
        let launch = self.instances[instance as usize].launch;
        let slot = self.under_way.insert((instance, launch, arrival));
        self.calendar.enter(at, Event::Arrives(slot));
        true
    }

    /// A request that was under way reaches its instance, unless its caller has gone:
    /// then the balancer has let it go.
    pub(super) fn arrives(&mut self, now: Nanos, slot: u32) {
        let Some((instance, launch, arrival)) = self.under_way.remove(slot) else {
            return;
        };
        let own = &self.instances[instance as usize];
        let gone = self.jobs.get(arrival.job).is_none_or(super::Job::abandoned);
        if !gone && own.launch == launch {
            self.arrive(now, instance, arrival);
        } else {
            self.breaks(arrival.job);
        }
    }

    /// The instance's world stops after a while, where a fault lets it.
    fn next_stop(&mut self, now: Nanos, index: usize) {
        let own = &mut self.instances[index];
        let Some(stops) = own.faults.stop_the_world.as_ref() else {
            return;
        };
        let at = now.saturating_add(stops.every.sample(&mut own.world_rng));
        let place = own.place(own.world);
        self.calendar.enter(at, Event::WorldStops(place));
    }

    pub(super) fn world_stops(&mut self, now: Nanos, place: Place) {
        let own = &mut self.instances[place.instance as usize];
        if !own.runs(place) || own.world != place.worker {
            return;
        }
        let Some(stops) = own.faults.stop_the_world.as_ref() else {
            return;
        };
        let lasts = stops.lasts.sample(&mut own.world_rng);
        if own.pause.is_none() {
            own.pause.get_or_insert_default().within = true;
        }
        self.calendar
            .enter(now.saturating_add(lasts), Event::WorldGoes(place));
    }

    pub(super) fn world_goes(&mut self, now: Nanos, place: Place) {
        let index = place.instance as usize;
        let own = &self.instances[index];
        if !own.runs(place) {
            return;
        }
        let goes_on = own.world == place.worker;
        if own.pause.as_ref().is_some_and(|pause| pause.within) {
            self.go_on(now, index);
        }
        if goes_on {
            self.next_stop(now, index);
        }
    }
}
