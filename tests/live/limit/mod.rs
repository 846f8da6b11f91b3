//! `threadbare limit` on real servers: what they serve, what cannot be told, and from where
//! they come back.

mod agrees;
mod truth;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::load::station::Station;
use crate::run::{alone, wait_until};
use crate::server::{ScriptedAnswer, Server};

fn command(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_threadbare"));
    command.arg("limit").args(words).current_dir(folder);
    command.stdin(Stdio::null());
    command
}

fn limit(folder: &Path, words: &[&str]) -> Output {
    command(folder, words).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

fn found(folder: &Path) -> Value {
    let bytes = std::fs::read(folder.join("limit.json")).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn number(of: &Value, path: &str) -> f64 {
    let value = of.pointer(path).and_then(Value::as_f64);
    value.unwrap_or_else(|| panic!("{path} in {of:#}"))
}

/// So many workers, each so long at a request, which nothing calls off: a job outlives its
/// caller.
fn server(workers: u32, service: Duration) -> (Server, String) {
    let station = Arc::new(Station::new(workers));
    let server = Server::start(move |_| {
        station.visit(|| service);
        ScriptedAnswer::status(200)
    });
    let url = format!("http://{}/", server.address());
    (server, url)
}

#[test]
#[ignore = "half a minute: ./test --long"]
fn what_four_workers_serve_is_what_theory_says() {
    let _alone = alone();
    let (_server, url) = server(4, Duration::from_millis(20));
    let folder = tempfile::tempdir().unwrap();
    let bounds = ["--from", "100", "--max-rate", "200", "--tolerance", "50 %"];
    let times = [
        "--window",
        "2s",
        "--warm-up",
        "500ms",
        "--operations",
        "300",
    ];
    let objectives = ["--slo", "p90 <= 60ms", "--slo", "error share <= 5 %"];
    let out = ["--out", "search"];
    let words = [&[url.as_str()][..], &bounds, &times, &objectives, &out].concat();
    let output = limit(folder.path(), &words);
    println!("{}", said(&output));
    assert_eq!(output.status.code(), Some(0));
    let found = found(&folder.path().join("search"));
    assert_eq!(found["served"]["status"], "found", "{:#}", found["served"]);
    // M/D/4 with services of 20 ms: a tenth takes longer than 60 ms at 175/s (of 200/s), by
    // the formula in tests/quick/limit/truth.rs.
    let truth = 175.2;
    let (low, high) = (
        number(&found, "/served/low_per_s"),
        number(&found, "/served/high_per_s"),
    );
    assert!(low <= truth * 1.05, "{low} to {high}");
    assert!(high >= truth * 0.9, "{low} to {high}");
    assert!(low >= truth * 0.8, "{low} to {high}");
    // Each step is a run that can be looked at.
    let run = found["steps"][0]["run"].as_str().unwrap();
    assert!(
        folder
            .path()
            .join("search")
            .join(run)
            .join("run.json")
            .exists()
    );
}

#[test]
#[ignore = "20 s: ./test --long"]
fn a_target_that_is_never_at_its_limit_is_told_so_and_an_interrupted_search_goes_on() {
    let _alone = alone();
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let url = format!("http://{}/", server.address());
    let folder = tempfile::tempdir().unwrap();
    let bounds = ["--from", "100", "--max-rate", "200", "--window", "2s"];
    let times = ["--warm-up", "500ms", "--operations", "200"];
    let objective = ["--slo", "error share <= 10 %"];
    let words = [&[url.as_str()][..], &bounds, &times, &objective].concat();
    // Nothing is sent by a dry run.
    let dry = limit(folder.path(), &[&words[..], &["--dry-run"]].concat());
    assert_eq!(dry.status.code(), Some(0), "{}", said(&dry));
    assert!(
        said(&dry).contains("double it up to 200/s at most"),
        "{}",
        said(&dry)
    );
    assert_eq!(server.requests().len(), 0);
    // Interrupted in its second step.
    let out = ["--out", "search"];
    let mut search = command(folder.path(), &[&words[..], &out].concat());
    let mut child = search
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let second = folder.path().join("search/step-002-served/series.csv");
    let long = || std::fs::metadata(&second).is_ok_and(|file| file.len() > 500);
    wait_until(Duration::from_secs(30), "the second step has begun", long);
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let early = found(&folder.path().join("search"));
    assert_eq!(early["ended"], "interrupted");
    assert_eq!(early["steps"].as_array().unwrap().len(), 1);
    let resumed = limit(folder.path(), &["--resume", "search"]);
    println!("{}", said(&resumed));
    assert_eq!(resumed.status.code(), Some(0));
    let late = found(&folder.path().join("search"));
    for key in ["rate_per_s", "seed", "verdict", "why"] {
        assert_eq!(late["steps"][0][key], early["steps"][0][key]);
    }
    assert_eq!(late["served"]["status"], "no_limit", "{:#}", late["served"]);
    assert!(said(&resumed).contains("No limit was found up to 200/s"));
    assert_eq!(late["limited_by"], Value::Array(Vec::new()));
}

#[test]
#[ignore = "a minute; `./test --long` runs it"]
fn a_service_whose_jobs_outlive_their_callers_returns_from_less_than_it_serves() {
    let _alone = alone();
    let (_server, url) = server(4, Duration::from_millis(5));
    let folder = tempfile::tempdir().unwrap();
    // It serves 800 a second; with four tries for each operation 200 are sure to come back.
    let bounds = ["--from", "480", "--max-rate", "480", "--tolerance", "50 %"];
    let times = ["--window", "2s", "--warm-up", "1s", "--operations", "200"];
    let trigger = ["--trigger", "surge 3x for 1s", "--return-within", "2s"];
    let clients = [
        "--client",
        "timeout 300ms, retries 3",
        "--trials",
        "1",
        "--no-advice",
    ];
    let rule = [
        "--set",
        "recovery.hold=1s",
        "--set",
        "recovery.operations_min=20",
    ];
    let expected = [
        "--expect",
        "served >= 400/s",
        "--slo",
        "error share <= 10 %",
    ];
    let out = ["--out", "search"];
    let words = [
        &[url.as_str()][..],
        &bounds,
        &times,
        &trigger,
        &clients,
        &rule,
        &expected,
        &out,
    ]
    .concat();
    let output = limit(folder.path(), &words);
    println!("{}", said(&output));
    assert_eq!(output.status.code(), Some(0));
    let found = found(&folder.path().join("search"));
    let served = number(&found, "/served/low_per_s");
    let (low, high) = (
        number(&found, "/returns/low_per_s"),
        number(&found, "/returns/high_per_s"),
    );
    assert!(
        served >= 479.0 && low < served && high <= served,
        "{low} to {high}"
    );
    // A surge to less than it serves is none.
    assert!(low >= 200.0, "{low}");
    assert_eq!(found["expectations"][0]["verdict"], "holds");
}

/// A service of four workers that breaks when forty requests are there at a time, and stays
/// broken until somebody says otherwise: a flag, or `POST /restart`.
fn that_stays_down() -> (Server, String, Arc<AtomicBool>) {
    let station = Arc::new(Station::new(4));
    let (broken, here) = (Arc::new(AtomicBool::new(false)), AtomicU32::new(0));
    let flag = Arc::clone(&broken);
    let server = Server::start(move |request| {
        if request.line().starts_with("POST /restart") {
            flag.store(false, Ordering::SeqCst);
            return ScriptedAnswer::status(200);
        }
        if here.fetch_add(1, Ordering::SeqCst) >= 40 {
            flag.store(true, Ordering::SeqCst);
        }
        let down = flag.load(Ordering::SeqCst);
        if !down {
            station.visit(|| Duration::from_millis(20));
        }
        here.fetch_sub(1, Ordering::SeqCst);
        ScriptedAnswer::status(if down { 503 } else { 200 })
    });
    let url = format!("http://{}", server.address());
    (server, url, broken)
}

#[test]
#[ignore = "a minute; `./test --long` runs it"]
fn a_service_that_stays_down_ends_the_search_or_is_started_anew_by_a_hook() {
    let _alone = alone();
    let (_server, url, broken) = that_stays_down();
    let folder = tempfile::tempdir().unwrap();
    let scenario = format!(
        "title = \"it breaks\"\nclaim = \"it breaks\"\nend = \"12s\"\n[target]\nurl = \
         \"{url}\"\n[[hook]]\nname = \"start\"\nrequest = \"POST {url}/restart\"\n[load]\nrate \
         = \"50/s\"\n"
    );
    std::fs::write(folder.path().join("breaks.toml"), scenario).unwrap();
    let bounds = ["breaks.toml", "--from", "80", "--max-rate", "640"];
    let times = [
        "--window",
        "2s",
        "--warm-up",
        "500ms",
        "--operations",
        "200",
    ];
    let rest = [
        "--tolerance",
        "50 %",
        "--cool-down",
        "1s",
        "--slo",
        "error share <= 20 %",
    ];
    let words = [&bounds[..], &times, &rest].concat();
    let first = limit(folder.path(), &[&words[..], &["--out", "ends"]].concat());
    println!("{}", said(&first));
    assert_eq!(first.status.code(), Some(99));
    let ends = found(&folder.path().join("ends"));
    assert_eq!(ends["ended"], "stayed_down");
    let because = ends["ended_because"].as_str().unwrap();
    assert!(because.contains("320/s brought it down"), "{because}");
    // One that goes on offers a service that is down no more than a small load.
    let resumed = limit(folder.path(), &["--resume", "ends"]);
    assert_eq!(resumed.status.code(), Some(3), "{}", said(&resumed));
    assert!(said(&resumed).contains("restart it"), "{}", said(&resumed));
    broken.store(false, Ordering::SeqCst);
    let more = ["--out", "goes-on", "--restart", "start", "--within", "30s"];
    let restarts = [&words[..], &more].concat();
    let second = limit(folder.path(), &restarts);
    println!("{}", said(&second));
    assert_eq!(second.status.code(), Some(0));
    let goes_on = found(&folder.path().join("goes-on"));
    let mut steps = goes_on["steps"].as_array().unwrap().iter();
    let started_anew = |it: &Value| it["why"].as_str().unwrap().contains("started it anew");
    let step = steps.find(|it| started_anew(it)).unwrap();
    assert_eq!(
        (&step["rate_per_s"], &step["verdict"]),
        (&320.0.into(), &"does_not".into())
    );
    assert!(number(&goes_on, "/served/low_per_s") >= 160.0);
}
