//! What may be a secret, and how it is written: not at all.
//!
//! A scenario may hold keys and passwords: in the environment of a command, in
//! the header fields of a hook. Whatever is written of it, a plan, an event, a
//! report, shows names and leaves such values out. They are known by their
//! names, as everywhere: there is no other sign.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::ser::{SerializeMap as _, SerializeSeq as _};
use serde::{Serialize, Serializer};

/// What stands for a secret.
pub(crate) const LEFT_OUT: &str = "(not shown)";

/// Parts of names whose values are secrets, in small letters.
const TELLING: [&str; 9] = [
    "authorization",
    "cookie",
    "credential",
    "key",
    "passphrase",
    "passwd",
    "password",
    "secret",
    "token",
];

/// The value as it may be written under this name.
#[must_use]
pub(crate) fn shown<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    let name = name.to_ascii_lowercase();
    if TELLING.iter().any(|part| name.contains(part)) {
        return Cow::Borrowed(LEFT_OUT);
    }
    Cow::Borrowed(value)
}

/// A word of a command as it may be written: of `--password=…` the name only.
#[must_use]
pub(crate) fn word(word: &str) -> Cow<'_, str> {
    match word.split_once('=') {
        Some((name, value)) if shown(name, value) == LEFT_OUT => {
            Cow::Owned(format!("{name}={LEFT_OUT}"))
        }
        _ => Cow::Borrowed(word),
    }
}

/// A command as it may be written.
#[must_use]
pub(crate) fn command(words: &[String]) -> String {
    let words: Vec<Cow<'_, str>> = words.iter().map(|it| word(it)).collect();
    words.join(" ")
}

/// Serializes the words of a command without the secrets among them.
pub(super) fn words<S: Serializer>(words: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(words.iter().map(|it| word(it)))
}

/// The same of words that there may be.
#[expect(clippy::ref_option, reason = "the form in which serde calls it")]
pub(super) fn some_words<S: Serializer>(
    words: &Option<Vec<String>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let shown = words
        .as_ref()
        .map(|words| words.iter().map(|it| word(it)).collect::<Vec<_>>());
    shown.serialize(serializer)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names() {
        for (name, secret) in [
            ("Authorization", true),
            ("API_KEY", true),
            ("DB_PASSWORD", true),
            ("set-cookie", true),
            ("ROLE_CHECK", false),
            ("accept", false),
        ] {
            assert_eq!(shown(name, "x") == LEFT_OUT, secret, "{name}");
        }
        let words = ["serve", "--port=1", "--api-token=hunter2"].map(str::to_owned);
        assert_eq!(command(&words), "serve --port=1 --api-token=(not shown)");
    }
}
