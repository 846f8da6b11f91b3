//! The embedded fleet, with real processes, threads and sockets.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests are tests, which clippy.toml allows it in"
)]

#[path = "common/target.rs"]
mod common;
#[path = "fleet_limits/limits.rs"]
mod limits;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::num::NonZeroU32;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Operate as _, Rig, alive, ask, eventually, instance, small, sources};
use rustix::process::Signal;
use threadbare::clock::Clock;
use threadbare::error::Kind;
use threadbare::fleet::{Fleet, Launch, StandaloneFleet, serve_alone};
use threadbare::model::{ReleasePolicy, Role, SlowPart};
use threadbare::record::{Event, InstanceCounters, Measure, Outcome, PAUSED};
use threadbare::units::{Nanos, Ratio};

const LIST: &str = "/projects/1/tasks";

fn detached(unverified: &str) -> BTreeMap<String, String> {
    [
        ("authorization.verification", "detached"),
        ("authorization.unverified", unverified),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

fn push(rig: &Rig, unverified: &str, schema: Option<u32>) -> Outcome {
    let set = detached(unverified);
    let now = rig.clock.now();
    rig.fleet.push(now, "ops", &set, schema, false, None)
}

fn sum(all: &[InstanceCounters]) -> InstanceCounters {
    let mut sum = InstanceCounters::default();
    for counters in all {
        sum.merge(counters);
    }
    sum
}

#[test]
fn users_list_create_and_update_as_their_roles_allow() {
    let rig = Rig::launch(&small());
    let [viewer, contributor, manager] = Role::ALL.map(|role| rig.token(role));
    for (method, path, token, body, status, part) in [
        ("GET", LIST, viewer, "", 200, r#"{"tasks":[{"#),
        (
            "POST",
            LIST,
            contributor,
            r#"{"title":"new"}"#,
            201,
            r#""id":101,"#,
        ),
        ("GET", LIST, viewer, "", 200, r#""title":"new""#),
        (
            "PATCH",
            "/tasks/3",
            contributor,
            r#"{"done":true}"#,
            200,
            r#""done":true"#,
        ),
        (
            "POST",
            "/projects/2/close",
            manager,
            "",
            200,
            r#""closed":true"#,
        ),
        (
            "POST",
            "/projects/2/close",
            manager,
            "",
            200,
            r#""closed":true"#,
        ), // again
        ("GET", "/healthz", "", "", 200, "ok"),
        ("GET", "/readyz?deep=true", "", "", 200, "ok"),
        (
            "GET",
            "/readyz?deep=true",
            rig.fleet.tokens().service(),
            "",
            200,
            "ok",
        ),
        (
            "PATCH",
            "/tasks/3",
            viewer,
            r#"{"done":true}"#,
            403,
            r#"{"error":"#,
        ),
        (
            "POST",
            LIST,
            viewer,
            r#"{"title":"new"}"#,
            403,
            r#"{"error":"#,
        ),
        (
            "POST",
            "/projects/2/close",
            contributor,
            "",
            403,
            r#"{"error":"#,
        ),
        ("GET", LIST, "nobody", "", 401, r#"{"error":"#),
        ("GET", LIST, "", "", 401, r#"{"error":"#),
        ("GET", "/projects/99/tasks", viewer, "", 404, r#"{"error":"#),
        (
            "PATCH",
            "/tasks/999",
            contributor,
            r#"{"done":true}"#,
            404,
            r#"{"error":"#,
        ),
        ("DELETE", "/tasks/3", manager, "", 405, r#"{"error":"#),
        ("POST", LIST, contributor, "{", 400, r#"{"error":"#),
        (
            "POST",
            LIST,
            contributor,
            &"x".repeat(20_000),
            413,
            r#"{"error":"#,
        ),
    ] {
        let (found, text) = rig.ask(method, path, token, body);
        assert_eq!(found, status, "{method} {path} {text}");
        assert!(text.contains(part), "{method} {path} {text}");
    }
}

#[test]
fn a_denied_detached_verification_answers_500_and_still_holds_a_worker() {
    let rig = Rig::launch(&small());
    let viewer = rig.token(Role::Viewer);
    let Outcome::Applied { .. } = push(&rig, "deny", None) else {
        panic!("nothing refuses it");
    };
    rig.instances();
    for _ in 0..10 {
        assert_eq!(rig.ask("GET", LIST, viewer, "").0, 500);
    }
    let mut total = InstanceCounters::default();
    eventually("every verification ended", || {
        total.merge(&sum(&rig.instances()));
        (total.finished >= 20).then_some(())
    });
    assert_eq!((total.enqueued, total.detached), (20, 10));
    assert!(total.busy_detached_ns > Nanos::from_millis(10).0); // 10 of 1 ms each
    assert!(total.busy_detached_ns <= total.busy_ns);
}

#[test]
fn an_allowed_detached_verification_lets_everyone_in() {
    let rig = Rig::launch(&small());
    push(&rig, "allow", None);
    let (status, text) = rig.ask(
        "PATCH",
        "/tasks/3",
        rig.token(Role::Viewer),
        r#"{"done":true}"#,
    );
    assert_eq!(status, 200, "{text}");
}

#[test]
fn a_hanging_verification_never_answers_and_keeps_no_worker() {
    let rig = Rig::launch(&small());
    push(&rig, "hang", None);
    let viewer = rig.token(Role::Viewer);
    for _ in 0..6 {
        let patience = Duration::from_millis(100);
        assert!(rig.try_ask("GET", LIST, viewer, "", patience).is_err());
    }
    assert_eq!(rig.ask("GET", "/healthz", "", "").0, 200);
}

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
fn work_for_a_caller_who_has_gone_is_measured() {
    let mut spec = small();
    spec.database = "constant(200ms)".parse().unwrap();
    let rig = Rig::launch(&spec);
    let patience = Duration::from_millis(50);
    let answer = rig.try_ask("GET", LIST, rig.token(Role::Viewer), "", patience);
    assert!(answer.is_err(), "{answer:?}");
    let mut total = InstanceCounters::default();
    eventually("the job ended", || {
        total.merge(&sum(&rig.instances()));
        (total.finished == 1).then_some(())
    });
    let zombie = Nanos(total.busy_zombie_ns).as_millis_f64();
    assert!((100.0..=160.0).contains(&zombie), "{zombie} ms");
}

#[test]
fn a_full_queue_and_an_expired_job_are_answered_503() {
    let mut spec = small();
    (spec.instances, spec.workers) = (1, 1);
    spec.queue = "bounded(1), expire 20ms".parse().unwrap();
    spec.database = "constant(100ms)".parse().unwrap();
    let rig = Rig::launch(&spec);
    let viewer = rig.token(Role::Viewer);
    let mut total = InstanceCounters::default();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| rig.ask("GET", LIST, viewer, "").0);
        eventually("the worker holds a job", || {
            let now = sum(&rig.instances());
            total.merge(&now);
            (now.running == 1).then_some(())
        });
        let second = scope.spawn(|| rig.ask("GET", LIST, viewer, ""));
        eventually("a job waits", || {
            let now = sum(&rig.instances());
            total.merge(&now);
            (now.waiting == 1).then_some(())
        });
        let (status, text) = rig.ask("GET", LIST, viewer, "");
        assert!(status == 503 && text.contains("full"), "{status} {text}");
        let (status, text) = second.join().unwrap();
        assert!(
            status == 503 && text.contains("too long"),
            "{status} {text}"
        );
        assert_eq!(first.join().unwrap(), 200);
    });
    total.merge(&sum(&rig.instances()));
    assert_eq!((total.enqueued, total.finished), (2, 1));
    assert_eq!((total.expired, total.rejected), (1, 1));
}

#[test]
fn a_restarted_instance_is_cold_until_it_has_seen_its_users() {
    let mut spec = small();
    spec.instances = 1;
    let rig = Rig::launch(&spec);
    let viewer = rig.token(Role::Viewer);
    rig.ask("GET", LIST, viewer, "");
    assert_eq!(sum(&rig.instances()).busy_cold_ns, 0);
    rig.fleet.restart(None, &|_| ());
    rig.instances();
    for _ in 0..3 {
        rig.ask("GET", LIST, viewer, "");
    }
    // One verification of 6 ms, where a warm one takes 1 ms.
    assert_eq!(sum(&rig.instances()).busy_cold_ns, 5_000_000);
}

#[test]
fn the_balancer_admits_the_exact_share() {
    let rig = Rig::launch(&small());
    rig.fleet.admit(Ratio::new(0.45).unwrap());
    let shed = (0..100)
        .filter(|_| rig.ask("GET", "/healthz", "", "").0 == 503)
        .count();
    assert_eq!(shed, 55);
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

fn signal(pid: u32, signal: Signal) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
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
        matches!(&failed[..], [Event::ScrapeFailed { source, .. }] if source == "instance-2"),
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
fn nothing_is_left_after_a_fleet() {
    let rig = Rig::launch(&small());
    rig.fleet.restart(Some(Nanos::ZERO), &|_| ());
    let processes = rig.processes.lock().unwrap().clone();
    assert_eq!(processes.len(), 4 + 2); // and two after the restart
    drop(rig);
    for process in processes {
        assert!(!alive(process.pid), "{process:?}");
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

/// Two instances were restarted, and one of them gave no final counters.
fn assert_incomplete(events: &[Event], name: &str) {
    let warnings: Vec<&String> = events
        .iter()
        .filter_map(|event| match event {
            Event::Warning { text } => Some(text),
            _ => None,
        })
        .collect();
    assert_eq!((events.len(), warnings.len()), (4, 1), "{events:?}");
    assert!(warnings[0].starts_with(name), "{warnings:?}");
    assert!(warnings[0].contains("are incomplete"), "{warnings:?}");
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

#[test]
fn a_set_up_can_be_interrupted() {
    let directory = tempfile::tempdir().unwrap();
    let mut spec = small();
    spec.boot = Nanos::from_secs(60);
    let stop = Arc::new(AtomicBool::new(false));
    let (raise, seen) = (Arc::clone(&stop), Arc::new(Mutex::new(Vec::new())));
    let started = Arc::clone(&seen);
    let begun = std::time::Instant::now();
    let launched = Fleet::launch(Launch {
        spec: &spec,
        seed: 1,
        clock: Clock::start(),
        data: &directory.path().join("data"),
        binary: env!("CARGO_BIN_EXE_threadbare").as_ref(),
        listen: None,
        stop: Some(&stop),
        on_process: Box::new(move |process| {
            raise.store(process.name == "instance-2", Ordering::Relaxed);
            started.lock().unwrap().push(process);
        }),
    });
    let error = launched.err().expect("it was interrupted");
    assert!(error.to_string().contains("interrupted"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{begun:?}");
    let started = seen.lock().unwrap();
    assert_eq!(started.len(), 3); // the balancer was not reached
    for process in started.iter() {
        assert!(!alive(process.pid), "{process:?}");
    }
}

#[test]
fn what_a_fleet_writes_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).unwrap();
    let rig = Rig::launch_in(directory, &small());
    let contributor = rig.token(Role::Contributor);
    let (status, text) = rig.ask("POST", LIST, contributor, r#"{"title":"a"}"#);
    assert_eq!(status, 201, "{text}");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    let mut names: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(&data).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(mode(&entry.path()), 0o600, "{entry:?}");
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort_unstable();
    let expected = ["control.token", "fleet.db", "fleet.db-shm", "fleet.db-wal"];
    assert_eq!(names, expected);
    assert_eq!(mode(rig.fleet.log()), 0o600);
}

#[test]
fn a_fleet_that_cannot_start_says_why() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let spec = small();
    let binary = env!("CARGO_BIN_EXE_threadbare");
    for (name, binary, listen, kind, part) in [
        ("a", binary, taken.local_addr().ok(), Kind::Unfit, "in use"),
        (
            "b",
            "/nowhere/threadbare",
            None,
            Kind::Failed,
            "/nowhere/threadbare",
        ),
        (
            "c",
            "/bin/false",
            None,
            Kind::Failed,
            "identity did not start",
        ),
        ("a", binary, None, Kind::Usage, "already holds something"),
    ] {
        let started = Fleet::launch(Launch {
            spec: &spec,
            seed: 1,
            clock: Clock::start(),
            data: &directory.path().join(name),
            binary: binary.as_ref(),
            listen,
            stop: None,
            on_process: Box::new(|_| ()),
        });
        let error = started.err().expect("it cannot start");
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
}

/// An identity service by hand: its process, its address, its control listener's.
fn identity(latency: &str) -> (std::process::Child, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_threadbare"))
        .args(["__part", "identity"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let config = serde_json::json!({
        "name": "identity", "token": "secret", "seed": 1, "verifications_max": 16,
        "spec": threadbare::model::IdentitySpec {
            latency: latency.parse().unwrap(), capacity: 2, cold_factor: 2.0,
            ..threadbare::model::IdentitySpec::default()
        },
    });
    writeln!(child.stdin.as_mut().unwrap(), "{config}").unwrap();
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(child.stdout.as_mut().unwrap());
    std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
    let answer: serde_json::Value = serde_json::from_str(&line).unwrap();
    let address = |name: &str| answer["ready"][name].as_str().unwrap().to_owned();
    (child, address("address"), address("control"))
}

#[test]
fn the_control_listener_lets_only_the_conductor_in() {
    let (mut child, _, control) = identity("constant(1ms)");
    let address = control.parse().unwrap();
    let token = ("authorization", "Bearer secret".to_owned());
    let host = |host: &str| ("host", host.to_owned());
    let port = control.rsplit(':').next().unwrap();
    for (headers, status) in [
        (vec![token.clone()], 200),
        (vec![token.clone(), host(&format!("localhost:{port}"))], 200),
        (vec![], 401),
        (vec![("authorization", "Bearer guess".to_owned())], 401),
        (
            vec![token.clone(), ("origin", "http://127.0.0.1".to_owned())],
            403,
        ),
        (
            vec![token.clone(), host(&format!("evil.example:{port}"))],
            403,
        ),
        (vec![token.clone(), host("127.0.0.1:1")], 403),
    ] {
        let patience = Duration::from_secs(5);
        let (found, text) = ask(address, "GET", "/gauges", &headers, "", patience).unwrap();
        assert_eq!(found, status, "{headers:?} {text}");
        assert!(text.starts_with('{'), "{text}");
    }
    drop(child.stdin.take());
    eventually("it ends with its standard input", || {
        child.try_wait().unwrap()
    });
}

#[test]
fn verifications_are_far_more_precise_than_a_millisecond() {
    let (mut child, service, _) = identity("constant(3100us)");
    let took = |held| {
        let path = format!("/verify?user=1&held={held}");
        let begun = std::time::Instant::now();
        let address = service.parse().unwrap();
        let (status, _) = ask(address, "GET", &path, &[], "", Duration::from_secs(5)).unwrap();
        assert_eq!(status, 200);
        begun.elapsed()
    };
    // The shortest of many: what the machine is busy with does not count.
    let warm = (0..30).map(|_| took(true)).min().unwrap();
    let cold = (0..30).map(|_| took(false)).min().unwrap();
    for (took, expected_us) in [(warm, 3_100), (cold, 6_200)] {
        let over = took
            .checked_sub(Duration::from_micros(expected_us))
            .unwrap();
        assert!(over < Duration::from_micros(800), "{took:?}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_fleet_alone_can_be_steered_through_its_control_listener() {
    let directory = tempfile::tempdir().unwrap();
    let (spec, stop) = (small(), AtomicBool::new(false));
    let watcher = Arc::new(());
    let kept = Arc::clone(&watcher);
    let mut steered = None;
    let served = std::thread::scope(|scope| {
        let (sender, ready) = std::sync::mpsc::channel();
        let serving = scope.spawn(|| {
            let sender = sender;
            let launch = Launch {
                spec: &spec,
                seed: 1,
                clock: Clock::start(),
                data: &directory.path().join("data"),
                binary: env!("CARGO_BIN_EXE_threadbare").as_ref(),
                listen: None,
                stop: None,
                on_process: Box::new(move |_| drop(Arc::clone(&kept))),
            };
            let on_event = |_| ();
            serve_alone(
                launch,
                &stop,
                &mut |alone| sender.send(alone.clone()).unwrap(),
                on_event,
            )
        });
        steered = ready
            .recv_timeout(Duration::from_secs(10))
            .ok()
            .map(|alone| steer(&alone));
        stop.store(true, Ordering::Relaxed);
        serving.join().unwrap()
    });
    served.unwrap();
    assert!(
        Arc::into_inner(watcher).is_some(),
        "nobody is told any more"
    );
    let token = directory.path().join("data").join("control.token");
    assert!(!token.exists(), "the token outlives the fleet");
    for (what, found, expected) in steered.expect("it served") {
        assert_eq!(found, expected, "{what}");
    }
}

/// What was asked for, the status it got, and the one it should have got.
fn steer(alone: &StandaloneFleet) -> Vec<(String, u16, u16)> {
    let token = std::fs::read_to_string(&alone.token_file).unwrap();
    let headers = [("authorization", format!("Bearer {}", token.trim()))];
    let push = r#"{"set":{"authorization.verification":"detached"},"schema":2}"#;
    let mut results = Vec::new();
    for (method, path, body, expected) in [
        ("GET", "/gauges", "", 200),
        ("POST", "/push", push, 200),
        ("POST", "/push", r#"{"set":{"colour":"red"}}"#, 409),
        ("POST", "/push", "{", 400),
        ("POST", "/rollback", "", 409),
        ("POST", "/waive", r#"{"check":"schema current"}"#, 200),
        ("POST", "/slow", r#"{"part":"database","factor":2}"#, 200),
        ("POST", "/slow", r#"{"part":"database","factor":0}"#, 400),
        ("POST", "/slow", r#"{"part":"kitchen","factor":2}"#, 400),
        ("POST", "/pause", r#"{"instances":1}"#, 200),
        ("POST", "/pause", r#"{"instances":0}"#, 400),
        ("POST", "/continue", "", 200),
        ("POST", "/rollback", "", 200),
        ("POST", "/admission", r#"{"share":"45 %"}"#, 200),
        ("POST", "/admission", r#"{"share":"45"}"#, 400),
        ("POST", "/restart", r#"{"pause":"1ms"}"#, 200),
        ("POST", "/restart", "", 200),
        ("GET", "/push", "", 404),
    ] {
        let patience = Duration::from_secs(10);
        let answer = ask(alone.control, method, path, &headers, body, patience);
        let (found, text) = answer.unwrap();
        results.push((format!("{method} {path} {body}: {text}"), found, expected));
    }
    let strangers = ask(
        alone.control,
        "GET",
        "/gauges",
        &[],
        "",
        Duration::from_secs(5),
    );
    results.push(("without a token".into(), strangers.unwrap().0, 401));
    results
}

fn state(pid: u32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    rest.chars().next().unwrap()
}

fn assert_applied(outcome: &Outcome, part: &str) {
    let Outcome::Applied { detail } = outcome else {
        panic!("{outcome:?}");
    };
    assert!(detail.contains(part), "{detail}");
}

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
    eventually("it stands still", || (state(paused) == 'T').then_some(()));
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
        assert_eq!((source.as_str(), cause.as_str()), ("instance-1", PAUSED));
        assert!(rig.fleet.dead().is_empty()); // to stand still is not to die
        // A release reaches it when it goes on, before anything it does from then on.
        let detail = "to be in force when they go on: instance-1";
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
    });
    let Outcome::Rejected { check, .. } = push(&rig, "deny", None) else {
        panic!("nobody ran the tests");
    };
    assert_eq!(check, "tests run");
    assert_eq!(rig.ask("GET", LIST, rig.token(Role::Viewer), "").0, 200);
    rig.fleet.waive("tests run");
    assert_applied(&push(&rig, "deny", None), "version 2");
}
