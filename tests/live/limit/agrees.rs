//! The same search live and in virtual time: a service of 25 ms whose jobs outlive their
//! callers, after a surge.
//!
//! `./test --long` makes reports/long/limit-backends.json; tests/quick/limit/served.rs holds
//! the two to each other.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{found, limit, said};
use crate::run::alone;

/// Four workers of 25 ms, a queue that nothing bounds, and nobody who calls a job off.
const SERVICE: &str = r#"
title   = "Jobs outlive their callers"
claim   = "It serves."
warm_up = "2s"
end     = "12s"
[target.fleet]
instances   = 1
workers     = 4
queue       = "unbounded"
application = "constant(0s)"
database    = "constant(25ms)"
boot        = "0s"
[target.fleet.identity]
latency  = "constant(0s)"
capacity = 10000
[load]
arrivals = "poisson"
rate     = "40/s"
mix      = [{ weight = 1, request = "list tasks", role = "viewer" }]
[recovery]
hold           = "3s"
operations_min = 50
"#;

#[test]
#[ignore = "a quarter of an hour; `./test --long` runs it"]
fn a_search_is_carried_out_live_and_in_virtual_time() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/long/limit-backends.json");
    if path.exists() {
        return;
    }
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("service.toml"), SERVICE).unwrap();
    let words = [
        "service.toml",
        "--slo",
        "p90 <= 60ms",
        "--client",
        "timeout 500ms, retries 3",
        "--trigger",
        "surge 5x for 2s",
        "--from",
        "40/s",
        "--max-rate",
        "160/s",
        "--tolerance",
        "5 %",
        "--operations",
        "3000",
        "--return-within",
        "10s",
        "--trials",
        "6",
        "--within",
        "40min",
    ];
    let searched = |backend: &str, more: &[&str]| -> Value {
        let output = limit(
            folder.path(),
            &[&words[..], &["--out", backend], more].concat(),
        );
        println!("{}", said(&output));
        assert_eq!(output.status.code(), Some(0));
        let found = found(&folder.path().join(backend));
        let part = |part: &str, key: &str| found[part][key].clone();
        json!({
            "served": [part("served", "low_per_s"), part("served", "high_per_s")],
            "returns": [part("returns", "low_per_s"), part("returns", "high_per_s")],
            "took_s": found["spent_s"],
        })
    };
    let both = json!({
        "simulated": searched("simulated", &["--simulate"]),
        "live": searched("live", &[]),
    });
    let text = serde_json::to_string_pretty(&both).unwrap() + "\n";
    fs::write(path, text).unwrap();
}
