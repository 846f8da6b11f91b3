//! What comes again together, and what is asked for beside requests, in real processes:
//! lost instances, cold starts, sessions, telemetry, releases that are verified, and the
//! autoscaler.

use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::Duration;

use threadbare::model::{
    Action, AutoscalerSpec, FleetAction, FleetSpec, ReleasePolicy, Role, SlowPart, TelemetrySpec,
};
use threadbare::record::{Counters, Event, Outcome};
use threadbare::units::{Nanos, Ratio};

use super::{LIST, assert_applied, sum};
use crate::rig::{Operate as _, Rig, eventually, small, sources};

const LONG: Duration = Duration::from_secs(20);

/// Carries it out; the changes of instances that it told.
fn changes(rig: &Rig, action: FleetAction) -> (Outcome, Vec<String>) {
    let told = Mutex::new(Vec::new());
    let tell = |event| told.lock().unwrap().push(event);
    let action = Action::Fleet(action);
    let outcome = rig.fleet.act(rig.clock.now(), "ops", &action, &tell);
    (outcome, sources(&told.into_inner().unwrap()))
}

fn list(rig: &Rig) -> u16 {
    rig.ask("GET", LIST, rig.token(Role::Viewer), "").0
}

/// Calls that the identity service has answered since the last time.
fn verified(rig: &Rig) -> u64 {
    let samples = rig.fleet.sample(Nanos::ZERO, Nanos::ZERO);
    let counts = samples.into_iter().flatten();
    let counts = counts.filter_map(|sample| match sample.counters {
        Counters::Identity(counters) => Some(counters.verifications),
        _ => None,
    });
    counts.sum()
}

fn set(key: &str, value: &str) -> std::collections::BTreeMap<String, String> {
    [(key.to_owned(), value.to_owned())].into()
}

#[test]
fn a_session_holds_no_worker_and_breaks_with_its_instance() {
    let rig = Rig::launch(&small());
    std::thread::scope(|scope| {
        let viewer = rig.token(Role::Viewer);
        let ask = || rig.try_ask("GET", "/session", viewer, "", LONG).unwrap().0;
        let held: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        // More than there are workers, each verified as one whose roles nobody holds.
        let mut done = 0;
        eventually("all are set up", || {
            let counted = sum(&rig.instances());
            done += counted.finished;
            (done == 8 && counted.running == 0).then_some(())
        });
        assert!(held.iter().all(|asked| !asked.is_finished()));
        assert_eq!(list(&rig), 200);
        let two = NonZeroU32::new(2).unwrap();
        let (outcome, told) = changes(&rig, FleetAction::Lose { instances: two });
        assert_applied(&outcome, "2 of 2 instances lost, and replaced");
        assert_eq!(told.len(), 4, "{told:?}");
        for asked in held {
            assert_eq!(asked.join().unwrap(), 502);
        }
    });
    assert_eq!(list(&rig), 200);
}

#[test]
fn only_what_is_lost_is_replaced() {
    let rig = Rig::launch(&small());
    let before = (rig.pid("instance-1"), rig.pid("instance-2"));
    let one = NonZeroU32::new(1).unwrap();
    let (_, told) = changes(&rig, FleetAction::Lose { instances: one });
    assert_eq!(told, ["stopped instance-1", "serving instance-1"]);
    assert_ne!(rig.pid("instance-1"), before.0);
    assert_eq!(rig.pid("instance-2"), before.1);
    assert_eq!((list(&rig), list(&rig)), (200, 200));
}

#[test]
fn a_cold_start_stops_all_before_the_first_serves() {
    let rig = Rig::launch(&small());
    let pause = Nanos::from_millis(50);
    let (outcome, told) = changes(&rig, FleetAction::ColdStart { pause });
    assert_applied(&outcome, "started one after the other");
    let mut stopped = told[..2].to_vec();
    stopped.sort_unstable();
    assert_eq!(stopped, ["stopped instance-1", "stopped instance-2"]);
    assert_eq!(told[2..], ["serving instance-1", "serving instance-2"]);
    assert_eq!((list(&rig), list(&rig)), (200, 200));
}

#[test]
fn telemetry_asks_until_it_is_rolled_back() {
    let rig = Rig::launch(&FleetSpec {
        telemetry: Some(TelemetrySpec {
            calls: 2,
            every: Nanos::from_millis(10),
        }),
        ..small()
    });
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(verified(&rig), 0);
    let on = set("telemetry", "on");
    let done = rig
        .fleet
        .push(rig.clock.now(), "ops", &on, None, true, None);
    assert_applied(&done, "version 2");
    let mut calls = 0;
    eventually("it asks", || {
        calls += verified(&rig);
        (calls > 20).then_some(())
    });
    assert_eq!(sum(&rig.instances()).running, 0);
    assert_applied(&rig.fleet.rollback(rig.clock.now(), "ops"), "version 3");
    // What is under way ends, and none follows: a call is due every 10 ms.
    let mut quiet = 0;
    eventually("it asks no more", || {
        std::thread::sleep(Duration::from_millis(50));
        quiet = if verified(&rig) == 0 { quiet + 1 } else { 0 };
        (quiet == 4).then_some(())
    });
}

#[test]
fn a_release_is_refused_whose_author_is_not_verified_in_time() {
    let rig = Rig::launch(&small());
    rig.fleet.govern(ReleasePolicy {
        verified_within: Some(Nanos::from_secs(2)),
        ..ReleasePolicy::default()
    });
    let allow = set("authorization.unverified", "allow");
    let push = || {
        rig.fleet
            .push(rig.clock.now(), "ops", &allow, None, true, None)
    };
    assert_applied(&push(), "version 2");
    assert_applied(&rig.fleet.slow(SlowPart::Identity, 10_000.0), "10000 times");
    for refused in [push(), rig.fleet.rollback(rig.clock.now(), "ops")] {
        let Outcome::Rejected { check, .. } = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(check, "releaser verified");
    }
    assert_eq!(rig.fleet.document().version, 2);
    assert_applied(&rig.fleet.waive("releaser verified"), "advisory");
    assert_applied(&rig.fleet.rollback(rig.clock.now(), "ops"), "version 3");
}

#[test]
fn an_autoscaler_starts_and_ends_processes() {
    let rig = Rig::launch(&FleetSpec {
        instances: 1,
        application: "constant(50ms)".parse().unwrap(),
        autoscaler: Some(AutoscalerSpec {
            least: 1,
            most: 2,
            add_above: Ratio::new(0.001).unwrap(),
            remove_below: Ratio::new(0.000_5).unwrap(),
            delay: Nanos::ZERO,
        }),
        ..small()
    });
    rig.fleet.supervise().unwrap();
    let mut second = 0;
    let mut look = || {
        second += 1;
        let (from, to) = (Nanos::from_secs(second - 1), Nanos::from_secs(second));
        rig.fleet.sample(from, to);
    };
    // What it does takes its time, and the gauges are not held up by it.
    let next = |what: &str| {
        eventually(what, || {
            Some(rig.fleet.news()).filter(|news| !news.is_empty())
        })
    };
    look();
    assert_eq!(list(&rig), 200);
    look();
    let decided = next("an instance is added");
    let [
        Event::Scaled {
            from: 1,
            to: 2,
            reason,
        },
    ] = &decided[..]
    else {
        panic!("{decided:?}");
    };
    assert!(reason.contains("above 0.1 %"), "{reason}");
    // A restart would meet an instance that is not there yet.
    let refused = rig.fleet.restart(None, &|_| ());
    let reason = "the autoscaler is starting or ending an instance";
    let expected = Outcome::Failed {
        reason: reason.into(),
    };
    assert_eq!(refused, expected);
    look();
    assert_eq!(sources(&next("it serves")), ["serving instance-2"]);
    assert_eq!((list(&rig), list(&rig)), (200, 200));
    let mut changes = Vec::new();
    eventually("one of them ends", || {
        // Nobody asks for anything.
        look();
        changes.extend(rig.fleet.news());
        (changes.len() == 2).then_some(())
    });
    assert!(
        matches!(&changes[0], Event::Scaled { from: 2, to: 1, .. }),
        "{changes:?}"
    );
    assert_eq!(sources(&changes[1..]), ["stopped instance-2"]);
    assert_eq!((list(&rig), list(&rig)), (200, 200));
    assert_eq!(rig.fleet.processes().len(), 3);
    let restarted = eventually("the autoscaler is done", || {
        let outcome = rig.fleet.restart(None, &|_| ());
        matches!(outcome, Outcome::Applied { .. }).then_some(outcome)
    });
    assert_applied(&restarted, "1 instances restarted");
}
