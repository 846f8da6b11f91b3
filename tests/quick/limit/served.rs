//! What searches of real servers came to: the table of docs/LIMIT.md, and what must hold.
//!
//! tests/live/limit/truth.rs made the lines of reports/long/limit-truth.jsonl.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::documented::documented;

/// A search of a server with so many workers.
#[derive(Debug, Deserialize)]
struct Line {
    workers: u32,
    service_ms: f64,
    objective: String,
    low_per_s: f64,
    high_per_s: f64,
    theory_per_s: f64,
    took_s: f64,
}

impl Line {
    /// How far the middle of the interval is from what theory says.
    fn apart(&self) -> f64 {
        (self.low_per_s * self.high_per_s).sqrt() / self.theory_per_s - 1.0
    }
}

fn lines(workers: u32) -> Vec<Line> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/long/limit-truth.jsonl");
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines
        .filter(|line: &Line| line.workers == workers)
        .collect()
}

#[test]
fn what_real_servers_serve_is_within_3_percent_of_theory() {
    let mut table = String::from(
        "| workers, service | objective | theory | found, five searches | apart at most | took |\n\
         |---|---|---|---|---:|---:|\n",
    );
    for workers in [1, 4, 40] {
        let lines = lines(workers);
        assert_eq!(lines.len(), 5, "{workers} workers");
        for line in &lines {
            assert!(line.apart().abs() <= 0.03, "{line:?}");
            // … and the interval has it, to within as much.
            let truth = line.theory_per_s;
            let has = line.low_per_s <= truth * 1.03 && line.high_per_s >= truth * 0.97;
            assert!(has, "{line:?}");
        }
        let first = &lines[0];
        let found = lines.iter();
        let found = found.map(|it| format!("{:.1}–{:.1}", it.low_per_s, it.high_per_s));
        let apart = lines.iter().map(|it| it.apart().abs()).fold(0.0, f64::max);
        let took = lines.iter().map(|it| it.took_s).sum::<f64>() / 5.0;
        let _ = writeln!(
            table,
            "| {workers} of {:.2} ms | {} | {:.1}/s | {} | {:.1} % | {took:.0} s |",
            first.service_ms,
            first.objective,
            first.theory_per_s,
            found.collect::<Vec<_>>().join(", "),
            apart * 100.0
        );
    }
    let again = "cargo test --test quick limit::served";
    documented("docs/LIMIT.md", "served", &table, again);
}

/// The ends of an interval: served, or from where service returns.
type Ends = [f64; 2];

/// What one backend found.
#[derive(Debug, Deserialize)]
struct Backend {
    served: Ends,
    returns: Ends,
    took_s: f64,
}

#[derive(Debug, Deserialize)]
struct Backends {
    simulated: Backend,
    live: Backend,
}

/// Intervals that have a rate in common, but for a tolerance of the search.
fn overlap(one: Ends, other: Ends) -> bool {
    one[0] <= other[1] * 1.05 && other[0] <= one[1] * 1.05
}

#[test]
fn a_live_search_finds_what_a_simulated_one_finds() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/long/limit-backends.json");
    let text = fs::read_to_string(path).unwrap();
    let both: Backends = serde_json::from_str(&text).unwrap();
    assert!(overlap(both.simulated.served, both.live.served), "{both:?}");
    assert!(
        overlap(both.simulated.returns, both.live.returns),
        "{both:?}"
    );
    let mut table = String::from("| | served | returns from | took |\n|---|---|---|---:|\n");
    for (name, found) in [("simulated", &both.simulated), ("live", &both.live)] {
        let ends = |ends: Ends| format!("{:.1}–{:.1}/s", ends[0], ends[1]);
        let (served, returns, took) = (ends(found.served), ends(found.returns), found.took_s);
        let _ = writeln!(table, "| {name} | {served} | {returns} | {took:.0} s |");
    }
    documented(
        "docs/LIMIT.md",
        "backends",
        &table,
        "cargo test --test quick limit::served",
    );
}
