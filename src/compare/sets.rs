//! Which runs are meant: a run directory, a pattern of them, or a baseline.

use std::path::{Path, PathBuf};

use super::baseline;
use crate::analysis;
use crate::analysis::compare::Digest;
use crate::bounds::SET_RUNS_MAX;
use crate::error::{Error, Result};
use crate::record::{Record, holds_run};

/// The runs that a text names: a run directory, `reports/main-*`, a baseline's file or name.
///
/// # Errors
///
/// Wrong usage: nothing of the kind is there, or it is no run.
pub(crate) fn runs(text: &str) -> Result<Vec<Digest>> {
    let path = Path::new(text);
    if path.is_file() {
        return baseline::read(path);
    }
    if path.is_dir() {
        return Ok(vec![digest(path)?]);
    }
    if text.contains(['*', '?', '[']) {
        let paths = matching(text)?;
        return paths.iter().map(|path| digest(path)).collect();
    }
    let named = baseline::baseline_path(text);
    if named.is_file() {
        return baseline::read(&named);
    }
    Err(Error::usage(format!(
        "there is no run and no baseline `{text}`; name a run directory such as reports/RUN, a \
         pattern such as 'reports/main-*', or a baseline ({} is not there)",
        named.display()
    )))
}

fn matching(pattern: &str) -> Result<Vec<PathBuf>> {
    let wrong = |why: &dyn std::fmt::Display| {
        Error::usage(format!(
            "`{pattern}` is no pattern of run directories: {why}"
        ))
    };
    let found = glob::glob(pattern).map_err(|cause| wrong(&cause))?;
    let mut paths: Vec<PathBuf> = found
        .filter_map(std::result::Result::ok)
        .filter(|path| holds_run(path))
        .take(SET_RUNS_MAX + 1)
        .collect();
    paths.sort();
    match paths.len() {
        0 => Err(Error::usage(format!(
            "no run directory is like `{pattern}`; `threadbare runs` lists what is there"
        ))),
        count if count > SET_RUNS_MAX => Err(Error::usage(format!(
            "more than {SET_RUNS_MAX} runs are like `{pattern}`; write a narrower pattern"
        ))),
        _ => Ok(paths),
    }
}

/// What of a run is compared.
pub(super) fn digest(directory: &Path) -> Result<Digest> {
    let record = Record::open(directory)?;
    let findings = analysis::findings(&record);
    Ok(Digest::of(
        &directory.display().to_string(),
        &record,
        &findings,
    ))
}
