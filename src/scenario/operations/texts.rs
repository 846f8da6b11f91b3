//! The texts of a file of operations, read from how users write them.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::model::{Pattern, Source};
use crate::units::UnitError;

/// `GET /items/${item}`
#[derive(Debug, Clone)]
pub(in crate::scenario) struct RequestLine {
    pub(super) method: String,
    pub(super) target: String,
}

impl FromStr for RequestLine {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let parts = text.split_once(' ').filter(|(method, target)| {
            let method = !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase());
            method && target.starts_with('/') && target.bytes().all(|b| b.is_ascii_graphic())
        });
        let (method, target) = parts.ok_or_else(|| {
            UnitError::new(
                text,
                "a method and a path without blanks, for example \"GET /items/${item}\"",
            )
        })?;
        Ok(Self {
            method: method.into(),
            target: target.into(),
        })
    }
}

impl fmt::Display for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.target)
    }
}

/// `accept: application/json`
#[derive(Debug, Clone)]
pub(in crate::scenario) struct HeaderLine {
    pub(super) name: String,
    pub(super) value: String,
}

impl HeaderLine {
    /// Name and value.
    pub(in crate::scenario) fn parts(&self) -> (String, String) {
        (self.name.clone(), self.value.clone())
    }
}

/// Whether a text can be a header's name.
fn header_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

impl FromStr for HeaderLine {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let parts = text
            .split_once(':')
            .map(|(name, value)| (name.trim(), value.trim()));
        let parts =
            parts.filter(|(name, value)| header_name(name) && !value.chars().any(char::is_control));
        let (name, value) = parts.ok_or_else(|| {
            UnitError::new(
                text,
                "a name, a colon and a value, for example \"accept: application/json\"",
            )
        })?;
        Ok(Self {
            name: name.into(),
            value: value.into(),
        })
    }
}

impl fmt::Display for HeaderLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.value)
    }
}

/// `status 200..299`, `header content-type: json` or `body: "open"`
#[derive(Debug, Clone)]
pub(in crate::scenario) enum Check {
    /// The status is one of these.
    Status(RangeInclusive<u16>),
    /// A header of this name contains a text.
    Header(String, String),
    /// The body contains a text.
    Body(String),
}

impl FromStr for Check {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let status = |text: &str| -> Option<u16> {
            text.parse()
                .ok()
                .filter(|status| (100..=599).contains(status))
        };
        let parsed = if let Some(range) = text.strip_prefix("status ") {
            let (first, last) = range.split_once("..").unwrap_or((range, range));
            match (status(first), status(last)) {
                (Some(first), Some(last)) if first <= last => Some(Self::Status(first..=last)),
                _ => None,
            }
        } else if let Some(header) = text.strip_prefix("header ") {
            let line = header.parse::<HeaderLine>().ok();
            line.map(|line| Self::Header(line.name, line.value))
        } else {
            text.strip_prefix("body:")
                .map(|body| Self::Body(body.trim().into()))
        };
        parsed.ok_or_else(|| {
            UnitError::new(
                text,
                "what is checked and what it must be: \"status 201\", \"status 200..299\", \
                 \"header content-type: json\" or \"body: ok\"",
            )
        })
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(range) => write!(f, "status {}..{}", range.start(), range.end()),
            Self::Header(name, text) => write!(f, "header {name}: {text}"),
            Self::Body(text) => write!(f, "body: {text}"),
        }
    }
}

/// `order = body /id` or `tag = header etag`
#[derive(Debug, Clone)]
pub(in crate::scenario) struct Capturing {
    pub(super) name: String,
    pub(super) source: Source,
}

/// Whether a text can be the name of a value.
pub(super) fn value_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

/// Where a value is; none where that cannot be read.
fn source_of(kind: &str, place: &str) -> Option<Source> {
    let (before, pattern) = match place.split_once("matching ") {
        Some((before, pattern)) => (before.trim(), Some(Pattern::new(pattern).ok()?)),
        None => (place, None),
    };
    match (kind, pattern) {
        ("body", None) if before.starts_with('/') => Some(Source::Body(before.into())),
        ("body", Some(pattern)) if before.is_empty() => Some(Source::BodyMatch(pattern)),
        ("header", None) if header_name(before) => Some(Source::Header(before.into())),
        ("header", Some(pattern)) if header_name(before) => {
            Some(Source::HeaderMatch(before.into(), pattern))
        }
        _ => None,
    }
}

impl FromStr for Capturing {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let parse = || {
            let (name, source) = text.split_once('=')?;
            let (kind, place) = source.trim().split_once(' ')?;
            let name = name.trim();
            let source = source_of(kind, place.trim())?;
            value_name(name).then(|| Self {
                name: name.into(),
                source,
            })
        };
        parse().ok_or_else(|| {
            UnitError::new(
                text,
                "a name and where its value is: \"order = body /items/0/id\" (a JSON pointer), \
                 \"tag = header etag\", \"token = body matching value='([^']+)'\" or \
                 \"sid = header set-cookie matching sid=([^;]+)\" (a regular expression, of which \
                 the first group counts)",
            )
        })
    }
}

impl fmt::Display for Capturing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.name, self.source)
    }
}
