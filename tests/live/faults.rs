//! Bad cases: a clear sentence, the documented exit code, nothing left behind,
//! and a run directory that can still be reported.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::founding::{founding, pids, survivors};
use crate::rig::signal;
use crate::run::{alone, events, run_directory, summary, threadbare, wait_until};

const SOON: Duration = Duration::from_secs(20);

/// A short run of the founding scenario that is meant to be disturbed: a push
/// at 3 s, a gradual restart at 5 s, the drain from 9 s on.
fn scenario(folder: &TempDir, interval: &str) -> PathBuf {
    let text = r#"
        warm_up = "1s"
        end = "9s"
        [[timeline]]
        at = "3s"
        do = "push"
        set = { "authorization.verification" = "detached" }
        [[timeline]]
        at = "5s"
        do = "restart"
        pause = "500ms"
    "#;
    let mut table = founding(text);
    table.insert("interval".into(), interval.into());
    let file = folder.path().join("disturbed.toml");
    fs::write(&file, toml::to_string(&table).unwrap()).unwrap();
    file
}

/// The scenario under way by this program, what it says kept.
fn start_with(program: &mut Command, folder: &TempDir, interval: &str) -> Child {
    program
        .args(["run", "--out"])
        .arg(run_directory(folder))
        .arg(scenario(folder, interval))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn start(folder: &TempDir) -> Child {
    start_with(&mut threadbare(), folder, "500ms")
}

/// The same once its load has begun, with its folder and its run directory.
fn under_load() -> (TempDir, PathBuf, Child) {
    let folder = tempfile::tempdir().unwrap();
    let directory = run_directory(&folder);
    let child = start(&folder);
    wait_for(&directory, "load_started");
    (folder, directory, child)
}

fn wait_for(directory: &Path, event: &str) {
    wait_until(SOON, event, || {
        events(directory).iter().any(|line| line["event"] == event)
    });
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
    assert_eq!(summary(directory).unwrap()["complete"], false);
    let html = fs::read_to_string(directory.join("report.html")).unwrap();
    assert!(html.contains("incomplete"));
}

#[test]
fn an_interrupt_ends_everything_in_every_phase() {
    let _alone = alone();
    for (phase, signal_sent, code) in [
        ("set-up", Signal::INT, 130),
        ("load_started", Signal::INT, 130),
        ("action_ended", Signal::TERM, 143),
        ("stopped", Signal::INT, 130),
        ("load_ended", Signal::INT, 130),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let directory = run_directory(&folder);
        let child = start(&folder);
        if phase == "set-up" {
            wait_until(SOON, phase, || directory.join("fleet").exists());
        } else {
            wait_for(&directory, phase);
        }
        signal(child.id(), signal_sent);
        let (exit, said) = end(child);
        assert_eq!(exit, Some(code), "in {phase}: {said}");
        assert_eq!(survivors(&directory), [0; 0], "in {phase}");
        wait_until(SOON, "the guardian ends", || guardians().is_empty());
        assert_reportable_and_incomplete(&directory);
    }
}

/// Guardian processes there are; one run at a time has one.
fn guardians() -> Vec<String> {
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("cmdline")).ok())
        .filter(|line| line.contains("__guardian"))
        .collect()
}

#[test]
fn a_killed_conductor_leaves_no_process_behind() {
    let _alone = alone();
    let (_folder, directory, child) = under_load();
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
    let _alone = alone();
    let (_folder, directory, child) = under_load();
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
fn limited(folder: &TempDir, interval: &str, limits: &str) -> Child {
    let mut shell = Command::new("sh");
    shell.arg("-c");
    shell.arg(format!("{limits}; exec \"$0\" \"$@\""));
    shell.arg(env!("CARGO_BIN_EXE_threadbare"));
    start_with(&mut shell, folder, interval)
}

#[test]
fn too_few_file_descriptors_are_an_unfit_environment() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (exit, said) = end(limited(&folder, "500ms", "ulimit -n 200"));
    assert_eq!(exit, Some(3), "{said}");
    assert!(said.contains("open files"), "{said}");
    assert!(!run_directory(&folder).exists());
}

#[test]
fn a_file_that_cannot_grow_ends_the_run_cleanly() {
    let _alone = alone();
    // A limit on file size stands for a full disk: the same write fails. It is
    // above the database's size, and short intervals reach it soon.
    let folder = tempfile::tempdir().unwrap();
    let directory = run_directory(&folder);
    let limits = "trap '' XFSZ; ulimit -f 512";
    let (exit, said) = end(limited(&folder, "50ms", limits));
    assert_eq!(exit, Some(1), "{said}");
    assert!(said.contains("failed to write"), "{said}");
    assert_eq!(survivors(&directory), [0; 0]);
    assert_reportable_and_incomplete(&directory);
}

/// An upgrade takes the file away while it runs.
#[test]
fn a_program_whose_file_is_gone_starts_its_fleet_all_the_same() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("threadbare");
    fs::copy(env!("CARGO_BIN_EXE_threadbare"), &program).unwrap();
    let child = start_with(&mut Command::new(&program), &folder, "500ms");
    // Gone once it runs, and before it starts others: it watches the processor first.
    fs::remove_file(&program).unwrap();
    wait_for(&run_directory(&folder), "load_started");
    signal(child.id(), Signal::INT);
    assert_eq!(end(child).0, Some(130));
}

#[test]
fn a_run_is_never_overwritten() {
    let _alone = alone();
    let (folder, directory, child) = under_load();
    signal(child.id(), Signal::INT);
    assert_eq!(end(child).0, Some(130));
    let content = || -> Vec<(PathBuf, Option<Vec<u8>>)> {
        let mut files: Vec<_> = fs::read_dir(&directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.clone(), fs::read(path).ok()))
            .collect();
        files.sort();
        files
    };
    let before = content();
    let (exit, said) = end(start(&folder));
    assert_eq!(exit, Some(2), "{said}");
    assert!(said.contains("--out"), "{said}");
    assert!(before == content(), "the earlier run was changed");
}

#[test]
fn a_port_that_is_taken_is_an_unfit_environment() {
    let _alone = alone();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let output = threadbare()
        .args([
            "target",
            "--listen",
            &taken.local_addr().unwrap().to_string(),
        ])
        .arg("--data")
        .arg(folder.path().join("data"))
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
