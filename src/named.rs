//! Values and their texts: enums with words, by which scenario files, commands and
//! records call them, types that are written as they print, and what a misspelt word was
//! most likely meant to be.

/// A thing that is called by a word of a closed list.
pub(crate) trait Named: Sized {
    /// Every such thing and its word.
    fn all() -> Vec<(Self, &'static str)>;
}

/// Gives each value of an enum its word: with the enum itself where records write the
/// same word, else beside it. One that is left out does not compile.
macro_rules! named {
    ($(#[$meta:meta])* pub enum $kind:ident { $($(#[$of:meta])* $value:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum $kind {
            $($(#[$of])* #[serde(rename = $word)] $value),+
        }

        impl schemars::JsonSchema for $kind {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($kind).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $crate::named::one_of([$($word),+])
            }
        }

        $crate::named::named!($kind { $($value = $word),+ });
    };
    ($kind:ident { $($value:ident = $word:literal),+ $(,)? }) => {
        impl $kind {
            /// All of them with their words.
            pub const ALL: [(Self, &'static str); [$($word),+].len()] =
                [$((Self::$value, $word)),+];

            /// Its word.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$value => $word),+
                }
            }
        }

        impl $crate::named::Named for $kind {
            fn all() -> Vec<(Self, &'static str)> {
                Self::ALL.to_vec()
            }
        }
    };
}

/// The schema of a text that is one of these words.
pub(crate) fn one_of(words: impl IntoIterator<Item = &'static str>) -> schemars::Schema {
    let words: Vec<_> = words.into_iter().collect();
    schemars::json_schema!({ "type": "string", "enum": words })
}

/// Writes a value as its text, and reads it back, wherever serde writes and reads it.
macro_rules! as_text {
    ($kind:ty) => {
        impl serde::Serialize for $kind {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $kind {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use {as_text, named};

/// A misspelt word is held against so many candidates, and so many are listed: a file
/// of ten thousand names with as many mistakes is told of in a second all the same.
const CANDIDATES_MAX: usize = 100;

/// The candidate that `word` was most likely meant to be: it differs in few letters.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .take(CANDIDATES_MAX)
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// "did you mean …?" where a candidate is near, otherwise all of them.
pub(crate) fn suggest(word: &str, candidates: &[&str]) -> String {
    match nearest(word, candidates.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if candidates.is_empty() => "remove it".to_owned(),
        None => format!("there are: {}", list(candidates)),
    }
}

/// Words in back quotes with commas between them.
pub(crate) fn list(words: &[&str]) -> String {
    let shown = words.iter().take(CANDIDATES_MAX);
    let quoted: Vec<_> = shown.map(|word| format!("`{word}`")).collect();
    let more = match words.len().saturating_sub(CANDIDATES_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    quoted.join(", ") + &more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_suggested_only_where_it_is_near() {
        assert_eq!(
            suggest("wokers", &["workers", "queue"]),
            "did you mean `workers`?"
        );
        assert_eq!(
            suggest("zzz", &["workers", "queue"]),
            "there are: `workers`, `queue`"
        );
    }
}
