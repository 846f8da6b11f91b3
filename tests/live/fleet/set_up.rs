//! How a fleet begins, and that nothing is left after it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use threadbare::clock::Clock;
use threadbare::error::Kind;
use threadbare::fleet::{Fleet, Launch};
use threadbare::model::Role;
use threadbare::units::Nanos;

use super::LIST;
use crate::rig::{Operate as _, Rig, alive, ask, eventually, small};

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
    assert_eq!(mode(&data.with_extension("log")), 0o600);
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
        ("a", binary, None, Kind::Usage, "is not empty"),
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
