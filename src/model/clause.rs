//! Policies as text: clauses between commas, each a word and its value.

use std::str::FromStr;

/// The value of a clause such as `burst 50`; none where it begins with another
/// word, or its value is no such thing.
pub(super) fn clause<T: FromStr>(text: &str, word: &str) -> Option<T> {
    text.strip_prefix(word)?.trim().parse().ok()
}
