//! What is slow, and what stands still.

use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::Duration;

use threadbare::model::{Role, SlowPart, SourceName};
use threadbare::record::{Event, PAUSED};
use threadbare::units::Nanos;

use super::{LIST, assert_applied, push, sum};
use crate::rig::{Operate as _, Rig, alive, eventually, small, sources, state};

#[test]
fn what_is_slow_takes_longer_also_in_an_instance_that_restarts_meanwhile() {
    let mut spec = small();
    spec.database = "constant(4ms)".parse().unwrap();
    let rig = Rig::launch(&spec);
    let viewer = rig.token(Role::Viewer);
    // The shortest of many: what the machine is busy with does not count.
    let fastest = || {
        let took = (0..12).map(|_| {
            let begun = std::time::Instant::now();
            assert_eq!(rig.ask("GET", LIST, viewer, "").0, 200);
            begun.elapsed()
        });
        took.min().unwrap()
    };
    for (part, at_least_ms) in [(SlowPart::Database, 80), (SlowPart::Identity, 20)] {
        assert_applied(&rig.fleet.slow(part, 20.0), "20 times as long");
        assert!(fastest() >= Duration::from_millis(at_least_ms), "{part}");
        rig.fleet.restart(None, &|_| ());
        assert!(fastest() >= Duration::from_millis(at_least_ms), "{part}");
        assert_applied(&rig.fleet.slow(part, 1.0), "as usual");
        assert!(fastest() < Duration::from_millis(at_least_ms), "{part}");
    }
}

#[test]
fn a_paused_instance_stands_still_and_goes_on_with_what_came_meanwhile() {
    let rig = Rig::launch(&small());
    let viewer = rig.token(Role::Viewer);
    let paused = rig.pid("instance-1");
    rig.instances();
    assert_applied(&rig.fleet.pause(NonZeroU32::new(1)), "1 of 2 instances");
    eventually("it stands still", || {
        (state(paused) == Some('T')).then_some(())
    });
    std::thread::scope(|scope| {
        // Every second request is for the instance that answers nothing.
        let asked: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| rig.ask("GET", LIST, viewer, "").0))
            .collect();
        eventually("the other instance has answered", || {
            (asked.iter().filter(|it| it.is_finished()).count() == 3).then_some(())
        });
        let (read, failed): (Vec<_>, Vec<_>) = rig
            .fleet
            .sample(Nanos::ZERO, rig.clock.now())
            .into_iter()
            .partition(Result::is_ok);
        assert_eq!(read.len(), 3); // the other instance, balancer and identity service
        let Some(Err(Event::ScrapeFailed { source, cause })) = failed.first() else {
            panic!("{failed:?}");
        };
        assert_eq!((source, cause.as_str()), (&SourceName::Instance(1), PAUSED));
        assert!(rig.fleet.dead().is_empty()); // to stand still is not to die
        // A release reaches it when it goes on, before anything it does from then on.
        let detail = "to be active when they go on: instance-1";
        assert_applied(&push(&rig, "deny", None), detail);
        assert!(asked.iter().filter(|it| it.is_finished()).count() == 3);
        assert_applied(&rig.fleet.go_on(None), "2 of 2 instances go on");
        for asked in asked {
            assert!([200, 500].contains(&asked.join().unwrap()));
        }
    });
    for _ in 0..4 {
        assert_eq!(rig.ask("GET", LIST, viewer, "").0, 500);
    }
    // The gauges cover the freeze, and nothing was lost in it.
    let total = sum(&rig.instances());
    assert_eq!((total.lost, total.rejected), (0, 0));
}

#[test]
fn a_paused_instance_can_be_restarted_and_ended() {
    let rig = Rig::launch(&small());
    rig.fleet.pause(None);
    let events = Mutex::new(Vec::new());
    let outcome = rig
        .fleet
        .restart(None, &|event| events.lock().unwrap().push(event));
    assert_applied(&outcome, "2 instances restarted");
    let events = events.into_inner().unwrap();
    let expected = [
        "stopped instance-1",
        "stopped instance-2",
        "serving instance-1",
        "serving instance-2",
    ];
    assert_eq!(sources(&events), expected); // with their final counters
    assert_eq!(rig.ask("GET", "/healthz", "", "").0, 200);
    rig.fleet.pause(None);
    let expected = ["stopped instance-1", "stopped instance-2"];
    assert_eq!(sources(&rig.fleet.stop()), expected);
    let processes = rig.processes.lock().unwrap().clone();
    drop(rig);
    for process in processes {
        assert!(!alive(process.pid), "{process:?}");
    }
}

#[test]
fn a_paused_fleet_that_is_dropped_leaves_nothing() {
    let rig = Rig::launch(&small());
    rig.fleet.pause(None);
    let processes = rig.processes.lock().unwrap().clone();
    drop(rig);
    for process in processes {
        assert!(!alive(process.pid), "{process:?}");
    }
}
