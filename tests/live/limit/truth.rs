//! What real servers of a few workers serve, against queueing theory.
//!
//! `./test --long` makes the lines of reports/long/limit-truth.jsonl;
//! tests/quick/limit/served.rs holds them to 3 % of what theory says.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{limit, number, said};
use crate::queueing::{edge, mdc_longer};
use crate::run::alone;
use crate::server::{ScriptedAnswer, Server};

/// A server and the objective that it is held against.
struct Case {
    workers: u32,
    service_ms: u64,
    /// A tenth of the responses may take longer than this.
    bound_ms: u64,
    /// Searches at a time: what they send together leaves the machine nearly idle.
    lanes: usize,
}

const CASES: [Case; 3] = [
    Case {
        workers: 1,
        service_ms: 5,
        bound_ms: 25,
        lanes: 5,
    },
    Case {
        workers: 4,
        service_ms: 20,
        bound_ms: 48,
        lanes: 5,
    },
    Case {
        workers: 40,
        service_ms: 40,
        bound_ms: 60,
        lanes: 2,
    },
];
const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];

/// A server whose workers take requests in the order in which they came, and how long they
/// were busy with how many.
fn server(workers: u32, service: Duration) -> (Server, Arc<Mutex<(Duration, u32)>>) {
    let (queue, waiting) = mpsc::channel::<mpsc::Sender<()>>();
    let waiting = Arc::new(Mutex::new(waiting));
    let busy = Arc::new(Mutex::new((Duration::ZERO, 0)));
    for _ in 0..workers {
        let (waiting, busy) = (Arc::clone(&waiting), Arc::clone(&busy));
        thread::spawn(move || {
            loop {
                let next = waiting.lock().unwrap().recv();
                let Ok(done) = next else { return };
                let begun = Instant::now();
                thread::sleep(service);
                // Whoever has gone is served all the same.
                let _ = done.send(());
                let mut busy = busy.lock().unwrap();
                *busy = (busy.0 + begun.elapsed(), busy.1 + 1);
            }
        });
    }
    let queue = Mutex::new(queue);
    let server = Server::start(move |_| {
        let (done, end) = mpsc::channel();
        queue.lock().unwrap().send(done).unwrap();
        let _ = end.recv();
        ScriptedAnswer::status(200)
    });
    (server, busy)
}

/// One search, and what theory says of the server as it was.
fn searched(case: &Case, seed: u64) -> Value {
    let (server, busy) = server(case.workers, Duration::from_millis(case.service_ms));
    let most = f64::from(case.workers) * 1e3 / case.service_ms as f64;
    let url = format!("http://{}/", server.address());
    let objective = format!("p90 <= {}ms", case.bound_ms);
    let (from, to) = (format!("{}/s", most / 4.0), format!("{}/s", most * 1.2));
    let folder = tempfile::tempdir().unwrap();
    let words = [
        url.as_str(),
        "--slo",
        &objective,
        "--from",
        &from,
        "--max-rate",
        &to,
        "--operations",
        "10000",
        "--within",
        "30min",
        "--out",
        "search",
        "--seed",
        &seed.to_string(),
    ];
    let output = limit(folder.path(), &words);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let found = super::found(&folder.path().join("search"));
    let (spent, services) = *busy.lock().unwrap();
    let service = spent.as_secs_f64() / f64::from(services);
    let bound = case.bound_ms as f64 / 1e3;
    let longer = |rate| mdc_longer(case.workers, service, rate, bound);
    json!({
        "workers": case.workers, "service_ms": service * 1e3, "objective": objective,
        "seed": seed, "low_per_s": number(&found, "/served/low_per_s"),
        "high_per_s": number(&found, "/served/high_per_s"),
        "theory_per_s": edge(case.workers, service, longer, 0.1),
        "steps": found["steps"].as_array().unwrap().len(), "took_s": found["spent_s"],
    })
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/long/limit-truth.jsonl")
}

/// Searches that were made before.
fn made() -> BTreeSet<(u64, u64)> {
    let text = fs::read_to_string(path()).unwrap_or_default();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let keys = lines.map(|line: Value| {
        let key = |name: &str| line[name].as_u64().unwrap();
        (key("workers"), key("seed"))
    });
    keys.collect()
}

#[test]
#[ignore = "half an hour; `./test --long` runs it"]
fn limits_of_real_servers_are_searched() {
    let _alone = alone();
    let made = made();
    let open = OpenOptions::new().create(true).append(true).open(path());
    let file = Mutex::new(open.unwrap());
    // Forty workers are searched by themselves, one and four beside each other.
    for cases in [&CASES[2..], &CASES[..2]] {
        thread::scope(|scope| {
            for case in cases {
                let seeds = SEEDS
                    .iter()
                    .filter(|seed| !made.contains(&(u64::from(case.workers), **seed)));
                let seeds: Vec<u64> = seeds.copied().collect();
                for lane in 0..case.lanes {
                    let (file, seeds) = (&file, seeds.clone());
                    scope.spawn(move || {
                        for seed in seeds.iter().skip(lane).step_by(case.lanes) {
                            let line = searched(case, *seed).to_string() + "\n";
                            file.lock().unwrap().write_all(line.as_bytes()).unwrap();
                        }
                    });
                }
            }
        });
    }
}
