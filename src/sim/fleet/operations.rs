//! What a responder does, carried out in virtual time.
//!
//! What an action comes to is decided by [`Responder`](crate::model::Responder), as
//! it is for the live fleet.

use super::super::calendar::Event;
use super::super::instance::{Instance, NONE};
use super::Fleet;
use crate::model::{
    Action, Admission, Autoscaler, Denial, FleetAction, FleetOrder, NOT_RUNNING, Outcome,
    RestartOrder, Stage, applied_later, each,
};
use crate::record;
use crate::units::Nanos;

/// Who releases configurations in a run.
const RESPONDER: &str = "responder";

/// A restart under way.
#[derive(Debug)]
pub(super) struct Restart {
    pub(super) entry: usize,
    pub(super) order: RestartOrder,
}

impl Fleet {
    /// Carries out what is done to the fleet; none where it takes its time, and
    /// its end is told among what happened.
    pub(in crate::sim) fn act(
        &mut self,
        now: Nanos,
        entry: usize,
        action: &Action,
    ) -> Option<Outcome> {
        if let Action::Fleet(FleetAction::Break(fault)) = action
            && !fault.kind().simulated()
        {
            let reason = format!("`{}` acts in live runs only", fault.kind());
            return Some(Outcome::Failed { reason });
        }
        match self.responder.verified_within(action) {
            Some(within) => self.verify_the_releaser(now, entry, action, within),
            None => self.carry_out(now, entry, action),
        }
    }

    /// Does what nothing stands in the way of.
    pub(super) fn carry_out(
        &mut self,
        now: Nanos,
        entry: usize,
        action: &Action,
    ) -> Option<Outcome> {
        let (order, done) = match self.responder.decide(now, RESPONDER, action)? {
            Ok(decided) => decided,
            Err(refusal) => return Some(refusal.into()),
        };
        match order {
            FleetOrder::Nothing => {}
            FleetOrder::SlowIdentity => self.identity.slow = self.responder.slow(),
            FleetOrder::PutFaults(place) => self.put_faults(now, place),
            FleetOrder::Admit(share) => self.admission = Admission::new(share),
            FleetOrder::PutSettings => return Some(self.put_settings(now, done)),
            FleetOrder::Pause(first) => {
                return Some(each(first, done, |index| {
                    let own = self.running(index)?;
                    own.pause.get_or_insert_default().within = false;
                    Ok(())
                }));
            }
            FleetOrder::Continue(first) => {
                return Some(each(first, done, |index| {
                    self.running(index)?;
                    self.go_on(now, index);
                    Ok(())
                }));
            }
            FleetOrder::Restart(_) if self.restart.is_some() => {
                return Some(RestartOrder::refused());
            }
            FleetOrder::Restart(_) if self.scaler.as_ref().is_some_and(Autoscaler::is_scaling) => {
                return Some(RestartOrder::refused_while_scaling());
            }
            FleetOrder::Restart(order) => {
                self.take_down(now, order.stops_first());
                self.restart = Some(Restart { entry, order });
                self.restart_group(now);
                return None;
            }
        }
        Some(Outcome::Applied { detail: done })
    }

    fn running(&mut self, index: usize) -> Result<&mut Instance, String> {
        let own = &mut self.instances[index];
        if own.up {
            Ok(own)
        } else {
            Err(NOT_RUNNING.to_owned())
        }
    }

    /// A paused instance goes on: first with what its workers waited for, then
    /// with what arrived for it.
    pub(super) fn go_on(&mut self, now: Nanos, index: usize) {
        let Some(pause) = self.instances[index].pause.take() else {
            return;
        };
        // A wait on a socket that a stop has interrupted begins anew.
        if let Some(timeout) = self.spec.identity.timeout {
            let workers = self.instances[index].workers.iter_mut();
            for worker in workers.filter(|it| it.stage == Stage::Verify && !pause.within) {
                worker.gives_up_at = now.saturating_add(timeout);
            }
        }
        for event in pause.held {
            match event {
                Event::Stage(place) => self.worker(now, place, event),
                Event::Verified(awaited) | Event::GivenUp(awaited) => {
                    self.heard(now, awaited, event);
                }
                Event::Telemetry(collector) => self.telemetry_due(now, collector),
                _ => {}
            }
        }
        let instance = u32::try_from(index).unwrap_or(NONE);
        for arrival in pause.arrived {
            self.arrive(now, instance, arrival);
        }
        self.let_go(now, instance);
    }

    /// Every instance gets what is in force on it now.
    fn put_settings(&mut self, now: Nanos, done: String) -> Outcome {
        for index in 0..self.instances.len() {
            self.instances[index].settings = self.responder.settings_of(index);
            self.follow_telemetry(now, index, false);
        }
        let names = |which: fn(&Instance) -> bool| -> Vec<String> {
            let instances = self.instances.iter().take(self.responder.instances());
            let instances = instances.filter(|instance| which(instance));
            instances.map(|it| it.name().to_string()).collect()
        };
        let down = names(|instance| !instance.up);
        applied_later(done, &down, &names(Instance::stands_still))
    }

    /// The instances of the restart's group leave the rotation and stop, where they
    /// still run, and start again.
    pub(super) fn restart_group(&mut self, now: Nanos) {
        let Some(restart) = &self.restart else {
            return;
        };
        if restart.order.stops_groups() {
            self.take_down(now, restart.order.group());
        }
        self.calendar
            .enter(now.saturating_add(self.spec.boot), Event::Booted);
    }

    /// Instances leave the rotation and stop; what waits and runs in them is lost.
    pub(super) fn take_down(&mut self, now: Nanos, group: std::ops::Range<usize>) {
        self.members
            .retain(|member| !group.contains(&(*member as usize)));
        for index in group {
            // One that is down since a crash is started with the others.
            if self.instances[index].up {
                self.stop_instance(now, index);
            }
            self.instances[index].crash.down = false;
        }
    }

    /// Who holds a session on the instance loses it. Its connections are closed.
    pub(super) fn end_sessions(&mut self, index: usize) {
        self.unanswered.retain(|_, link| *link as usize != index);
        let sessions = self.sessions.iter();
        let lost: Vec<u32> = sessions
            .filter(|(_, session)| session.instance as usize == index)
            .map(|(attempt, _)| *attempt)
            .collect();
        for attempt in lost {
            self.sessions.remove(&attempt);
            self.balancer.upstream_errors += 1;
            self.answer(attempt, Err(Denial::InstanceBroke));
        }
    }

    /// The instances of the group serve again, cold.
    pub(super) fn booted(&mut self, now: Nanos) {
        let Some(mut restart) = self.restart.take() else {
            return;
        };
        for index in restart.order.group() {
            self.start_instance(now, index);
        }
        if let Some(pause) = restart.order.next_group() {
            self.calendar
                .enter(now.saturating_add(pause), Event::NextGroup);
            self.restart = Some(restart);
        } else {
            self.happened.push(record::Event::ActionEnded {
                entry: restart.entry,
                outcome: restart.order.ended(&[]),
            });
        }
    }
}
