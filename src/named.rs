//! Values and their texts: enums with words, by which scenario files, commands and
//! records call them, and types that are written as they print.

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
