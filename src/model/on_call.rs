//! Somebody on call: hears alerts, and does what is usual until they clear.
//!
//! A timeline says when each thing was done in one night. Somebody on call takes as long as
//! people take, draws it anew with each seed, and stops when service is back; so the times to
//! detect and to acknowledge come out of the run. What they know is what alerts say and how
//! their own actions ended, never what the run measures.
//!
//! One step at a time: acknowledge, decide, act, wait whether it helped, decide again. A
//! rollback that a check refuses is tried again once that check is waived. After the last
//! step nothing more is done until the next alert; one that fired again meanwhile is the next.

use std::collections::{BTreeSet, VecDeque};

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{Action, ClientsAction, Distribution, FleetAction, Outcome, ServiceAction};
use crate::units::{Nanos, Ratio};

/// What somebody on call does, and how long each thing takes them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OnCallPolicy {
    /// What they are called in the journal.
    pub name: String,
    /// The alerts that they hear.
    pub alerts: Vec<String>,
    /// From the alert until somebody looks.
    pub acknowledge: Distribution,
    /// How long each decision takes.
    pub decide: Distribution,
    /// How long they look after each step whether it helped.
    pub wait: Nanos,
    /// What they try, in this order.
    pub steps: Vec<OnCallStep>,
    /// Whether they waive the check that refused a rollback.
    pub waive: bool,
}

/// Something that they try.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnCallStep {
    /// To roll back.
    Rollback,
    /// To make this check advisory.
    Waive(String),
    /// To switch the monitors off.
    MonitorsOff,
    /// To restart, one instance after the other with this pause; none: all at once.
    Restart(Option<Nanos>),
    /// To admit this share of the traffic.
    Admit(Ratio),
}

impl OnCallStep {
    /// What is done by it.
    pub(crate) fn action(&self) -> Action {
        match self {
            Self::Rollback => Action::Service(ServiceAction::Rollback),
            Self::Waive(check) => Action::Fleet(FleetAction::Waive {
                check: check.clone(),
            }),
            Self::MonitorsOff => Action::Clients(ClientsAction::Monitors { on: false }),
            Self::Restart(pause) => Action::Service(ServiceAction::Restart { pause: *pause }),
            Self::Admit(share) => Action::Fleet(FleetAction::Admit { share: *share }),
        }
    }
}

/// What they do when it is due.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OnCallDeed {
    /// They look at this alert.
    Acknowledge(String),
    /// They act.
    Act(Action),
}

#[derive(Debug, Clone, PartialEq)]
enum Doing {
    /// Nothing is wrong, as far as they know.
    Nothing,
    /// Somebody will look at this alert at that instant.
    Called(String, Nanos),
    /// The next step is decided at that instant.
    Deciding(Nanos),
    /// A step was begun, whose end has not come; its place in the timeline, where it is known.
    Acting(OnCallStep, Option<usize>),
}

/// Somebody on call during a run.
#[derive(Debug)]
pub(crate) struct OnCall<R> {
    policy: OnCallPolicy,
    rng: R,
    doing: Doing,
    /// Alerts that fire.
    firing: BTreeSet<String>,
    /// Alerts that they have been called for since they last had nothing to do.
    heard: BTreeSet<String>,
    /// One that fired anew meanwhile: the next call, once nothing is left to try.
    anew: Option<String>,
    /// What is left to try.
    steps: VecDeque<OnCallStep>,
    /// Checks that were waived.
    waived: BTreeSet<String>,
    /// Whether less than all traffic is admitted.
    limited: bool,
}

impl<R: Rng> OnCall<R> {
    /// Somebody who hears nothing yet, and draws how long things take from this stream.
    pub(crate) const fn new(policy: OnCallPolicy, rng: R) -> Self {
        Self {
            policy,
            rng,
            doing: Doing::Nothing,
            firing: BTreeSet::new(),
            heard: BTreeSet::new(),
            anew: None,
            steps: VecDeque::new(),
            waived: BTreeSet::new(),
            limited: false,
        }
    }

    /// An alert fires, or is cleared.
    pub(crate) fn alert(&mut self, now: Nanos, name: &str, fires: bool) {
        if !self.policy.alerts.iter().any(|own| own == name) {
            return;
        }
        if !fires {
            self.firing.remove(name);
            return;
        }
        let alone = self.firing.is_empty();
        self.firing.insert(name.to_owned());
        let heard = !self.heard.insert(name.to_owned());
        if self.doing == Doing::Nothing {
            self.call(now, name);
        } else if alone || heard {
            // Beside one that fires it belongs to what they are at work on.
            self.anew = Some(name.to_owned());
        }
    }

    /// Somebody will look at this alert.
    fn call(&mut self, now: Nanos, name: &str) {
        self.anew = None;
        self.heard = self.firing.clone();
        let after = self.policy.acknowledge.sample(&mut self.rng);
        self.doing = Doing::Called(name.to_owned(), now.saturating_add(after));
    }

    /// The instant at which they do something next.
    pub(crate) const fn next_deadline(&self) -> Option<Nanos> {
        match self.doing {
            Doing::Called(_, at) | Doing::Deciding(at) => Some(at),
            Doing::Nothing | Doing::Acting(..) => None,
        }
    }

    /// What they do now, where something is due.
    pub(crate) fn take(&mut self, now: Nanos) -> Option<OnCallDeed> {
        self.next_deadline().filter(|at| *at <= now)?;
        if let Doing::Called(alert, _) = &self.doing {
            let alert = alert.clone();
            self.steps = self.policy.steps.iter().cloned().collect();
            self.decide(now);
            return Some(OnCallDeed::Acknowledge(alert));
        }
        let Some(step) = self.step() else {
            self.doing = Doing::Nothing;
            self.heard.clear();
            let anew = self.anew.take();
            if let Some(alert) = anew.filter(|alert| self.firing.contains(alert)) {
                self.call(now, &alert);
            }
            return None;
        };
        let action = step.action();
        self.doing = Doing::Acting(step, None);
        Some(OnCallDeed::Act(action))
    }

    /// The next step; while nothing fires, only what brings traffic back. What is passed over
    /// is not forgotten: with the traffic the alert may come back.
    fn step(&mut self) -> Option<OnCallStep> {
        if !self.firing.is_empty() {
            return self.steps.pop_front();
        }
        let brings_back = |step: &OnCallStep| matches!(step, OnCallStep::Admit(_));
        let place = self.steps.iter().position(brings_back);
        self.steps.remove(place.filter(|_| self.limited)?)
    }

    fn decide(&mut self, from: Nanos) {
        let after = self.policy.decide.sample(&mut self.rng);
        self.doing = Doing::Deciding(from.saturating_add(after));
    }

    /// Their last action is the entry at this place.
    pub(crate) const fn began(&mut self, entry: usize) {
        if let Doing::Acting(_, place) = &mut self.doing {
            *place = Some(entry);
        }
    }

    /// The entry at this place has ended so.
    pub(crate) fn ended(&mut self, now: Nanos, entry: usize, outcome: &Outcome) {
        let Doing::Acting(step, Some(place)) = &self.doing else {
            return;
        };
        if *place != entry {
            return;
        }
        let step = step.clone();
        let mut look = self.policy.wait;
        match (&step, outcome) {
            (OnCallStep::Rollback, Outcome::Rejected { check, .. })
                if self.policy.waive && self.waived.insert(check.clone()) =>
            {
                self.steps.push_front(OnCallStep::Rollback);
                self.steps.push_front(OnCallStep::Waive(check.clone()));
                look = Nanos::ZERO;
            }
            (OnCallStep::Admit(share), Outcome::Applied { .. }) => {
                self.limited = *share < Ratio::WHOLE;
            }
            // What changed nothing needs no look.
            (OnCallStep::Waive(_), _) | (_, Outcome::Rejected { .. } | Outcome::Failed { .. }) => {
                look = Nanos::ZERO;
            }
            _ => {}
        }
        self.decide(now.saturating_add(look));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;

    fn somebody() -> OnCall<rng::StdRng> {
        let share = |text: &str| OnCallStep::Admit(text.parse().unwrap());
        let policy = OnCallPolicy {
            name: "on call".into(),
            alerts: vec!["users refused".into()],
            acknowledge: "constant(3s)".parse().unwrap(),
            decide: "constant(1s)".parse().unwrap(),
            wait: Nanos::from_secs(5),
            steps: vec![
                OnCallStep::Rollback,
                share("10 %"),
                OnCallStep::Restart(None),
                share("100 %"),
            ],
            waive: true,
        };
        OnCall::new(policy, rng::stream(1, "responder on call"))
    }

    /// What is done at this second, which is no other.
    fn at(one: &mut OnCall<rng::StdRng>, second: u64, entry: usize) -> String {
        let now = Nanos::from_secs(second);
        assert_eq!(one.next_deadline(), Some(now));
        assert_eq!(one.take(Nanos(now.0 - 1)), None, "too early");
        match one.take(now) {
            Some(OnCallDeed::Acknowledge(alert)) => format!("acknowledge {alert}"),
            Some(OnCallDeed::Act(action)) => {
                one.began(entry);
                action.in_words()
            }
            None => "nothing".into(),
        }
    }

    fn applied() -> Outcome {
        Outcome::Applied {
            detail: String::new(),
        }
    }

    #[test]
    fn a_refused_rollback_is_repeated_once_its_check_is_waived() {
        let mut one = somebody();
        let refused = Outcome::Rejected {
            check: "schema current".into(),
            reason: String::new(),
        };
        one.alert(Nanos::from_secs(10), "another", true);
        assert_eq!(one.next_deadline(), None, "not theirs");
        one.alert(Nanos::from_secs(10), "users refused", true);
        assert_eq!(at(&mut one, 13, 0), "acknowledge users refused");
        assert_eq!(at(&mut one, 14, 7), "rollback");
        one.ended(Nanos::from_secs(14), 3, &applied());
        assert_eq!(one.next_deadline(), None, "another's entry");
        one.ended(Nanos::from_secs(15), 7, &refused);
        assert_eq!(at(&mut one, 16, 8), "waive `schema current`");
        one.ended(Nanos::from_secs(16), 8, &applied());
        assert_eq!(at(&mut one, 17, 9), "rollback");
        // Refused by the same check again: that is not the way.
        one.ended(Nanos::from_secs(17), 9, &refused);
        assert_eq!(at(&mut one, 18, 10), "admit 10 %");
        one.ended(Nanos::from_secs(18), 10, &applied());
        assert_eq!(at(&mut one, 24, 11), "restart all at once");
    }

    #[test]
    fn nothing_more_is_done_once_the_alert_has_cleared_but_to_bring_traffic_back() {
        let mut one = somebody();
        one.alert(Nanos::ZERO, "users refused", true);
        assert_eq!(at(&mut one, 3, 0), "acknowledge users refused");
        assert_eq!(at(&mut one, 4, 1), "rollback");
        one.ended(Nanos::from_secs(4), 1, &applied());
        one.alert(Nanos::from_secs(6), "users refused", false);
        assert_eq!(at(&mut one, 10, 2), "nothing");
        assert_eq!(one.next_deadline(), None);

        let mut one = somebody();
        one.alert(Nanos::ZERO, "users refused", true);
        at(&mut one, 3, 0);
        at(&mut one, 4, 1);
        one.ended(Nanos::from_secs(4), 1, &applied());
        assert_eq!(at(&mut one, 10, 2), "admit 10 %");
        one.ended(Nanos::from_secs(10), 2, &applied());
        one.alert(Nanos::from_secs(12), "users refused", false);
        // No restart any more, and the rest of the users are let in.
        assert_eq!(at(&mut one, 16, 3), "admit 100 %");
        one.ended(Nanos::from_secs(16), 3, &applied());
        assert_eq!(at(&mut one, 22, 4), "nothing");
        // Another alert begins anew.
        one.alert(Nanos::from_secs(30), "users refused", true);
        assert_eq!(at(&mut one, 33, 5), "acknowledge users refused");
    }

    #[test]
    fn what_was_passed_over_while_nothing_fired_is_done_where_it_fires_again() {
        let mut one = somebody();
        one.alert(Nanos::ZERO, "users refused", true);
        at(&mut one, 3, 0);
        at(&mut one, 4, 1);
        one.ended(Nanos::from_secs(4), 1, &applied());
        assert_eq!(at(&mut one, 10, 2), "admit 10 %");
        one.ended(Nanos::from_secs(10), 2, &applied());
        one.alert(Nanos::from_secs(12), "users refused", false);
        assert_eq!(at(&mut one, 16, 3), "admit 100 %");
        one.ended(Nanos::from_secs(16), 3, &applied());
        // With all users it is as it was.
        one.alert(Nanos::from_secs(17), "users refused", true);
        assert_eq!(at(&mut one, 22, 4), "restart all at once");
        one.ended(Nanos::from_secs(22), 4, &applied());
        // Nothing is left: it is a call of its own.
        assert_eq!(at(&mut one, 28, 5), "nothing");
        assert_eq!(at(&mut one, 31, 5), "acknowledge users refused");
        assert_eq!(at(&mut one, 32, 5), "rollback");
    }

    #[test]
    fn an_alert_that_only_goes_on_is_no_other_call() {
        let mut one = somebody();
        one.alert(Nanos::ZERO, "users refused", true);
        at(&mut one, 3, 0);
        let mut second = 4;
        for entry in 1..=4 {
            assert_ne!(at(&mut one, second, entry), "nothing");
            one.ended(Nanos::from_secs(second), entry, &applied());
            second += 6;
        }
        assert_eq!(at(&mut one, second, 5), "nothing");
        assert_eq!(one.next_deadline(), None);
    }

    #[test]
    fn how_long_it_takes_is_drawn_and_the_same_for_a_seed() {
        let first = |seed| {
            let mut one = somebody();
            one.policy.acknowledge = "lognormal(median 3s, sigma 0.6)".parse().unwrap();
            one.rng = rng::stream(seed, "responder on call");
            one.alert(Nanos::ZERO, "users refused", true);
            one.next_deadline().unwrap()
        };
        assert_eq!(first(1), first(1));
        assert_ne!(first(1), first(2));
    }
}
