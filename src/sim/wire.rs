//! The modelled fleet as the wire of the clients: a connection is a place among
//! so many, and nothing is sent.

use super::fleet::{Fleet, Request};
use super::instance::{Call, NONE};
use crate::clients::{
    Asks, AttemptEnd, AttemptId, Class, End, NewFailure, Outgoing, Wire, WireReport,
};
use crate::error::{Error, Result};
use crate::model::{
    CheckFailure, Expected, FailureCause, FleetSpec, Learnt, MonitorPolicy, Probed, Role, Standing,
    time_left_ms,
};
use crate::plan::{Choice, Draft, Plan, fleet_choices};
use crate::record::Sample;
use crate::units::Nanos;

/// What an entry of the mix comes to in the fleet.
#[derive(Debug)]
struct MixRequest {
    role: Role,
    call: Call,
    expected: Expected,
    idempotent: bool,
}

/// How an attempt under way is carried.
#[derive(Debug, Clone, Copy)]
struct Carried {
    id: AttemptId,
    class: Class,
    /// The job in the fleet; [`NONE`] where there is none.
    job: u32,
}

/// The fleet, and the places for connections to it.
pub(super) struct FleetWire {
    pub(super) fleet: Fleet,
    /// Virtual time.
    pub(super) now: Nanos,
    /// Samples that have not been told yet.
    pub(super) samples: Vec<Sample>,
    spec: FleetSpec,
    mix: Vec<MixRequest>,
    /// What the probes of each group of monitors come to.
    probes: Vec<(Call, Standing)>,
    connections: usize,
    connected: usize,
    /// Of each attempt under way, by its slot, how it is carried.
    carried: Vec<Option<Carried>>,
}

/// What each entry of the mix chooses from.
///
/// # Errors
///
/// Where the load cannot be planned.
pub(super) fn choices(plan: &Plan, spec: &FleetSpec) -> Result<Vec<Choice>> {
    let mix = &plan.load.mix;
    fleet_choices(plan, |place| spec.users_of(mix[place].role))
        .map_err(|what| Error::usage(format!("failed to plan the load: {what}")))
}

impl FleetWire {
    pub(super) fn new(plan: &Plan, spec: &FleetSpec) -> Self {
        let mix = plan.load.mix.iter().map(|entry| MixRequest {
            role: entry.role,
            call: Call::Request {
                allowed: entry.role >= entry.request.least_role(),
                writes: !entry.request.idempotent(),
            },
            expected: entry.expected(),
            idempotent: entry.request.idempotent(),
        });
        let probes = plan.monitors.iter().map(|policy| probe(&policy.probe));
        Self {
            fleet: Fleet::new(spec, plan.release, plan.seed),
            now: Nanos::ZERO,
            samples: Vec::new(),
            spec: spec.clone(),
            mix: mix.collect(),
            probes: probes.collect(),
            connections: usize::try_from(plan.load.connections.max(1)).unwrap_or(usize::MAX),
            connected: 0,
            carried: Vec::new(),
        }
    }

    fn carry(&mut self, carried: Carried) {
        let place = carried.id.slot as usize;
        if self.carried.len() <= place {
            self.carried.resize(place + 1, None);
        }
        self.connected += usize::from(carried.class == Class::User);
        self.carried[place] = Some(carried);
    }

    /// The attempt in this slot leaves its connection to others.
    fn drop_carried(&mut self, slot: u32) -> Option<Carried> {
        let carried = self.carried.get_mut(slot as usize)?.take()?;
        self.connected -= usize::from(carried.class == Class::User);
        Some(carried)
    }

    /// What an attempt comes to in the fleet: the call, who makes it, and as what.
    fn call(&self, asks: &Asks<'_>) -> (Call, u32, Standing) {
        match asks {
            Asks::Step(request) => {
                let entry = &self.mix[usize::from(request.draft.entry)];
                let user = FleetSpec::user_of(entry.role, request.draft.user);
                (entry.call, user, request.standing())
            }
            Asks::Probe { group } => {
                let (call, standing) = self.probes[*group];
                (call, self.spec.service_user(), standing)
            }
        }
    }
}

impl Wire for FleetWire {
    type Content = ();

    fn now(&mut self) -> Nanos {
        self.now
    }

    fn has_room(&self) -> bool {
        self.connected < self.connections
    }

    fn send(&mut self, outgoing: Outgoing<'_>) {
        let Outgoing { id, asks, .. } = outgoing;
        let (call, user, standing) = self.call(&asks);
        let waits_until = match asks {
            Asks::Step(request) => request.waits_until,
            Asks::Probe { .. } => outgoing.until,
        };
        let told = self.spec.propagate_deadline;
        let request = Request {
            attempt: id.slot,
            call,
            user,
            standing,
            left_ms: told.then(|| time_left_ms(self.now, waits_until)),
        };
        let job = self.fleet.request(self.now, request);
        self.carry(Carried {
            id,
            class: asks.class(),
            job: job.unwrap_or(NONE),
        });
    }

    fn cancel(&mut self, attempt: AttemptId, now: Nanos) {
        self.fleet.left(now, attempt.slot);
        let carried = self.drop_carried(attempt.slot);
        if let Some(carried) = carried.filter(|carried| carried.job != NONE) {
            self.fleet.caller_gone(carried.job, attempt.slot, now);
        }
    }

    /// A modelled connection is made at once, so what is late is the answer.
    fn time_out(&mut self, attempt: AttemptId, now: Nanos) -> FailureCause {
        self.cancel(attempt, now);
        FailureCause::NoAnswer
    }

    fn next_end(&mut self) -> Option<AttemptEnd<()>> {
        // Nobody waits any more for an answer whose attempt is not carried.
        while let Some(answer) = self.fleet.answers.pop_front() {
            if let Some(carried) = self.drop_carried(answer.attempt) {
                return Some(AttemptEnd {
                    id: carried.id,
                    at: self.now,
                    ready: self.now,
                    seen: self.now,
                    held: Nanos::ZERO,
                    how: End::Answered {
                        status: answer.status,
                        retry_after: answer.retry_after,
                        content: None,
                    },
                });
            }
        }
        None
    }

    fn steps(&self, _draft: &Draft) -> usize {
        1
    }

    fn idempotent(&self, draft: &Draft, _step: usize) -> bool {
        self.mix[usize::from(draft.entry)].idempotent
    }

    fn expected(&self, draft: &Draft, _step: usize) -> &Expected {
        &self.mix[usize::from(draft.entry)].expected
    }

    fn pause(&self, _: &Draft, _: usize) -> Nanos {
        Nanos::ZERO
    }

    fn accepts(
        &self,
        _: &Draft,
        _: usize,
        (): &(),
        _: &mut Learnt,
    ) -> std::result::Result<(), CheckFailure> {
        Ok(())
    }

    /// There is nothing to see of a modelled answer but its status.
    fn first_failure(&mut self, _failure: NewFailure<'_, ()>) {}

    /// Nothing takes processor time, and connections are no more than places.
    fn report(&mut self) -> WireReport {
        WireReport::default()
    }

    fn sample(&mut self, sample: Sample) {
        self.samples.push(sample);
    }
}

/// What a request of a monitor comes to, as the fleet's API has it, and what it
/// is to an instance; a path that is not a probe's is a worker's short answer.
fn probe(path: &str) -> (Call, Standing) {
    if path == MonitorPolicy::SESSION {
        return (Call::Session, Standing::FirstTry);
    }
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    match Probed::by(path, Some(query)) {
        Some(Probed::Deep) => {
            let (allowed, writes) = (true, false);
            (Call::Request { allowed, writes }, Standing::Probe)
        }
        Some(Probed::Shallow) => (Call::Shallow, Standing::Probe),
        None => (Call::Shallow, Standing::FirstTry),
    }
}
