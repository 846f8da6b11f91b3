//! Runs held against each other: sets of runs, baselines, the answer and its files.

mod ab;
mod baseline;
mod gate;
mod series;
mod sets;
mod variants;

use std::path::{Path, PathBuf};

use crate::analysis::compare::{Comparison, Options, compare};
use crate::error::{Error, Result};
use crate::record::write_private;
use crate::report;

pub(crate) use ab::{Turns, ab};
pub(crate) use baseline::accept;
pub(crate) use gate::{Gate, Gated, gate};
use sets::runs;
pub(crate) use variants::{Tries, Variants};

/// The files of a comparison, in a directory of its own.
const JSON: &str = "comparison.json";
const PAGE: &str = "comparison.html";
const SUMMARY: &str = "comparison.md";
const JUNIT: &str = "comparison.junit.xml";

/// Holds two sets of runs against each other.
///
/// # Errors
///
/// Where one of them is no set of runs.
pub(crate) fn compared(base: &str, candidate: &str, options: &Options) -> Result<Comparison> {
    Ok(compare(&runs(base)?, &runs(candidate)?, options))
}

/// A comparison as JSON.
///
/// # Errors
///
/// Where it cannot be written, which is a bug.
pub(crate) fn json(comparison: &Comparison) -> Result<String> {
    serde_json::to_string_pretty(comparison)
        .map(|text| text + "\n")
        .map_err(|cause| Error::failed(format!("failed to write the comparison: {cause}")))
}

/// Writes a comparison in every format into a directory, which may be there; where its page
/// lies. `strict`: whether what cannot be told fails a build.
///
/// # Errors
///
/// Where it cannot be written.
pub(crate) fn write(directory: &Path, comparison: &Comparison, strict: bool) -> Result<PathBuf> {
    std::fs::create_dir_all(directory).map_err(|cause| {
        Error::failed(format!("failed to make {}: {cause}", directory.display()))
    })?;
    write_private(directory, JSON, json(comparison)?.as_bytes())?;
    write_private(
        directory,
        PAGE,
        report::compare::html(comparison)?.as_bytes(),
    )?;
    write_private(
        directory,
        SUMMARY,
        report::compare::summary(comparison).as_bytes(),
    )?;
    write_private(
        directory,
        JUNIT,
        report::compare::junit(comparison, strict)?.as_bytes(),
    )?;
    Ok(directory.join(PAGE))
}
