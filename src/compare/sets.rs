//! Which runs are meant: a run directory, a pattern of them, or a baseline.

use std::path::{Path, PathBuf};

use super::baseline;
use crate::analysis::compare::Digest;
use crate::analysis::{self, Findings};
use crate::bounds::SET_RUNS_MAX;
use crate::error::{Error, Result};
use crate::record::Record;
use crate::run;

/// What a text names.
pub(super) enum Set {
    /// A baseline's file.
    Baseline(PathBuf),
    /// Directories of runs, each once, in the order of their names.
    Runs(Vec<PathBuf>),
}

impl Set {
    /// A baseline's name, which comes first: it is not another baseline because a file lies
    /// beside it. Else a run directory, a folder of runs, `reports/main-*`, or a baseline's
    /// file.
    ///
    /// # Errors
    ///
    /// Wrong usage: nothing of the kind is there, or too much of it.
    pub(super) fn named(text: &str) -> Result<Self> {
        let path = Path::new(text);
        let baseline = baseline::path_of(text);
        if baseline.is_file() {
            return Ok(Self::Baseline(baseline));
        }
        if path.is_file() {
            return Ok(Self::Baseline(path.to_owned()));
        }
        if !path.exists() && !text.contains(['*', '?']) {
            return Err(Error::usage(format!(
                "there is no run and no baseline `{text}`; name a run directory such as \
                 reports/RUN, a pattern such as 'reports/main-*', or a baseline ({} is not there)",
                baseline.display()
            )));
        }
        let directories = run::directories(path)?;
        if directories.len() > SET_RUNS_MAX {
            return Err(Error::usage(format!(
                "`{text}` are more than {SET_RUNS_MAX} runs; write a narrower pattern"
            )));
        }
        Ok(Self::Runs(directories))
    }
}

/// The runs that a text names.
///
/// # Errors
///
/// Wrong usage: nothing of the kind is there, or it is no run.
pub(crate) fn runs(text: &str) -> Result<Vec<Digest>> {
    match Set::named(text)? {
        Set::Baseline(file) => baseline::read(&file),
        Set::Runs(directories) => directories.iter().map(|path| digest(path)).collect(),
    }
}

/// What of a run is compared.
pub(super) fn digest(directory: &Path) -> Result<Digest> {
    read(directory).map(|(digest, _)| digest)
}

/// What of a run is compared, and what was found in it.
pub(super) fn read(directory: &Path) -> Result<(Digest, Findings)> {
    let record = Record::open(directory)?;
    let findings = analysis::findings(&record);
    let digest = Digest::of(&directory.display().to_string(), &record, &findings);
    Ok((digest, findings))
}
