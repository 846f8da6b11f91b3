//! A fleet that serves by itself, steered through its control listener.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use threadbare::bounds::LISTENER_CONNECTIONS_MAX;
use threadbare::clock::Clock;
use threadbare::fleet::{Launch, StandaloneFleet, serve_alone};
use threadbare::model::ReleasePolicy;

use crate::rig::{ask, small};

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
                ReleasePolicy::default(),
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
    results.extend(crowded(alone, &headers));
    results
}

/// Asks while connections are open that say nothing, or half of a request: they keep nobody
/// out, however many they are.
fn crowded(alone: &StandaloneFleet, headers: &[(&str, String)]) -> Vec<(String, u16, u16)> {
    let mut open = Vec::new();
    let mut results = Vec::new();
    for (what, said) in [
        ("connections that say nothing", ""),
        ("half a head", "GET /gauges HT"),
        (
            "half a body",
            "POST /push HTTP/1.1\r\nContent-Length: 9\r\n\r\n{",
        ),
    ] {
        for _ in 0..3 * LISTENER_CONNECTIONS_MAX {
            let mut stream = TcpStream::connect(alone.control).unwrap();
            // It may have been closed already for the next.
            let _ = stream.write_all(said.as_bytes());
            open.push(stream);
        }
        let patience = Duration::from_secs(10);
        let answer = ask(alone.control, "GET", "/gauges", headers, "", patience);
        let status = answer.map_or(0, |(status, _)| status);
        results.push((format!("beside {what}"), status, 200));
    }
    results
}
