//! Summaries and annotations for build servers, where their environment is there.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use crate::analysis::compare::Comparison;
use crate::analysis::limit::LimitFound;
use crate::analysis::{Findings, RepeatedRuns};
use crate::error::{Error, Result};
use crate::report;
use crate::report::ci::Note;

/// GitLab's name of its report, in the folder of the job.
const GITLAB_REPORT: &str = "gl-code-quality-report.json";

/// What a build server is given: collected over a command, and written once, so that no part
/// of it replaces another.
#[derive(Debug, Default)]
pub(super) struct CiReport {
    summary: String,
    notes: Vec<Note>,
}

impl CiReport {
    /// Of a run.
    pub(super) fn run(self, findings: &Findings) -> Self {
        self.with(&report::ci::summary(findings), report::ci::notes(findings))
    }

    /// Of several runs that are judged together.
    pub(super) fn runs(self, runs: &RepeatedRuns) -> Self {
        self.with(
            &report::ci::summary_of_runs(runs),
            report::ci::notes_of_runs(runs),
        )
    }

    /// Of a comparison.
    pub(super) fn comparison(self, comparison: &Comparison) -> Self {
        self.with(
            &report::compare::summary(comparison),
            report::ci::notes_of(comparison),
        )
    }

    /// Of a search for a limit.
    pub(super) fn limit(self, found: &LimitFound) -> Self {
        self.with(&report::limit::summary(found), report::limit::notes(found))
    }

    fn with(mut self, summary: &str, notes: Vec<Note>) -> Self {
        self.summary.push_str(summary);
        self.notes.extend(notes);
        self
    }

    /// Writes it for the build server whose environment is there.
    ///
    /// # Errors
    ///
    /// Where a file that the environment names cannot be written.
    pub(super) fn write(&self) -> Result<()> {
        if let Some(file) = env::var_os("GITHUB_STEP_SUMMARY").filter(|it| !it.is_empty()) {
            append(Path::new(&file), &self.summary)?;
        }
        if is_set("GITHUB_ACTIONS") {
            // Its runner reads both streams; what is printed as JSON stays JSON.
            for note in &self.notes {
                let _ = std::io::stderr().write_all(report::ci::github(note).as_bytes());
            }
        }
        if is_set("GITLAB_CI") {
            let text = report::ci::gitlab(&self.notes)?;
            fs::write(GITLAB_REPORT, text)
                .map_err(|cause| failed(Path::new(GITLAB_REPORT), &cause))?;
        }
        Ok(())
    }
}

fn is_set(name: &str) -> bool {
    env::var(name).is_ok_and(|value| value == "true")
}

fn append(file: &Path, text: &str) -> Result<()> {
    let opened = OpenOptions::new().append(true).create(true).open(file);
    opened
        .and_then(|mut opened| opened.write_all(text.as_bytes()))
        .map_err(|cause| failed(file, &cause))
}

fn failed(file: &Path, cause: &std::io::Error) -> Error {
    Error::failed(format!("failed to write {}: {cause}", file.display()))
}
