//! The modelled balancer: which instance a request goes to, and its health checks.

use super::super::calendar::Event;
use super::super::instance::{Call, Job, NONE};
use super::{Arrival, Fleet};
use crate::model::{BalancerChoice, FleetSpec, Health, Patience, Standing};
use crate::units::Nanos;

/// Callers from here on are checks, of the instance of the rest: far past the slot of
/// any attempt.
const CHECKS: u32 = NONE - 100_000;

/// The health checks, where there are some.
#[derive(Debug)]
pub(super) struct Checks {
    health: Option<Health>,
    /// Of each instance the number of its last check, and its job while it waits.
    last: Vec<(u32, u32)>,
}

impl Checks {
    pub(super) fn new(spec: &FleetSpec) -> Self {
        let instances = spec.places() as usize;
        Self {
            health: spec.balancer.health.map(|it| Health::new(it, instances)),
            last: vec![(0, NONE); instances],
        }
    }

    /// The instance that this caller checks, if it is a check.
    pub(super) const fn instance(caller: u32) -> Option<u32> {
        if caller >= CHECKS && caller != NONE {
            Some(caller - CHECKS)
        } else {
            None
        }
    }

    /// The check that waits for this instance was answered.
    pub(super) fn answered(&mut self, instance: u32, succeeded: bool) {
        let last = &mut self.last[instance as usize];
        last.1 = NONE;
        if let Some(health) = &mut self.health {
            health.checked(instance as usize, succeeded);
        }
    }
}

/// How many requests are under way to each instance, where the choice looks at it.
#[derive(Debug)]
pub(super) struct InstanceLoad {
    counted: bool,
    under_way: Vec<u64>,
    /// Of each attempt the instance that it is under way to.
    of_attempts: Vec<u32>,
}

impl InstanceLoad {
    pub(super) fn new(spec: &FleetSpec) -> Self {
        Self {
            counted: spec.balancer.choice != BalancerChoice::RoundRobin,
            under_way: vec![0; spec.places() as usize],
            of_attempts: Vec::new(),
        }
    }

    pub(super) fn begins(&mut self, attempt: u32, instance: u32) {
        if !self.counted {
            return;
        }
        let place = attempt as usize;
        if self.of_attempts.len() <= place {
            self.of_attempts.resize(place + 1, NONE);
        }
        self.of_attempts[place] = instance;
        self.under_way[instance as usize] += 1;
    }

    pub(super) fn ends(&mut self, attempt: u32) {
        let Some(instance) = self.of_attempts.get_mut(attempt as usize) else {
            return;
        };
        let instance = std::mem::replace(instance, NONE);
        if let Some(under_way) = self.under_way.get_mut(instance as usize) {
            *under_way -= 1;
        }
    }
}

impl Fleet {
    /// The instance that the next request goes to.
    pub(super) fn choose(&mut self) -> Option<u32> {
        let usable = self.checks.health.as_ref().map(|health| {
            let members = self.members.iter();
            health.usable(members.map(|instance| *instance as usize))
        });
        let member = |place: usize| match &usable {
            Some(usable) => self.members[usable[place]],
            None => self.members[place],
        };
        let count = usable.as_ref().map_or(self.members.len(), Vec::len);
        let under_way = |place: usize| self.load.under_way[member(place) as usize];
        let place = self.choice.choose(count, under_way, &mut self.rng)?;
        Some(member(place))
    }

    /// Checks the instance, where it is in rotation, and is due again.
    pub(super) fn check_health(&mut self, now: Nanos, instance: u32) {
        let Some(spec) = self.spec.balancer.health else {
            return;
        };
        self.calendar
            .enter(now.saturating_add(spec.every), Event::HealthCheck(instance));
        let last = &mut self.checks.last[instance as usize];
        // A check that outlasts the interval is not overtaken.
        if last.1 != NONE || !self.members.contains(&instance) {
            return;
        }
        last.0 = last.0.wrapping_add(1);
        let number = last.0;
        let (allowed, writes) = (true, false);
        let call = if spec.deep {
            Call::Request { allowed, writes }
        } else {
            Call::Shallow
        };
        let job = self.jobs.insert(Job {
            call,
            user: self.spec.service_user(),
            caller: CHECKS + instance,
            gone_at: Nanos::MAX,
            patience: Patience::ENDLESS,
            probe: true,
            link: NONE,
            unseen: false,
        });
        self.checks.last[instance as usize].1 = job;
        let over = Event::HealthOver { instance, number };
        self.calendar.enter(now.saturating_add(spec.timeout), over);
        if self.is_lost(instance) {
            // Nobody answers: it is over when its time is.
            self.jobs.remove(job);
            return;
        }
        let arrival = Arrival {
            job,
            standing: Standing::Probe,
            left_ms: None,
        };
        if !self.is_delayed(now, instance, arrival) {
            self.arrive(now, instance, arrival);
        }
    }

    /// The time of a check is over; where it waits still, it has failed.
    pub(super) fn check_over(&mut self, now: Nanos, instance: u32, number: u32) {
        let (last, job) = self.checks.last[instance as usize];
        if last != number || job == NONE {
            return;
        }
        self.caller_gone(job, CHECKS + instance, now);
        self.checks.answered(instance, false);
    }
}
