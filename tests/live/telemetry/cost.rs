//! What all of it costs: the same load with metrics that are scraped, OTLP, annotations and
//! `traceparent`, and with none, in turns.
//!
//! `./test --long` measures it; docs/OBSERVABILITY.md quotes reports/long/telemetry-cost.json.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::receivers::Taker;
use super::{metrics_of, scrape};
use crate::figures::{keep, median};
use crate::run::{alone, threadbare};
use crate::server::{ScriptedAnswer, Server};

/// Runs of each kind.
const RUNS: usize = 7;
/// Operations of each.
const RATE: u64 = 2_000;
const SECONDS: u64 = 8;

/// The send lag of a load, and the CPU time of the generator for each request, in
/// microseconds.
struct Cost {
    lag_p50: f64,
    lag_p99: f64,
    cpu: f64,
}

fn load(with: bool) -> Cost {
    let target = Server::start(|_| ScriptedAnswer::status(200));
    let taker = Taker::start();
    let url = format!("http://{}/", target.address());
    let to = format!("http://{}", taker.address);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut command = threadbare();
    command
        .args(["load", &url, "-c", "32", "--json"])
        .args(["-R", &RATE.to_string(), "-d", &format!("{SECONDS}s")])
        .arg("--out")
        .arg(&out)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if with {
        command
            .args(["--metrics", "127.0.0.1:0", "--metrics-linger", "0s"])
            .args(["--otlp", &to, "--annotations", &to, "--trace", "10 %"]);
    }
    let mut process = command.spawn().unwrap();
    let over = Arc::<AtomicBool>::default();
    let scraper = with.then(|| {
        let (address, said) = metrics_of(&mut process);
        let over = Arc::clone(&over);
        thread::spawn(move || {
            let mut said = said;
            let rest = thread::spawn(move || {
                let mut text = String::new();
                let _ = std::io::Read::read_to_string(&mut said, &mut text);
            });
            let mut scrapes = 0;
            while !over.load(Ordering::Acquire) {
                scrapes += usize::from(scrape(address).is_some());
                thread::park_timeout(Duration::from_secs(1));
            }
            let _ = rest.join();
            scrapes
        })
    });
    let output = process.wait_with_output().unwrap();
    over.store(true, Ordering::Release);
    if let Some(scraper) = scraper {
        let count = scraper.join().unwrap();
        assert!(count >= 3, "{count} scrapes");
    }
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["measurement"]["validity"], "valid");
    let scheduled = summary["conservation"]["scheduled"].as_u64().unwrap();
    assert_eq!(scheduled, RATE * SECONDS);
    let lag = &summary["measurement"]["send_lag_us"];
    Cost {
        lag_p50: lag["p50"].as_f64().unwrap(),
        lag_p99: lag["p99"].as_f64().unwrap(),
        cpu: cpu_us(&out) / scheduled as f64,
    }
}

/// CPU time of the generator's threads in a run, in microseconds.
fn cpu_us(directory: &Path) -> f64 {
    let record = threadbare::record::Record::open(directory).unwrap();
    let mut nanos = 0;
    for sample in &record.samples {
        if let threadbare::record::Counters::Generator(counters) = &sample.counters {
            nanos += counters.cpu_ns;
        }
    }
    nanos as f64 / 1e3
}

#[test]
#[ignore = "minutes; ./test --long"]
fn all_of_it_costs_the_generator_next_to_nothing() {
    let _alone = alone();
    let mut costs: [Vec<Cost>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..RUNS {
        for (kind, with) in [false, true].into_iter().enumerate() {
            costs[kind].push(load(with));
        }
    }
    let of = |costs: &[Cost], what: fn(&Cost) -> f64| median(costs.iter().map(what).collect());
    let told = costs.each_ref().map(|costs| {
        json!({
            "send_lag_p50_us": of(costs, |it| it.lag_p50),
            "send_lag_p99_us": of(costs, |it| it.lag_p99),
            "cpu_us_per_request": of(costs, |it| it.cpu),
            "each_run": costs.iter().map(|it| json!([it.lag_p50, it.lag_p99, it.cpu])).collect::<Vec<_>>(),
        })
    });
    let [none, all] = &told;
    let written = json!({
        "rate_per_s": RATE,
        "seconds": SECONDS,
        "runs_of_each": RUNS,
        "medians_with_none": none,
        "medians_with_all": all,
    });
    keep("telemetry-cost.json", &written);
    // The spread of the runs with none is what the machine does anyhow.
    let most = |what: fn(&Cost) -> f64| costs[0].iter().map(what).fold(0.0, f64::max);
    for name in ["send lag p50", "CPU per request"] {
        let what: fn(&Cost) -> f64 = match name {
            "send lag p50" => |it| it.lag_p50,
            _ => |it| it.cpu,
        };
        let with = of(&costs[1], what);
        let most = most(what);
        assert!(
            with <= most * 1.1,
            "{name}: {with} µs, {most} µs at most without"
        );
    }
}
