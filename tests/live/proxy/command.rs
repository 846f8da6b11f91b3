//! `threadbare proxy` and `threadbare occupy` as their user meets them.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::peers::{connect, round};
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

#[test]
fn it_tells_where_it_is_and_what_it_did() {
    let to = echo().to_string();
    let arguments = ["proxy", "--listen", "127.0.0.1:0", "--to", &to];
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
    let address = lines[0].split(' ').next().unwrap().parse().unwrap();
    assert!(lines[1].starts_with("Toxiproxy's API is at http://127.0.0.1:"));
    assert!(
        lines
            .iter()
            .any(|line| line.contains("/proxies/proxy/toxics"))
    );
    let mut stream = connect(address);
    round(&mut stream);
    let pid = Pid::from_raw(child.0.id().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    assert_eq!(child.0.wait().unwrap().code(), Some(130));
    let mut told = String::new();
    out.read_to_string(&mut told).unwrap();
    assert_eq!(
        told,
        "proxy: 1 connection, 1 byte to the target, 1 byte to clients\n"
    );
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
