//! Baselines: runs that were accepted, in a small file that fits into a repository.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::sets::{self, Set};
use crate::analysis::compare::{Digest, Options, compare};
use crate::analysis::{Findings, Verdict};
use crate::bounds::BASELINE;
use crate::clock;
use crate::error::{Error, Result};
use crate::files;
use crate::plan::Figure;
use crate::record::replace_private;

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

/// The file that a text names as a baseline: a path, or a name without a `/` and without
/// `.json` at its end.
pub(super) fn path_of(text: &str) -> PathBuf {
    let is_path = text.contains('/') || text.to_ascii_lowercase().ends_with(".json");
    if is_path {
        PathBuf::from(text)
    } else {
        Path::new(FOLDER).join(format!("{text}.json"))
    }
}

/// Accepts runs as a baseline; where it was written. `anyway`: also those that failed, or
/// are too short.
///
/// # Errors
///
/// Where there is no such run, one cannot stand for what is good, or the file cannot be
/// written.
pub(crate) fn accept(sets: &[String], name: &str, anyway: bool) -> Result<PathBuf> {
    let path = path_of(name);
    let mut all: Vec<Digest> = Vec::new();
    for set in sets {
        match Set::named(set)? {
            Set::Baseline(file) => all.extend(read(&file)?),
            Set::Runs(directories) => {
                for directory in directories {
                    let (digest, findings) = sets::read(&directory)?;
                    refuse(unfit(&findings).filter(|_| !anyway), &digest.name)?;
                    all.push(digest);
                }
            }
        }
    }
    let all = distinct(all);
    refuse(too_short(&all).filter(|_| !anyway), &sets.join(", "))?;
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
    replace_private(folder, file, text.as_bytes())?;
    Ok(path)
}

/// Refuses what has a reason against it.
fn refuse(why: Option<String>, name: &str) -> Result<()> {
    why.map_or(Ok(()), |why| {
        Err(Error::usage(format!(
            "{name} cannot be a baseline: {why}; run it again, or accept it with --anyway"
        )))
    })
}

/// Why a run cannot stand for what is good; none where it can.
fn unfit(findings: &Findings) -> Option<String> {
    let why = findings.ending.reasons.first().cloned();
    (findings.verdict != Verdict::Passed || !findings.complete)
        .then(|| why.unwrap_or_else(|| "its verdict is not `passed`".to_owned()))
}

/// Why no run could ever be told from these; none where one could. Held against themselves,
/// goodput has a difference, of nought, where runs are long enough.
fn too_short(runs: &[Digest]) -> Option<String> {
    let itself = compare(runs, runs, &Options::default());
    let mut figures = itself.figures.into_iter();
    let goodput = figures.find(|it| it.phase.is_none() && it.figure == Figure::Goodput.word())?;
    goodput.base.is_none().then_some(goodput.why)
}

/// Each run once, also where a copy or a baseline has it too.
fn distinct(mut runs: Vec<Digest>) -> Vec<Digest> {
    let mut seen = BTreeSet::new();
    runs.retain(|run| seen.insert((run.started_wall_ms, run.plan.seed)));
    runs
}

/// The commit that is checked out; empty where none is, or git is not there.
fn commit() -> String {
    let output = Command::new("git").args(["rev-parse", "HEAD"]).output();
    let output = output.ok().filter(|output| output.status.success());
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_default()
}

/// The runs of a baseline's file.
///
/// # Errors
///
/// Wrong usage: it is none.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_has_no_folder_and_no_ending_of_a_file() {
        for (text, path) in [
            ("main", "baselines/main.json"),
            ("v1.2", "baselines/v1.2.json"),
            ("main.json", "main.json"),
            ("ci/main", "ci/main"),
            ("./main", "./main"),
        ] {
            assert_eq!(path_of(text), Path::new(path), "{text}");
        }
    }

    fn sample() -> (Digest, Findings) {
        sets::read(Path::new("reports/sample-missing-await")).unwrap()
    }

    #[test]
    fn what_failed_cannot_stand_for_what_is_good() {
        let (_, mut findings) = sample();
        findings.verdict = Verdict::Passed;
        findings.complete = true;
        assert_eq!(unfit(&findings), None);
        findings.ending.reasons = vec!["1 of 2 expectations did not hold".into()];
        for (verdict, complete) in [
            (Verdict::Failed, true),
            (Verdict::Invalid, true),
            (Verdict::Passed, false),
        ] {
            findings.verdict = verdict;
            findings.complete = complete;
            let why = unfit(&findings).unwrap();
            assert_eq!(why, "1 of 2 expectations did not hold");
        }
    }

    #[test]
    fn a_run_is_in_a_baseline_once() {
        let (one, _) = sample();
        let mut copy = one.clone();
        copy.name = "reports/latest".into();
        let mut later = one.clone();
        later.started_wall_ms += 1;
        let mut other = one.clone();
        other.plan.seed += 1;
        let runs = distinct(vec![one.clone(), copy, later.clone(), other.clone()]);
        assert_eq!(runs, [one, later, other]);
    }
}
