//! Summaries and annotations for build servers, where their environment is there.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use crate::analysis::Findings;
use crate::analysis::compare::Comparison;
use crate::error::{Error, Result};
use crate::report;
use crate::report::ci::Note;

/// GitLab's name of its report, in the folder of the job.
const GITLAB_REPORT: &str = "gl-code-quality-report.json";

/// Tells of a run.
///
/// # Errors
///
/// Where the file that the environment names cannot be written.
pub(super) fn tell_run(findings: &Findings) -> Result<()> {
    tell(
        &report::ci::summary(findings),
        &report::ci::notes(findings),
        &findings.scenario,
    )
}

/// Tells of a comparison.
///
/// # Errors
///
/// As [`tell_run`].
pub(super) fn tell_comparison(comparison: &Comparison) -> Result<()> {
    tell(
        &report::compare::summary(comparison),
        &report::ci::notes_of(comparison),
        "comparison",
    )
}

fn tell(summary: &str, notes: &[Note], about: &str) -> Result<()> {
    if let Some(file) = env::var_os("GITHUB_STEP_SUMMARY").filter(|it| !it.is_empty()) {
        append(Path::new(&file), summary)?;
    }
    if is_set("GITHUB_ACTIONS") {
        // Its runner reads both streams; what is printed as JSON stays JSON.
        for note in notes {
            let _ = std::io::stderr().write_all(report::ci::github(note).as_bytes());
        }
    }
    if is_set("GITLAB_CI") {
        let text = report::ci::gitlab(notes, about)?;
        fs::write(GITLAB_REPORT, text).map_err(|cause| failed(Path::new(GITLAB_REPORT), &cause))?;
    }
    Ok(())
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
