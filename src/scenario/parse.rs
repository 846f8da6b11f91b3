//! From the text of a file to a [`Scenario`], or to every mistake in it.

use serde::Deserialize as _;
use toml::de::DeTable;

use super::diagnostics::{Diagnostics, Mistake};
use super::file::File;
use super::meaning::Reader;
use super::{Scenario, schema, structure};

/// Reads a scenario file. `name` becomes the scenario's short name; `path` is
/// shown in diagnostics and never opened.
///
/// # Errors
///
/// Every mistake of the file at once; after a syntax error, those that can
/// still be told.
pub fn parse(name: &str, path: &str, text: &str) -> Result<Scenario, Diagnostics> {
    let (mut document, errors) = DeTable::parse_recoverable(text);
    let whole = errors.is_empty();
    let mut mistakes: Vec<_> = errors.iter().map(|error| syntax(error, text)).collect();
    let fitted = structure::check(&schema::value(), &mut document, whole);
    if !whole {
        // What the parser made up to get past an error is not the user's mistake.
        let broken: Vec<_> = mistakes.iter().map(|m| line(text, m.span.start)).collect();
        let elsewhere = |mistake: &Mistake| !broken.contains(&line(text, mistake.span.start));
        mistakes.extend(fitted.mistakes.into_iter().filter(elsewhere));
        return Err(Diagnostics::new(path, text, mistakes));
    }
    mistakes.extend(fitted.mistakes);
    let file = match File::deserialize(toml::Deserializer::from(document)) {
        Ok(file) => file,
        Err(error) => {
            // Unreachable while schema and structs agree, which a test holds.
            let span = error.span().unwrap_or(0..0);
            let message = format!("this cannot be read: {}", error.message());
            mistakes.push(Mistake::new(span, message, "here", "write it another way"));
            return Err(Diagnostics::new(path, text, mistakes));
        }
    };
    let mut reader = Reader::new(&file, mistakes, fitted.taken_out);
    let scenario = reader.scenario(name, &file);
    match scenario {
        Some(scenario) if reader.mistakes.is_empty() => Ok(scenario),
        _ => Err(Diagnostics::new(path, text, reader.mistakes)),
    }
}

fn syntax(error: &toml::de::Error, text: &str) -> Mistake {
    let span = error.span().unwrap_or(text.len()..text.len());
    Mistake::new(
        span,
        format!("this is not TOML: {}", error.message()),
        "here",
        "see https://toml.io for the notation; texts stand in double quotes",
    )
}

fn line(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().iter().take(offset);
    before.filter(|byte| **byte == b'\n').count()
}
