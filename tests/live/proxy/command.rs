//! `threadbare proxy` and `threadbare occupy` as their user meets them.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::peers::{connect, end_of, round};
use crate::echo::echo;

fn threadbare(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_threadbare"));
    command.args(arguments);
    command
}

fn failed(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = threadbare(arguments).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

/// A child that does not outlive the test.
struct Guarded(Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A proxy to this address that is used, and then ended by Ctrl-C: what it said first, and
/// what at the end.
fn used(to: &str, use_it: impl FnOnce(SocketAddr)) -> (Vec<String>, String) {
    let arguments = ["proxy", "--listen", "127.0.0.1:0", "--to", to];
    let child = threadbare(&arguments)
        .args(["--api", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn();
    let mut child = Guarded(child.unwrap());
    let mut out = BufReader::new(child.0.stdout.take().unwrap());
    let mut lines = Vec::new();
    while !lines
        .last()
        .is_some_and(|line: &String| line.contains("/reset"))
    {
        let mut line = String::new();
        assert!(out.read_line(&mut line).unwrap() > 0, "{lines:?}");
        lines.push(line);
    }
    use_it(lines[0].split(' ').next().unwrap().parse().unwrap());
    let pid = Pid::from_raw(child.0.id().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    assert_eq!(child.0.wait().unwrap().code(), Some(130));
    let mut told = String::new();
    out.read_to_string(&mut told).unwrap();
    (lines, told)
}

#[test]
fn it_tells_where_it_is_and_what_it_did() {
    let (lines, told) = used(&echo().to_string(), |address| {
        round(&mut connect(address));
    });
    assert!(lines[1].starts_with("Toxiproxy's API is at http://127.0.0.1:"));
    assert!(
        lines
            .iter()
            .any(|line| line.contains("/proxies/proxy/toxics"))
    );
    assert_eq!(
        told,
        "proxy: 1 connection, 1 byte to the target, 1 byte to clients\n"
    );
}

/// A port on which nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn what_could_not_be_reached_is_told_with_its_cause() {
    let (_, told) = used(&nobody(), |address| {
        for _ in 0..2 {
            // It is closed once the other side was refused.
            end_of(&mut connect(address));
        }
    });
    assert!(
        told.ends_with("\n  2 failed: connection refused\n"),
        "{told}"
    );
    let output = threadbare(&["occupy", &nobody(), "-c", "1", "-d", "50ms", "--quiet"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let told = String::from_utf8(output.stdout).unwrap();
    let failed = "0 connections opened, 1 failed; 0 closed by the server, 0 requests answered\n  \
                  1 failed: connection refused\n";
    assert_eq!(told, failed);
}

#[test]
fn what_cannot_be_is_one_sentence_and_an_exit_code() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().to_string();
    let free = "127.0.0.1:0";
    for (arguments, code, part) in [
        (
            vec!["--listen", &port, "--to", free, "--no-api"],
            3,
            "failed to listen on",
        ),
        (
            vec!["--listen", free, "--to", free, "--api", &port],
            3,
            "for the API",
        ),
        (
            vec![
                "--listen",
                free,
                "--to",
                "no-such-host.invalid:80",
                "--no-api",
            ],
            3,
            "failed to resolve the host no-such-host.invalid",
        ),
        (
            vec!["--listen", free, "--to", "192.0.2.1:80", "--no-api"],
            2,
            "--allow-host 192.0.2.1",
        ),
        (
            vec!["--listen", "0.0.0.0:0", "--to", free, "--no-api"],
            2,
            "--allow-host 0.0.0.0",
        ),
        (
            vec!["--listen", "nine", "--to", free, "--no-api"],
            2,
            "write HOST:PORT",
        ),
        (vec!["--api", "0.0.0.0:0"], 2, "loopback only"),
        (vec!["--no-api"], 2, "add --listen and --to"),
    ] {
        let (status, told) = failed(&[&["proxy"], &arguments[..]].concat());
        assert_eq!(status, Some(code), "{arguments:?}: {told}");
        assert!(told.contains(part), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    let (status, told) = failed(&["occupy", "192.0.2.1:80"]);
    assert_eq!(status, Some(2), "{told}");
}

#[test]
fn an_occupation_ends_with_its_time() {
    let to = echo().to_string();
    let arguments = ["occupy", &to, "-c", "3", "-d", "300ms", "--quiet"];
    let output = threadbare(&arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let told = String::from_utf8(output.stdout).unwrap();
    // The echo answers what it is sent, which is no way to be held.
    assert!(told.contains(" opened, 0 failed"), "{told}");
}
