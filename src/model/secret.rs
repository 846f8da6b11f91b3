//! How values that may be secrets are serialized: by [`redact`], which knows them.
//!
//! What has a structure is looked at while it still has it: a variable by its name, a
//! command word by word. The text that comes of it is looked at again where it is written.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::ser::{SerializeMap as _, SerializeSeq as _};
use serde::{Serialize, Serializer};

use super::redact::{self, LEFT_OUT};
use super::standing::is_deep;

/// The value as it may be written under this name.
pub fn shown<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    if redact::telling(name) && !value.is_empty() {
        return Cow::Borrowed(LEFT_OUT);
    }
    redact::text(value)
}

/// A command as it may be written.
pub fn command(words: &[String]) -> String {
    redact::words(words).join(" ")
}

/// A command as it may be written, and as a shell reads it back.
pub fn command_line(words: &[String]) -> String {
    let shown = redact::words(words);
    let quoted: Vec<Cow<'_, str>> = shown.iter().map(|word| quoted(word)).collect();
    quoted.join(" ")
}

/// The same for whoever is asked whether it may be called: each word can be told from the
/// next, and all is shown that a shell would act upon.
pub fn command_in_full(words: &[String]) -> String {
    let shown = redact::harmless_words(words);
    let quoted: Vec<Cow<'_, str>> = shown.iter().map(|word| quoted(word)).collect();
    quoted.join(" ")
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_alphanumeric() || "-._~+/=:@%,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', "'\\''")))
}

/// Serializes the words of a command without the secrets among them.
pub(super) fn words<S: Serializer>(words: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(redact::words(words))
}

/// The same of words that there may be.
#[expect(clippy::ref_option, reason = "the form in which serde calls it")]
pub(super) fn some_words<S: Serializer>(
    words: &Option<Vec<String>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    words.as_deref().map(redact::words).serialize(serializer)
}

/// Serializes names and values without the secrets among them.
pub(super) fn map<S: Serializer>(
    values: &BTreeMap<String, String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(values.len()))?;
    for (name, value) in values {
        map.serialize_entry(name, &shown(name, value))?;
    }
    map.end()
}

/// The same of pairs.
pub(super) fn pairs<S: Serializer>(
    values: &[(String, String)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut pairs = serializer.serialize_seq(Some(values.len()))?;
    for (name, value) in values {
        pairs.serialize_element(&(name, shown(name, value)))?;
    }
    pairs.end()
}

/// A body: how long it is, and nothing of it.
pub(super) fn body<S: Serializer>(body: &str, serializer: S) -> Result<S::Ok, S::Error> {
    match body.len() {
        0 => "".serialize(serializer),
        _ => LEFT_OUT.serialize(serializer),
    }
}

/// A path without its query.
pub(super) fn path<S: Serializer>(target: &str, serializer: S) -> Result<S::Ok, S::Error> {
    // That of the fleet's own probes holds no secret, and a run is simulated again by it.
    let shown = if is_deep(target) {
        target
    } else {
        without_query(target)
    };
    shown.serialize(serializer)
}

/// The same as a text: what stands in a query may be secret, whatever its name.
pub fn without_query(target: &str) -> &str {
    target.split('?').next().unwrap_or_default()
}
