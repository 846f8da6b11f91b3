//! `summary.json`: the findings as other programs read them.
//!
//! The shape is [`Findings`] itself, so that no second description of the
//! contract can drift away from it.

use crate::analysis::Findings;
use crate::error::{Error, Result};

/// The findings as indented JSON with a newline at the end.
///
/// # Errors
///
/// Never for findings that were read from a record; a failure is our mistake.
pub fn render(findings: &Findings) -> Result<String> {
    let mut text = serde_json::to_string_pretty(findings)
        .map_err(|cause| Error::failed(format!("failed to write summary.json: {cause}")))?;
    text.push('\n');
    Ok(text)
}
