//! Processes that end, are killed or restarted: what they did stays counted.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use threadbare::model::{Role, SourceName};
use threadbare::record::{Event, InstanceCounters, Measure, Outcome};
use threadbare::units::Nanos;

use super::{LIST, assert_incomplete, sum};
use crate::rig::{Operate as _, Rig, eventually, instance, signal, small, sources};

#[test]
fn jobs_are_conserved_through_load_and_restarts() {
    let mut spec = small();
    spec.database = "exponential(mean 3ms)".parse().unwrap();
    spec.boot = Nanos::from_millis(20);
    let rig = Rig::launch(&spec);
    let viewer = rig.token(Role::Viewer);
    let (stop, events, samples) = (AtomicBool::new(false), Mutex::default(), Mutex::default());
    let sample = || {
        let samples: &Mutex<Vec<_>> = &samples;
        let fresh = rig.fleet.sample(Nanos::ZERO, rig.clock.now());
        samples.lock().unwrap().extend(fresh.into_iter().flatten());
    };
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    // Some give up before they are answered; all may be refused.
                    let _ = rig.try_ask("GET", LIST, viewer, "", Duration::from_millis(12));
                }
            });
        }
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                sample();
                std::thread::sleep(Duration::from_millis(5)); // the interval, not a synchronisation
            }
        });
        for pause in [None, Some(Nanos::from_millis(30))] {
            let outcome = rig.fleet.restart(pause, &|event| {
                let events: &Mutex<Vec<_>> = &events;
                events.lock().unwrap().push(event);
            });
            assert!(matches!(outcome, Outcome::Applied { .. }), "{outcome:?}");
        }
        eventually("enough was done", || {
            let samples: &Mutex<Vec<_>> = &samples;
            let samples = samples.lock().unwrap().clone();
            let done = samples.iter().filter_map(instance);
            (done.map(|counters| counters.finished).sum::<u64>() > 300).then_some(())
        });
        stop.store(true, Ordering::Relaxed);
    });
    events.lock().unwrap().extend(rig.fleet.stop());
    sample();

    let events = events.into_inner().unwrap();
    let expected = [
        "stopped instance-1",
        "stopped instance-2",
        "serving instance-1",
        "serving instance-2",
        "stopped instance-1",
        "serving instance-1",
        "stopped instance-2",
        "serving instance-2",
        "stopped instance-1",
        "stopped instance-2",
    ];
    assert_eq!(sources(&events), expected);
    let mut finals = InstanceCounters::default();
    for event in &events {
        if let Event::Stopped { counters, .. } = event {
            assert_eq!(
                counters.enqueued,
                counters.finished + counters.expired + counters.lost,
                "{counters:?}"
            );
            finals.merge(counters);
        }
    }
    let samples = samples.into_inner().unwrap();
    let waits: u64 = samples
        .iter()
        .filter_map(|sample| sample.histogram(Measure::QueueWait))
        .map(threadbare::record::Histogram::count)
        .sum();
    let counted: Vec<InstanceCounters> = samples.iter().filter_map(instance).collect();
    let total = sum(&counted);
    assert!(total.finished > 300 && total.lost > 0, "{total:?}");
    assert!(total.busy_zombie_ns > 0 && total.busy_zombie_ns <= total.busy_ns);
    for ((name, sampled), (_, stopped)) in total.rows().into_iter().zip(finals.rows()) {
        if !matches!(name, "workers" | "waiting" | "running" | "queue_depth_max") {
            assert_eq!(sampled, stopped, "{name}");
        }
    }
    assert!(waits >= total.finished && waits <= total.enqueued);
}

#[test]
fn an_acknowledged_write_survives_the_kill_of_its_instance() {
    let mut spec = small();
    spec.instances = 1;
    let rig = Rig::launch(&spec);
    let contributor = rig.token(Role::Contributor);
    let acknowledged: Mutex<Vec<u64>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let create = || rig.ask("POST", LIST, contributor, r#"{"title":"kept"}"#);
                while let (201, text) = create() {
                    let task: serde_json::Value = serde_json::from_str(&text).unwrap();
                    acknowledged
                        .lock()
                        .unwrap()
                        .push(task["id"].as_u64().unwrap());
                }
            });
        }
        eventually("some writes were acknowledged", || {
            (acknowledged.lock().unwrap().len() > 30).then_some(())
        });
        signal(rig.pid("instance-1"), Signal::KILL);
    });
    let died = eventually("the death is noticed", || rig.fleet.dead().pop());
    assert_eq!(sources(&[died]), ["died instance-1"]);
    assert!(rig.fleet.dead().is_empty()); // told once

    let outcome = rig.fleet.restart(None, &|_| ()); // which brings it back
    assert!(matches!(outcome, Outcome::Applied { .. }), "{outcome:?}");
    for id in acknowledged.into_inner().unwrap() {
        let path = format!("/tasks/{id}");
        let (status, text) = rig.ask("PATCH", &path, contributor, r#"{"done":true}"#);
        assert!(status == 200 && text.contains("kept"), "{status} {text}");
    }
}

#[test]
fn a_gauge_that_cannot_be_read_is_an_event() {
    let rig = Rig::launch(&small());
    signal(rig.pid("instance-2"), Signal::KILL);
    eventually("it ended", || (!rig.fleet.dead().is_empty()).then_some(()));
    let failed: Vec<_> = rig
        .fleet
        .sample(Nanos::ZERO, rig.clock.now())
        .into_iter()
        .filter_map(Result::err)
        .collect();
    assert!(
        matches!(&failed[..], [Event::ScrapeFailed { source, .. }] if *source == SourceName::Instance(2)),
        "{failed:?}"
    );
}

#[test]
fn workers_are_threads_with_names() {
    let rig = Rig::launch(&small());
    let tasks = format!("/proc/{}/task", rig.pid("instance-1"));
    let mut names: Vec<String> = std::fs::read_dir(tasks)
        .unwrap()
        .map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap())
        .map(|name| name.trim().to_owned())
        .collect();
    names.sort_unstable();
    for name in ["instance-1", "worker-1", "worker-2", "control"] {
        assert!(names.iter().any(|known| known == name), "{name}: {names:?}");
    }
}

#[test]
fn a_slow_stop_delays_no_gauge() {
    let rig = Rig::launch(&small());
    signal(rig.pid("instance-1"), Signal::STOP);
    let events = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let restart = scope.spawn(|| {
            let rig = &rig;
            rig.fleet
                .restart(None, &|event| events.lock().unwrap().push(event))
        });
        eventually("it is being stopped", || {
            let running = rig.fleet.processes();
            let gone = running.iter().all(|process| process.name != "instance-1");
            gone.then_some(())
        });
        let begun = std::time::Instant::now();
        for sample in rig.fleet.sample(Nanos::ZERO, rig.clock.now()) {
            assert!(sample.is_ok(), "{sample:?}"); // down on purpose is no failure
        }
        assert!(begun.elapsed() < Duration::from_secs(2), "{begun:?}");
        assert!(!restart.is_finished());
        let outcome = restart.join().unwrap();
        assert!(matches!(outcome, Outcome::Applied { .. }), "{outcome:?}");
    });
    assert!(rig.fleet.dead().is_empty()); // it was killed, it did not die
    assert_incomplete(&events.into_inner().unwrap(), "instance-1");
}
