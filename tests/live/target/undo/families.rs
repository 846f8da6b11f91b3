//! What a target has started while a fault acted, wherever it went.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use super::super::undone::guardian;
use super::super::{SOON, leftovers};
use super::{Case, PREFORK, command, free_port, open_files, recover, said, with_limit};
use crate::rig::{alive, signal};
use crate::run::{alone, wait_until};

/// Limits all, and ends the worker while they act: another takes its place.
const LIMITED: &str = r#"
    [[timeline]]
    at = "1s"
    do = "process"
    fault = "limit"
    open_files = 77
    phase = "limited"
    [[timeline]]
    at = "1500ms"
    do = "process"
    fault = "kill"
    whom = "child"
    phase = "killed"
"#;

fn prefork(end: &str, rest: &str) -> Case {
    let text = command(free_port(), "", end, &format!("{LIMITED}{rest}"));
    let case = Case::new(
        &text
            .replace("\"server.py\",", "\"prefork.py\",")
            .replace("\"]\n", "\", \"daemon\"]\n"),
    );
    fs::write(case.folder.path().join("prefork.py"), PREFORK).unwrap();
    case
}

#[test]
fn a_lift_reaches_what_was_started_while_the_limit_acted() {
    let _alone = alone();
    let lift = "[[timeline]]\nat = \"3s\"\ndo = \"process\"\nfault = \"lift\"\n";
    let case = prefork("6s", lift);
    let folder = case.folder.path().to_owned();
    let child = case.start();
    // The first process, the worker that took the other's place, and the one in a
    // session of its own.
    wait_until(SOON, "what is new has its limits handed down", || {
        with_limit(&folder, "77") == 3
    });
    wait_until(SOON, "the limit is lifted", || {
        case.events("action_ended").len() == 3
    });
    assert_eq!(case.outcome(2)["outcome"], "applied");
    assert_eq!(with_limit(&folder, "77"), 0, "{:?}", open_files(&folder));
    assert_eq!(open_files(&folder).len(), 3);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    // What has left the group ends with the run, and is told of.
    assert_eq!(leftovers(&folder), Vec::<String>::new());
    let warnings = case.summary()["warnings"].to_string();
    assert!(warnings.contains("outside its group"), "{warnings}");
}

#[test]
fn a_killed_conductor_leaves_nothing_of_the_family() {
    let _alone = alone();
    let case = prefork("60s", "");
    let folder = case.folder.path().to_owned();
    let mut child = case.start();
    wait_until(SOON, "what is new has its limits handed down", || {
        with_limit(&folder, "77") == 3
    });
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until(SOON, "the guardian has ended all of them", || {
        leftovers(&folder).is_empty()
    });
}

#[test]
fn recover_reaches_a_worker_that_was_forked_while_the_limit_acted() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("prefork.py"), PREFORK).unwrap();
    let port = free_port();
    let mut theirs = Command::new("python3")
        .args(["prefork.py", &port.to_string()])
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_until(SOON, "it serves", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    let before = open_files(folder.path());
    let case = Case::new(&format!(
        "end = \"60s\"\n[target]\nport = {port}\n[load]\nrate = \"20/s\"\n{LIMITED}"
    ));
    let mut child = case.start();
    wait_until(SOON, "the new worker has its limits handed down", || {
        case.events("action_ended").len() == 2 && with_limit(folder.path(), "77") == 2
    });
    signal(guardian(child.id()), Signal::KILL);
    child.kill().unwrap();
    child.wait().unwrap();
    let output = recover(&case.directory(), &["--yes"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(
        said(&output).contains("1 that were started meanwhile"),
        "{}",
        said(&output)
    );
    let after = open_files(folder.path());
    assert_eq!(with_limit(folder.path(), &before[0].1), 2, "{after:?}");
    assert!(said(&recover(&case.directory(), &[])).contains("Nothing is left to undo"));
    for (pid, _) in after {
        signal(pid, Signal::KILL);
    }
    theirs.wait().unwrap();
}

/// Between the target's beginning and the load's something may fail too.
#[test]
fn where_no_load_can_begin_nothing_of_the_family_is_left() {
    let _alone = alone();
    let port = free_port();
    // Whom it trusts is asked for first where its load begins.
    let target = format!("ready = \"GET http://127.0.0.1:{port}/health\"\nca = \"none.pem\"");
    let text = command(port, &target, "60s", "");
    let started = format!("\"setsid sleep 120 & exec python3 server.py {port}\"]");
    let text = text
        .replace("url = \"http:", "url = \"https:")
        .replace("[\"python3\",", "[\"sh\", \"-c\",")
        .replace(&format!("\"server.py\", \"{port}\"]"), &started);
    let case = Case::new(&text);
    let output = case.run();
    assert!(!output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("none.pem"), "{}", said(&output));
    assert_eq!(leftovers(case.folder.path()), Vec::<String>::new());
    let warnings = format!("{:?}", case.events("warning"));
    assert!(warnings.contains("outside its group"), "{warnings}");
    let left = recover(&case.directory(), &[]);
    assert!(
        said(&left).contains("Nothing is left to undo"),
        "{}",
        said(&left)
    );
}

/// The fleet's conductor is ended too: one that went on would have nothing to drive.
#[test]
fn a_fleet_whose_conductor_stands_still_is_ended_with_it() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("run");
    let mut child = crate::run::threadbare()
        .args(["run", "missing-await", "--out"])
        .arg(&directory)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let began = || {
        let events = crate::run::events(&directory);
        events.iter().any(|event| event["event"] == "load_started")
    };
    wait_until(SOON, "the load begins", began);
    let pids = crate::founding::pids(&directory);
    signal(child.id(), Signal::STOP);
    wait_until(Duration::from_secs(30), "the guardian ends it", || {
        child.try_wait().unwrap().is_some()
    });
    wait_until(SOON, "its processes have ended", || {
        pids.iter().all(|pid| !alive(*pid))
    });
    let output = child.wait_with_output().unwrap();
    assert!(
        said(&output).contains("stood still for 15s"),
        "{}",
        said(&output)
    );
    let output = recover(&directory, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let report = crate::run::threadbare()
        .arg("report")
        .arg(&directory)
        .output();
    let report = report.unwrap();
    assert_eq!(report.status.code(), Some(0));
    assert!(
        said(&report).contains("did not reach its planned end"),
        "{}",
        said(&report)
    );
}
