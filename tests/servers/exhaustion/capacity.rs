//! What servers can do by their own gauges, beside what is inferred from the load.
//!
//! `./test --long` loads every server past what it can do with five seeds, and keeps
//! what the runs were found to show in `reports/long/capacity`. Each time, the table of
//! docs/TARGETS.md is held to what was kept, and that to the tolerance. That the
//! inference works now is tested live in `tests/servers/gauges/inferred.rs`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{WORKERS, each, loaded};
use crate::documented::documented;
use crate::run::run;
use crate::server::Server;

const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];
/// The two agree within this share, in the median of the seeds.
const TOLERANCE: f64 = 0.15;
/// How long each request keeps a worker busy: four workers then do 80 a second.
const SERVICE_MS: u64 = 50;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn kept(name: &str, seed: u64) -> PathBuf {
    let folder = root().join("reports/long/capacity");
    folder.join(format!("{}-seed-{seed}.json", name.replace(' ', "-")))
}

/// A quarter of what it can do, and then twice as much as it can.
const LOAD: &str = r#"
    rate = "20/s"
    connections = 900
    client = { timeout = "60s", retries = 0 }
    [[load.step]]
    at = "7s"
    rate = "160/s"
"#;

#[test]
#[ignore = "four minutes; `./test --long` runs it"]
fn servers_are_loaded_past_their_capacity() {
    fs::create_dir_all(root().join("reports/long/capacity")).unwrap();
    for seed in SEEDS {
        if NAMES.iter().all(|name| kept(name, seed).exists()) {
            continue;
        }
        each(|case| past_capacity(case.name, case.server, seed));
    }
}

fn past_capacity(name: &str, server: &dyn Server, seed: u64) {
    let path = server.slow_path(SERVICE_MS);
    let mut scenario = loaded(server, LOAD, &path, "");
    let seed_value = i64::try_from(seed).unwrap();
    scenario.insert("seed".into(), seed_value.into());
    let run = run(&scenario);
    run.assert_sound();
    let workers = &run.summary["inferred_capacity"]["workers"]["value"];
    assert!(workers.is_f64(), "{name}: nothing was inferred");
    let text = serde_json::to_string_pretty(&run.summary).unwrap() + "\n";
    fs::write(kept(name, seed), text).unwrap();
}

/// Servers in the order of the table, and whether they tell busy workers.
const NAMES: [&str; 5] = [
    "gunicorn sync",
    "gunicorn threads",
    "puma",
    "tomcat",
    "haproxy",
];

/// What one run showed.
struct Shown {
    /// Workers that were busy at most by the server's own gauges.
    told: Option<f64>,
    /// Workers that were inferred, and completions per second.
    inferred: f64,
    per_s: f64,
}

fn shown(name: &str, seed: u64) -> Shown {
    let path = kept(name, seed);
    let text = fs::read_to_string(&path)
        .unwrap_or_else(|cause| panic!("{}: {cause}; ./test --long makes it", path.display()));
    let summary: Value = serde_json::from_str(&text).unwrap();
    let phases = summary["phases"].as_array().unwrap();
    let told = phases
        .iter()
        .filter_map(|phase| phase["gauges"][0]["busy_max"].as_f64());
    let inferred = &summary["inferred_capacity"];
    Shown {
        told: told.reduce(f64::max),
        inferred: inferred["workers"]["value"].as_f64().unwrap(),
        per_s: inferred["per_s"]["value"].as_f64().unwrap(),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
fn what_is_inferred_agrees_with_what_gauges_tell() {
    let mut table = String::from(
        "| server | workers by its gauges | inferred (five runs) | apart | completions per second |\n\
         |---|---|---|---|---|\n",
    );
    for name in NAMES {
        let runs = SEEDS.map(|seed| shown(name, seed));
        let told: Vec<f64> = runs.iter().filter_map(|run| run.told).collect();
        // Gunicorn does not tell how many are busy: as many as it was started with.
        let (workers, words) = if told.is_empty() {
            (f64::from(WORKERS), format!("– (started with {WORKERS})"))
        } else {
            let told = median(told);
            (told, format!("{told}"))
        };
        let inferred = runs.iter().map(|run| run.inferred);
        let (least, most) = (
            inferred.clone().fold(f64::INFINITY, f64::min),
            inferred.clone().fold(0.0, f64::max),
        );
        let inferred = median(inferred.collect());
        let apart = inferred / workers - 1.0;
        let per_s = median(runs.iter().map(|run| run.per_s).collect());
        let _ = writeln!(
            table,
            "| {name} | {words} | {inferred:.2} ({least:.2}–{most:.2}) | {:+.1} % | {per_s:.1} |",
            apart * 100.0
        );
        assert!(apart.abs() <= TOLERANCE, "{name}: {inferred} of {workers}");
    }
    documented(
        "docs/TARGETS.md",
        "capacity",
        &table,
        "cargo test --test servers what_is_inferred",
    );
}
