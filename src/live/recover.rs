//! Undoes what a dead run left: `threadbare recover`.
//!
//! The guardian undoes everything when the conductor dies; this is for where it
//! has died too, and for reading afterwards what it did.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::process::geteuid;

use crate::error::{Error, Result};
use crate::record::{Outcome, outcome_text};
use crate::target::{Armed, Undos};

/// What a run directory says of what was done, and of what is left to undo.
#[derive(Debug)]
pub(crate) struct Leftovers {
    undos: Undos,
}

/// Reads what a dead run left, and holds it against others who would undo it too.
///
/// # Errors
///
/// Wrong usage, where there is no run or it is another user's; an unfit
/// environment, where the run is still under way or somebody is undoing it now.
pub(crate) fn left(directory: &Path) -> Result<Leftovers> {
    let shown = directory.display();
    let owner = fs::metadata(directory).map_err(|cause| {
        Error::usage(format!(
            "failed to read {shown}: {cause}; is this a run directory?"
        ))
    })?;
    if owner.uid() != geteuid().as_raw() || owner.mode() & 0o022 != 0 {
        return Err(Error::usage(format!(
            "{shown} belongs to another user or others can write to it, so its undo.jsonl is not \
             trusted; only the user who made the run can recover it"
        )));
    }
    if !Undos::exist(directory) {
        return Err(Error::usage(format!(
            "{shown} has nothing to undo: only a run on a target of your own does something \
             that needs it"
        )));
    }
    let undos = Undos::open(directory, "recover")?;
    if let Some(pid) = undos.under_way() {
        return Err(Error::unfit(format!(
            "the run in {shown} is still going on, as process {pid}; end it with `kill -INT \
             {pid}`, which undoes everything"
        )));
    }
    if !undos.lock() {
        return Err(Error::unfit(format!(
            "the guardian is undoing the run in {shown} now; try again in a moment"
        )));
    }
    Ok(Leftovers {
        undos: undos.again()?,
    })
}

impl Leftovers {
    /// What has yet to be undone, in words, in the order in which it is done.
    #[must_use]
    pub(crate) fn outstanding(&self) -> Vec<String> {
        let outstanding = self.undos.outstanding().into_iter();
        outstanding.map(|armed| armed.undo.in_words()).collect()
    }

    /// Lines that cannot be read: the disk was full when they were written.
    #[must_use]
    pub(crate) const fn torn(&self) -> usize {
        self.undos.torn()
    }

    /// What was undone already, and by whom.
    #[must_use]
    pub(crate) fn done(&self) -> Vec<String> {
        let told = self.undos.told();
        let told =
            told.map(|(undo, by, outcome)| format!("{by}: {undo}: {}", outcome_text(outcome)));
        told.collect()
    }

    /// Undoes it all, the last that was done first, and marks it done; what
    /// came of each.
    ///
    /// # Errors
    ///
    /// Where it cannot be marked; it has been undone then.
    pub(crate) fn recover(&mut self) -> Result<Vec<(String, Outcome)>> {
        let mut came = Vec::new();
        for Armed { id, undo } in self.undos.outstanding() {
            let outcome = undo.carry_out();
            self.undos.undone(id, &outcome)?;
            came.push((undo.in_words(), outcome));
        }
        self.undos.close();
        Ok(came)
    }
}
