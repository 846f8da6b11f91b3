//! Runs that lie in folders: found by name, and read as far as their header and summary.
//!
//! A set is a run's directory, a folder with runs in it, or a pattern of directories in
//! quotes. What lies beside runs, such as sweeps, is passed over; what was named itself and
//! is no run is the user's mistake. A run that cannot be read is told of and stops nothing.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::analysis::Findings;
use crate::analysis::trend::{
    Candidate, NamedFigure, RunLine, Sensitivity, StoredRun, Trend, WhyLeftOut, read_summary,
};
use crate::error::{Error, Result};
use crate::record::{HEADER, Header, printable};
use crate::{bounds, files};

/// What was found in a run, in its directory.
const SUMMARY: &str = "summary.json";

/// The runs of a folder, the newest first.
///
/// # Errors
///
/// Where it has none, or more than their bound.
pub(crate) fn runs(folder: &Path) -> Result<Vec<RunLine>> {
    let mut lines = each(&[folder.to_owned()], RunLine::of)?;
    lines.sort_by_key(|line| Reverse(line.started_wall_ms));
    Ok(lines)
}

/// What the runs of these sets show of a figure; with `scenario`, its runs only.
///
/// # Errors
///
/// Where a set has no runs, they are more than their bound, or none has the figure.
pub(crate) fn trend(
    sets: &[PathBuf],
    scenario: Option<&str>,
    figure: &NamedFigure,
    sensitivity: Sensitivity,
    include: &[WhyLeftOut],
) -> Result<Trend> {
    let runs = each(sets, |run| Candidate::of(run, figure))?;
    let wanted = |it: &Candidate| {
        let own = it.origin.as_ref().map(|origin| origin.scenario.as_str());
        scenario.is_none() || own == scenario
    };
    let runs: Vec<Candidate> = runs.into_iter().filter(wanted).collect();
    if let (Some(scenario), []) = (scenario, &runs[..]) {
        return Err(Error::usage(format!(
            "no run of the scenario `{scenario}` lies there; `threadbare runs` lists what does"
        )));
    }
    let trend = Trend::of(runs, figure, sensitivity, include);
    let mut without = trend.left_out.iter().rev();
    let without = without.find(|it| it.why == WhyLeftOut::NoValue);
    match without.filter(|_| trend.points.is_empty()) {
        None => Ok(trend),
        Some(newest) => Err(Error::usage(format!(
            "no run has a value of `{figure}`; {}: {}",
            newest.run, newest.reason
        ))),
    }
}

/// Reads every run of these sets, in the order of their names, one at a time.
///
/// # Errors
///
/// Where a set is none, or all together are more than their bound.
fn each<T>(sets: &[PathBuf], mut of: impl FnMut(&StoredRun) -> T) -> Result<Vec<T>> {
    let mut found = Vec::new();
    for set in sets {
        found.extend(directories(set)?);
    }
    let found = distinct(found);
    if found.len() as u64 > bounds::RUNS.entries_max() {
        return Err(too_large(sets, &bounds::RUNS.too_many()));
    }
    let mut bytes = 0_u64;
    let mut read = Vec::with_capacity(found.len());
    for directory in found {
        bytes = bytes.saturating_add(length(&directory));
        if bytes > bounds::RUNS.bytes {
            return Err(too_large(sets, &bounds::RUNS.too_long()));
        }
        read.push(of(&stored(&directory)));
    }
    Ok(read)
}

fn too_large(sets: &[PathBuf], why: &str) -> Error {
    let names: Vec<_> = sets.iter().map(|set| named(set)).collect();
    Error::usage(format!("failed to read {}: {why}", names.join(", ")))
}

fn named(path: &Path) -> String {
    printable(&path.display().to_string()).into_owned()
}

/// Each directory once, in the order of their names: a link such as `reports/latest` is the
/// run that it leads to, which keeps its own name where both are there.
fn distinct(mut found: Vec<PathBuf>) -> Vec<PathBuf> {
    found.sort_by_cached_key(|path| (path.is_symlink(), path.clone()));
    let mut seen = BTreeSet::new();
    found.retain(|path| seen.insert(fs::canonicalize(path).unwrap_or_else(|_| path.clone())));
    found.sort();
    found
}

/// The directories of runs that a set has, each once, in the order of their names.
///
/// # Errors
///
/// Where it has none.
pub(crate) fn directories(set: &Path) -> Result<Vec<PathBuf>> {
    // Without what two names of one directory may differ in.
    let set: PathBuf = set.components().collect();
    if is_run(&set) {
        return Ok(vec![set]);
    }
    let failed = |cause: &dyn std::fmt::Display| {
        let set = named(&set);
        Error::usage(format!(
            "failed to find runs in {set}: {cause}; name a folder that has some, or make one \
             with `threadbare run missing-await`"
        ))
    };
    let name = set.file_name().map(|name| name.to_string_lossy());
    let name = name.filter(|name| name.contains(['*', '?']) && !set.exists());
    let wanted = name.map(|name| pattern(&name)).transpose()?;
    let folder = match (&wanted, set.parent()) {
        (None, _) => &set,
        (Some(_), Some(parent)) if parent != Path::new("") => parent,
        (Some(_), _) => Path::new("."),
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|cause| failed(&cause))? {
        let name = entry.map_err(|cause| failed(&cause))?.file_name();
        let (fits, directory) = match &wanted {
            None => (true, set.join(&name)),
            Some(wanted) => (
                wanted.is_match(&name.to_string_lossy()),
                set.with_file_name(&name),
            ),
        };
        if fits && is_run(&directory) {
            found.push(directory);
        }
    }
    if found.is_empty() {
        return Err(failed(&format!(
            "it is not a run, and none lies there (a run has {HEADER} or {SUMMARY})"
        )));
    }
    Ok(distinct(found))
}

fn is_run(directory: &Path) -> bool {
    [HEADER, SUMMARY]
        .iter()
        .any(|name| directory.join(name).exists())
}

/// Names in which `*` is any text and `?` any character.
fn pattern(text: &str) -> Result<Regex> {
    let any = regex::escape(text).replace(r"\*", ".*").replace(r"\?", ".");
    Regex::new(&format!("(?s)^{any}$"))
        .map_err(|cause| Error::usage(format!("failed to read the pattern `{text}`: {cause}")))
}

/// Bytes of what is read of a run.
fn length(directory: &Path) -> u64 {
    let lengths = [HEADER, SUMMARY].map(|name| {
        let found = fs::metadata(directory.join(name));
        found.map_or(0, |found| found.len())
    });
    lengths.iter().sum()
}

/// A run as its header and its summary tell it.
fn stored(directory: &Path) -> StoredRun {
    let there = |name: &str| directory.join(name).exists();
    let header = there(HEADER).then(|| Header::read(directory)).transpose();
    let findings = there(SUMMARY).then(|| summary(directory)).transpose();
    let damage = header.as_ref().err().or(findings.as_ref().err());
    let damage = damage.map(|it| printable(&it.to_string()).into_owned());
    StoredRun {
        directory: named(directory),
        header: header.ok().flatten(),
        findings: findings.ok().flatten(),
        damage,
    }
}

/// What was found in a run.
fn summary(directory: &Path) -> Result<Findings> {
    let path = directory.join(SUMMARY);
    let bytes = files::read_regular(&path, &bounds::SUMMARY).map_err(|cause| cause.to_string());
    bytes
        .and_then(|bytes| read_summary(&bytes))
        .map_err(|cause| {
            let (path, directory) = (path.display(), directory.display());
            Error::usage(format!(
                "failed to read {path}: {cause}; `threadbare report {directory}` writes it again"
            ))
        })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::{directories, distinct, pattern};

    #[test]
    fn a_run_with_two_names_is_one_run() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        for name in ["run-1", "run-2"] {
            fs::create_dir(folder.join(name)).unwrap();
            fs::write(folder.join(name).join("run.json"), "{}").unwrap();
        }
        symlink("run-2", folder.join("latest")).unwrap();
        let both = ["run-1", "run-2"].map(|name| folder.join(name));
        assert_eq!(directories(folder).unwrap(), both);
        assert_eq!(directories(&folder.join("*")).unwrap(), both);
        // The link alone is as good a name.
        let latest = folder.join("latest");
        assert_eq!(directories(&latest).unwrap(), std::slice::from_ref(&latest));
        let [first, second] = both;
        let twice = vec![second.clone(), latest, first.clone(), second.clone()];
        assert_eq!(distinct(twice), [first, second]);
    }

    #[test]
    fn a_pattern_is_a_name_with_gaps() {
        for (text, name, fits) in [
            ("main-*", "main-1", true),
            ("main-*", "main-", true),
            ("main-*", "pr-main-1", false),
            ("*-1", "main-1-1", true),
            ("m?in", "main", true),
            ("m?in", "mn", false),
            ("*ü*", "grün", true),
            ("a.b*", "axb", false),
            ("a*b*c", "aXXcYb", false),
        ] {
            let pattern = pattern(text).unwrap();
            assert_eq!(pattern.is_match(name), fits, "{text} {name}");
        }
    }
}
