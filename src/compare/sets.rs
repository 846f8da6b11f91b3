//! Which runs are meant: a run directory, a pattern of them, or a baseline.

use std::path::Path;

use super::baseline;
use crate::analysis;
use crate::analysis::compare::Digest;
use crate::bounds::SET_RUNS_MAX;
use crate::error::{Error, Result};
use crate::record::Record;
use crate::run;

/// The runs that a text names: a run directory, a folder of runs, `reports/main-*`, a
/// baseline's file or name.
///
/// # Errors
///
/// Wrong usage: nothing of the kind is there, or it is no run.
pub(crate) fn runs(text: &str) -> Result<Vec<Digest>> {
    let path = Path::new(text);
    if path.is_file() {
        return baseline::read(path);
    }
    let named = baseline::baseline_path(text);
    if !path.exists() && named.is_file() {
        return baseline::read(&named);
    }
    if !path.exists() && !text.contains(['*', '?']) {
        return Err(Error::usage(format!(
            "there is no run and no baseline `{text}`; name a run directory such as reports/RUN, \
             a pattern such as 'reports/main-*', or a baseline ({} is not there)",
            named.display()
        )));
    }
    let mut directories = run::directories(path)?;
    directories.sort();
    if directories.len() > SET_RUNS_MAX {
        return Err(Error::usage(format!(
            "`{text}` are more than {SET_RUNS_MAX} runs; write a narrower pattern"
        )));
    }
    directories.iter().map(|path| digest(path)).collect()
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
