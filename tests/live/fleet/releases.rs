//! What is pushed holds for all it was meant for, and is taken back.

use std::sync::Mutex;

use rustix::process::Signal;
use threadbare::model::{ReleasePolicy, Role};
use threadbare::record::Outcome;
use threadbare::units::Ratio;

use super::{LIST, assert_applied, assert_incomplete, detached, push};
use crate::rig::{Operate as _, Rig, alive, eventually, signal, small, sources};

#[test]
fn a_refused_rollback_changes_nothing() {
    let rig = Rig::launch(&small());
    let viewer = rig.token(Role::Viewer);
    push(&rig, "deny", Some(2));
    let before = rig.fleet.document();
    let outcome = rig.fleet.rollback(rig.clock.now(), "ops");
    let Outcome::Rejected { check, reason } = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(check, "schema current");
    assert!(reason.contains("schema 1"), "{reason}");
    assert_eq!(rig.fleet.document(), before);
    assert_eq!(rig.ask("GET", LIST, viewer, "").0, 500);

    let waived = rig.fleet.waive("schema current");
    assert!(matches!(waived, Outcome::Applied { .. }), "{waived:?}");
    let applied = rig.fleet.rollback(rig.clock.now(), "ops");
    assert!(matches!(applied, Outcome::Applied { .. }), "{applied:?}");
    for _ in 0..4 {
        assert_eq!(rig.ask("GET", LIST, viewer, "").0, 200);
    }
}

#[test]
fn a_release_holds_for_every_instance_or_for_none() {
    let rig = Rig::launch(&small());
    let viewer = rig.token(Role::Viewer);
    let before = rig.fleet.document();
    let silent = rig.pid("instance-2");
    signal(silent, Signal::STOP);
    let outcome = push(&rig, "deny", Some(2));
    signal(silent, Signal::CONT);
    let Outcome::Failed { reason } = outcome else {
        panic!("{outcome:?}");
    };
    assert!(reason.contains("instance-2: "), "{reason}");
    assert_eq!(rig.fleet.document(), before);
    // What was put to it while it was silent comes late, and in any order.
    eventually("it obeys the document in force", || {
        let answers = (0..20).map(|_| rig.ask("GET", LIST, viewer, "").0);
        answers
            .into_iter()
            .all(|status| status == 200)
            .then_some(())
    });
    assert!(matches!(
        push(&rig, "deny", Some(2)),
        Outcome::Applied { .. }
    ));
    assert_eq!(rig.fleet.document().version, before.version + 1);
}

#[test]
fn an_instance_that_is_down_gets_the_release_when_it_starts() {
    let rig = Rig::launch(&small());
    let dead = rig.pid("instance-1");
    signal(dead, Signal::KILL);
    eventually("it ended", || (!alive(dead)).then_some(()));
    let Outcome::Applied { detail } = push(&rig, "deny", None) else {
        panic!("the other instance has it");
    };
    assert!(detail.contains("when they start: instance-1"), "{detail}");

    // Nobody looked before the restart did: the death is told all the same.
    let events = Mutex::new(Vec::new());
    let outcome = rig
        .fleet
        .restart(None, &|event| events.lock().unwrap().push(event));
    assert!(matches!(outcome, Outcome::Applied { .. }), "{outcome:?}");
    assert_eq!(sources(&rig.fleet.dead()), ["died instance-1"]);
    assert!(rig.fleet.dead().is_empty());
    assert_incomplete(&events.into_inner().unwrap(), "instance-1");
    for _ in 0..4 {
        assert_eq!(rig.ask("GET", LIST, rig.token(Role::Viewer), "").0, 500);
    }
}

#[test]
fn a_canary_reaches_its_share_of_the_instances_and_a_rollback_all() {
    let rig = Rig::launch(&small());
    let viewer = rig.token(Role::Viewer);
    let refused = || {
        let answers = (0..20).map(|_| rig.ask("GET", LIST, viewer, "").0);
        answers.filter(|status| *status == 500).count()
    };
    let now = rig.clock.now();
    let set = detached("deny");
    let canary = Ratio::new(0.25);
    let pushed = rig.fleet.push(now, "ops", &set, None, true, canary);
    assert_applied(&pushed, "version 2, on 1 of 2 instances");
    assert_eq!(refused(), 10);
    rig.fleet.restart(None, &|_| ());
    assert_eq!(refused(), 10);
    let restored = rig.fleet.rollback(rig.clock.now(), "ops");
    assert_applied(&restored, "version 3, which restores version 1");
    assert_eq!(refused(), 0);
}

#[test]
fn an_untested_release_is_refused_where_tests_are_required() {
    let rig = Rig::launch(&small());
    rig.fleet.govern(ReleasePolicy {
        require_tests: true,
        ..ReleasePolicy::default()
    });
    let Outcome::Rejected { check, .. } = push(&rig, "deny", None) else {
        panic!("nobody ran the tests");
    };
    assert_eq!(check, "tests run");
    assert_eq!(rig.ask("GET", LIST, rig.token(Role::Viewer), "").0, 200);
    rig.fleet.waive("tests run");
    assert_applied(&push(&rig, "deny", None), "version 2");
}
