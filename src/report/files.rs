//! Writes the answer's files into the run directory.

use std::path::{Path, PathBuf};

use super::{ci, html, json, junit, markdown};
use crate::analysis::{Findings, WhatIf};
use crate::error::{Error, Result};
use crate::record::{Record, write_private};

/// Writes `report.html`, `summary.json`, `postmortem.md`, `junit.xml` and
/// `benchmark.json` into the run directory, with what corrective measures were found to change where
/// that was tried, readable by their owner only, and returns where
/// `report.html` lies. Files of an earlier report are replaced.
///
/// # Errors
///
/// Which files cannot be written, for example because the disk is full or the directory
/// is another user's; the others have been.
pub fn write_all(
    directory: &Path,
    record: &Record,
    findings: &Findings,
    what_if: Option<&WhatIf>,
) -> Result<PathBuf> {
    let files = [
        ("summary.json", json::render(findings)?),
        ("postmortem.md", markdown::render(record, findings, what_if)),
        ("junit.xml", junit::render(findings)?),
        ("benchmark.json", ci::benchmark(findings)?),
        // Last, since its presence tells that the answer is whole.
        ("report.html", html::render(record, findings, what_if)?),
    ];
    let written = files.map(|(name, content)| write_private(directory, name, content.as_bytes()));
    let failed: Vec<String> = written
        .into_iter()
        .filter_map(std::result::Result::err)
        .map(|error| error.to_string())
        .collect();
    if failed.is_empty() {
        return Ok(directory.join("report.html"));
    }
    Err(Error::failed(failed.join("\n")))
}
