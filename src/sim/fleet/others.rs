//! Who asks the identity service beside the workers: the telemetry of instances, and
//! the release system, for whoever releases. They wait in the same line.

use super::super::calendar::{Awaited, Collector, Event};
use super::super::identity::VerificationAdmission;
use super::super::instance::NONE;
use super::Fleet;
use crate::model::{Action, Outcome, Release, Telemetry};
use crate::record;
use crate::units::Nanos;

/// Those who wait at places from here on are no workers, but collect telemetry.
const COLLECTORS: u32 = 1 << 16;

/// Whether it is a worker that waits.
pub(super) const fn is_of_a_worker(awaited: Awaited) -> bool {
    awaited.instance != NONE && awaited.worker < COLLECTORS
}

/// Releases whose author is being verified.
#[derive(Debug, Default)]
pub(super) struct Releases {
    asked: u32,
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    number: u32,
    entry: usize,
    action: Action,
    within: Nanos,
}

impl Fleet {
    /// Who releases is verified first, within so long; what comes of it where that is
    /// known at once.
    pub(super) fn verify_the_releaser(
        &mut self,
        now: Nanos,
        entry: usize,
        action: &Action,
        within: Nanos,
    ) -> Option<Outcome> {
        let releases = &mut self.releases;
        releases.asked = releases.asked.wrapping_add(1);
        let awaited = Awaited {
            instance: NONE,
            worker: NONE,
            number: releases.asked,
        };
        match self.identity.ask(now, awaited, true, &mut self.calendar) {
            VerificationAdmission::Begun(_) | VerificationAdmission::Waits => {}
            VerificationAdmission::Refused => return Some(Release::unverified(within).into()),
        }
        self.releases.waiting.push(Waiting {
            number: awaited.number,
            entry,
            action: action.clone(),
            within,
        });
        let over = now.saturating_add(within);
        self.calendar.enter(over, Event::GivenUp(awaited));
        None
    }

    /// Something has come of what somebody asked who is no worker.
    pub(super) fn others_heard(&mut self, now: Nanos, awaited: Awaited, event: Event) {
        if awaited.instance != NONE {
            return self.telemetry_heard(now, awaited, event);
        }
        let mut waiting = self.releases.waiting.iter();
        let Some(place) = waiting.position(|it| it.number == awaited.number) else {
            return;
        };
        let Waiting {
            entry,
            action,
            within,
            ..
        } = self.releases.waiting.remove(place);
        let outcome = match event {
            Event::Verified(_) => self.carry_out(now, entry, &action),
            _ => Some(Release::unverified(within).into()),
        };
        if let Some(outcome) = outcome {
            let ended = record::Event::ActionEnded { entry, outcome };
            self.happened.push(ended);
        }
    }

    /// Releases whose author is still being verified are cut short.
    pub(super) fn leave_releases(&mut self) -> Vec<record::Event> {
        let waiting = std::mem::take(&mut self.releases.waiting);
        let ended = waiting
            .into_iter()
            .map(|waiting| record::Event::ActionEnded {
                entry: waiting.entry,
                outcome: Outcome::Failed {
                    reason: "the run ended while its author was being verified".into(),
                },
            });
        ended.collect()
    }

    /// The instance begins to collect telemetry, or to do so no longer, where its settings
    /// have changed or it has just started.
    pub(super) fn follow_telemetry(&mut self, now: Nanos, index: usize, started: bool) {
        let Some(spec) = self.spec.telemetry else {
            return;
        };
        let own = &mut self.instances[index];
        let on = own.up && own.settings.telemetry == Telemetry::On;
        if on == own.collects && !started {
            return;
        }
        own.collects = on;
        own.telemetry_plan = own.telemetry_plan.wrapping_add(1);
        own.collectors = vec![0; if on { spec.calls as usize } else { 0 }];
        let (instance, plan) = (own.place(0).instance, own.telemetry_plan);
        let calls = if on { spec.calls } else { 0 };
        for place in 0..calls {
            let collector = Collector {
                instance,
                plan,
                place,
            };
            let first = now.saturating_add(spec.first_call(place));
            self.calendar.enter(first, Event::Telemetry(collector));
        }
    }

    /// A call for telemetry is due.
    pub(super) fn telemetry_due(&mut self, now: Nanos, collector: Collector) {
        let own = &mut self.instances[collector.instance as usize];
        if !own.up || own.telemetry_plan != collector.plan {
            return;
        }
        if let Some(pause) = &mut own.pause {
            return pause.held.push(Event::Telemetry(collector));
        }
        let awaited = own.asks(COLLECTORS + collector.place);
        own.collectors[collector.place as usize] = awaited.number;
        match self.identity.ask(now, awaited, false, &mut self.calendar) {
            VerificationAdmission::Begun(_) | VerificationAdmission::Waits => {
                if let Some(timeout) = self.spec.identity.timeout {
                    let over = now.saturating_add(timeout);
                    self.calendar.enter(over, Event::GivenUp(awaited));
                }
            }
            VerificationAdmission::Refused => {
                self.telemetry_heard(now, awaited, Event::Verified(awaited));
            }
        }
    }

    /// A call for telemetry has ended: the next is due after the pause.
    fn telemetry_heard(&mut self, now: Nanos, awaited: Awaited, event: Event) {
        let place = awaited.worker - COLLECTORS;
        let own = &mut self.instances[awaited.instance as usize];
        let waits = own.collectors.get_mut(place as usize);
        let Some(waits) = waits.filter(|waits| **waits == awaited.number) else {
            return;
        };
        if let Some(pause) = &mut own.pause {
            return pause.held.push(event);
        }
        *waits = 0;
        let collector = Collector {
            instance: awaited.instance,
            plan: own.telemetry_plan,
            place,
        };
        let every = self.spec.telemetry.map_or(Nanos::MAX, |spec| spec.every);
        let next = now.saturating_add(every);
        self.calendar.enter(next, Event::Telemetry(collector));
    }
}
