//! How often comparisons of real runs cry wolf, and how often they find what is there.
//!
//! Each comparison is of two loads of real servers on loopback, a few comparisons beside
//! each other. `./test --long` goes on where it was interrupted and leaves a line for each in
//! reports/long/comparisons.jsonl; docs/CI.md has the tables.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rand::RngExt as _;
use serde_json::{Value, json};

use crate::run::alone;
use crate::server::{ScriptedAnswer, Server};

/// Operations per second of each load.
const RATE: &str = "1000";
/// Half of the service times are below this, in milliseconds.
const MEDIAN_MS: f64 = 8.0;
/// The spread of their logarithms: p99 is 2.5 times the median.
const SPREAD: f64 = 0.4;
/// The share of operations that fail.
const ERRORS: f64 = 0.02;
/// The noisy neighbour is busy for up to so long, and then idle for up to so long.
const BURST_MS: u64 = 400;

/// What the candidate has and the base has not.
#[derive(Debug, Clone, Copy)]
enum Planted {
    Nothing,
    /// The slowest tenth of service times is longer by this share, and so is their p99.
    Tail(f64),
    /// The share of errors is larger by this share of it.
    Errors(f64),
}

/// How the two are held against each other.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// `compare` of two runs of so many seconds each.
    Compare(u32),
    /// `ab`, five minutes at most.
    Turns,
}

/// Comparisons of one kind.
#[derive(Debug, Clone, Copy)]
struct Study {
    planted: Planted,
    way: Way,
    /// Whether another program is busy half the time.
    neighbour: bool,
    count: u64,
}

const fn study(planted: Planted, way: Way, neighbour: bool, count: u64) -> Study {
    Study {
        planted,
        way,
        neighbour,
        count,
    }
}

const STUDIES: [Study; 12] = [
    study(Planted::Nothing, Way::Compare(10), true, 100),
    study(Planted::Nothing, Way::Compare(10), false, 100),
    study(Planted::Tail(0.10), Way::Compare(60), false, 20),
    study(Planted::Errors(0.20), Way::Compare(60), false, 20),
    study(Planted::Tail(0.05), Way::Turns, false, 20),
    study(Planted::Errors(0.20), Way::Turns, false, 20),
    study(Planted::Tail(0.10), Way::Compare(30), false, 12),
    study(Planted::Errors(0.20), Way::Compare(30), false, 12),
    study(Planted::Tail(0.10), Way::Compare(15), false, 12),
    study(Planted::Errors(0.20), Way::Compare(15), false, 12),
    study(Planted::Tail(0.05), Way::Compare(60), false, 12),
    study(Planted::Errors(0.10), Way::Compare(60), false, 12),
];

impl Study {
    fn planted(&self) -> (&'static str, f64) {
        match self.planted {
            Planted::Nothing => ("nothing", 0.0),
            Planted::Tail(share) => ("response p99", share),
            Planted::Errors(share) => ("error share", share),
        }
    }

    /// Comparisons of different kinds have different lines.
    fn line(&self, seed: u64) -> serde_json::Map<String, Value> {
        let (planted, by) = self.planted();
        let (command, seconds) = match self.way {
            Way::Compare(seconds) => ("compare", seconds),
            Way::Turns => ("ab", 10),
        };
        let line = json!({
            "command": command, "seconds": seconds, "planted": planted, "by": by,
            "neighbour": self.neighbour, "seed": seed,
        });
        line.as_object().unwrap().clone()
    }
}

/// A server whose service times and errors are drawn anew for each request.
fn server(tail: f64, errors: f64) -> (Server, String) {
    let server = Server::start(move |_| {
        let mut random = rand::rng();
        let [a, b]: [f64; 2] = [random.random(), random.random()];
        // Box and Muller's normal deviate; 1.2816 is the standard normal's p90.
        let normal = (-2.0 * (1.0 - a).ln()).sqrt() * (std::f64::consts::TAU * b).cos();
        let longer = if normal > 1.2816 { 1.0 + tail } else { 1.0 };
        let service = MEDIAN_MS / 1e3 * (normal * SPREAD).exp() * longer;
        let failed = random.random_bool(errors);
        ScriptedAnswer::status(if failed { 500 } else { 200 })
            .after(Duration::from_secs_f64(service))
    });
    let url = format!("http://{}/", server.address());
    (server, url)
}

fn threadbare(folder: &Path, words: &[&str]) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_threadbare"))
        .args(words)
        .current_dir(folder)
        .output()
        .unwrap();
    // 0 and 99 are answers, 97 is one too.
    assert!(
        matches!(output.status.code(), Some(0 | 97 | 99)),
        "{words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// One comparison, and what it said.
fn compared(study: &Study, seed: u64) -> Value {
    let (tail, errors) = match study.planted {
        Planted::Nothing => (0.0, ERRORS),
        Planted::Tail(share) => (share, ERRORS),
        Planted::Errors(share) => (0.0, ERRORS * (1.0 + share)),
    };
    let (_base, base) = server(0.0, ERRORS);
    let (_candidate, candidate) = server(tail, errors);
    let folder = tempfile::tempdir().unwrap();
    let seed = seed.to_string();
    let load = ["-R", RATE, "--quiet", "--seed", &seed];
    match study.way {
        Way::Compare(seconds) => {
            let seconds = format!("{seconds}s");
            for (url, name) in [(&base, "base"), (&candidate, "candidate")] {
                let words = ["load", url, "-d", &seconds, "--out", name];
                threadbare(folder.path(), &[&words[..], &load].concat());
            }
            let words = ["compare", "base", "candidate", "--json"];
            serde_json::from_slice(&threadbare(folder.path(), &words)).unwrap()
        }
        Way::Turns => {
            // Two runs of 12 s a round: at most 4 min 48 s.
            let words = [
                "ab", &base, &candidate, "-d", "10s", "--rounds", "12", "--out", "ab",
            ];
            threadbare(folder.path(), &[&words[..], &load].concat());
            let told = fs::read(folder.path().join("ab/comparison.json")).unwrap();
            serde_json::from_slice(&told).unwrap()
        }
    }
}

/// A number with four digits: no more are meant.
fn short(value: &Value) -> Value {
    let value = value.as_f64().map(|value| format!("{value:.3e}"));
    value.map_or(Value::Null, |text| text.parse::<f64>().unwrap().into())
}

/// What is kept of a comparison.
fn kept(study: &Study, seed: u64, told: &Value, took: Duration) -> String {
    let mut line = study.line(seed);
    let figures = told["figures"].as_array().into_iter().flatten();
    let figures = figures.map(|it| {
        let name = it["figure"].as_str().unwrap().to_owned();
        let parts = json!([
            it["verdict"],
            short(&it["difference"]),
            short(&it["low"]),
            short(&it["high"])
        ]);
        (name, parts)
    });
    let figures: BTreeMap<String, Value> = figures.collect();
    line.insert("took_s".into(), took.as_secs().into());
    line.insert("verdict".into(), told["verdict"].clone());
    line.insert("obstacles".into(), told["obstacles"].clone());
    line.insert(
        "between_runs".into(),
        told["method"]["between_runs"].clone(),
    );
    line.insert("figures".into(), json!(figures));
    Value::from(line).to_string()
}

fn place() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/long/comparisons.jsonl")
}

/// Whether a line is of this comparison.
fn is_of(line: &Value, wanted: &serde_json::Map<String, Value>) -> bool {
    wanted.iter().all(|(key, value)| line[key] == *value)
}

/// Busy half the time, until told to stop.
fn neighbour(stop: &AtomicBool) {
    let mut random = rand::rng();
    while !stop.load(Ordering::Relaxed) {
        let until = Instant::now() + Duration::from_millis(random.random_range(0..BURST_MS));
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        thread::sleep(Duration::from_millis(random.random_range(0..BURST_MS)));
    }
}

#[test]
#[ignore = "takes two hours: ./test --long"]
fn comparisons_of_real_runs_are_counted() {
    let _alone = alone();
    // So many beside each other: each takes a twentieth of a core.
    let lanes = std::env::var("LANES").map_or(4, |text| text.parse().unwrap());
    for study in STUDIES {
        let text = fs::read_to_string(place()).unwrap_or_default();
        let known: Vec<Value> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let missing = (1..=study.count)
            .filter(|seed| !known.iter().any(|line| is_of(line, &study.line(*seed))));
        let queue = Mutex::new(missing.collect::<Vec<u64>>().into_iter());
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(place())
            .unwrap();
        let file = Mutex::new(file);
        let stop = AtomicBool::new(!study.neighbour);
        thread::scope(|scope| {
            scope.spawn(|| neighbour(&stop));
            let workers: Vec<_> = (0..lanes)
                .map(|_| {
                    scope.spawn(|| {
                        while let Some(seed) = { queue.lock().unwrap().next() } {
                            let begun = Instant::now();
                            let told = compared(&study, seed);
                            let line = kept(&study, seed, &told, begun.elapsed());
                            writeln!(file.lock().unwrap(), "{line}").unwrap();
                        }
                    })
                })
                .collect();
            let ended: Vec<_> = workers
                .into_iter()
                .map(thread::ScopedJoinHandle::join)
                .collect();
            stop.store(true, Ordering::Relaxed);
            assert!(ended.iter().all(Result::is_ok), "a comparison did not end");
        });
    }
}
