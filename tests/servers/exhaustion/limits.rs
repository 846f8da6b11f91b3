//! What servers that nobody here wrote serve, what limits them, and from where they come back.
//!
//! `./test --long` searches the limits of each, and keeps what was found in
//! `reports/long/limits`. Each time, the table of docs/LIMIT.md is held to what was kept.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::Value;

use super::{WORKERS, each, loaded};
use crate::documented::documented;
use crate::run::threadbare;
use crate::server::Server;

/// How long each request keeps a worker busy: four workers then do 80 a second.
const SERVICE_MS: u64 = 50;

/// What is looked for, of all of them. A search ends within ten minutes.
const SOUGHT: &[&str] = &[
    "--client",
    "timeout 1s, retries 2",
    "--max-rate",
    "320/s",
    "--tolerance",
    "10 %",
    "--operations",
    "800",
    "--window",
    "4s",
    "--warm-up",
    "1s",
    "--return-within",
    "5s",
    "--set",
    "recovery.hold=2s",
    "--cool-down",
    "2min",
    "--no-advice",
    "--within",
    "10min",
];

/// Servers in the order of the table, what takes service away from them, and what limits them.
const CASES: [(&str, &str, &str); 6] = [
    ("gunicorn sync", "surge 3x for 3s", "accept_queue"),
    ("gunicorn threads", "surge 3x for 3s", "accept_queue"),
    ("puma", "surge 3x for 3s", "workers"),
    ("tomcat", "surge 3x for 3s", "workers"),
    ("haproxy", "surge 3x for 3s", "workers"),
    ("fastapi", "fault prices latency 2s for 5s", "dependency"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn folder() -> PathBuf {
    root().join("reports/long/limits")
}

fn kept(name: &str) -> PathBuf {
    folder().join(format!("{}.json", name.replace(' ', "-")))
}

fn trigger(name: &str) -> &'static str {
    let case = CASES.iter().find(|case| case.0 == name);
    case.unwrap().1
}

/// Searches a scenario, and keeps what was found.
fn searched(name: &str, scenario: &Path, more: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let output = threadbare()
        .arg("limit")
        .arg(scenario)
        .args(SOUGHT)
        .args(["--trigger", trigger(name), "--json", "--out", "search"])
        .args(more)
        .current_dir(directory.path())
        .output()
        .unwrap();
    println!("{name}: {}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{name}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut text = serde_json::to_string_pretty(&found).unwrap();
    // Where it was measured is nobody's business.
    for folder in [root(), directory.path(), scenario.parent().unwrap()] {
        text = text.replace(&format!("{}/", folder.display()), "");
    }
    fs::write(kept(name), text + "\n").unwrap();
}

fn of_a_server(name: &str, server: &dyn Server) {
    let load = "rate = \"20/s\"\nconnections = 900";
    let scenario = loaded(server, load, &server.slow_path(SERVICE_MS), "");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scenario.toml");
    fs::write(&path, scenario.to_string()).unwrap();
    let from = if name == "puma" { "16/s" } else { "40/s" };
    searched(name, &path, &["--slo", "p90 <= 500ms", "--from", from]);
}

/// A pool of forty threads, and a price that takes half a second.
fn of_fastapi() {
    let scenario = root().join("examples/fastapi/slow-prices.toml");
    let more = [
        "--set",
        "target.env.THREADS=\"40\"",
        "--set",
        "target.env.PRICES_MS=\"500\"",
        "--set",
        "load.connections=900",
    ];
    let slo = ["--slo", "p90 <= 900ms", "--from", "40/s"];
    searched("fastapi", &scenario, &[&more[..], &slo].concat());
}

#[test]
#[ignore = "ten minutes; `./test --long` runs it"]
fn the_limits_of_servers_are_searched() {
    fs::create_dir_all(folder()).unwrap();
    thread::scope(|scope| {
        if !kept("fastapi").exists() {
            scope.spawn(of_fastapi);
        }
        if CASES[..5].iter().any(|(name, _, _)| !kept(name).exists()) {
            each(|case| of_a_server(case.name, case.server));
        }
    });
}

/// `75.3–78.8/s`.
fn interval(of: &Value) -> String {
    let end = |key: &str| {
        of[key]
            .as_f64()
            .map_or_else(|| "?".to_owned(), |it| format!("{it:.1}"))
    };
    format!("{}–{}/s", end("low_per_s"), end("high_per_s"))
}

/// What a server can do, from and to: four workers of 50 ms, or forty of 500 ms, 80/s.
///
/// A thread of Puma 5.6 waits with a connection for the next request on it, up to 200 ms
/// (`FAST_TRACK_KA_TIMEOUT`), also while others wait for a thread: then four do 16/s.
fn can_do(name: &str) -> (f64, f64) {
    let most = f64::from(WORKERS) * 1e3 / SERVICE_MS as f64;
    let with_waiting = f64::from(WORKERS) * 1e3 / (SERVICE_MS + 200) as f64;
    if name == "puma" {
        (with_waiting, most)
    } else {
        (most, most)
    }
}

#[test]
fn the_page_has_what_was_found() {
    let mut table = String::from(
        "| server | served | limited by | trigger | returns from | steps | took |\n\
         |---|---|---|---|---|---:|---:|\n",
    );
    for (name, trigger, limited_by) in CASES {
        let path = kept(name);
        let text = fs::read_to_string(&path)
            .unwrap_or_else(|cause| panic!("{}: {cause}; ./test --long makes it", path.display()));
        let found: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(found["served"]["status"], "found", "{name}");
        let causes = found["limited_by"].as_array().unwrap().iter();
        let mut causes = causes.filter_map(|it| it["resource"].as_str());
        let first = causes.next().unwrap();
        assert_eq!(first, limited_by, "{name}");
        let took = found["spent_s"].as_f64().unwrap();
        assert!(took <= 600.0, "{name}: {took}");
        let low = found["served"]["low_per_s"].as_f64().unwrap();
        let (least, most) = can_do(name);
        assert!(low > 0.7 * least && low < 1.02 * most, "{name}: {low}");
        let steps = found["steps"].as_array().unwrap().len();
        let _ = writeln!(
            table,
            "| {name} | {} | {first} | {trigger} | {} | {steps} | {took:.0} s |",
            interval(&found["served"]),
            interval(&found["returns"]),
        );
    }
    documented(
        "docs/LIMIT.md",
        "servers",
        &table,
        "cargo test --test servers limits::the_page",
    );
}
