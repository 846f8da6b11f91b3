//! A figure over many runs, and the list of runs: for people on a terminal and as a page,
//! for programs as JSON.

mod page;
mod plot;
mod runs;
mod text;
mod wording;

use serde::Serialize;

use crate::error::{Error, Result};

pub(crate) use page::html;
pub(crate) use runs::{json as runs_json, text as runs_text};
pub(crate) use text::text;
pub(crate) use wording::answer;

/// A value as indented JSON with a newline at its end.
///
/// # Errors
///
/// Never; a failure is our mistake.
pub(crate) fn json(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|cause| Error::failed(format!("failed to write the answer: {cause}")))?;
    Ok(text + "\n")
}
