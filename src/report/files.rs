//! Writes the files of an answer into its directory.

use std::path::{Path, PathBuf};

use super::{ci, html, json, junit, limit, markdown};
use crate::analysis::limit::LimitFound;
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
    write_each(directory, &files)
}

/// Writes `limit.json`, `junit.xml`, `limit.html` and, where an edge was found that a
/// scenario can show, `limit.toml` into the directory of a search, readable by their owner
/// only, and returns where `limit.html` lies. Files of an earlier state are replaced.
///
/// # Errors
///
/// As [`write_all`].
pub fn write_limit(directory: &Path, found: &LimitFound) -> Result<PathBuf> {
    let mut files = vec![
        ("limit.json", limit::json(found)?),
        ("junit.xml", limit::junit(found)?),
    ];
    files.extend(limit::scenario(found).map(|text| ("limit.toml", text)));
    files.push(("limit.html", limit::html(found)?));
    write_each(directory, &files)
}

/// Writes these files and returns where the last of them lies.
fn write_each(directory: &Path, files: &[(&str, String)]) -> Result<PathBuf> {
    let written = files
        .iter()
        .map(|(name, content)| write_private(directory, name, content.as_bytes()));
    let failed: Vec<String> = written
        .filter_map(std::result::Result::err)
        .map(|error| error.to_string())
        .collect();
    if failed.is_empty() {
        let last = files.last().map_or("", |(name, _)| name);
        return Ok(directory.join(last));
    }
    Err(Error::failed(failed.join("\n")))
}
