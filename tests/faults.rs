//! Bad cases: a clear sentence, the documented exit code, nothing left behind,
//! and a run directory that can still be reported.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/drive.rs"]
mod common;

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{events, founding, pids, run_directory, survivors, threadbare, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(20);

/// A short run of the founding scenario that is meant to be disturbed.
fn scenario(folder: &TempDir) -> PathBuf {
    let text = r#"
        warm_up = "1s"
        end = "30s"
        [[timeline]]
        at = "4s"
        do = "push"
        set = { "authorization.verification" = "detached" }
    "#;
    let mut table = founding(text);
    table.insert("title".into(), "Disturbed".into());
    let file = folder.path().join("disturbed.toml");
    fs::write(&file, toml::to_string(&table).unwrap()).unwrap();
    file
}

/// `threadbare run` under way, its output kept.
fn start(folder: &TempDir) -> Child {
    let file = scenario(folder);
    threadbare()
        .args(["run", "--out"])
        .arg(run_directory(folder))
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn wait_for(directory: &Path, event: &str) {
    wait_until(SOON, event, || {
        events(directory).iter().any(|line| line["event"] == event)
    });
}

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

/// The run's exit code and what it said.
fn end(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

fn assert_reportable_and_incomplete(directory: &Path) {
    let report = threadbare().arg("report").arg(directory).output().unwrap();
    assert!(
        report.status.success(),
        "{}",
        String::from_utf8_lossy(&report.stderr)
    );
    assert!(String::from_utf8_lossy(&report.stdout).contains("incomplete"));
    assert_eq!(common::summary(directory).unwrap()["complete"], false);
    let html = fs::read_to_string(directory.join("report.html")).unwrap();
    assert!(html.contains("incomplete"));
}

#[test]
fn an_interrupt_ends_everything_in_every_phase() {
    for (event, signal_sent, code) in [
        ("serving", Signal::INT, 130),
        ("load_started", Signal::INT, 130),
        ("action_ended", Signal::TERM, 143),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let directory = run_directory(&folder);
        let child = start(&folder);
        wait_for(&directory, event);
        signal(child.id(), signal_sent);
        let (exit, said) = end(child);
        assert_eq!(exit, Some(code), "after {event}: {said}");
        assert_eq!(survivors(&directory), [0; 0], "after {event}");
        assert_reportable_and_incomplete(&directory);
    }
}

#[test]
fn a_killed_conductor_leaves_no_process_behind() {
    let folder = tempfile::tempdir().unwrap();
    let directory = run_directory(&folder);
    let child = start(&folder);
    wait_for(&directory, "load_started");
    // A stopped process cannot see that its standard input has closed.
    signal(pids(&directory)[0], Signal::STOP);
    signal(child.id(), Signal::KILL);
    let status = child.wait_with_output().unwrap().status;
    assert_eq!(status.signal(), Some(9));
    wait_until(SOON, "the guardian ends the fleet", || {
        survivors(&directory).is_empty()
    });
    assert_reportable_and_incomplete(&directory);
}

#[test]
fn an_instance_that_dies_ends_the_run_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let directory = run_directory(&folder);
    let child = start(&folder);
    wait_for(&directory, "load_started");
    let victim = events(&directory)
        .iter()
        .find(|event| event["source"] == "instance-2")
        .and_then(|event| event["pid"].as_u64())
        .unwrap();
    signal(u32::try_from(victim).unwrap(), Signal::KILL);
    let (exit, said) = end(child);
    assert_eq!(exit, Some(1), "{said}");
    assert!(said.contains("instance-2 ended on its own"), "{said}");
    assert_eq!(survivors(&directory), [0; 0]);
    assert_reportable_and_incomplete(&directory);
}

/// Runs the scenario under a shell's limits.
fn limited(folder: &TempDir, limits: &str) -> Child {
    let file = scenario(folder);
    Command::new("sh")
        .arg("-c")
        .arg(format!("{limits}; exec \"$0\" run --out \"$1\" \"$2\""))
        .arg(env!("CARGO_BIN_EXE_threadbare"))
        .arg(run_directory(folder))
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn too_few_file_descriptors_are_an_unfit_environment() {
    let folder = tempfile::tempdir().unwrap();
    let (exit, said) = end(limited(&folder, "ulimit -n 200"));
    assert_eq!(exit, Some(3), "{said}");
    assert!(said.contains("open files"), "{said}");
    assert!(!run_directory(&folder).exists());
}

#[test]
fn a_file_that_cannot_grow_ends_the_run_cleanly() {
    // A limit on file size stands for a full disk: the same write fails.
    let folder = tempfile::tempdir().unwrap();
    let directory = run_directory(&folder);
    let (exit, said) = end(limited(&folder, "trap '' XFSZ; ulimit -f 64"));
    assert_eq!(exit, Some(1), "{said}");
    assert!(said.contains("failed to write"), "{said}");
    assert_eq!(survivors(&directory), [0; 0]);
}

#[test]
fn a_fleet_whose_program_is_gone_cannot_start() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("threadbare");
    fs::copy(env!("CARGO_BIN_EXE_threadbare"), &program).unwrap();
    let child = Command::new(&program)
        .args(["run", "--out"])
        .arg(run_directory(&folder))
        .arg(scenario(&folder))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Gone once it runs, and before it starts others: it watches the processor first.
    fs::remove_file(&program).unwrap();
    let (exit, said) = end(child);
    assert_eq!(exit, Some(1), "{said}");
    assert!(said.contains("failed to start"), "{said}");
}

#[test]
fn a_run_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let directory = run_directory(&folder);
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("precious"), "data").unwrap();
    let (exit, said) = end(start(&folder));
    assert_eq!(exit, Some(2), "{said}");
    assert!(said.contains("--out"), "{said}");
    assert_eq!(
        fs::read_to_string(directory.join("precious")).unwrap(),
        "data"
    );
}

#[test]
fn a_port_that_is_taken_is_an_unfit_environment() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let output = threadbare()
        .args([
            "target",
            "--listen",
            &taken.local_addr().unwrap().to_string(),
        ])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains(&taken.local_addr().unwrap().to_string()),
        "{said}"
    );
}
