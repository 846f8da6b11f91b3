//! The program as its user runs it, and what a run came to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// One live run at a time: two on two cores would measure each other.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The program that users run.
pub(crate) fn threadbare() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_threadbare"));
    command.env("NO_COLOR", "1");
    command
}

/// A finished run: its folder, what it printed and what it found.
pub(crate) struct Run {
    pub(crate) folder: TempDir,
    pub(crate) output: Output,
    pub(crate) summary: Value,
}

/// Runs a scenario to its end.
pub(crate) fn run(scenario: &toml::Table) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scenario.toml");
    fs::write(&file, toml::to_string(scenario).unwrap()).unwrap();
    let output = threadbare()
        .args(["run", "--out"])
        .arg(folder.path().join("run"))
        .arg(&file)
        .output()
        .unwrap();
    Run::read(folder, output)
}

/// `summary.json` of a run directory.
pub(crate) fn summary(directory: &Path) -> Option<Value> {
    let text = fs::read_to_string(directory.join("summary.json")).ok()?;
    serde_json::from_str(&text).ok()
}

impl Run {
    /// The run in the folder's `run`, which printed `output`.
    pub(crate) fn read(folder: TempDir, output: Output) -> Self {
        let summary = summary(&run_directory(&folder)).unwrap_or_else(|| {
            panic!(
                "no summary; the run said: {}",
                String::from_utf8_lossy(&output.stderr)
            )
        });
        Self {
            folder,
            output,
            summary,
        }
    }

    /// The phase of this name.
    pub(crate) fn phase(&self, name: &str) -> &Value {
        self.summary["phases"]
            .as_array()
            .unwrap()
            .iter()
            .find(|phase| phase["name"] == name)
            .unwrap_or_else(|| panic!("no phase {name} in {}", self.summary["phases"]))
    }

    /// A figure of a phase, `queue_depth.mean` style.
    pub(crate) fn figure(&self, phase: &str, figure: &str) -> f64 {
        let value = figure
            .split('.')
            .fold(self.phase(phase), |value, key| &value[key]);
        value
            .as_f64()
            .unwrap_or_else(|| panic!("{figure} of {phase} is {value}"))
    }

    /// Goodput / offered load of a phase.
    pub(crate) fn goodput_share(&self, phase: &str) -> f64 {
        self.figure(phase, "goodput_per_s") / self.figure(phase, "offered_per_s")
    }

    /// What must hold of every run: a valid measurement, nothing lost, nothing
    /// printed that was not measured, and processor to spare.
    pub(crate) fn assert_sound(&self) {
        // Shown only where a test fails: what was seen, as a user would see it.
        let printed = String::from_utf8_lossy(&self.output.stdout);
        eprintln!("{}: {printed}", self.folder.path().display());
        let summary = &self.summary;
        assert_eq!(
            summary["measurement"]["validity"], "valid",
            "{}",
            summary["measurement"]
        );
        let count = |key: &str| summary["conservation"][key].as_u64().unwrap();
        let ends = [
            "succeeded",
            "failed",
            "timed_out",
            "missed_deadline",
            "shed",
            "unfinished",
        ];
        assert_eq!(
            count("scheduled"),
            ends.iter().map(|key| count(key)).sum::<u64>()
        );
        // Over the run: what a phase of half a second tells of the processors is chance.
        let (mut spent, mut whole) = (0.0, 0.0);
        for phase in summary["phases"].as_array().unwrap() {
            let number = |key: &str| phase[key].as_f64().unwrap();
            let lasted = number("to_s") - number("from_s");
            spent += lasted * number("machine_busy");
            whole += lasted;
        }
        let busy = spent / whole;
        assert!(busy < 0.75, "the machine was {busy} busy");
    }
}

/// Waits until `condition` holds, at most `limit`: the only way tests wait.
pub(crate) fn wait_until(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < end, "waited {limit:?} in vain: {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// The journal's events so far.
pub(crate) fn events(directory: &Path) -> Vec<Value> {
    fs::read_to_string(directory.join("journal.jsonl"))
        .unwrap_or_default()
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Where a run of this folder lands.
pub(crate) fn run_directory(folder: &TempDir) -> PathBuf {
    folder.path().join("run")
}
