//! Files of operations: what users ask of the user's HTTP server.
//!
//! Such a file goes the way of a scenario: held against its schema (`file`),
//! its texts read (`texts`), then given a meaning (`meaning`), with every
//! mistake told at once.

mod file;
mod meaning;
mod texts;
mod values;

use std::path::Path;

use self::file::File;
use self::meaning::Reader;
use super::diagnostics::{Diagnostics, Mistake};
use super::leaf::Spanned;
use super::{parse, schema, shipped};
use crate::error::{Error, Result};
use crate::model::HttpWork;

pub(super) use self::file::{Operation, Values};
pub(super) use self::texts::{Capturing, Check, HeaderLine, RequestLine};

/// The JSON schema of files of operations, as text that ends with a newline.
pub fn operations_schema() -> String {
    schema::printed(&value())
}

fn value() -> serde_json::Value {
    schema::of::<File>("threadbare operations")
}

/// The work of operations that stand in a scenario, and the mistakes in them;
/// files that they name are looked for in `folder`.
pub(super) fn inline(
    folder: &Path,
    values: &[Spanned<Values>],
    operations: &[Operation],
) -> (HttpWork, Vec<Mistake>) {
    let mut reader = Reader::new(folder, Vec::new());
    let work = reader.work(values, operations);
    (work, reader.mistakes)
}

/// Reads a file of operations. `path` is shown in diagnostics; files that it
/// names are looked for in its folder.
///
/// # Errors
///
/// Every mistake of the file at once; after a syntax error, those that can
/// still be told.
pub fn operations(path: &Path, text: &str) -> std::result::Result<HttpWork, Diagnostics> {
    let shown = path.to_string_lossy();
    let (file, fitted) = parse::fit::<File>(&value(), &shown, text)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut reader = Reader::new(folder, fitted.mistakes);
    let work = reader.work(&file.values, file.operation.as_deref().unwrap_or_default());
    if reader.mistakes.is_empty() {
        Ok(work)
    } else {
        Err(Diagnostics::new(&shown, text, reader.mistakes))
    }
}

/// Reads the content of a file of values, and gives nothing of it.
///
/// # Errors
///
/// One sentence on what is wrong with it.
#[cfg(feature = "testing")]
pub(crate) fn csv_values(bytes: &[u8]) -> std::result::Result<(), String> {
    values::csv(bytes).map(|_| ())
}

/// The operations of the file at this path.
///
/// # Errors
///
/// Wrong usage: a file that cannot be read; every mistake in it, rendered with
/// colour or without.
pub fn load_operations(path: &Path, colour: bool) -> Result<HttpWork> {
    let text = shipped::read(path)?;
    operations(path, &text).map_err(|mistakes| Error::usage(mistakes.render(colour)))
}
