//! `threadbare list`: the shipped scenarios by mechanism, their claims, and what each is like.

use super::Code;
use crate::error::{EXIT_PASSED, Result};
use crate::report::library::{self, LibraryEntry};
use crate::scenario::{self, Changes};

pub(super) fn run() -> Code {
    let entries = scenario::shipped().iter().map(|(name, _)| {
        Ok(LibraryEntry {
            name: (*name).to_owned(),
            plan: scenario::load(name, false)?,
            variants: scenario::variants(name, &Changes::default(), false)?,
            simulated: None,
            live: None,
        })
    });
    let entries = entries.collect::<Result<Vec<_>>>()?;
    super::answer(library::list(&entries).as_bytes())?;
    Ok(EXIT_PASSED)
}
