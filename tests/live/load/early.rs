//! A load that ends before its planned end, with operations under way.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::gate::said;
use super::held::HeldAnswers;
use crate::run::{alone, summary, wait_until};
use crate::server::{ScriptedAnswer, Server};

/// A load under way, and what it tells meanwhile. A test that fails leaves none behind.
struct Load {
    child: Option<Child>,
    told: BufReader<ChildStderr>,
}

impl Drop for Load {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Load {
    /// On this server, for a minute at most.
    fn start(folder: &Path, server: &Server, words: &[&str]) -> Self {
        let url = format!("http://{}/", server.address());
        let mut child = Command::new(env!("CARGO_BIN_EXE_threadbare"))
            .args(["load", &url, "-c", "200", "--timeout", "60s"])
            .args(words)
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let told = BufReader::new(child.stderr.take().unwrap());
        Self {
            child: Some(child),
            told,
        }
    }

    fn interrupt(&self) {
        let child = self.child.as_ref().unwrap();
        kill_process(Pid::from_child(child), Signal::INT).unwrap();
    }

    /// Returns once nothing is offered any more.
    fn until_it_drains(&mut self) {
        let mut line = String::new();
        while !line.contains("load ends; draining") {
            line.clear();
            let read = self.told.read_line(&mut line).unwrap();
            assert!(read > 0, "it ended too soon");
        }
    }

    fn end(mut self) -> Output {
        let child = self.child.take().unwrap();
        let told = &mut self.told;
        thread::scope(|scope| {
            // It must not be held up by what nobody reads.
            scope.spawn(move || std::io::copy(told, &mut std::io::sink()).unwrap());
            child.wait_with_output().unwrap()
        })
    }
}

/// Waits until so many requests are under way.
fn under_way(server: &Server, requests: usize) {
    wait_until(Duration::from_secs(30), "some are under way", || {
        server.requests().len() >= requests
    });
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
    let folder = tempfile::tempdir().unwrap();
    // More have failed after a second and a bit.
    let words = ["-R", "100", "-d", "30s", "--abort", "--expect"];
    let words = [&words[..], &["failures <= 100"]].concat();
    let mut load = Load::start(folder.path(), &server, &words);
    load.until_it_drains();
    held.let_go();
    let output = load.end();
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
        let folder = tempfile::tempdir().unwrap();
        let words = [&["-R", "20", "-d", "60s"], out].concat();
        let mut load = Load::start(folder.path(), &server, &words);
        under_way(&server, 15);
        load.interrupt();
        load.until_it_drains();
        held.let_go();
        let output = load.end();
        assert_eq!(output.status.code(), Some(130), "{}", said(&output));
        assert!(said(&output).contains("(100.00 %)"), "{}", said(&output));
        assert!(!said(&output).contains("INVALID"), "{}", said(&output));
        let summary = summary(&folder.path().join("run"));
        assert_eq!(summary.is_some(), !out.is_empty());
        if let Some(summary) = summary {
            assert_eq!(summary["ending"]["by"], "interrupted");
            assert_eq!(summary["conservation"]["unfinished"], 0, "{summary}");
            assert_eq!(summary["measurement"]["validity"], "valid", "{summary}");
        }
    }
}

#[test]
fn a_second_signal_ends_the_wait_and_the_result_is_told() {
    let _alone = alone();
    let server = Server::start(|_| ScriptedAnswer::never());
    let folder = tempfile::tempdir().unwrap();
    let words = ["-R", "20", "-d", "60s"];
    let mut load = Load::start(folder.path(), &server, &words);
    under_way(&server, 5);
    load.interrupt();
    load.until_it_drains();
    load.interrupt();
    let output = load.end();
    assert_eq!(output.status.code(), Some(130), "{}", said(&output));
    assert!(said(&output).contains("unfinished"), "{}", said(&output));
}

/// The series listens too, and ends no sooner than the load.
#[test]
fn a_second_signal_ends_the_wait_of_a_load_in_a_series() {
    let _alone = alone();
    let server = Server::start(|_| ScriptedAnswer::never());
    let folder = tempfile::tempdir().unwrap();
    let words = ["-R", "20", "-d", "60s", "--out", "set", "--repeat", "2"];
    let words = [&words[..], &["--expect", "failures <= 1000"]].concat();
    let load = Load::start(folder.path(), &server, &words);
    under_way(&server, 5);
    load.interrupt();
    let directory = folder.path().join("set/run-01");
    wait_until(Duration::from_secs(30), "it drains", || {
        let journal = fs::read_to_string(directory.join("journal.jsonl"));
        journal.is_ok_and(|it| it.contains("\"load_ended\""))
    });
    load.interrupt();
    let output = load.end();
    assert_eq!(output.status.code(), Some(130), "{}", said(&output));
    let summary = summary(&directory).unwrap_or_else(|| panic!("{}", said(&output)));
    assert_eq!(summary["ending"]["by"], "interrupted");
}
