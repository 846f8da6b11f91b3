//! What a search has found so far, in a directory of its own: `limit.json`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::analysis::limit::{
    Expected, FORMAT, LimitEnded, LimitFound, LimitMeasure, LimitSought, summarize,
};
use crate::clock;
use crate::error::{Error, Result};
use crate::gauges::machine_facts;
use crate::model::secret;
use crate::record::{Backend, claim_directory, write_private};
use crate::{analysis, bounds, files};

/// The file.
const FILE: &str = "limit.json";
/// The next state of it, until it is whole.
const NEXT: &str = "limit.json.new";
/// Held while a search goes on.
const LOCK: &str = "limit.lock";

/// A search of which nothing was tried yet. `measures`: name, change, and why it is not
/// tried; `command`: the words of the command line.
pub(crate) fn begin(
    sought: LimitSought,
    backend: Backend,
    measures: Vec<(String, String, Option<String>)>,
    expected: &[Expected],
    command: &[String],
) -> LimitFound {
    let advice = measures
        .into_iter()
        .map(|(name, change, untried_because)| LimitMeasure {
            name,
            change,
            rates: Vec::new(),
            returns_from_per_s: None,
            untried_because,
        });
    let most = sought.most_per_s;
    let mut found = LimitFound {
        format: FORMAT,
        sought,
        backend,
        machine: machine_facts(),
        started_wall_ms: clock::wall_millis(),
        command: secret::command_line(command),
        spent_s: 0.0,
        steps: Vec::new(),
        served: analysis::limit::served(&[], most),
        limited_by: Vec::new(),
        beyond: None,
        returns: None,
        headroom: None,
        advice: advice.collect(),
        ended: LimitEnded::Going,
        ended_because: "It is still going on.".to_owned(),
        expectations: expected.iter().map(Expected::untold).collect(),
        sentence: String::new(),
    };
    summarize(&mut found);
    found
}

/// Where a search lies: the directory that was named, or a new one, which nobody else has.
///
/// # Errors
///
/// Wrong usage, where it is not empty or cannot be made.
pub(crate) fn claim(named: Option<&Path>) -> Result<PathBuf> {
    let directory = named.map_or_else(
        || {
            let stamp = clock::stamp(clock::wall_millis());
            Path::new("reports").join(format!("limit-{stamp}"))
        },
        Path::to_owned,
    );
    let claimed = claim_directory(&directory, FILE);
    if claimed.is_ok_and(|claimed| claimed) {
        return Ok(directory);
    }
    Err(Error::usage(format!(
        "{} is not empty or cannot be created; name another directory with --out, or go on with \
         the search that lies there with --resume",
        directory.display()
    )))
}

/// Writes what was found so far.
///
/// # Errors
///
/// Where it cannot be written.
pub(crate) fn keep(directory: &Path, found: &LimitFound) -> Result<()> {
    let text = serde_json::to_string_pretty(found)
        .map_err(|cause| Error::failed(format!("failed to write {FILE}: {cause}")))?;
    // As a whole or not at all: it is the state of the search.
    write_private(directory, NEXT, (text + "\n").as_bytes())?;
    let (from, to) = (directory.join(NEXT), directory.join(FILE));
    fs::rename(&from, &to)
        .map_err(|cause| Error::failed(format!("failed to write {}: {cause}", to.display())))
}

/// Holds a search for as long as the file is open.
///
/// # Errors
///
/// An unfit environment, where another search goes on there.
pub(crate) fn lock(directory: &Path) -> Result<File> {
    let path = directory.join(LOCK);
    let held = File::create(&path)
        .map_err(|cause| Error::failed(format!("failed to make {}: {cause}", path.display())))?;
    held.try_lock().map_err(|cause| {
        let shown = directory.display();
        Error::unfit(format!(
            "failed to hold {shown}: {cause}; a search that still goes on there must end first"
        ))
    })?;
    Ok(held)
}

/// Reads what a search has found.
///
/// # Errors
///
/// Wrong usage, where there is no search.
pub(crate) fn read(directory: &Path) -> Result<LimitFound> {
    let path = directory.join(FILE);
    let wrong = |cause: &dyn std::fmt::Display| {
        Error::usage(format!(
            "failed to read {}: {cause}; name the directory of a search",
            path.display()
        ))
    };
    let bytes = files::read_regular(&path, &bounds::LIMIT).map_err(|cause| wrong(&cause))?;
    let found: LimitFound = serde_json::from_slice(&bytes).map_err(|cause| wrong(&cause))?;
    if found.format != FORMAT {
        return Err(wrong(&format!(
            "its format is {}, and this version knows {FORMAT}",
            found.format
        )));
    }
    Ok(found)
}
