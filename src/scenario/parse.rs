//! From the text of a file to a [`Plan`], or to every mistake in it.

use std::collections::HashSet;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;
use toml::de::DeTable;

use super::diagnostics::{Diagnostics, Lines, Mistake};
use super::file::File;
use super::meaning::Reader;
use super::schema;
use super::structure::{self, Fitted};
use crate::plan::Plan;

/// Reads a scenario file. `name` becomes the scenario's short name; `path` is
/// shown in diagnostics and never opened. Files that the scenario names are
/// looked for in its folder.
///
/// # Errors
///
/// Every mistake of the file at once; after a syntax error, those that can
/// still be told.
pub fn parse(name: &str, path: &str, text: &str) -> Result<Plan, Diagnostics> {
    let folder = Path::new(path).parent().unwrap_or(Path::new(""));
    parse_in(folder, name, path, text)
}

/// The same, with the folder in which files are looked for.
pub(super) fn parse_in(
    folder: &Path,
    name: &str,
    path: &str,
    text: &str,
) -> Result<Plan, Diagnostics> {
    let (file, fitted) = fit::<File>(&schema::value(), path, text)?;
    let mut reader = Reader::new(&file, folder, fitted);
    let plan = reader.plan(name, &file);
    match plan {
        Some(plan) if reader.mistakes.is_empty() => Ok(plan),
        _ => Err(Diagnostics::new(path, text, reader.mistakes)),
    }
}

/// Holds a file against its schema and reads what fits, with what was found
/// wrong so far.
///
/// # Errors
///
/// After a syntax error, every mistake that can still be told.
pub(super) fn fit<T: DeserializeOwned>(
    schema: &Value,
    path: &str,
    text: &str,
) -> Result<(T, Fitted), Diagnostics> {
    let (mut document, errors) = DeTable::parse_recoverable(text);
    let whole = errors.is_empty();
    let mut mistakes: Vec<_> = errors.iter().map(|error| syntax(error, text)).collect();
    let mut fitted = structure::check(schema, &mut document, whole);
    if !whole {
        // What the parser made up to get past an error is not the user's mistake.
        let lines = Lines::of(text);
        let line = |mistake: &Mistake| lines.line(mistake.span.start);
        let broken: HashSet<usize> = mistakes.iter().map(line).collect();
        let elsewhere = |mistake: &Mistake| !broken.contains(&line(mistake));
        mistakes.extend(fitted.mistakes.into_iter().filter(elsewhere));
        return Err(Diagnostics::new(path, text, mistakes));
    }
    match T::deserialize(toml::Deserializer::from(document)) {
        Ok(file) => Ok((file, fitted)),
        Err(error) => {
            // Unreachable while schema and structs agree, which a test holds.
            let span = error.span().unwrap_or(0..0);
            let message = format!("this cannot be read: {}", error.message());
            let mistake = Mistake::new(span, message, "here", "write it another way");
            fitted.mistakes.push(mistake);
            Err(Diagnostics::new(path, text, fitted.mistakes))
        }
    }
}

fn syntax(error: &toml::de::Error, text: &str) -> Mistake {
    let span = error.span().unwrap_or(text.len()..text.len());
    Mistake::new(
        span,
        format!("this is not TOML: {}", error.message()),
        "here",
        "see https://toml.io for the notation; texts are in double quotes",
    )
}
