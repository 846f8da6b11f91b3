//! Baselines: runs that were accepted, in a small file that fits into a repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::sets::runs;
use crate::analysis::compare::Digest;
use crate::bounds::BASELINE;
use crate::clock;
use crate::error::{Error, Result};
use crate::files;
use crate::record::write_private;

/// The folder of baselines that are called by name.
const FOLDER: &str = "baselines";
/// The version of the format.
const FORMAT: u32 = 1;

/// A baseline: what of runs is compared, and where it comes from.
#[derive(Debug, Serialize, Deserialize)]
struct Baseline {
    /// The version of this format: 1.
    format: u32,
    /// When it was accepted, in milliseconds since 1970 UTC.
    accepted_wall_ms: u64,
    /// The commit that was checked out; empty where none was.
    commit: String,
    /// Its runs.
    runs: Vec<Digest>,
}

/// The file of a baseline of this name.
pub(crate) fn baseline_path(name: &str) -> PathBuf {
    Path::new(FOLDER).join(format!("{name}.json"))
}

/// Accepts runs as a baseline; where it was written.
///
/// # Errors
///
/// Where there is no such run, one is invalid or incomplete, or the file cannot be written.
pub(crate) fn accept(sets: &[String], name: &str) -> Result<PathBuf> {
    let path = match Path::new(name).extension() {
        Some(_) => PathBuf::from(name),
        None => baseline_path(name),
    };
    let mut all = Vec::new();
    for set in sets {
        all.extend(runs(set)?);
    }
    for run in &all {
        let why = match (run.invalid.first(), run.complete) {
            (Some(why), _) => why.clone(),
            (None, false) => "it did not come to its planned end".to_owned(),
            (None, true) => continue,
        };
        return Err(Error::usage(format!(
            "{} cannot be a baseline: {why}; run it again",
            run.name
        )));
    }
    let baseline = Baseline {
        format: FORMAT,
        accepted_wall_ms: clock::wall_millis(),
        commit: commit(),
        runs: all,
    };
    let text = serde_json::to_string(&baseline)
        .map_err(|cause| Error::failed(format!("failed to write the baseline: {cause}")))?;
    let failed = |cause: &dyn std::fmt::Display| {
        Error::failed(format!("failed to write {}: {cause}", path.display()))
    };
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|cause| failed(&cause))?;
    let file = path.file_name().and_then(|it| it.to_str());
    let file = file.ok_or_else(|| failed(&"it has no name"))?;
    write_private(folder, file, text.as_bytes())?;
    Ok(path)
}

/// The commit that is checked out; empty where none is, or git is not there.
fn commit() -> String {
    let output = Command::new("git").args(["rev-parse", "HEAD"]).output();
    let output = output.ok().filter(|output| output.status.success());
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_default()
}

/// The runs of a baseline's file.
pub(super) fn read(path: &Path) -> Result<Vec<Digest>> {
    let wrong = |cause: &dyn std::fmt::Display| {
        Error::usage(format!(
            "{} is no baseline: {cause}; `threadbare baseline accept RUN --as NAME` writes one",
            path.display()
        ))
    };
    let bytes = files::read_regular(path, &BASELINE).map_err(|cause| wrong(&cause))?;
    let version: Version = serde_json::from_slice(&bytes).map_err(|cause| wrong(&cause))?;
    if version.format != FORMAT {
        return Err(Error::usage(format!(
            "{} has format {}, and this threadbare reads {FORMAT}; accept the run again",
            path.display(),
            version.format
        )));
    }
    let baseline: Baseline = serde_json::from_slice(&bytes).map_err(|cause| wrong(&cause))?;
    if baseline.runs.is_empty() {
        return Err(wrong(&"it has no run"));
    }
    Ok(baseline.runs)
}

#[derive(Deserialize)]
struct Version {
    format: u32,
}
