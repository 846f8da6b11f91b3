//! Hooks: what the user's own tools do to a target, and how it is undone.
//!
//! A hook is a command or an HTTP request with a limit on its time and an
//! answer that counts as done; anything else is a refusal, which is how a
//! rollback that a deployment system declines looks from here.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Url, secret};
use crate::named::named;
use crate::units::{Nanos, UnitError};

/// Something that the user's own tools do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// What the timeline calls it.
    pub name: String,
    /// What is done.
    pub call: Call,
    /// What undoes it, where anything does.
    pub undo: Option<Call>,
}

/// One call of a tool, and which answer counts as done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// What is called.
    pub what: Called,
    /// Limit on it; a command that runs longer is ended with its group.
    pub timeout: Nanos,
    /// What counts as done.
    pub expect: ExpectedAnswer,
}

/// What is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Called {
    /// A program and its arguments; no shell is in between. Secrets among them
    /// are not written.
    Command(#[serde(serialize_with = "secret::words")] Vec<String>),
    /// An HTTP request.
    Request {
        /// The method, such as `POST`.
        method: String,
        /// Where to; the query is not written.
        #[serde(serialize_with = "super::url::without_query")]
        url: Url,
        /// Header fields; secrets among them are not written.
        #[serde(serialize_with = "secret::pairs")]
        headers: Vec<(String, String)>,
        /// The body, which is not written.
        #[serde(serialize_with = "secret::body")]
        body: String,
    },
}

/// The answer that counts as done: an exit code or a status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpectedAnswer {
    /// A command that exits with one of these.
    Exit(RangeInclusive<i32>),
    /// A response with one of these statuses.
    Status(RangeInclusive<u16>),
}

impl Called {
    /// The name of a header field of a request that speaks of its body's end, and not of
    /// where that is.
    pub fn misframed(&self) -> Option<&str> {
        let Self::Request { headers, body, .. } = self else {
            return None;
        };
        let mut headers = headers.iter();
        let found = headers.find(|(name, value)| frames_otherwise(name, value, body.len()));
        found.map(|(name, _)| name.as_str())
    }
}

/// Whether a header field frames a body of this length otherwise than it is sent: as it is,
/// with its length.
pub(crate) fn frames_otherwise(name: &str, value: &str, length: usize) -> bool {
    name.eq_ignore_ascii_case("transfer-encoding")
        || name.eq_ignore_ascii_case("content-length") && value.parse() != Ok(length)
}

impl fmt::Display for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(words) => f.write_str(&secret::command(words)),
            Self::Request { method, url, .. } => {
                write!(f, "{method} {}", url.without_query())
            }
        }
    }
}

impl FromStr for ExpectedAnswer {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || {
            UnitError::new(
                text,
                "`exit` or `status` and a number or a range, for example \"exit 0\" or \
                 \"status 200..299\"",
            )
        };
        let (kind, range) = text.trim().split_once(' ').ok_or_else(wrong)?;
        let (first, last) = range.split_once("..").unwrap_or((range, range));
        let number = |text: &str, within: RangeInclusive<i32>| {
            let number = text.trim().parse::<i32>().ok();
            number
                .filter(|number| within.contains(number))
                .ok_or_else(wrong)
        };
        match kind {
            "exit" => {
                let range = number(first, 0..=255)?..=number(last, 0..=255)?;
                (!range.is_empty())
                    .then_some(Self::Exit(range))
                    .ok_or_else(wrong)
            }
            "status" => {
                let status = |text| {
                    let status = number(text, 100..=599)?;
                    u16::try_from(status).map_err(|_| wrong())
                };
                let range = status(first)?..=status(last)?;
                (!range.is_empty())
                    .then_some(Self::Status(range))
                    .ok_or_else(wrong)
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for ExpectedAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn range<T: fmt::Display + PartialEq>(range: &RangeInclusive<T>) -> String {
            if range.start() == range.end() {
                return range.start().to_string();
            }
            format!("{}..{}", range.start(), range.end())
        }
        match self {
            Self::Exit(codes) => write!(f, "exit {}", range(codes)),
            Self::Status(statuses) => write!(f, "status {}", range(statuses)),
        }
    }
}

named! {
    /// What a hook is to the incident.
    #[derive(Default)]
    pub enum HookKind {
        /// It brings the fault: a push of a configuration or a program.
        Push = "push",
        /// It takes the fault away.
        Rollback = "rollback",
        /// It restarts what serves.
        Restart = "restart",
        /// It is none of these.
        #[default]
        Other = "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expected_answers_are_read_and_printed_again() {
        for text in ["exit 0", "exit 0..3", "status 200..299", "status 409"] {
            assert_eq!(text.parse::<ExpectedAnswer>().unwrap().to_string(), text);
        }
        for text in ["", "exit", "exit 256", "exit 3..1", "status 20", "code 0"] {
            assert!(text.parse::<ExpectedAnswer>().is_err(), "{text}");
        }
    }

    #[test]
    fn no_secret_of_a_request_is_written() {
        let call = Called::Request {
            method: "POST".into(),
            url: "http://127.0.0.1/deploy?token=hunter2".parse().unwrap(),
            headers: vec![("authorization".into(), "Bearer hunter2".into())],
            body: "hunter2".into(),
        };
        assert_eq!(call.to_string(), "POST http://127.0.0.1/deploy");
        let written = serde_json::to_string(&call).unwrap();
        assert!(!written.contains("hunter2"), "{written}");
    }
}
