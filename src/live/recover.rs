//! Undoes what a dead run left: `threadbare recover`.
//!
//! The guardian undoes everything when the conductor dies; this is for where it
//! has died too, and for reading afterwards what it did.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::process::geteuid;

use crate::error::{Error, Result};
use crate::process::own_program;
use crate::record::{Outcome, outcome_text};
use crate::target::Undos;

/// What a run directory says of what was done, and of what is left to undo.
#[derive(Debug)]
pub(crate) struct Leftovers {
    /// None of a run that did nothing that outlives it.
    undos: Option<Undos>,
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
        // A run of the fleet holds all that it does itself.
        if directory.join("run.json").exists() {
            return Ok(Leftovers { undos: None });
        }
        return Err(Error::usage(format!(
            "{shown} has nothing to undo; is it a run directory?"
        )));
    }
    let mut undos = Undos::open(directory, "recover")?.with_program(Some(own_program()));
    if let Some(pid) = undos.under_way() {
        return Err(Error::unfit(format!(
            "the run in {shown} is still going on, as process {pid}; end it with `kill -INT \
             {pid}`, which undoes everything"
        )));
    }
    let being_undone = || {
        Error::unfit(format!(
            "the run in {shown} is being undone now, by its guardian for example; try again in a \
             moment"
        ))
    };
    if !undos.lock() {
        return Err(being_undone());
    }
    undos.read_again()?;
    if undos.abandoned() {
        return Err(being_undone());
    }
    Ok(Leftovers { undos: Some(undos) })
}

impl Leftovers {
    /// What has yet to be undone, in the order in which it is done: all of what would be
    /// called, with only the values of secrets left out.
    pub(crate) fn outstanding(&self) -> Vec<String> {
        let outstanding = self.undos.iter().flat_map(Undos::outstanding);
        outstanding.map(|armed| armed.undo.in_full()).collect()
    }

    /// Lines that break off: the disk was full when they were written.
    pub(crate) fn torn(&self) -> usize {
        self.undos.as_ref().map_or(0, Undos::torn)
    }

    /// Lines that are damaged otherwise: what they were to undo is not known.
    pub(crate) fn damaged(&self) -> usize {
        self.undos.as_ref().map_or(0, Undos::damaged)
    }

    /// What was undone already, and by whom.
    pub(crate) fn done(&self) -> Vec<String> {
        let told = self.undos.iter().flat_map(Undos::told);
        let told =
            told.map(|(undo, by, outcome)| format!("{by}: {undo}: {}", outcome_text(outcome)));
        told.collect()
    }

    /// Undoes it all, the last that was done first, and marks it done: the result of each,
    /// and whether all of that could be marked.
    pub(crate) fn recover(&mut self) -> (Vec<(String, Outcome)>, Result<()>) {
        let (mut came, mut marked) = (Vec::new(), Ok(()));
        let Some(undos) = &mut self.undos else {
            return (came, marked);
        };
        for armed in undos.outstanding() {
            let (outcome, written) = undos.carry_out(&armed);
            came.push((armed.undo.in_words(), outcome));
            // The next is undone whether or not this could be written down.
            marked = marked.and(written);
        }
        undos.close();
        (came, marked)
    }
}
