//! What a responder does to the fleet: what each action comes to, which instances
//! it reaches in which order, and the sentence for the result.
//!
//! Decisions only. The live fleet carries an order out with messages and signals to
//! processes, the simulated one in virtual time; whether an instance could be
//! reached is known to them alone.

use super::{RestartOrder, instance_name};
use crate::model::fault::{FaultPlace, FaultSet, FleetFault};
use crate::model::{
    Action, Document, FleetAction, Outcome, Refusal, Release, ReleasePolicy, ServiceAction,
    Settings, SlowPart, Slowness, first,
};
use crate::units::{Nanos, Ratio};

/// Why nothing can be done to an instance that is down.
pub(crate) const NOT_RUNNING: &str = "it is not running";

/// What is in force on a fleet, by what its responder has done so far.
#[derive(Debug, Clone)]
pub(crate) struct Responder {
    release: Release,
    slow: Slowness,
    faults: FaultSet,
    /// How often each instance has forgotten the roles that it holds.
    forgotten: Vec<u64>,
    instances: usize,
}

/// What an action comes to: what is left to be carried out.
#[derive(Debug)]
pub(crate) enum FleetOrder {
    /// Nothing.
    Nothing,
    /// Every instance gets what is in force on it now.
    PutSettings,
    /// The identity service gets what is slow now.
    SlowIdentity,
    /// The part gets the faults that act on it now.
    PutFaults(FaultPlace),
    /// The balancer admits this share.
    Admit(Ratio),
    /// So many instances stop where they are, from the first on.
    Pause(usize),
    /// So many instances go on, from the first on.
    Continue(usize),
    /// Instances are restarted, group by group, and say themselves what is so then.
    Restart(RestartOrder),
}

impl Responder {
    /// Nothing has been done yet to a fleet of so many instances.
    #[cfg(test)]
    fn new(instances: usize) -> Self {
        Self::with_places(instances, instances)
    }

    /// Nothing has been done yet to a fleet of so many instances, with places for more.
    pub(crate) fn with_places(instances: usize, places: usize) -> Self {
        Self {
            release: Release::default(),
            slow: Slowness::default(),
            faults: FaultSet::default(),
            forgotten: vec![0; places],
            instances,
        }
    }

    /// From now on there are so many instances, at the first places.
    pub(crate) const fn scale(&mut self, instances: usize) {
        self.instances = instances;
    }

    /// How many instances there are.
    pub(crate) const fn instances(&self) -> usize {
        self.instances
    }

    /// From now on releases must meet this policy.
    pub(crate) fn govern(&mut self, policy: ReleasePolicy) {
        self.release = std::mem::take(&mut self.release).under(policy);
    }

    /// The document in force.
    #[cfg(feature = "testing")]
    pub(crate) fn document(&self) -> &Document {
        self.release.active()
    }

    /// What is slow.
    pub(crate) const fn slow(&self) -> Slowness {
        self.slow
    }

    /// The faults that act.
    pub(crate) const fn faults(&self) -> &FaultSet {
        &self.faults
    }

    /// How often the instance at this place has forgotten the roles that it holds.
    pub(crate) fn forgotten(&self, index: usize) -> u64 {
        self.forgotten.get(index).copied().unwrap_or(0)
    }

    /// The settings in force on the instance at this place, or on one that is to come there.
    pub(crate) fn settings_of(&self, index: usize) -> Settings {
        let all = self.instances.max(index + 1);
        self.release.settings_of(index, all)
    }

    /// Within how long the identity service must verify who does this, before it is
    /// decided; none where nobody asks it.
    pub(crate) fn verified_within(&self, action: &Action) -> Option<Nanos> {
        let releases = matches!(
            action,
            Action::Service(ServiceAction::Rollback) | Action::Fleet(FleetAction::Push { .. })
        );
        self.release.verified_within().filter(|_| releases)
    }

    /// What the action comes to, and what is so once that is carried out; none where it
    /// is no action on the fleet.
    pub(crate) fn decide(
        &mut self,
        now: Nanos,
        author: &str,
        action: &Action,
    ) -> Option<Result<(FleetOrder, String), Refusal>> {
        let all = self.instances;
        let released = |document: &Document| (FleetOrder::PutSettings, document.named_in(all));
        Some(match action {
            Action::Service(ServiceAction::Rollback) => {
                self.release.rollback(now, author).map(released)
            }
            Action::Service(ServiceAction::Restart { pause }) => {
                let order = RestartOrder::new(*pause, all);
                Ok((FleetOrder::Restart(order), String::new()))
            }
            Action::Fleet(FleetAction::Push {
                set,
                schema,
                tested,
                canary,
            }) => {
                let release = &mut self.release;
                let pushed = release.push(now, author, set, *schema, *tested, *canary);
                pushed.map(released)
            }
            Action::Fleet(action) => self.order(action).map(|order| (order, action.done(all))),
            Action::Clients(_) | Action::Target(_) | Action::Proxy(_) | Action::Outside(_) => {
                return None;
            }
        })
    }

    fn order(&mut self, action: &FleetAction) -> Result<FleetOrder, Refusal> {
        let all = self.instances;
        Ok(match action {
            FleetAction::Waive { check } => {
                self.release.waive(check)?;
                FleetOrder::Nothing
            }
            FleetAction::Slow { part, factor } => {
                self.slow.set(*part, *factor);
                match part {
                    SlowPart::Identity => FleetOrder::SlowIdentity,
                    SlowPart::Application | SlowPart::Database => FleetOrder::PutSettings,
                }
            }
            FleetAction::Admit { share } => FleetOrder::Admit(*share),
            FleetAction::Pause { instances } => FleetOrder::Pause(first(*instances, all)),
            FleetAction::Continue { instances } => FleetOrder::Continue(first(*instances, all)),
            FleetAction::Break(fault) => {
                self.brought(fault);
                FleetOrder::PutFaults(fault.kind().place())
            }
            FleetAction::Mend { fault } => {
                self.faults.mend(*fault);
                FleetOrder::PutFaults(fault.place())
            }
            FleetAction::Lose { instances } => {
                let lost = first(Some(*instances), all);
                FleetOrder::Restart(RestartOrder::loss(lost, all))
            }
            FleetAction::ColdStart { pause } => {
                FleetOrder::Restart(RestartOrder::cold_start(*pause, all))
            }
            // A release holds for every instance that runs, and for those that start.
            FleetAction::Push { .. } => FleetOrder::PutSettings,
        })
    }

    fn brought(&mut self, fault: &FleetFault) {
        if matches!(fault, FleetFault::RoleCacheCleared(_)) {
            let all = self.forgotten.len();
            let reached = match usize::try_from(fault.instances()) {
                Ok(0) | Err(_) => all,
                Ok(count) => count.min(all),
            };
            for forgotten in &mut self.forgotten[..reached] {
                *forgotten += 1;
            }
        } else {
            self.faults.put(fault.clone());
        }
    }
}

/// Settings were put to every instance that runs; those that are down or paused get
/// them when they start or go on.
pub(crate) fn applied_later(
    mut done: String,
    down: &[impl AsRef<str>],
    paused: &[impl AsRef<str>],
) -> Outcome {
    later(&mut done, "start", down);
    later(&mut done, "go on", paused);
    Outcome::Applied { detail: done }
}

fn later(detail: &mut String, when: &str, names: &[impl AsRef<str>]) {
    for (place, name) in names.iter().enumerate() {
        let lead = match place {
            0 => &format!("; to be active when they {when}: "),
            _ => ", ",
        };
        detail.push_str(lead);
        detail.push_str(name.as_ref());
    }
}

/// Does something to so many instances, from the first on, of which each says why
/// it could not be done to it. It is done where it could be done to one.
pub(crate) fn each(
    instances: usize,
    mut done: String,
    mut act: impl FnMut(usize) -> Result<(), String>,
) -> Outcome {
    let missed: Vec<String> = (0..instances)
        .filter_map(|index| Some(format!("{}: {}", instance_name(index), act(index).err()?)))
        .collect();
    let reasons = missed.join("; ");
    if missed.len() == instances {
        return Outcome::Failed { reason: reasons };
    }
    if !missed.is_empty() {
        done.push_str("; but not ");
        done.push_str(&reasons);
    }
    Outcome::Applied { detail: done }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::model::ClientsAction;

    fn applied(detail: &str) -> Outcome {
        Outcome::Applied {
            detail: detail.into(),
        }
    }

    /// What is left to be done, and what is so then.
    fn decided(responder: &mut Responder, action: &Action) -> (&'static str, Outcome) {
        let (order, done) = match responder.decide(Nanos::ZERO, "ops", action).unwrap() {
            Ok(decided) => decided,
            Err(refusal) => return ("refused", refusal.into()),
        };
        let order = match order {
            FleetOrder::Nothing => "nothing",
            FleetOrder::PutSettings => "put",
            FleetOrder::SlowIdentity => "identity",
            FleetOrder::PutFaults(place) => place.word(),
            FleetOrder::Admit(_) => "admit",
            FleetOrder::Pause(_) => "pause",
            FleetOrder::Continue(_) => "continue",
            FleetOrder::Restart(order) => return ("restart", order.ended(&[])),
        };
        (order, applied(&done))
    }

    fn push(unverified: &str, canary: Option<f64>) -> Action {
        let set = ("authorization.unverified".into(), unverified.into());
        Action::Fleet(FleetAction::Push {
            set: [set].into(),
            schema: None,
            tested: true,
            canary: canary.map(|share| Ratio::new(share).unwrap()),
        })
    }

    #[test]
    fn each_action_comes_to_an_order_and_a_sentence() {
        let mut fleet = Responder::new(4);
        let slow = |part| Action::Fleet(FleetAction::Slow { part, factor: 3.0 });
        let share = Ratio::new(0.45).unwrap();
        let two = NonZeroU32::new(2);
        for (action, order, detail) in [
            (push("allow", None), "put", "version 2"),
            (
                push("hang", Some(0.5)),
                "put",
                "version 3, on 2 of 4 instances",
            ),
            (
                Action::Service(ServiceAction::Rollback),
                "put",
                "version 4, which restores version 2",
            ),
            (
                slow(SlowPart::Database),
                "put",
                "the database takes 3 times as long",
            ),
            (
                slow(SlowPart::Identity),
                "identity",
                "the identity service takes 3 times as long",
            ),
            (
                Action::Fleet(FleetAction::Admit { share }),
                "admit",
                "45 % of the requests are admitted",
            ),
            (
                Action::Fleet(FleetAction::Pause { instances: two }),
                "pause",
                "2 of 4 instances are paused",
            ),
            (
                Action::Fleet(FleetAction::Continue { instances: None }),
                "continue",
                "4 of 4 instances go on",
            ),
            (
                Action::Service(ServiceAction::Restart { pause: None }),
                "restart",
                "4 instances restarted all at once",
            ),
        ] {
            let found = decided(&mut fleet, &action);
            assert_eq!(found, (order, applied(detail)), "{action:?}");
        }
        let refused = decided(&mut fleet, &push("no such value", None));
        assert!(matches!(refused, ("refused", Outcome::Rejected { .. })));
        let waived = decided(
            &mut fleet,
            &Action::Fleet(FleetAction::Waive {
                check: "none".into(),
            }),
        );
        assert!(matches!(waived, ("refused", Outcome::Rejected { .. })));
        let others = fleet.decide(
            Nanos::ZERO,
            "ops",
            &Action::Clients(ClientsAction::Monitors { on: false }),
        );
        assert!(others.is_none());
    }

    #[test]
    fn what_could_be_done_to_one_is_done() {
        let down = |places: &'static [usize]| {
            move |index: usize| {
                let runs = !places.contains(&index);
                runs.then_some(()).ok_or_else(|| NOT_RUNNING.to_owned())
            }
        };
        let done = || "2 of 4 instances are paused".to_owned();
        for (places, expected) in [
            (&[][..], applied("2 of 4 instances are paused")),
            (
                &[1],
                applied("2 of 4 instances are paused; but not instance-2: it is not running"),
            ),
            (
                &[0, 1],
                Outcome::Failed {
                    reason: "instance-1: it is not running; instance-2: it is not running".into(),
                },
            ),
        ] {
            assert_eq!(each(2, done(), down(places)), expected);
        }
    }

    #[test]
    fn who_is_down_or_paused_gets_settings_later() {
        let none: [&str; 0] = [];
        for (down, paused, expected) in [
            (&none[..], &none[..], "version 2"),
            (
                &["instance-1", "instance-3"],
                &none,
                "version 2; to be active when they start: instance-1, instance-3",
            ),
            (
                &["instance-1"],
                &["instance-2"],
                "version 2; to be active when they start: instance-1; to be active when they go \
                 on: instance-2",
            ),
        ] {
            let found = applied_later("version 2".into(), down, paused);
            assert_eq!(found, applied(expected));
        }
    }
}
