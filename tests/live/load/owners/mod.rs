//! Causes on the generator's side, one after the other: none is charged to the target.
//!
//! Each test harms the generator or its machine and not the server, which answers as fast
//! as ever. Then the run is invalid, or the percentiles are marked, or they are still those
//! of the server; and the target's part of the time stays what the server's is.

mod away;
mod lacking;
mod slow;

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

use crate::server::{ScriptedAnswer, Server};

/// A server that answers after so many milliseconds.
fn server(millis: u64) -> Server {
    Server::start(move |_| ScriptedAnswer::status(200).after(Duration::from_millis(millis)))
}

/// A load in a process group of its own.
struct Load(Child);

impl Load {
    /// `wrapper`: a command that is given the load's command, or none.
    fn start(wrapper: &[&str], server: &Server, flags: &str) -> Self {
        Self::of(wrapper, &format!("http://{}/", server.address()), flags)
    }

    fn of(wrapper: &[&str], url: &str, flags: &str) -> Self {
        let mut words = wrapper.to_vec();
        words.extend([env!("CARGO_BIN_EXE_threadbare"), "load", url, "--json"]);
        words.extend(flags.split(' '));
        let child = Command::new(words[0])
            .args(&words[1..])
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Self(child.unwrap())
    }

    fn signal(&self, signal: Signal) {
        let group = Pid::from_child(&self.0);
        // A load that has ended needs none.
        let _ = kill_process_group(group, signal);
    }

    /// Stands still for so long.
    fn stand_still(&self, millis: u64) {
        self.signal(Signal::STOP);
        wait(millis);
        self.signal(Signal::CONT);
    }

    fn end(self) -> Summary {
        self.end_with_error().0
    }

    /// What it answered, and what it wrote to standard error.
    fn end_with_error(self) -> (Summary, String) {
        let output = self.0.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        let json = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{error}"));
        let code = output.status.code();
        (Summary { json, code }, error)
    }
}

/// The length of what is injected: an input of the test, and no synchronisation.
fn wait(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}

/// What a load answered.
#[derive(Debug)]
struct Summary {
    json: Value,
    code: Option<i32>,
}

impl Summary {
    fn of(server: &Server, flags: &str) -> Self {
        Load::start(&[], server, flags).end()
    }

    fn number(&self, path: &str) -> f64 {
        self.json
            .pointer(path)
            .and_then(Value::as_f64)
            .unwrap_or(0.0)
    }

    fn reasons(&self) -> String {
        self.json["measurement"]["reasons"].to_string()
    }

    /// Its whole response time has exactly the four owners.
    fn adds_up(&self) {
        let part = |name: &str| {
            let spent = &self.json["time_spent"];
            spent[name]
                .as_u64()
                .unwrap_or_else(|| panic!("{name}: {spent}"))
        };
        let parts = [
            "target_ns",
            "connection_wait_ns",
            "pause_ns",
            "generator_ns",
        ]
        .map(part);
        assert_eq!(part("response_ns"), parts.iter().sum::<u64>());
        assert!(!self.reasons().contains("bug"), "{}", self.reasons());
    }

    /// How many times more of the time was the generator's than the target's.
    fn own_by_target(&self) -> f64 {
        self.adds_up();
        let target = self.number("/time_spent/target_ns").max(1.0);
        self.number("/time_spent/generator_ns") / target
    }

    /// It is not judged, and says so.
    fn is_invalid(&self) -> &Self {
        assert_eq!(
            self.json["measurement"]["validity"], "invalid",
            "{}",
            self.json
        );
        assert_eq!(self.code, Some(97));
        self
    }

    /// Service times are those of the server: at most `most` at the p99.
    fn serves_within(&self, most: f64) {
        let p99 = self.number("/phases/0/service_ms/p99");
        assert!(
            p99 < most,
            "{p99} of at most {most} ms: {}",
            self.json["phases"][0]
        );
    }
}
