//! Folders of runs as tests make them: the committed sample's header and summary, and
//! nothing else of a record, with what a test wants to be different.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// 2026-11-01 00:00 UTC.
const FIRST: u64 = 1_793_491_200_000;

/// A folder of runs.
pub(super) struct Folder(TempDir);

pub(super) fn sample(name: &str) -> Value {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/sample-missing-await");
    serde_json::from_slice(&fs::read(sample.join(name)).unwrap()).unwrap()
}

impl Folder {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// As an argument.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        match name {
            "" => self.0.path().to_owned(),
            name => self.0.path().join(name),
        }
    }

    /// A run of that day of November with that p99 in milliseconds.
    pub(super) fn run(&self, name: &str, day: u64, p99: f64) {
        self.edited(name, day, p99, |_, _| {});
    }

    /// The same, after the test has edited its header and its summary.
    pub(super) fn edited(
        &self,
        name: &str,
        day: u64,
        p99: f64,
        edit: impl FnOnce(&mut Value, &mut Value),
    ) {
        let (mut header, mut summary) = (sample("run.json"), sample("summary.json"));
        header["started_wall_ms"] = (FIRST + (day - 1) * 86_400_000).into();
        summary["whole_run"]["response_ms"]["p99"] = p99.into();
        edit(&mut header, &mut summary);
        let directory = self.path(name);
        fs::create_dir(&directory).unwrap();
        for (name, value) in [("run.json", header), ("summary.json", summary)] {
            // A test takes a file away by making it nothing.
            if !value.is_null() {
                fs::write(directory.join(name), value.to_string()).unwrap();
            }
        }
    }

    /// Ten runs about 100 ms and ten about `after`, a day apart.
    pub(super) fn step(after: f64) -> Self {
        let folder = Self::new();
        for day in 1..=20 {
            let level = if day <= 10 { 100.0 } else { after };
            let noise = f64::from(u32::try_from(day * 7 % 5).unwrap()) - 2.0;
            folder.run(&format!("run-{day:02}"), day, level + noise);
        }
        folder
    }

    /// What a command says about the folder, or what lies in it by this name.
    pub(super) fn threadbare(&self, command: &str, name: &str, more: &[&str]) -> Output {
        let mut threadbare = Command::new(env!("CARGO_BIN_EXE_threadbare"));
        threadbare.arg(command).arg(self.path(name)).args(more);
        threadbare.stdin(Stdio::null()).output().unwrap()
    }
}

/// What was printed on standard output, of a command that ended with this code.
pub(super) fn answer(output: &Output, code: i32) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The same as JSON.
pub(super) fn json(output: &Output) -> Value {
    serde_json::from_str(&answer(output, 0)).unwrap()
}

/// Asserts that the command is wrong usage, in one sentence that says this.
pub(super) fn assert_refused(output: &Output, told: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for part in told {
        assert!(said.contains(part), "`{part}` in {said}");
    }
}
