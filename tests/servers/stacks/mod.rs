//! Exhaustion on the stacks that people run: the applications of `examples/`, each with its
//! scenario, on real servers.
//!
//! Each is run by its short profile, and judged by order and ratio: nothing here says how
//! fast a machine is. `./test --long` runs each whole, and each of its variants, and holds
//! it to the verdict that its file declares.

mod pools;
mod threads;
mod whole;

use std::path::PathBuf;

use serde_json::Value;

use crate::run::{Run, threadbare};

/// The applications, in the order of the table of docs/INCIDENTS.md.
const EXAMPLES: [&str; 7] = [
    "fastapi-deadlock",
    "fastapi-cliff",
    "gunicorn-silent",
    "pool-leak",
    "growing-pool",
    "node-blocked",
    "puma-pool",
];

fn folder(example: &str) -> PathBuf {
    let root = env!("CARGO_MANIFEST_DIR");
    PathBuf::from(root).join("examples").join(example)
}

/// Runs an example's scenario with these settings, by its short profile or whole.
fn run(example: &str, short: bool, settings: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let mut command = threadbare();
    command
        .arg("run")
        .arg(self::folder(example).join("scenario.toml"));
    if short {
        command.args(["--profile", "short"]);
    }
    command.args(settings.iter().flat_map(|setting| ["--set", setting]));
    let output = command
        .args(["--out", "run"])
        .current_dir(folder.path())
        // Gunicorn's control socket would lie in a folder that all share.
        .env("HOME", folder.path())
        .output()
        .unwrap();
    let run = Run::read(folder, output);
    run.assert_sound();
    run
}

/// The same by its short profile, whose expectations hold.
fn short(example: &str) -> Run {
    let run = run(example, true, &[]);
    assert_eq!(run.output.status.code(), Some(0), "{example}");
    run
}

/// The figures of a phase of one source of gauges.
fn gauges<'a>(run: &'a Run, phase: &str, source: &str) -> &'a Value {
    let all = run.phase(phase)["gauges"].as_array().unwrap();
    let mut own = all.iter().filter(|it| it["source"] == source);
    own.next()
        .unwrap_or_else(|| panic!("no {source} in {all:?}"))
}

/// A figure of these.
fn gauge(run: &Run, phase: &str, source: &str, figure: &str) -> f64 {
    let gauges = gauges(run, phase, source);
    let value = gauges[figure].as_f64();
    value.unwrap_or_else(|| panic!("{figure} of {source} in {phase}: {gauges}"))
}

/// When a source was first found exhausted.
fn exhausted_from(run: &Run, source: &str) -> Option<f64> {
    let all = run.summary["exhaustion"].as_array().unwrap().iter();
    let mut own = all.filter(|it| it["instance"] == source);
    own.next()?["from_s"].as_f64()
}

/// How many processors the target used in a phase.
fn processors(run: &Run, phase: &str) -> f64 {
    let value = &run.phase(phase)["processes"][0]["processors"];
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

/// Whether a sentence of the report has all of these words.
fn says(run: &Run, words: &[&str]) -> bool {
    let said = run.summary["sentences"].as_array().unwrap().iter();
    let mut said = said.filter_map(Value::as_str);
    said.any(|sentence| words.iter().all(|word| sentence.contains(word)))
}
