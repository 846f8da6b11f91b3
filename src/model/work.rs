//! What operations ask of an HTTP server, and which answers they expect.
//!
//! Parameters, and two pure rules: how an answer is judged, and what is taken
//! from it for a later step.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

use regex::bytes::Regex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::MonitorPolicy;
use super::content::{Content, Unreadable};
use super::cookies::Cookies;
use super::redirect::{NotFollowed, Redirected};
use crate::units::Nanos;

use crate::named::named;

/// Kinds of operations with the values that their requests are made of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HttpWork {
    /// Tables; each operation draws one row of each.
    pub tables: Vec<Table>,
    /// Kinds of operations.
    pub operations: Vec<OperationKind>,
}

/// Values that requests differ by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Which row an operation gets.
    pub order: RowOrder,
    /// The rows; at least one.
    pub rows: Rows,
}

/// Which row of a table an operation gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowOrder {
    /// Any, with equal probability.
    Random,
    /// The next one, and after the last the first again.
    InTurn,
}

named!(RowOrder {
    Random = "random",
    InTurn = "in turn",
});

/// The rows of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rows {
    /// Whole numbers from the first on; one column.
    Range {
        /// The first.
        first: i64,
        /// How many; at least one.
        count: u64,
    },
    /// Texts, row by row.
    Cells {
        /// Columns of a row; at least one.
        columns: usize,
        /// All cells, a multiple of `columns`.
        cells: Vec<String>,
    },
}

impl Rows {
    /// How many there are.
    pub const fn count(&self) -> u64 {
        match self {
            Self::Range { count, .. } => *count,
            Self::Cells { columns, cells } => (cells.len() / *columns) as u64,
        }
    }
}

/// One kind of operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationKind {
    /// What users call it.
    pub name: String,
    /// Its share of the operations is weight / sum of weights.
    pub weight: u32,
    /// Whether its requests send the cookies that its earlier answers set.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cookies: bool,
    /// Redirects of each step that are followed at most; zero: none is.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub follow: u32,
    /// Its requests, one after the other; the operation fails with the first that does.
    pub steps: Vec<Step>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// One request of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The method, such as `GET`.
    pub method: String,
    /// Path and query.
    pub target: Template,
    /// Names and values.
    pub headers: Vec<(String, Template)>,
    /// The body; empty for none.
    pub body: Template,
    /// What its answer must be.
    pub expected: Expected,
    /// What is taken from its answer, in the order in which [`Part::Captured`]
    /// counts, those of earlier steps first.
    pub captures: Vec<Source>,
    /// How long the user thinks before it, after the answer to the step before.
    #[serde(default, skip_serializing_if = "Nanos::is_zero")]
    pub pause: Nanos,
}

/// A text with places for values.
pub type Template = Vec<Part>;

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// As it stands.
    Literal(Vec<u8>),
    /// A cell of the row that the operation has drawn.
    Cell {
        /// Which table.
        table: usize,
        /// Which column.
        column: usize,
    },
    /// What an earlier step captured.
    Captured(usize),
    /// The operation's own number in the load, from zero on.
    Number,
}

/// Where a captured value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A JSON body, at a pointer such as `/items/0/id` (RFC 6901).
    Body(String),
    /// A header of this name.
    Header(String),
    /// The body, where it matches: the first group, or all of the match.
    BodyMatch(Pattern),
    /// A header of this name that matches, likewise.
    HeaderMatch(String, Pattern),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(pointer) => write!(f, "body {pointer}"),
            Self::Header(name) => write!(f, "header {name}"),
            Self::BodyMatch(pattern) => write!(f, "body matching {pattern}"),
            Self::HeaderMatch(name, pattern) => write!(f, "header {name} matching {pattern}"),
        }
    }
}

/// A regular expression that is looked for in bytes.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// # Errors
    ///
    /// Where the text is no regular expression, in one line.
    pub fn new(text: &str) -> Result<Self, String> {
        let compiled = Regex::new(text).map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
            error => error
                .to_string()
                .lines()
                .last()
                .unwrap_or_default()
                .to_owned(),
        });
        compiled.map(Self)
    }

    /// The first group of the first match, or all of the match where there is no group.
    fn find<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let groups = self.0.captures(bytes)?;
        let found = groups.get(1).or_else(|| groups.get(0))?;
        Some(found.as_bytes())
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

/// What an operation has learnt from the answers to its steps.
#[derive(Debug, Clone, Default)]
pub struct Learnt {
    /// What was captured, in the order of [`Part::Captured`].
    pub captured: Vec<String>,
    /// Its cookies.
    pub cookies: Cookies,
    /// Where a redirect has led its present step.
    pub redirected: Option<Box<Redirected>>,
}

/// Which check of an answer failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckFailure {
    /// The body is longer than what can be looked into.
    TooLong,
    /// The body is coded in a way that cannot be read.
    Coding,
    /// The header of this index is not as expected.
    Header(usize),
    /// The text of this index is not in the body.
    Body(usize),
    /// There is nothing to capture for this index.
    Capture(usize),
    /// It leads elsewhere, and is not followed.
    Redirect(NotFollowed),
}

/// What an answer must be for a step to succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// Its status is in one of these ranges.
    pub statuses: Vec<RangeInclusive<u16>>,
    /// It has these headers, and each contains this text.
    pub headers: Vec<(String, String)>,
    /// Its body contains each of these texts.
    pub body: Vec<String>,
}

impl Default for Expected {
    /// Any 2xx.
    fn default() -> Self {
        Self::statuses(200..=299)
    }
}

impl Expected {
    /// A status in this range, and nothing more.
    pub fn statuses(range: RangeInclusive<u16>) -> Self {
        Self {
            statuses: vec![range],
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// What the answer to a probe of these monitors must be.
    pub fn of_probe(monitor: &MonitorPolicy) -> Self {
        let given = monitor.expect_status.as_ref();
        given.map_or_else(Self::default, |statuses| Self {
            statuses: statuses.ranges().to_vec(),
            headers: Vec::new(),
            body: Vec::new(),
        })
    }

    /// Whether a status is one of those expected.
    pub fn allows(&self, status: u16) -> bool {
        self.statuses.iter().any(|range| range.contains(&status))
    }

    /// Whether a status of success is expected.
    pub fn success(&self) -> bool {
        let mut ranges = self.statuses.iter();
        ranges.any(|range| *range.start() <= 299 && *range.end() >= 200)
    }
}

impl HttpWork {
    /// What its kinds of operation are called.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.operations.iter().map(|kind| kind.name.as_str())
    }

    /// Whether any of its operations follows redirects.
    pub fn follows(&self) -> bool {
        self.operations.iter().any(|kind| kind.follow > 0)
    }

    /// A digest of what is asked and expected: sixteen hexadecimal digits that differ where
    /// kinds, weights, methods, paths, bodies or expected answers do. Values of headers are no
    /// part of it: tokens change from run to run.
    pub fn digest(&self) -> String {
        let mut work = self.clone();
        let steps = work.operations.iter_mut().flat_map(|kind| &mut kind.steps);
        for (_, value) in steps.flat_map(|step| &mut step.headers) {
            value.clear();
        }
        let text = serde_json::to_vec(&work).unwrap_or_default();
        let bytes = Sha256::digest(&text);
        let head: [u8; 8] = std::array::from_fn(|place| bytes[place]);
        format!("{:016x}", u64::from_be_bytes(head))
    }

    /// Operations of one kind and one step.
    pub fn single(name: String, step: Step) -> Self {
        Self {
            tables: Vec::new(),
            operations: vec![OperationKind {
                name,
                weight: 1,
                cookies: false,
                follow: 0,
                steps: vec![step],
            }],
        }
    }
}

impl Learnt {
    /// Nothing.
    pub const NONE: Self = Self {
        captured: Vec::new(),
        cookies: Cookies::NONE,
        redirected: None,
    };
}

impl Step {
    /// Whether its body is sent in chunks.
    pub fn chunked(&self) -> bool {
        let mut headers = self.headers.iter();
        headers.any(|(name, _)| name.eq_ignore_ascii_case("transfer-encoding"))
    }

    /// A request without headers and body, for which any 2xx will do.
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: vec![Part::Literal(target.as_bytes().to_vec())],
            headers: Vec::new(),
            body: Template::new(),
            expected: Expected::default(),
            captures: Vec::new(),
            pause: Nanos::ZERO,
        }
    }

    /// Whether its answer is judged or captured from by more than its status.
    pub(crate) const fn looks_inside(&self) -> bool {
        !(self.captures.is_empty()
            && self.expected.headers.is_empty()
            && self.expected.body.is_empty())
    }

    /// Judges an answer whose status is expected by the rest of it; what is to be
    /// captured of it is added to `captured`.
    ///
    /// # Errors
    ///
    /// The first check that fails.
    pub fn accepts(
        &self,
        content: &Content,
        captured: &mut Vec<String>,
    ) -> Result<(), CheckFailure> {
        for (index, (name, text)) in self.expected.headers.iter().enumerate() {
            let mut values = content.all(name);
            if !values.any(|value| contains(value, text.as_bytes())) {
                return Err(CheckFailure::Header(index));
            }
        }
        let body = if self.looks_into_body() {
            content.decoded().map_err(|cause| match cause {
                Unreadable::TooLong => CheckFailure::TooLong,
                Unreadable::Coding => CheckFailure::Coding,
            })?
        } else {
            Cow::Borrowed([].as_slice())
        };
        for (index, text) in self.expected.body.iter().enumerate() {
            if !contains(&body, text.as_bytes()) {
                return Err(CheckFailure::Body(index));
            }
        }
        self.capture(content, &body, captured)
    }

    fn looks_into_body(&self) -> bool {
        let of_body = |source: &Source| matches!(source, Source::Body(_) | Source::BodyMatch(_));
        !self.expected.body.is_empty() || self.captures.iter().any(of_body)
    }

    fn capture(
        &self,
        content: &Content,
        body: &[u8],
        captured: &mut Vec<String>,
    ) -> Result<(), CheckFailure> {
        let json = |source: &Source| matches!(source, Source::Body(_));
        let json: Option<serde_json::Value> = if self.captures.iter().any(json) {
            serde_json::from_slice(body).ok()
        } else {
            None
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        for (index, source) in self.captures.iter().enumerate() {
            let value = match source {
                Source::Header(name) => content.header(name).map(text),
                Source::HeaderMatch(name, pattern) => {
                    let mut values = content.all(name);
                    values.find_map(|value| pattern.find(value)).map(text)
                }
                Source::BodyMatch(pattern) => pattern.find(body).map(text),
                Source::Body(pointer) => {
                    let value = json.as_ref().and_then(|json| json.pointer(pointer));
                    value.map(|value| match value {
                        serde_json::Value::String(text) => text.clone(),
                        other => other.to_string(),
                    })
                }
            };
            captured.push(value.ok_or(CheckFailure::Capture(index))?);
        }
        Ok(())
    }

    /// Which check it was that failed, in words.
    pub fn check_in_words(&self, failure: CheckFailure) -> String {
        match failure {
            CheckFailure::TooLong => "the body is longer than 1 MiB, which is what is kept".into(),
            CheckFailure::Coding => {
                "the content-encoding cannot be decoded: gzip and deflate can".into()
            }
            CheckFailure::Header(index) => {
                let (name, text) = &self.expected.headers[index];
                format!("no header `{name}` that contains `{text}`")
            }
            CheckFailure::Body(index) => {
                format!("the body does not contain `{}`", self.expected.body[index])
            }
            CheckFailure::Redirect(why) => why.clause().into(),
            CheckFailure::Capture(index) => {
                format!("nothing to capture from {}", self.captures[index])
            }
        }
    }
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    text.is_empty() || bytes.windows(text.len()).any(|window| window == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(expected: Expected, captures: Vec<Source>) -> Step {
        Step {
            expected,
            captures,
            ..Step::new("GET", "/")
        }
    }

    fn pattern(text: &str) -> Pattern {
        Pattern::new(text).unwrap()
    }

    fn content() -> Content {
        Content {
            headers: vec![(b"ETag".to_vec(), b"\"v7\"".to_vec())],
            body: br#"{"items": [{"id": 41, "name": "nut"}]}"#.to_vec(),
            cut: false,
        }
    }

    #[test]
    fn an_answer_is_judged_by_all_that_is_expected() {
        let expected = |header: &str, body: &str| Expected {
            headers: vec![("etag".into(), header.into())],
            body: vec![body.into()],
            ..Expected::default()
        };
        let accepts = |expected, content| {
            let step = step(expected, Vec::new());
            let accepted = step.accepts(&content, &mut Vec::new());
            accepted.map_err(|failure| step.check_in_words(failure))
        };
        let refused = |text: &str| Err(text.to_owned());
        assert_eq!(accepts(expected("v7", "nut"), content()), Ok(()));
        assert_eq!(
            accepts(expected("v8", "nut"), content()),
            refused("no header `etag` that contains `v8`")
        );
        assert_eq!(
            accepts(expected("v7", "bolt"), content()),
            refused("the body does not contain `bolt`")
        );
        let cut = Content {
            cut: true,
            ..content()
        };
        assert_eq!(
            accepts(expected("v7", "nut"), cut),
            refused("the body is longer than 1 MiB, which is what is kept")
        );
        assert!(Expected::default().allows(204) && !Expected::default().allows(304));
        assert!(!Expected::statuses(403..=403).success());
    }

    #[test]
    fn captures_are_texts_and_none_may_be_missing() {
        let mut captured = Vec::new();
        let sources = vec![
            Source::Body("/items/0/id".into()),
            Source::Body("/items/0/name".into()),
            Source::Header("etag".into()),
            Source::HeaderMatch("ETag".into(), pattern("v([0-9]+)")),
            Source::BodyMatch(pattern("n.t")),
        ];
        let accepted = step(Expected::default(), sources).accepts(&content(), &mut captured);
        assert_eq!(accepted, Ok(()));
        assert_eq!(captured, ["41", "nut", "\"v7\"", "7", "nut"]);
        for missing in [
            Source::Body("/items/1".into()),
            Source::Header("age".into()),
            Source::BodyMatch(pattern("bolt")),
            Source::HeaderMatch("etag".into(), pattern("w")),
        ] {
            let step = step(Expected::default(), vec![missing]);
            let accepted = step.accepts(&content(), &mut Vec::new());
            assert_eq!(accepted, Err(CheckFailure::Capture(0)));
        }
    }
}
