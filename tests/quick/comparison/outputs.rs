//! Every output of a comparison in each of its cases: one that passes, one that fails, one
//! that cannot tell, one that is not comparable, one that is invalid.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::command::{runs, said, simulate};

struct Case {
    what: &'static str,
    base: &'static str,
    candidate: &'static str,
    code: i32,
    verdict: &'static str,
    /// How the summary of a review begins.
    sign: &'static str,
    /// What is not a success in the suite of tests.
    junit: Option<&'static str>,
    /// How GitHub's annotation begins, and GitLab's severity.
    note: Option<(&'static str, &'static str)>,
}

const CASES: [Case; 5] = [
    Case {
        what: "passes",
        base: "main-1",
        candidate: "main-1",
        code: 0,
        verdict: "no_difference_shown",
        sign: "### ✅ no difference shown",
        junit: None,
        note: None,
    },
    Case {
        what: "fails",
        base: "main-1",
        candidate: "slow",
        code: 99,
        verdict: "worse",
        sign: "### ❌ worse",
        junit: Some("<failure"),
        note: Some(("::error title=worse%3A response p50::", "major")),
    },
    Case {
        what: "cannot tell",
        base: "short-1",
        candidate: "short-2",
        code: 0,
        verdict: "cannot_tell",
        sign: "### ❔ cannot tell",
        junit: None,
        note: Some(("::warning title=cannot tell::", "minor")),
    },
    Case {
        what: "is not comparable",
        base: "main-1",
        candidate: "short-1",
        code: 97,
        verdict: "not_comparable",
        sign: "### ❔ not comparable",
        junit: Some("<error"),
        note: Some(("::warning title=not comparable::", "minor")),
    },
    Case {
        what: "is invalid",
        base: "main-1",
        candidate: "invalid",
        code: 97,
        verdict: "not_comparable",
        sign: "### ❔ not comparable",
        junit: Some("<error"),
        note: Some(("::warning title=not comparable::", "minor")),
    },
];

/// A copy of a run whose record does not add up.
fn spoil(folder: &Path, run: &str, copy: &str) {
    fs::create_dir(folder.join(copy)).unwrap();
    for entry in fs::read_dir(folder.join(run)).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.join(copy).join(path.file_name().unwrap())).unwrap();
    }
    let file = folder.join(copy).join("series.csv");
    let text = fs::read_to_string(&file).unwrap();
    let counted = ",operations,user,scheduled,";
    let (before, rest) = text.split_once(counted).unwrap();
    fs::write(file, format!("{before}{counted}1{rest}")).unwrap();
}

/// What a build server sees of one.
fn assert_told(folder: &Path, case: &Case) {
    let what = case.what;
    let out = folder.join(what);
    let compare = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_threadbare"));
        command
            .args(["compare", case.base, case.candidate])
            .args(more)
            .current_dir(folder)
            .env("GITHUB_STEP_SUMMARY", folder.join(format!("{what}.md")))
            .env("GITHUB_ACTIONS", "true")
            .env("GITLAB_CI", "true");
        let output = command.output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(case.code),
            "{what}: {}",
            said(&output)
        );
        output
    };
    let output = compare(&["--out", out.to_str().unwrap()]);
    let word = case.verdict.replace('_', " ");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.starts_with(&word.to_uppercase()), "{what}: {text}");
    let read = |name: &str| fs::read_to_string(out.join(name)).unwrap();
    let json: Value = serde_json::from_str(&read("comparison.json")).unwrap();
    assert_eq!(json["verdict"], case.verdict, "{what}");
    let printed: Value = serde_json::from_slice(&compare(&["--json"]).stdout).unwrap();
    assert_eq!(printed, json, "{what}");
    assert!(
        read("comparison.html").contains(&format!("<h1>{word}</h1>")),
        "{what}"
    );
    let suite = read("comparison.junit.xml");
    for status in ["<failure", "<error"] {
        assert_eq!(
            suite.contains(status),
            case.junit == Some(status),
            "{what}: {suite}"
        );
    }
    let step = fs::read_to_string(folder.join(format!("{what}.md"))).unwrap();
    for summary in [read("comparison.md"), step] {
        assert!(summary.starts_with(case.sign), "{what}: {summary}");
    }
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    let begins = case.note.map(|(begins, _)| begins);
    let first = notes.lines().next();
    match (begins, first) {
        (None, first) => assert_eq!(first, None, "{what}"),
        (Some(begins), first) => assert!(first.unwrap().starts_with(begins), "{what}: {notes}"),
    }
    let report = fs::read_to_string(folder.join("gl-code-quality-report.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    let severity = report
        .get(0)
        .map(|issue| issue["severity"].as_str().unwrap());
    assert_eq!(severity, case.note.map(|(_, severity)| severity), "{what}");
}

#[test]
fn every_output_says_each_verdict() {
    let folder = runs();
    for (name, seed) in [("short-1", "seed=1"), ("short-2", "seed=2")] {
        simulate(folder.path(), name, &["end=6s", seed]);
    }
    spoil(folder.path(), "main-1", "invalid");
    for case in &CASES {
        assert_told(folder.path(), case);
    }
}
