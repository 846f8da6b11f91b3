//! What comparisons of real runs came to: the tables of docs/CI.md, and what must hold.
//!
//! tests/live/load/studies.rs made the lines of reports/long/comparisons.jsonl.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::documented::documented;

/// A verdict, and the difference with both ends of its interval.
type FigureOfLine = (String, Option<f64>, Option<f64>, Option<f64>);

/// A comparison; of each figure its verdict, and the difference with its interval.
#[derive(Debug, Deserialize)]
struct Line {
    command: String,
    seconds: u32,
    planted: String,
    by: f64,
    neighbour: bool,
    took_s: u64,
    verdict: String,
    figures: BTreeMap<String, FigureOfLine>,
}

impl Line {
    /// The figures that were told apart.
    fn told_apart(&self) -> impl Iterator<Item = &str> {
        let figures = self.figures.iter();
        let apart = figures.filter(|(_, it)| matches!(it.0.as_str(), "worse" | "better"));
        apart.map(|(name, _)| name.as_str())
    }

    /// Whether what was planted was found: a slower service is found in either time.
    fn found(&self) -> bool {
        let figures: &[&str] = match self.planted.as_str() {
            "response p99" => &["response p99", "service p99"],
            _ => &["error share"],
        };
        figures.iter().any(|name| self.figures[*name].0 == "worse")
    }
}

fn lines() -> Vec<Line> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/long/comparisons.jsonl");
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

/// Pairs of equals: how many were called worse or better, beside whom.
fn equals(lines: &[Line]) -> String {
    let mut table =
        "| beside it | comparisons | not comparable (an invalid run) | worse or better \
                     in any figure |\n|---|---:|---:|---:|\n"
            .to_owned();
    for (neighbour, beside) in [
        (false, "nothing"),
        (true, "a program that is busy half the time"),
    ] {
        let own = lines
            .iter()
            .filter(|it| it.planted == "nothing" && it.neighbour == neighbour);
        let own: Vec<&Line> = own.collect();
        let count = |so: &dyn Fn(&&&Line) -> bool| own.iter().filter(so).count();
        let not = count(&|it| it.verdict == "not_comparable");
        let false_alarms = count(&|it| it.told_apart().next().is_some());
        let _ = writeln!(
            table,
            "| {beside} | {} | {not} | {false_alarms} |",
            own.len()
        );
    }
    table
}

/// What distinguishes studies of planted differences.
type Kind = (String, u32, String, u64);

/// Of so many comparisons of a kind, those that found what was planted, and how long they
/// took together.
fn power(lines: &[Line]) -> BTreeMap<Kind, (u64, u64, u64)> {
    let mut kinds: BTreeMap<Kind, (u64, u64, u64)> = BTreeMap::new();
    for line in lines.iter().filter(|it| it.planted != "nothing") {
        let by = format!("{:.0}", line.by * 100.0).parse().unwrap();
        let kind = (line.command.clone(), line.seconds, line.planted.clone(), by);
        let (found, of, took) = kinds.entry(kind).or_default();
        *found += u64::from(line.found());
        *of += 1;
        *took += line.took_s;
    }
    kinds
}

/// Wilson's 95 % interval of a share.
fn wilson(hit: u64, of: u64) -> (f64, f64) {
    let (z, n) = (1.96_f64, of as f64);
    let share = hit as f64 / n;
    let middle = (share + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    (middle - half, middle + half)
}

fn planted(lines: &[Line]) -> String {
    let mut table = "| command | planted | found worse | 95 % interval | took, on average |\n\
                     |---|---|---:|---:|---:|\n"
        .to_owned();
    for ((command, seconds, planted, by), (found, of, took)) in power(lines) {
        let what = if command == "ab" {
            format!("`ab -d {seconds}s --rounds 12`")
        } else {
            format!("`compare`, two runs of {seconds} s")
        };
        let (low, high) = wilson(found, of);
        let _ = writeln!(
            table,
            "| {what} | {planted} +{by} % | {found} of {of} | {:.0}–{:.0} % | {} s |",
            low * 100.0,
            high * 100.0,
            took / of
        );
    }
    table
}

#[test]
fn the_page_has_what_was_counted() {
    let lines = lines();
    let again = "cargo test --test quick comparison::studies";
    documented("docs/CI.md", "equals", &equals(&lines), again);
    documented("docs/CI.md", "planted", &planted(&lines), again);
}

#[test]
fn equals_are_told_apart_in_at_most_one_of_twenty_comparisons() {
    for neighbour in [false, true] {
        let lines = lines();
        let own = lines
            .iter()
            .filter(|it| it.planted == "nothing" && it.neighbour == neighbour);
        let own: Vec<&Line> = own.collect();
        assert_eq!(own.len(), 100);
        let apart: BTreeSet<&str> = own.iter().flat_map(|it| it.told_apart()).collect();
        let count = own
            .iter()
            .filter(|it| it.told_apart().next().is_some())
            .count();
        assert!(count <= 5, "{count} of {}: {apart:?}", own.len());
        // A study of runs that cannot be compared shows nothing.
        let comparable = own
            .iter()
            .filter(|it| it.verdict != "not_comparable")
            .count();
        assert!(comparable >= 80, "{comparable}");
    }
}

#[test]
fn planted_differences_are_found_in_at_least_four_of_five_comparisons() {
    let found = power(&lines());
    for (command, seconds, planted, by) in [
        ("compare", 60, "response p99", 10),
        ("compare", 60, "error share", 20),
        ("ab", 10, "response p99", 5),
        ("ab", 10, "error share", 20),
    ] {
        let kind = (command.to_owned(), seconds, planted.to_owned(), by);
        let (hit, of, took) = found[&kind];
        assert!(of >= 20 && hit * 5 >= of * 4, "{hit} of {of}: {kind:?}");
        // Five minutes are what a comparison may take.
        assert!(took / of <= 300, "{took} s for {of}: {kind:?}");
    }
}
