//! A load that ends before its planned end, with operations under way.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::gate::said;
use super::held::HeldAnswers;
use crate::run::{alone, summary, wait_until};
use crate::server::{ScriptedAnswer, Server};

/// Starts a load, which `ends` ends; the answers are let go once it has ended.
fn ended(folder: &Path, words: &[&str], held: &HeldAnswers, ends: impl FnOnce(&Child)) -> Output {
    let mut load = Command::new(env!("CARGO_BIN_EXE_threadbare"))
        .args(words)
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(load.stderr.take().unwrap());
    ends(&load);
    let mut line = String::new();
    while !line.contains("load ends; draining") {
        line.clear();
        assert!(told.read_line(&mut line).unwrap() > 0, "it ended too soon");
    }
    held.let_go();
    // It must not be held up by what nobody reads.
    let rest = thread::spawn(move || std::io::copy(&mut told, &mut std::io::sink()));
    let output = load.wait_with_output().unwrap();
    rest.join().unwrap().unwrap();
    output
}

#[test]
fn an_expectation_that_is_lost_is_judged_whatever_was_under_way() {
    let _alone = alone();
    let held = HeldAnswers::default();
    let server = Server::start({
        let (held, came) = (held.clone(), AtomicUsize::new(0));
        move |_| {
            if came.fetch_add(1, Ordering::SeqCst).is_multiple_of(20) {
                held.wait();
                return ScriptedAnswer::status(200);
            }
            ScriptedAnswer::status(500)
        }
    });
    let url = format!("http://{}/", server.address());
    let folder = tempfile::tempdir().unwrap();
    // A tenth of all 3,000 has failed after three seconds and a bit.
    let words = [
        "load", &url, "-R", "100", "-d", "30s", "-c", "200", "--abort", "--expect",
    ];
    let words = [&words[..], &["error share <= 10 %"]].concat();
    let output = ended(folder.path(), &words, &held, |_| ());
    assert_eq!(output.status.code(), Some(99), "{}", said(&output));
    assert!(!said(&output).contains("INVALID"), "{}", said(&output));
}

#[test]
fn a_signal_ends_a_load_and_not_what_is_under_way() {
    let _alone = alone();
    for out in [&[][..], &["--out", "run"]] {
        let held = HeldAnswers::default();
        let server = Server::start({
            let held = held.clone();
            move |_| {
                held.wait();
                ScriptedAnswer::status(200)
            }
        });
        let url = format!("http://{}/", server.address());
        let folder = tempfile::tempdir().unwrap();
        let words = ["load", &url, "-R", "20", "-d", "60s", "-c", "200"];
        let words = [&words[..], out].concat();
        let output = ended(folder.path(), &words, &held, |load| {
            wait_until(Duration::from_secs(30), "some are under way", || {
                server.requests().len() >= 15
            });
            kill_process(Pid::from_child(load), Signal::INT).unwrap();
        });
        assert_eq!(output.status.code(), Some(130), "{}", said(&output));
        assert!(said(&output).contains("(100.00 %)"), "{}", said(&output));
        assert!(!said(&output).contains("INVALID"), "{}", said(&output));
        if let Some(summary) = summary(&folder.path().join("run")) {
            assert_eq!(summary["ending"]["by"], "interrupted");
            assert_eq!(summary["conservation"]["unfinished"], 0, "{summary}");
            assert_eq!(summary["measurement"]["validity"], "valid", "{summary}");
        }
        assert_eq!(folder.path().join("run").exists(), !out.is_empty());
    }
}

#[test]
fn a_second_signal_ends_the_wait_and_the_result_is_told() {
    let _alone = alone();
    let server = Server::start(|_| ScriptedAnswer::never());
    let url = format!("http://{}/", server.address());
    let folder = tempfile::tempdir().unwrap();
    let words = ["load", &url, "-R", "20", "-d", "60s", "-c", "200"];
    let words = [&words[..], &["--timeout", "1h"]].concat();
    let mut load = Command::new(env!("CARGO_BIN_EXE_threadbare"))
        .args(words)
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(load.stderr.take().unwrap());
    wait_until(Duration::from_secs(30), "some are under way", || {
        server.requests().len() >= 5
    });
    kill_process(Pid::from_child(&load), Signal::INT).unwrap();
    let mut line = String::new();
    while !line.contains("load ends; draining") {
        line.clear();
        assert!(told.read_line(&mut line).unwrap() > 0, "it ended too soon");
    }
    kill_process(Pid::from_child(&load), Signal::INT).unwrap();
    let rest = thread::spawn(move || std::io::copy(&mut told, &mut std::io::sink()));
    let output = load.wait_with_output().unwrap();
    rest.join().unwrap().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", said(&output));
    assert!(said(&output).contains("unfinished"), "{}", said(&output));
}
