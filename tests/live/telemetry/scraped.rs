//! The page: while a run goes on, and its last word, which is `summary.json`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, Read as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{get, metrics_of, scrape};
use crate::run::{alone, summary, threadbare, wait_until};
use crate::server::{ScriptedAnswer, Server, Then};

/// Two instances, calm, with one thing done.
const SHORT: &str = r#"
title    = "short"
claim    = "the page has its last word"
end      = "6s"
warm_up  = "1s"
interval = "500ms"

[target.fleet]
instances = 2
workers   = 2
users     = 30
boot      = "0s"

[load]
rate = "100/s"
mix  = [{ weight = 1, request = "list tasks", role = "contributor" }]
client = { timeout = "1s", retries = 1 }

[[timeline]]
at    = "3s"
do    = "slow"
part  = "database"
factor = 2
phase = "slower"
"#;

/// Scrapes until the page has its last word.
fn last_page(address: SocketAddr) -> BTreeMap<String, f64> {
    let end = Instant::now() + Duration::from_mins(1);
    loop {
        assert!(Instant::now() < end, "no last page came");
        let page = scrape(address).expect("it serves until its last page was read");
        if page
            .keys()
            .any(|name| name.starts_with("threadbare_verdict"))
        {
            return page;
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

/// Asserts that a page is what was found.
fn assert_equal(page: &BTreeMap<String, f64>, summary: &Value) {
    let whole = |value: &Value| value.as_u64().unwrap();
    let sample = |name: &str| {
        let value = page.get(name).copied();
        value.unwrap_or_else(|| panic!("no {name}"))
    };
    let conservation = &summary["conservation"];
    for outcome in [
        "succeeded",
        "failed",
        "timed_out",
        "missed_deadline",
        "shed",
        "unfinished",
    ] {
        let name = format!("threadbare_operations_total{{outcome=\"{outcome}\"}}");
        let counted = whole(&conservation[outcome]);
        assert!(
            (sample(&name) - counted as f64).abs() < 0.5,
            "{name}: {counted}"
        );
    }
    let exchanged = &summary["exchanged"];
    for (name, value) in [
        (
            "threadbare_operations_scheduled_total",
            &conservation["scheduled"],
        ),
        (
            "threadbare_operation_duration_seconds_count{result=\"success\"}",
            &conservation["succeeded"],
        ),
        ("threadbare_sent_bytes_total", &exchanged["sent_bytes"]),
        (
            "threadbare_received_bytes_total",
            &exchanged["received_bytes"],
        ),
        (
            "threadbare_connections_opened_total",
            &exchanged["connections_opened"],
        ),
    ] {
        let counted = whole(value);
        assert!(
            (sample(name) - counted as f64).abs() < 0.5,
            "{name}: {counted}"
        );
    }
    for status in exchanged["statuses"].as_array().unwrap() {
        let code = &status["status"];
        let name = format!("threadbare_responses_total{{class=\"user\",code=\"{code}\"}}");
        let counted = whole(&status["count"]);
        assert!(
            (sample(&name) - counted as f64).abs() < 0.5,
            "{name}: {counted}"
        );
    }
}

fn run_with_metrics(folder: &Path, linger: &str) -> Child {
    let file = folder.join("short.toml");
    fs::write(&file, SHORT).unwrap();
    threadbare()
        .args([
            "run",
            "--metrics",
            "127.0.0.1:0",
            "--metrics-linger",
            linger,
        ])
        .args(["--out"])
        .arg(folder.join("run"))
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_run_is_seen_while_it_goes_on_and_its_last_page_is_the_summary() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let mut process = run_with_metrics(folder.path(), "60s");
    let (address, mut said) = metrics_of(&mut process);
    let under_way = |page: &BTreeMap<String, f64>| {
        let ended = page.get("threadbare_operations_ended_total{result=\"success\"}");
        ended.is_some_and(|count| *count > 100.0)
    };
    let mut seen = BTreeMap::new();
    wait_until(Duration::from_secs(30), "operations on the page", || {
        seen = scrape(address).unwrap_or_default();
        under_way(&seen)
    });
    assert!((seen["threadbare_state{state=\"load\"}"] - 1.0).abs() < 0.1);
    assert!(
        seen.contains_key("threadbare_workers{source=\"instance-1\"}"),
        "{seen:?}"
    );
    let root = get(address, "/").unwrap();
    assert!(root.contains("/metrics"), "{root}");
    assert!(get(address, "/other").unwrap().starts_with("HTTP/1.1 404"));
    let page = last_page(address);
    let status = process.wait().unwrap();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(status.success(), "{rest}");
    assert!(rest.contains("--metrics-linger"), "{rest}");
    let summary = summary(&folder.path().join("run")).unwrap();
    assert_equal(&page, &summary);
    assert!((page["threadbare_state{state=\"ended\"}"] - 1.0).abs() < 0.1);
    for (name, value) in &seen {
        // Only counters: a level may fall.
        if name.contains("_total") {
            assert!(page[name] >= *value, "{name} went back");
        }
    }
    // It was read, so nobody is waited for.
    assert!(scrape(address).is_none());
}

#[test]
fn a_load_is_served_until_somebody_has_read_its_end_and_no_longer_than_told() {
    let _alone = alone();
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let url = format!("http://{}/", server.address());
    let load = |linger: &str| {
        threadbare()
            .args(["load", &url, "-R", "200", "-d", "1s", "--json"])
            .args(["--metrics", "127.0.0.1:0", "--metrics-linger", linger])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let mut process = load("60s");
    let (address, _said) = metrics_of(&mut process);
    let page = last_page(address);
    let output = process.wait_with_output().unwrap();
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_equal(&page, &summary);
    assert_eq!(summary["conservation"]["scheduled"], 200);
    // Nobody comes: it ends all the same.
    let began = Instant::now();
    let mut process = load("1s");
    let (_, _said) = metrics_of(&mut process);
    assert!(process.wait_with_output().unwrap().status.code().is_some());
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn a_signal_ends_the_wait_for_a_scrape() {
    let _alone = alone();
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let url = format!("http://{}/", server.address());
    let began = Instant::now();
    let mut process = threadbare()
        .args(["load", &url, "-R", "200", "-d", "1s", "--json"])
        .args(["--metrics", "127.0.0.1:0", "--metrics-linger", "10min"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (_, mut said) = metrics_of(&mut process);
    let mut line = String::new();
    while !line.contains("--metrics-linger") {
        line.clear();
        assert!(
            said.read_line(&mut line).unwrap() > 0,
            "it waits for nobody"
        );
    }
    let pid = rustix::process::Pid::from_child(&process);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(began.elapsed() < Duration::from_mins(2));
    // The load had ended: its answer was there before the wait, and so was its exit code.
    assert!(output.status.code().is_some_and(|code| code != 130));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["conservation"]["scheduled"], 200);
}

#[test]
fn elsewhere_than_on_loopback_only_with_a_word() {
    let refused = threadbare()
        .args(["load", "http://127.0.0.1:1/", "--metrics", "0.0.0.0:0"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("--insecure-metrics"), "{said}");
}

#[test]
fn a_port_that_is_taken_is_said_before_any_load() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = threadbare()
        .args(["load", "http://127.0.0.1:1/", "--metrics", &address])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(said.contains(&address), "{said}");
}

#[test]
fn a_proxy_tells_what_passes_it() {
    let _alone = alone();
    let server = Server::start(|_| ScriptedAnswer::status(200).then(Then::Close));
    let to = server.address().to_string();
    let mut process = threadbare()
        .args(["proxy", "--listen", "127.0.0.1:0", "--to", &to, "--no-api"])
        .args(["--metrics", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (address, _said) = metrics_of(&mut process);
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(process.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    let proxy: SocketAddr = line.split(' ').next().unwrap().parse().unwrap();
    let answer = get(proxy, "/").unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let down = "threadbare_proxy_bytes_total{proxy=\"proxy\",direction=\"downstream\"}";
    let mut page = BTreeMap::new();
    wait_until(Duration::from_secs(10), "bytes on the page", || {
        page = scrape(address).unwrap();
        page[down] > 0.0
    });
    let count = page["threadbare_proxy_connections_total{proxy=\"proxy\"}"];
    assert!((count - 1.0).abs() < 0.1, "{page:?}");
    let pid = rustix::process::Pid::from_child(&process);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(143));
}
