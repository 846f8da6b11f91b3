//! The built-in fleet as the system of a run.

use std::sync::Arc;

use super::super::message::Message;
use super::{Death, Destination, Start, SystemUnderTest};
use crate::error::{Error, Result};
use crate::fleet::{Fleet, Launch};
use crate::load::{Endpoint, Identities, Work};
use crate::model::{Action, FleetAction, Role, ServiceAction};
use crate::record::{Event, Outcome, Sample};
use crate::units::Nanos;

/// Who releases configurations in a run.
const RESPONDER: &str = "responder";

/// Launches the plan's fleet, every process of it guarded.
pub(super) fn begin(start: &Start<'_>) -> Result<Arc<dyn SystemUnderTest>> {
    let spec = start.plan.fleet.as_ref().ok_or_else(|| {
        Error::usage("the plan names neither a fleet nor another target, so nothing can be run")
    })?;
    let guardian = Arc::clone(start.guardian);
    let warnings_to = start.messages.clone();
    let fleet = Fleet::launch(Launch {
        spec,
        seed: start.plan.seed,
        clock: start.clock,
        data: &start.directory.join("fleet"),
        binary: start.binary,
        listen: None,
        stop: Some(start.interrupt.flag()),
        on_process: Box::new(move |process| {
            if let Err(error) = guardian.watch(process.pid) {
                let _ = warnings_to.send(Message::Event(Event::Warning {
                    text: error.to_string(),
                }));
            }
        }),
    })?;
    fleet.govern(start.plan.release);
    let news_to = start.messages.clone();
    fleet.tell(move |event| {
        // The conductor may have stopped already; then nobody records it.
        let _ = news_to.send(Message::Event(event));
    });
    let fleet = Arc::new(fleet);
    fleet.supervise()?;
    Ok(fleet)
}

impl SystemUnderTest for Fleet {
    fn destinations(&self) -> Result<Vec<Destination>> {
        let endpoint = Endpoint::from(self.address());
        Ok(vec![Destination {
            site: endpoint.address.clone(),
            endpoint,
            work: Work::Fleet(identities(self)),
            weight: 1,
        }])
    }

    fn serving(&self) -> Vec<Event> {
        let processes = self.processes().into_iter();
        let serving = processes.map(|process| Event::Serving {
            source: process.name.into(),
            pid: process.pid,
        });
        serving.collect()
    }

    fn sample(&self, from: Nanos, to: Nanos) -> Vec<std::result::Result<Sample, Event>> {
        Self::sample(self, from, to)
    }

    fn dead(&self) -> Vec<Death> {
        let death = |ends_the_run| {
            move |event| Death {
                event,
                ends_the_run,
            }
        };
        // Who crashes by a fault is started again, and was mostly told of already.
        let crashed = self.news().into_iter().map(death(false));
        let dead = Self::dead(self).into_iter().map(death(true));
        crashed.chain(dead).collect()
    }

    fn act(&self, now: Nanos, action: Action, tell: &dyn Fn(Event)) -> Outcome {
        Self::act(self, now, RESPONDER, &action, tell)
    }

    fn takes_time(&self, action: &Action) -> bool {
        self.waits_for_identity(action)
            || matches!(
                action,
                Action::Service(ServiceAction::Restart { .. })
                    | Action::Fleet(FleetAction::Lose { .. } | FleetAction::ColdStart { .. })
            )
    }

    /// Nothing: the fleet ends with the run, and everything that was done to it.
    fn undo(&self, _tell: &mut dyn FnMut(Event)) {}

    fn stop(&self) -> (Vec<Event>, Result<()>) {
        (Self::stop(self), Ok(()))
    }
}

fn identities(fleet: &Fleet) -> Identities {
    let tokens = fleet.tokens();
    Identities {
        users: Role::ALL
            .into_iter()
            .map(|(role, _)| (role, tokens.of(role).to_vec()))
            .collect(),
        service: tokens.service().to_owned(),
    }
}
