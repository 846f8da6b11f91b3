//! Everybody on call in a run: who does what next, in the order of time.

use super::{Action, Entry, Plan, Timeline, When};
use crate::model::{GameRole, OnCall, OnCallDeed, Outcome, Person};
use crate::rng::{self, StdRng};
use crate::units::Nanos;

/// Those on call, each with a stream of random numbers of their own.
#[derive(Debug)]
pub(crate) struct Responders {
    all: Vec<(Person, OnCall<StdRng>)>,
}

/// What one of them does.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub(crate) enum Response {
    /// Somebody looks at an alert.
    Acknowledged {
        /// Who.
        by: Person,
        /// The alert.
        alert: String,
    },
    /// Somebody does something, which is an entry of the timeline from now on.
    Decided {
        /// Who.
        by: Person,
        /// Its place.
        entry: usize,
        /// What it does.
        action: Action,
        /// The phase that begins with it.
        phase: String,
    },
}

impl Responders {
    /// Those of the plan; nobody where people decide.
    pub(crate) fn new(plan: &Plan) -> Self {
        let policies = plan.responders.iter().filter(|_| !plan.manual);
        let all = policies.map(|policy| {
            let name = policy.name.clone();
            let stream = rng::stream(plan.seed, &format!("responder {name}"));
            let role = GameRole::Responder;
            (Person { name, role }, OnCall::new(policy.clone(), stream))
        });
        Self { all: all.collect() }
    }

    /// An alert fires, or is cleared.
    pub(crate) fn alert(&mut self, now: Nanos, name: &str, fires: bool) {
        for (_, one) in &mut self.all {
            one.alert(now, name, fires);
        }
    }

    /// An entry of the timeline has ended so.
    pub(crate) fn ended(&mut self, now: Nanos, entry: usize, outcome: &Outcome) {
        for (_, one) in &mut self.all {
            one.ended(now, entry, outcome);
        }
    }

    /// The instant at which the next of them does something.
    pub(crate) fn next_deadline(&self) -> Option<Nanos> {
        let all = self.all.iter();
        all.filter_map(|(_, one)| one.next_deadline()).min()
    }

    /// What is due at `now`, the earliest first. An action is put into the timeline, and has
    /// to be carried out.
    pub(crate) fn take(&mut self, now: Nanos, timeline: &mut Timeline) -> Option<Response> {
        // Who is due may have nothing to do any more; then the next one is.
        loop {
            let due = self.all.iter_mut().filter_map(|one| {
                let at = one.1.next_deadline()?;
                (at <= now).then_some((at, one))
            });
            let (_, (by, one)) = due.min_by_key(|(at, _)| *at)?;
            match one.take(now) {
                None => {}
                Some(OnCallDeed::Acknowledge(alert)) => {
                    return Some(Response::Acknowledged {
                        by: by.clone(),
                        alert,
                    });
                }
                Some(OnCallDeed::Act(action)) => {
                    let phase = timeline.numbered(&action.phase());
                    let entry = timeline.add(Entry {
                        when: When::At(now),
                        action: action.clone(),
                        phase: phase.clone(),
                        inject: None,
                    });
                    one.began(entry);
                    return Some(Response::Decided {
                        by: by.clone(),
                        entry,
                        action,
                        phase,
                    });
                }
            }
        }
    }
}
