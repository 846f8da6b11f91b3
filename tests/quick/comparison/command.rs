//! `threadbare compare` and `baseline` on simulated runs.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

pub(super) fn threadbare(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_threadbare"));
    command.args(words).current_dir(folder);
    for variable in ["GITHUB_STEP_SUMMARY", "GITHUB_ACTIONS", "GITLAB_CI"] {
        command.env_remove(variable);
    }
    command.output().unwrap()
}

pub(super) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

/// A run of the scenario with the surge left out, so that it has one phase.
pub(super) fn simulate(folder: &Path, name: &str, settings: &[&str]) {
    let mut words = vec!["simulate", "slow-database", "--out", name, "--quiet"];
    let calm = ["timeline=[]", "expect=[]", "end=60s"];
    for setting in calm.iter().chain(settings) {
        words.extend(["--set", setting]);
    }
    let output = threadbare(folder, &words);
    assert!(
        folder.join(name).join("run.json").is_file(),
        "{}",
        said(&output)
    );
}

pub(super) fn runs() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    simulate(folder.path(), "main-1", &[]);
    simulate(
        folder.path(),
        "slow",
        &["target.fleet.database=exponential(mean 12ms)"],
    );
    folder
}

#[test]
fn the_answer_says_what_changed_and_what_is_worse_in_every_form() {
    let folder = runs();
    let output = threadbare(
        folder.path(),
        &["compare", "main-1", "slow", "--out", "told"],
    );
    assert_eq!(output.status.code(), Some(99), "{}", said(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("WORSE  worse: response p50"), "{text}");
    assert!(
        text.contains("fleet.database.exponential.mean: 10ms → 12ms"),
        "{text}"
    );
    let json = fs::read_to_string(folder.path().join("told/comparison.json")).unwrap();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["verdict"], "worse");
    let junit = fs::read_to_string(folder.path().join("told/comparison.junit.xml")).unwrap();
    assert!(junit.contains("<failure"), "{junit}");
    let summary = fs::read_to_string(folder.path().join("told/comparison.md")).unwrap();
    assert!(summary.starts_with("### ❌ worse"), "{summary}");
    assert!(folder.path().join("told/comparison.html").is_file());
}

#[test]
fn what_matters_is_said_for_all_figures_or_for_one() {
    let folder = runs();
    let compared = |bounds: &[&str]| {
        let mut words = vec!["compare", "main-1", "slow", "--json"];
        words.extend(bounds.iter().flat_map(|bound| ["--bound", *bound]));
        let output = threadbare(folder.path(), &words);
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        let figures = json["figures"].as_array().unwrap();
        let row = figures.iter().find(|row| row["figure"] == "response p50");
        let row = row.unwrap();
        let percent = (row["bound"].as_f64().unwrap() * 100.0).round();
        let verdict = row["verdict"].as_str().unwrap().to_owned();
        (output.status.code(), format!("{percent} %"), verdict)
    };
    for (bounds, code, bound, verdict) in [
        (&["90 %"][..], 0, "90 %", "no_difference_shown"),
        (&["p50=3 %", "90 %"], 99, "3 %", "worse"),
        (
            &["error share=3 %", "90 %"],
            0,
            "90 %",
            "no_difference_shown",
        ),
    ] {
        let expected = (Some(code), bound.to_owned(), verdict.to_owned());
        assert_eq!(compared(bounds), expected, "{bounds:?}");
    }
    let words = ["compare", "main-1", "slow", "--bound", "respnse p50=3 %"];
    let output = threadbare(folder.path(), &words);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("there is no figure `respnse p50`; did you mean `response p50`?"));
}

#[test]
fn a_baseline_is_small_and_stands_for_its_runs() {
    let folder = runs();
    let accept = ["baseline", "accept", "main-*", "--as", "main"];
    let output = threadbare(folder.path(), &accept);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let file = folder.path().join("baselines/main.json");
    let size = fs::metadata(&file).unwrap().len();
    assert!(size < 200_000, "{size} bytes");
    let output = threadbare(folder.path(), &["compare", "main", "main-1", "--quiet"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let output = threadbare(folder.path(), &["compare", "main", "slow", "--quiet"]);
    assert_eq!(output.status.code(), Some(99), "{}", said(&output));
}

#[test]
fn what_cannot_be_compared_is_told_in_one_sentence_with_the_next_step() {
    let folder = runs();
    fs::create_dir(folder.path().join("empty")).unwrap();
    fs::write(folder.path().join("other.json"), "{\"format\": 7}").unwrap();
    fs::write(folder.path().join("text.json"), "hello").unwrap();
    for (words, code, sentence) in [
        (
            ["compare", "main-1", "none"],
            2,
            "there is no run and no baseline `none`",
        ),
        (["compare", "main-1", "empty"], 2, "empty"),
        (["compare", "none-*", "main-1"], 2, "none lies there"),
        (["compare", "other.json", "main-1"], 2, "has format 7"),
        (["compare", "text.json", "main-1"], 2, "is no baseline"),
    ] {
        let output = threadbare(folder.path(), &words);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
        assert!(said.contains(sentence), "{words:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    simulate(folder.path(), "short", &["end=30s"]);
    let output = threadbare(folder.path(), &["compare", "main-1", "short", "--quiet"]);
    assert_eq!(output.status.code(), Some(97), "{}", said(&output));
    assert!(
        said(&output).contains("NOT COMPARABLE"),
        "{}",
        said(&output)
    );
}

#[test]
fn build_servers_are_told_in_their_own_forms() {
    let folder = runs();
    let mut command = Command::new(env!("CARGO_BIN_EXE_threadbare"));
    let output = command
        .args(["compare", "main-1", "slow", "--json", "--out", "told"])
        .current_dir(folder.path())
        .env("GITHUB_STEP_SUMMARY", folder.path().join("summary.md"))
        .env("GITHUB_ACTIONS", "true")
        .env("GITLAB_CI", "true")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(99));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["verdict"], "worse");
    let notes = String::from_utf8(output.stderr).unwrap();
    assert!(
        notes.starts_with("::error title=worse%3A response p50::"),
        "{notes}"
    );
    let summary = fs::read_to_string(folder.path().join("summary.md")).unwrap();
    assert!(summary.starts_with("### ❌ worse"), "{summary}");
    let report = fs::read(folder.path().join("gl-code-quality-report.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report[0]["severity"], "major");
}

#[test]
fn recovery_is_compared_too_and_a_run_has_one_value_of_it() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["one", "other"] {
        let words = ["simulate", "surge", "--out", name, "--quiet"];
        threadbare(folder.path(), &words);
    }
    let output = threadbare(folder.path(), &["compare", "one", "other", "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let figures = told["figures"].as_array().unwrap();
    let row = figures.iter().find(|it| it["figure"] == "time to recover");
    let row = row.unwrap_or_else(|| panic!("{told}"));
    assert!(row["base"].is_f64() && row["candidate"].is_f64(), "{row}");
    assert_eq!(row["verdict"], "cannot_tell");
    assert!(
        row["why"].as_str().unwrap().contains("3 runs a side"),
        "{row}"
    );
}

#[test]
fn equal_instants_are_no_proof_of_more_than_a_bucket() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a-1", "a-2", "a-3", "b-1", "b-2", "b-3"] {
        let words = ["simulate", "surge", "--out", name, "--quiet"];
        threadbare(folder.path(), &words);
    }
    let output = threadbare(folder.path(), &["compare", "a-*", "b-*", "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let figures = told["figures"].as_array().unwrap();
    let row = figures.iter().find(|it| it["figure"] == "time to recover");
    let row = row.unwrap_or_else(|| panic!("{told}"));
    assert_eq!(row["base"], row["candidate"]);
    assert!(
        row["low"].as_f64() < Some(0.0) && row["high"].as_f64() > Some(0.0),
        "{row}"
    );
}
