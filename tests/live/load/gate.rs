//! A load as a gate: what is expected of it, the run that it leaves, repetition, a baseline,
//! and two servers in turns.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::station::Station;
use crate::run::alone;
use crate::server::{ScriptedAnswer, Server};

pub(super) fn threadbare(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_threadbare"))
        .args(words)
        .current_dir(folder)
        .output()
        .unwrap()
}

pub(super) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

/// As many workers as are needed, each this long at an answer.
fn answering_after(millis: u64) -> (Server, String) {
    let station = Arc::new(Station::new(64));
    let server = Server::start(move |_| {
        station.visit(|| Duration::from_millis(millis));
        ScriptedAnswer::status(200)
    });
    let url = format!("http://{}/", server.address());
    (server, url)
}

#[test]
fn an_expectation_that_fails_is_told_with_its_margin_and_exits_with_99() {
    let _alone = alone();
    let (_server, url) = answering_after(20);
    let folder = tempfile::tempdir().unwrap();
    let load = |expected: &str| {
        let words = ["load", &url, "-R", "100", "-d", "4s", "--json", "--expect"];
        let output = threadbare(folder.path(), &[&words[..], &[expected]].concat());
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), summary["expectations"][0].clone())
    };
    let (code, held) = load("p50 <= 1s");
    assert_eq!(
        (code, &held["passed"]),
        (Some(0), &Value::from(true)),
        "{held}"
    );
    let (code, missed) = load("p50 <= 5ms");
    assert_eq!(
        (code, &missed["passed"]),
        (Some(99), &Value::from(false)),
        "{missed}"
    );
    assert!(
        missed["margin"].as_str().unwrap().starts_with('-'),
        "{missed}"
    );
    let (code, window) = load("p50 from 1s to 3s <= 1s");
    assert_eq!(
        (code, &window["from_s"], &window["to_s"]),
        (Some(0), &1.0.into(), &3.0.into())
    );
    // The window is not within what is observed, so nothing is measured in it.
    let (code, beyond) = load("p50 from 3s to 9s <= 1s");
    assert_eq!(
        (code, &beyond["passed"]),
        (Some(99), &Value::Null),
        "{beyond}"
    );
    assert!(
        beyond["observed"]
            .as_str()
            .unwrap()
            .starts_with("not measured: ")
    );
}

#[test]
fn a_load_ends_as_soon_as_an_expectation_can_no_longer_hold() {
    let _alone = alone();
    let server = Server::start(|_| ScriptedAnswer::status(500));
    let url = format!("http://{}/", server.address());
    let folder = tempfile::tempdir().unwrap();
    let load = |share: &str| {
        let words = ["load", &url, "-R", "100", "-d", "30s", "--json", "--abort"];
        let expected = ["--expect", "p99 <= 1s", "--expect", share];
        let output = threadbare(folder.path(), &[&words[..], &expected].concat());
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(99), "{summary}");
        summary
    };
    // A tenth of all 3,000 has failed after three seconds and a bit.
    let summary = load("error share <= 10 %");
    assert_eq!(summary["ending"]["by"], "aborted");
    let scheduled = summary["conservation"]["scheduled"].as_u64().unwrap();
    assert!((300..2_000).contains(&scheduled), "{scheduled}");
    assert_eq!(summary["expectations"][1]["passed"], false, "{summary}");
    let reason = summary["ending"]["reasons"][0].as_str().unwrap();
    let told = "because an expectation can no longer hold (error share: ";
    assert!(reason.contains(told), "{reason}");
}

#[test]
fn a_load_leaves_a_run_of_each_second_and_of_each_kind_of_operation() {
    let _alone = alone();
    let server = Server::start(|request| {
        ScriptedAnswer::status(if request.text.starts_with("GET /buy ") {
            500
        } else {
            200
        })
    });
    let url = format!("http://{}/", server.address());
    let folder = tempfile::tempdir().unwrap();
    let kinds = "[[operation]]\nname = \"look\"\nweight = 3\n[[operation.step]]\nrequest = \"GET /\"\n\
                 [[operation]]\nname = \"buy\"\n[[operation.step]]\nrequest = \"GET /buy\"\n";
    std::fs::write(folder.path().join("shop.toml"), kinds).unwrap();
    let words = [
        "load",
        &url,
        "-R",
        "100",
        "-d",
        "5s",
        "--file",
        "shop.toml",
        "--out",
        "run",
    ];
    let expected = ["--expect", "error share of look <= 0 %"];
    let output = threadbare(folder.path(), &[&words[..], &expected].concat());
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let run = folder.path().join("run");
    let summary = std::fs::read(run.join("summary.json")).unwrap();
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    let kinds = summary["kinds"].as_array().unwrap();
    let names: Vec<&Value> = kinds.iter().map(|kind| &kind["kind"]).collect();
    assert_eq!(names, ["look", "buy"]);
    assert_eq!(
        (&kinds[0]["error_share"], &kinds[1]["error_share"]),
        (&0.0.into(), &1.0.into())
    );
    let count = |kind: usize| kinds[kind]["operations"].as_u64().unwrap();
    assert_eq!(
        count(0) + count(1),
        summary["conservation"]["scheduled"].as_u64().unwrap()
    );
    assert_eq!(summary["interval_s"], 1.0);
    assert!(run.join("report.html").is_file());
    let again = threadbare(folder.path(), &["report", "run", "--quiet"]);
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
}

#[test]
fn repetition_judges_by_the_interval_and_a_baseline_by_the_difference() {
    let _alone = alone();
    let (_fast, fast) = answering_after(10);
    let (_slow, slow) = answering_after(30);
    let folder = tempfile::tempdir().unwrap();
    let words = [
        "load", &fast, "-R", "60", "-d", "8s", "--repeat", "5", "--out", "set",
    ];
    let output = threadbare(
        folder.path(),
        &[&words[..], &["--expect", "p50 <= 1s"]].concat(),
    );
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    // Three that are valid are enough for what is so clear.
    let told = std::fs::read(folder.path().join("set/repeated.json")).unwrap();
    let told: Value = serde_json::from_slice(&told).unwrap();
    assert_eq!(told[0]["observed"].as_array().unwrap().len(), 3, "{told}");
    assert!(told[0]["high"].as_f64() < Some(1.0), "{told}");
    let output = threadbare(
        folder.path(),
        &["baseline", "accept", "set/run-*", "--as", "main"],
    );
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let against = |url: &str, out: &str| {
        let words = [
            "load",
            url,
            "-R",
            "60",
            "-d",
            "8s",
            "--quiet",
            "--baseline",
            "main",
        ];
        threadbare(folder.path(), &[&words[..], &["--out", out]].concat())
    };
    let output = against(&slow, "slow");
    assert_eq!(output.status.code(), Some(99), "{}", said(&output));
    assert!(
        said(&output).contains("WORSE  worse: response p50"),
        "{}",
        said(&output)
    );
    assert!(folder.path().join("slow/comparison.html").is_file());
}

#[test]
#[ignore = "half a minute; `./test --long` runs it"]
fn two_servers_in_turns_are_told_apart() {
    let _alone = alone();
    let (_fast, fast) = answering_after(10);
    let (_slow, slow) = answering_after(14);
    let folder = tempfile::tempdir().unwrap();
    let words = [
        "ab",
        &fast,
        &slow,
        "-R",
        "60",
        "-d",
        "3s",
        "--warm-up",
        "1s",
        "--rounds",
        "4",
    ];
    let output = threadbare(folder.path(), &[&words[..], &["--out", "ab"]].concat());
    assert_eq!(output.status.code(), Some(99), "{}", said(&output));
    let comparison = std::fs::read(folder.path().join("ab/comparison.json")).unwrap();
    let comparison: Value = serde_json::from_slice(&comparison).unwrap();
    assert_eq!(comparison["method"]["unit"], "runs");
    assert_eq!(comparison["method"]["paired"], true);
    assert_eq!(
        comparison["base"]["seeds"],
        comparison["candidate"]["seeds"]
    );
    assert_eq!(
        comparison["figures"][0]["verdict"],
        "worse",
        "{}",
        said(&output)
    );
    let order = said(&output);
    let place = |text: &str| {
        order
            .find(text)
            .unwrap_or_else(|| panic!("{text}: {order}"))
    };
    assert!(place("round 2 of 4, candidate") < place("round 2 of 4, base"));
}

#[test]
#[ignore = "takes three quarters of a minute: ./test --long"]
fn a_shipped_scenario_passes_by_its_profile_for_build_servers() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let words = ["run", "surge", "--profile", "ci", "--out", "run"];
    let output = threadbare(folder.path(), &words);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

/// Runs a line of a build server's job as its shell would, on this server.
fn as_a_job(folder: &Path, line: &str, url: &str, variables: &[(&str, &str)]) -> Output {
    let line = line
        .replace("http://127.0.0.1:8080/", url)
        .replace("-d 20s", "-d 2s")
        .replace("p99 <= 50ms", "p50 <= 5ms");
    let program = Path::new(env!("CARGO_BIN_EXE_threadbare"));
    let path = std::env::var("PATH").unwrap();
    Command::new("bash")
        .args(["-e", "-c", &line])
        .current_dir(folder)
        .env(
            "PATH",
            format!("{}:{path}", program.parent().unwrap().display()),
        )
        .env("GITHUB_ACTION_PATH", env!("CARGO_MANIFEST_DIR"))
        .env("THREADBARE", program)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

#[test]
fn the_jobs_of_the_page_fail_a_build_and_tell_the_reviewer() {
    let _alone = alone();
    let (_server, url) = answering_after(20);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    let page = read("docs/CI.md");
    let find = |begin: &str| {
        let mut lines = page.lines().map(str::trim);
        lines
            .find_map(|line| line.strip_prefix(begin))
            .unwrap()
            .to_owned()
    };

    let folder = tempfile::tempdir().unwrap();
    let action = read("action.yml");
    let (_, script) = action.split_once("      run: |\n").unwrap();
    let summary = folder.path().join("summary.md");
    let arguments = find("arguments: ").replace("http://127.0.0.1:8080/", &url);
    let arguments = arguments
        .replace("-d 20s", "-d 2s")
        .replace("p99 <= 50ms", "p50 <= 5ms");
    let variables = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_STEP_SUMMARY", summary.to_str().unwrap()),
        ("ARGUMENTS", arguments.as_str()),
    ];
    let output = as_a_job(folder.path(), script, &url, &variables);
    assert_eq!(output.status.code(), Some(99), "{}", said(&output));
    assert!(
        said(&output).contains("::error title=load%3A response p50::"),
        "{}",
        said(&output)
    );
    let summary = std::fs::read_to_string(summary).unwrap();
    assert!(summary.starts_with("### ❌ load: failed"), "{summary}");
    assert!(folder.path().join("reports/run/junit.xml").is_file());

    let folder = tempfile::tempdir().unwrap();
    let output = as_a_job(
        folder.path(),
        &find("- threadbare").replace(" load", "threadbare load"),
        &url,
        &[("GITLAB_CI", "true")],
    );
    assert_eq!(output.status.code(), Some(99), "{}", said(&output));
    for name in ["reports/run/junit.xml", "gl-code-quality-report.json"] {
        assert!(folder.path().join(name).is_file(), "{name}");
    }

    let recipe = page
        .lines()
        .find_map(|line| line.strip_prefix('\t'))
        .unwrap();
    let output = as_a_job(folder.path(), recipe, &url, &[]);
    assert_eq!(output.status.code(), Some(99), "{}", said(&output));
}

#[test]
fn a_job_that_meets_its_time_limit_says_that_its_report_is_partial() {
    let _alone = alone();
    let (_server, url) = answering_after(10);
    let folder = tempfile::tempdir().unwrap();
    let summary = folder.path().join("summary.md");
    let mut job = Command::new(env!("CARGO_BIN_EXE_threadbare"))
        .args(["load", &url, "-R", "60", "-d", "60s", "--out", "run"])
        .current_dir(folder.path())
        .env("GITHUB_STEP_SUMMARY", &summary)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // Some intervals have been recorded.
    let series = folder.path().join("run/series.csv");
    let long = || std::fs::metadata(&series).is_ok_and(|file| file.len() > 6_000);
    crate::run::wait_until(Duration::from_secs(30), "the run has begun", long);
    let pid = rustix::process::Pid::from_child(&job);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(job.wait().unwrap().code(), Some(143));
    let summary = std::fs::read_to_string(summary).unwrap();
    assert!(summary.contains("(partial: "), "{summary}");
    assert!(folder.path().join("run/report.html").is_file());
}
