//! The corrective measures: what each changes in a plan.
//!
//! A measure is what could have been different: in the clients, the fleet, the
//! release or the response. It changes the plan and nothing else; what comes of
//! it is simulated.

use crate::model::{
    Backoff, FleetAction, FleetSpec, Jitter, Order, QueuePolicy, RetryBudgetPolicy, ServiceAction,
};
use crate::plan::{Action, Entry, Plan};
use crate::units::{Nanos, Rate, Ratio};

/// Something that could have been done otherwise.
#[derive(Debug)]
pub(crate) struct Measure {
    /// Its name.
    pub name: &'static str,
    /// What it changes, in one sentence.
    pub what: &'static str,
    /// What it is about; of two that are about the same thing one is enough.
    pub about: &'static str,
    /// The plan with it, or why it would change nothing there.
    pub apply: fn(&Plan) -> Result<Plan, &'static str>,
}

/// A change of a copy of the plan.
fn changed(
    plan: &Plan,
    change: impl FnOnce(&mut Plan) -> Result<(), &'static str>,
) -> Result<Plan, &'static str> {
    let mut copy = plan.clone();
    change(&mut copy)?;
    if copy == *plan {
        return Err("this is already so");
    }
    Ok(copy)
}

const NO_FLEET: &str = "there is no fleet";

/// Every measure.
pub(crate) const MEASURES: [Measure; 18] = [
    Measure {
        name: "bounded queue",
        what: "the queue holds what can be served within half of a client's timeout; further jobs \
               are refused at once",
        about: "the queue's bound",
        apply: |plan| {
            changed(plan, |plan| {
                let bound = worth_waiting_for(plan).ok_or(NO_FLEET)?;
                let queue = queue(plan)?;
                if queue.bound.is_some_and(|own| own <= bound) {
                    return Err("the queue is bounded more closely already");
                }
                queue.bound = Some(bound);
                Ok(())
            })
        },
    },
    Measure {
        name: "drop expired",
        what: "a job that has waited for a client's whole timeout is dropped when its turn comes",
        about: "the queue's expiry",
        apply: |plan| {
            changed(plan, |plan| {
                let timeout = plan.load.client.timeout;
                let queue = queue(plan)?;
                if queue.expire.is_some() {
                    return Err("jobs expire already");
                }
                queue.expire = Some(timeout);
                Ok(())
            })
        },
    },
    Measure {
        name: "newest first",
        what: "a free worker takes the job that came last (LIFO)",
        about: "the queue's order",
        apply: |plan| {
            changed(plan, |plan| {
                queue(plan)?.order = Order::Lifo;
                Ok(())
            })
        },
    },
    Measure {
        name: "no retries",
        what: "clients make one attempt",
        about: "the number of retries",
        apply: |plan| {
            changed(plan, |plan| {
                if plan.load.client.retries == 0 {
                    return Err("clients do not retry");
                }
                plan.load.client.retries = 0;
                Ok(())
            })
        },
    },
    Measure {
        name: "retry budget",
        what: "all clients together make at most one retry for ten first tries",
        about: "the number of retries",
        apply: |plan| {
            changed(plan, |plan| {
                let client = &mut plan.load.client;
                if client.retries == 0 {
                    return Err("clients do not retry");
                }
                if client.retry_budget.is_some() {
                    return Err("there is a retry budget already");
                }
                client.retry_budget = Some(RetryBudgetPolicy {
                    ratio: Ratio::new(0.1).unwrap_or(Ratio::WHOLE),
                    reserve: Rate::default(),
                    burst: 10,
                });
                Ok(())
            })
        },
    },
    Measure {
        name: "back-off with jitter",
        what: "before each retry clients pause for a random time, with a limit that \
               doubles each time",
        about: "the pause before retries",
        apply: |plan| {
            changed(plan, |plan| {
                let client = &mut plan.load.client;
                if client.retries == 0 {
                    return Err("clients do not retry");
                }
                client.backoff = Backoff::Exponential {
                    base: client.timeout / 5,
                    factor: 2.0,
                    max: client.timeout * 4,
                    jitter: Jitter::Full,
                };
                Ok(())
            })
        },
    },
    Measure {
        name: "monitors back off",
        what: "after a failure monitors probe at half of their rate, and no probe begins while \
               another is running",
        about: "the monitors",
        apply: |plan| {
            changed(plan, |plan| {
                if !has_monitors(plan) {
                    return Err("there are no monitors");
                }
                for monitor in &mut plan.monitors {
                    monitor.every_after_failure = monitor.every * 2;
                    monitor.overlap = false;
                }
                Ok(())
            })
        },
    },
    Measure {
        name: "bulkhead for authorization",
        what: "at most two of an instance's workers, or a quarter where that is more, are in \
               a verification at a time; one more is not begun",
        about: "who waits for authorization",
        apply: |plan| {
            changed(plan, |plan| {
                let fleet = fleet(plan)?;
                let most = fleet.workers.saturating_sub(1).max(1);
                let bulkhead = (fleet.workers / 4).max(2).min(most);
                if fleet.bulkhead.is_some_and(|own| own <= bulkhead) {
                    return Err("there is a bulkhead already");
                }
                fleet.bulkhead = Some(bulkhead);
                Ok(())
            })
        },
    },
    Measure {
        name: "monitors with workers of their own",
        what: "each instance has a worker more, which serves probes and nothing else",
        about: "who serves the monitors",
        apply: |plan| {
            changed(plan, |plan| {
                if !has_monitors(plan) {
                    return Err("there are no monitors");
                }
                let fleet = fleet(plan)?;
                if fleet.monitor_workers > 0 {
                    return Err("monitors have workers of their own already");
                }
                fleet.monitor_workers = 1;
                Ok(())
            })
        },
    },
    Measure {
        name: "deadlines passed on",
        what: "clients send how long they will still wait, and workers end what nobody waits for",
        about: "the time left",
        apply: |plan| {
            changed(plan, |plan| {
                let fleet = fleet(plan)?;
                if fleet.propagate_deadline {
                    return Err("clients send the time they have left already");
                }
                fleet.propagate_deadline = true;
                Ok(())
            })
        },
    },
    Measure {
        name: "shed retries and probes first",
        what: "while as much waits as can be served within half of a client's timeout, probes, \
               retries and hedges are refused at once",
        about: "who is refused first",
        apply: |plan| {
            changed(plan, |plan| {
                let above = worth_waiting_for(plan).ok_or(NO_FLEET)?;
                if plan.load.client.retries == 0
                    && plan.load.client.hedge_after.is_none()
                    && !has_monitors(plan)
                {
                    return Err("there are first tries only");
                }
                let fleet = fleet(plan)?;
                if fleet.queue.bound.is_some_and(|bound| bound < above) {
                    return Err("the queue is bounded more closely");
                }
                if fleet.shed_above.is_some_and(|own| own <= above) {
                    return Err("they are refused earlier already");
                }
                fleet.shed_above = Some(above);
                Ok(())
            })
        },
    },
    Measure {
        name: "rollback rehearsed",
        what: "the checks let the first rollback through, since it had been tried before",
        about: "the rollback",
        apply: |plan| changed(plan, rehearsed),
    },
    Measure {
        name: "restart at half the pace",
        what: "the pause between the restarts of two instances is twice as long",
        about: "the pace of the restart",
        apply: |plan| changed(plan, |plan| paced(plan, |pause| pause * 2)),
    },
    Measure {
        name: "restart at twice the pace",
        what: "the pause between the restarts of two instances is half as long",
        about: "the pace of the restart",
        apply: |plan| changed(plan, |plan| paced(plan, |pause| pause / 2)),
    },
    Measure {
        name: "traffic back at half the steps",
        what: "while traffic is brought back, half as much of it is admitted in each step but \
               the last",
        about: "the admission after the restart",
        apply: |plan| changed(plan, halved_admission),
    },
    Measure {
        name: "half as much capacity again",
        what: "one instance in two more",
        about: "the capacity",
        apply: |plan| {
            changed(plan, |plan| {
                let fleet = fleet(plan)?;
                fleet.instances += fleet.instances.div_ceil(2);
                Ok(())
            })
        },
    },
    Measure {
        name: "tests gate the release",
        what: "a push whose author did not run the tests is refused",
        about: "the release",
        apply: |plan| changed(plan, gated),
    },
    Measure {
        name: "canary push",
        what: "a push goes to one instance first",
        about: "the release",
        apply: |plan| changed(plan, to_one_instance),
    },
];

/// Whether somebody probes; clients that hold sessions do not.
fn has_monitors(plan: &Plan) -> bool {
    plan.monitors.iter().any(|it| it.reconnects.is_none())
}

fn fleet(plan: &mut Plan) -> Result<&mut FleetSpec, &'static str> {
    plan.fleet.as_mut().ok_or(NO_FLEET)
}

fn queue(plan: &mut Plan) -> Result<&mut QueuePolicy, &'static str> {
    fleet(plan).map(|fleet| &mut fleet.queue)
}

/// Jobs that an instance can serve within half of a client's timeout.
fn worth_waiting_for(plan: &Plan) -> Option<u32> {
    let fleet = plan.fleet.as_ref()?;
    let service = fleet.application.mean() + fleet.identity.latency.mean() + fleet.database.mean();
    let turns = (plan.load.client.timeout / 2).0 / service.0.max(1);
    u32::try_from(turns.max(1))
        .ok()
        .map(|turns| turns.saturating_mul(fleet.workers))
}

/// The first rollback is the one that is applied: what was needed to get past
/// the checks afterwards is not.
fn rehearsed(plan: &mut Plan) -> Result<(), &'static str> {
    let is_rollback = |action: &Action| matches!(action, Action::Service(ServiceAction::Rollback));
    let mut rollbacks = plan.timeline.iter().filter(|it| is_rollback(&it.action));
    let (Some(_), Some(second)) = (rollbacks.next(), rollbacks.next()) else {
        return Err("no rollback is tried twice");
    };
    let applied = second.phase.clone();
    let mut first = true;
    plan.timeline.retain_mut(|entry| match &mut entry.action {
        // Written in the schema that the checks know, it leaves the way back open.
        Action::Fleet(FleetAction::Push { schema, .. }) => {
            *schema = None;
            true
        }
        Action::Fleet(FleetAction::Waive { .. }) => false,
        Action::Service(ServiceAction::Rollback) => {
            entry.phase.clone_from(&applied);
            std::mem::take(&mut first)
        }
        _ => true,
    });
    Ok(())
}

/// Restarts with another pause.
fn paced(plan: &mut Plan, pace: impl Fn(Nanos) -> Nanos) -> Result<(), &'static str> {
    let mut found = false;
    for entry in &mut plan.timeline {
        if let Action::Service(ServiceAction::Restart { pause: Some(pause) }) = &mut entry.action {
            *pause = pace(*pause);
            found = true;
        }
    }
    found.then_some(()).ok_or("there is no gradual restart")
}

/// Half of each admitted share that is not the whole.
fn halved_admission(plan: &mut Plan) -> Result<(), &'static str> {
    let mut found = false;
    for entry in &mut plan.timeline {
        if let Action::Fleet(FleetAction::Admit { share }) = &mut entry.action
            && share.get() < 1.0
            && let Some(half) = Ratio::new(share.get() / 2.0)
        {
            *share = half;
            found = true;
        }
    }
    found
        .then_some(())
        .ok_or("traffic is not brought back in steps")
}

/// An untested push would be refused.
fn gated(plan: &mut Plan) -> Result<(), &'static str> {
    let untested = |entry: &Entry| {
        matches!(
            entry.action,
            Action::Fleet(FleetAction::Push { tested: false, .. })
        )
    };
    if !plan.timeline.iter().any(untested) {
        return Err("nothing is pushed untested");
    }
    plan.release.require_tests = true;
    Ok(())
}

/// Pushes that reach every instance reach one.
fn to_one_instance(plan: &mut Plan) -> Result<(), &'static str> {
    let instances = plan.fleet.as_ref().ok_or(NO_FLEET)?.instances;
    if instances < 2 {
        return Err("there is one instance");
    }
    let mut found = false;
    for entry in &mut plan.timeline {
        if let Action::Fleet(FleetAction::Push { canary, .. }) = &mut entry.action
            && canary.is_none()
        {
            *canary = Ratio::new(1.0 / f64::from(instances));
            found = true;
        }
    }
    found.then_some(()).ok_or("no push reaches every instance")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario;

    #[test]
    fn each_changes_the_founding_scenario_and_says_so_once() {
        let plan = scenario::load("missing-await", false).unwrap();
        for measure in &MEASURES {
            let once = (measure.apply)(&plan);
            assert!(once.is_ok_and(|once| once != plan), "{}", measure.name);
        }
        let names: std::collections::BTreeSet<_> = MEASURES.iter().map(|it| it.name).collect();
        assert_eq!(names.len(), MEASURES.len());
    }

    #[test]
    fn a_rehearsed_rollback_stands_alone() {
        let mut plan = scenario::load("missing-await", false).unwrap();
        rehearsed(&mut plan).unwrap();
        let rollbacks = |entry: &&crate::plan::Entry| {
            matches!(entry.action, Action::Service(ServiceAction::Rollback))
        };
        assert_eq!(plan.timeline.iter().filter(rollbacks).count(), 1);
        assert!(rehearsed(&mut plan).is_err());
    }
}
