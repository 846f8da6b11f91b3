//! Series of runs: what ends them, what is left out, and what is written all the same.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::station::Station;
use crate::run::{alone, wait_until};
use crate::server::{ScriptedAnswer, Server};

/// A server with so many workers, each this long at an answer.
fn server(workers: u32, millis: u64) -> (Server, String) {
    let station = Arc::new(Station::new(workers));
    let server = Server::start(move |_| {
        station.visit(|| Duration::from_millis(millis));
        ScriptedAnswer::status(200)
    });
    let url = format!("http://{}/", server.address());
    (server, url)
}

fn threadbare(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_threadbare"));
    command.args(words).current_dir(folder);
    for variable in ["GITHUB_STEP_SUMMARY", "GITHUB_ACTIONS", "GITLAB_CI"] {
        command.env_remove(variable);
    }
    command
}

fn json(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()));
    serde_json::from_slice(&text).unwrap()
}

/// Asks for an end once the load of this run has begun; the exit code.
fn terminated_in(job: &mut Child, run: &Path) -> Option<i32> {
    let journal = run.join("journal.jsonl");
    wait_until(Duration::from_mins(1), "a later run has begun", || {
        fs::read_to_string(&journal).is_ok_and(|text| text.contains("load_started"))
    });
    kill_process(Pid::from_child(job), Signal::TERM).unwrap();
    job.wait().unwrap().code()
}

/// A scenario that loads this and nothing else.
fn scenario(folder: &Path, name: &str, url: &str, load: &str) {
    let text = format!(
        "title = \"t\"\nclaim = \"c\"\nend = \"2s\"\nwarm_up = \"1s\"\n[target]\nurl = \"{url}\"\n\
         [load]\n{load}\n"
    );
    fs::write(folder.join(name), text).unwrap();
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

#[test]
fn a_signal_ends_turns_and_what_was_run_is_written() {
    let _alone = alone();
    let (_server, url) = server(64, 5);
    let folder = tempfile::tempdir().unwrap();
    let words = [
        "ab",
        &url,
        &url,
        "-R",
        "60",
        "-d",
        "1s",
        "--warm-up",
        "1s",
        "--out",
        "ab",
    ];
    let mut job = threadbare(folder.path(), &words)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let second = folder.path().join("ab/round-02-candidate");
    assert_eq!(terminated_in(&mut job, &second), Some(143));
    let comparison = json(&folder.path().join("ab/comparison.json"));
    assert_eq!(comparison["verdict"], "not_comparable", "{comparison}");
    assert_eq!(
        comparison["reason"],
        "ended after 1 of 10 rounds: interrupted by SIGTERM"
    );
    let rounds = |side: &str| comparison[side]["runs"].as_array().unwrap().len();
    let left_out = comparison["left_out"].as_array().map_or(0, Vec::len);
    // The run that was cut is in no side; a busy machine may have left out the first.
    assert_eq!(
        (rounds("base"), rounds("candidate")),
        (1 - left_out, 1 - left_out)
    );
    assert!(!folder.path().join("ab/round-03-base").exists());
}

#[test]
fn a_signal_ends_repetition_and_a_build_server_hears_of_it_once() {
    let _alone = alone();
    let (_server, url) = server(64, 5);
    let folder = tempfile::tempdir().unwrap();
    let summary = folder.path().join("summary.md");
    let words = [
        "load",
        &url,
        "-R",
        "60",
        "-d",
        "2s",
        "--expect",
        "p50 <= 1s",
        "--repeat",
        "5",
        "--out",
        "set",
    ];
    let mut job = threadbare(folder.path(), &words)
        .env("GITHUB_STEP_SUMMARY", &summary)
        .env("GITLAB_CI", "true")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let second = folder.path().join("set/run-02");
    assert_eq!(terminated_in(&mut job, &second), Some(143));
    assert!(!folder.path().join("set/run-03").exists());
    let repeated = json(&folder.path().join("set/repeated.json"));
    // The run that was cut is in no interval; a busy machine may have left out the first.
    let observed = repeated
        .get(0)
        .map(|it| it["observed"].as_array().unwrap().len());
    assert!(observed.unwrap_or(0) <= 1, "{repeated}");
    let summary = fs::read_to_string(summary).unwrap();
    assert_eq!(summary.matches("### ").count(), 1, "{summary}");
    assert!(summary.contains(" (partial)"), "{summary}");
    let ended = "ended after 1 of 5 runs: interrupted by SIGTERM";
    assert!(summary.contains(ended), "{summary}");
    let junit = fs::read_to_string(folder.path().join("set/junit.xml")).unwrap();
    assert!(junit.contains(ended) && junit.contains("<error"), "{junit}");
    let issues = json(&folder.path().join("gl-code-quality-report.json"));
    let issues = issues.as_array().unwrap();
    assert!(
        issues.iter().any(|it| it.to_string().contains(ended)),
        "{issues:?}"
    );
}

#[test]
fn a_candidate_that_jams_the_load_is_not_comparable_and_has_files() {
    let _alone = alone();
    let (_fast, fast) = server(64, 5);
    let (_slow, slow) = server(1, 400);
    let folder = tempfile::tempdir().unwrap();
    let load = "rate = \"60/s\"\nconnections = 4\nbacklog = 4";
    scenario(folder.path(), "base.toml", &fast, load);
    scenario(folder.path(), "candidate.toml", &slow, load);
    let words = [
        "ab",
        "base.toml",
        "candidate.toml",
        "--rounds",
        "1",
        "--out",
        "ab",
    ];
    let output = threadbare(folder.path(), &words).output().unwrap();
    assert_eq!(output.status.code(), Some(97), "{}", said(&output));
    let comparison = json(&folder.path().join("ab/comparison.json"));
    assert_eq!(comparison["reason"], "no round counts");
    let left_out = comparison["left_out"][0].as_str().unwrap();
    assert!(
        left_out.starts_with("round 1 is left out: the measurement of the "),
        "{left_out}"
    );
    assert!(folder.path().join("ab/comparison.html").is_file());
}

#[test]
fn what_can_never_be_compared_ends_turns_after_the_first_round() {
    let _alone = alone();
    let (_server, url) = server(64, 5);
    let folder = tempfile::tempdir().unwrap();
    scenario(folder.path(), "base.toml", &url, "rate = \"60/s\"");
    scenario(folder.path(), "candidate.toml", &url, "rate = \"50/s\"");
    let words = [
        "ab",
        "base.toml",
        "candidate.toml",
        "--rounds",
        "6",
        "--out",
        "ab",
    ];
    let output = threadbare(folder.path(), &words).output().unwrap();
    assert_eq!(output.status.code(), Some(97), "{}", said(&output));
    let comparison = json(&folder.path().join("ab/comparison.json"));
    assert!(
        comparison["obstacles"]
            .to_string()
            .contains("`load.rate` differs"),
        "{comparison}"
    );
    // As many as were needed for one that counts.
    let left_out = comparison["left_out"].as_array().map_or(0, Vec::len);
    let next = format!("ab/round-{:02}-base", left_out + 2);
    assert!(!folder.path().join(next).exists(), "{}", said(&output));
}
