//! Run directories as they are found: killed, damaged, prepared by another, half undone.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The directory of a run, with what it lies in.
fn simulated(settings: &[&str]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("run");
    let status = Command::new(env!("CARGO_BIN_EXE_threadbare"))
        .args(["simulate", "missing-await", "--quiet", "--out"])
        .arg(&directory)
        .args(settings)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(status.unwrap().code().is_some());
    (folder, directory)
}

fn threadbare(command: &str, directory: &Path) -> Output {
    let mut threadbare = Command::new(env!("CARGO_BIN_EXE_threadbare"));
    threadbare.arg(command).arg(directory).stdin(Stdio::null());
    threadbare.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Leaves a pipe of this name: nobody writes to it, and nobody reads.
fn pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

/// Cuts off how the run ended, as where it was killed.
fn kill(directory: &Path) {
    let journal = directory.join("journal.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    let lines = text.lines().filter(|line| !line.contains("\"run_ended\""));
    let cut = lines.collect::<Vec<_>>().join("\n") + "\n";
    fs::write(&journal, cut).unwrap();
}

#[test]
fn a_report_is_shown_though_its_files_cannot_be_written() {
    let (folder, directory) = simulated(&[]);
    let elsewhere = folder.path().join("elsewhere");
    fs::write(&elsewhere, "as it was").unwrap();
    for name in ["summary.json", "report.html"] {
        fs::remove_file(directory.join(name)).unwrap();
    }
    symlink(&elsewhere, directory.join("summary.json")).unwrap();
    pipe(&directory.join("report.html"));
    let output = threadbare("report", &directory);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let said = said(&output);
    for told in [
        "recovered by intervention",
        "summary.json: it is a symbolic link",
        "failed to write",
        "report.html",
    ] {
        assert!(said.contains(told), "{told} in {said}");
    }
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "as it was");
    assert!(
        !fs::read_to_string(directory.join("junit.xml"))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_pipe_or_a_device_in_the_place_of_a_file_is_refused() {
    let (_folder, directory) = simulated(&[]);
    for name in ["journal.jsonl", "series.csv", "latency.hlog", "run.json"] {
        let file = directory.join(name);
        fs::remove_file(&file).unwrap();
        pipe(&file);
        let output = threadbare("report", &directory);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(
            said(&output).contains("no regular file"),
            "{}",
            said(&output)
        );
        fs::remove_file(&file).unwrap();
        symlink("/dev/zero", &file).unwrap();
        assert_eq!(threadbare("report", &directory).status.code(), Some(2));
        // The next is asked about alone.
        fs::remove_file(&file).unwrap();
        fs::write(&file, "").unwrap();
    }
}

#[test]
fn a_run_that_was_killed_says_so_whether_or_not_anything_was_expected() {
    let told = "failed  the run did not reach its planned end\n";
    for settings in [&["--set", "expect=[]"][..], &[]] {
        let (_folder, directory) = simulated(settings);
        kill(&directory);
        let output = threadbare("report", &directory);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let lower = said(&output).to_lowercase();
        assert!(lower.contains(told), "{told} in {lower}");
    }
}

#[test]
fn a_damaged_line_costs_itself_and_is_told_of() {
    let (_folder, directory) = simulated(&[]);
    let journal = directory.join("journal.jsonl");
    let mut bytes = fs::read(&journal).unwrap();
    bytes[0] = 0xff;
    fs::write(&journal, bytes).unwrap();
    let output = threadbare("report", &directory);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let told = "1 of the lines of journal.jsonl is damaged and left out, first line 1";
    assert!(said(&output).contains(told), "{}", said(&output));
}

/// An undo of a command, as the file of undos has it.
fn armed(id: u64, words: &[&str]) -> String {
    let call = serde_json::json!({
        "name": "deploy",
        "what": { "command": words },
        "timeout": 1_000_000_000,
        "expect": { "exit": { "start": 0, "end": 0 } },
        "folder": "/",
        "log": null,
    });
    serde_json::json!({ "id": id, "armed": { "call": call } }).to_string()
}

#[test]
fn who_is_asked_whether_to_recover_sees_all_that_it_would_do() {
    let folder = tempfile::tempdir().unwrap();
    let lines = [
        armed(1, &["sh", "-c", "token=hunter2; touch /nowhere/X"]),
        armed(2, &["deploy", "--password", "hunter2", "v 1"]),
    ];
    fs::write(folder.path().join("undo.jsonl"), lines.join("\n") + "\n").unwrap();
    let output = threadbare("recover", folder.path());
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    for told in [
        "call sh -c 'token=(not shown); touch /nowhere/X', in /",
        "call deploy --password '(not shown)' 'v 1', in /",
    ] {
        assert!(said(&output).contains(told), "{told} in {}", said(&output));
    }
    assert!(!said(&output).contains("hunter2"), "{}", said(&output));
}

#[test]
fn a_damaged_undo_costs_itself_and_recover_does_not_say_that_all_is_well() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("mark");
    let touch = armed(2, &["touch", mark.to_str().unwrap()]);
    let mut damaged = armed(1, &["größe"]).into_bytes();
    damaged[3] = 0xff;
    let torn = armed(3, &["größe"]);
    let torn = &torn.as_bytes()[..=torn.find('ö').unwrap()];
    let lines = [damaged.as_slice(), touch.as_bytes(), torn].join(&b'\n');
    fs::write(folder.path().join("undo.jsonl"), lines).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_threadbare"))
        .arg("recover")
        .arg(folder.path())
        .arg("--yes")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("1 line of undo.jsonl cannot be read"),
        "{}",
        said(&output)
    );
    assert!(
        said(&output).contains("1 of the lines of undo.jsonl are damaged"),
        "{}",
        said(&output)
    );
    assert!(mark.exists());
}

#[test]
fn of_a_run_of_the_fleet_nothing_is_left_to_undo() {
    let (folder, directory) = simulated(&[]);
    let output = threadbare("recover", &directory);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(
        said(&output).contains("Nothing is left to undo"),
        "{}",
        said(&output)
    );
    let output = threadbare("recover", folder.path());
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
}

/// What a user names may have been prepared as well.
#[test]
fn histograms_are_written_through_no_link_and_into_no_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = folder.path().join("elsewhere");
    fs::write(&elsewhere, "as it was").unwrap();
    symlink(&elsewhere, folder.path().join("link")).unwrap();
    let made = Command::new("mkfifo")
        .arg(folder.path().join("pipe"))
        .status();
    assert!(made.unwrap().success());
    for name in ["link", "pipe"] {
        let output = Command::new(env!("CARGO_BIN_EXE_threadbare"))
            .args(["load", "http://127.0.0.1:9/", "-n", "1", "--hdr"])
            .arg(folder.path().join(name))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        let told = "failed to write the histograms to";
        assert!(said(&output).contains(told), "{}", said(&output));
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "as it was");
    }
}

/// A line that was written whole is not taken for one that a full disk has torn.
#[test]
fn recover_keeps_an_undo_whose_last_byte_was_lost() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("undo.jsonl");
    let whole = armed(1, &["true"]);
    let lines = format!("\n{}\n", &whole[..whole.len() - 1]);
    fs::write(&file, &lines).unwrap();
    let output = threadbare("recover", folder.path());
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let told = "1 of the lines of undo.jsonl are damaged";
    assert!(said(&output).contains(told), "{}", said(&output));
    assert_eq!(fs::read_to_string(&file).unwrap(), lines);
}
