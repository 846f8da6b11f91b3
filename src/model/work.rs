//! What operations ask of an HTTP server, and which answers they expect.
//!
//! Parameters, and two pure rules: how an answer is judged, and what is taken
//! from it for a later step.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

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
    #[must_use]
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
    /// Its requests, one after the other; the operation fails with the first that does.
    pub steps: Vec<Step>,
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
    #[must_use]
    pub fn statuses(range: RangeInclusive<u16>) -> Self {
        Self {
            statuses: vec![range],
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Whether a status is one of those expected.
    #[must_use]
    pub fn allows(&self, status: u16) -> bool {
        self.statuses.iter().any(|range| range.contains(&status))
    }

    /// Whether a status of success is expected.
    #[must_use]
    pub fn success(&self) -> bool {
        let mut ranges = self.statuses.iter();
        ranges.any(|range| *range.start() <= 299 && *range.end() >= 200)
    }
}

/// What was kept of a response, to be judged or captured from.
#[derive(Debug, Clone, Default)]
pub struct Content {
    /// Its header fields, as names and values.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// Its body, as far as it was kept: a mebibyte at most.
    pub body: Vec<u8>,
    /// Whether there was more of the body than was kept.
    pub cut: bool,
}

/// Bytes of a body that are kept at most.
const BODY_MAX: usize = 1024 * 1024;

impl Content {
    /// Keeps more of the body.
    pub fn add(&mut self, bytes: &[u8]) {
        let room = BODY_MAX - self.body.len();
        self.cut |= bytes.len() > room;
        self.body.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn header(&self, name: &str) -> Option<&[u8]> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(given, _)| given.eq_ignore_ascii_case(name.as_bytes()));
        found.map(|(_, value)| value.as_slice())
    }
}

impl HttpWork {
    /// Operations of one kind and one step.
    #[must_use]
    pub fn single(name: String, step: Step) -> Self {
        Self {
            tables: Vec::new(),
            operations: vec![OperationKind {
                name,
                weight: 1,
                steps: vec![step],
            }],
        }
    }
}

impl Step {
    /// A request without headers and body, for which any 2xx will do.
    #[must_use]
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: vec![Part::Literal(target.as_bytes().to_vec())],
            headers: Vec::new(),
            body: Template::new(),
            expected: Expected::default(),
            captures: Vec::new(),
        }
    }

    /// Whether its answer is judged or captured from by more than its status.
    #[must_use]
    pub(crate) const fn looks_inside(&self) -> bool {
        !(self.captures.is_empty()
            && self.expected.headers.is_empty()
            && self.expected.body.is_empty())
    }

    /// Whether an answer with a status that is expected is so in the rest as
    /// well, and has all that is to be captured, which is added to `captured`.
    pub fn accepts(&self, content: &Content, captured: &mut Vec<String>) -> bool {
        let expected = &self.expected;
        let headers = expected.headers.iter().all(|(name, text)| {
            let value = content.header(name);
            value.is_some_and(|value| contains(value, text.as_bytes()))
        });
        let body = || {
            let mut texts = expected.body.iter();
            texts.all(|text| contains(&content.body, text.as_bytes()))
        };
        if content.cut || !headers || !body() {
            return false;
        }
        let of_body = |source: &Source| matches!(source, Source::Body(_));
        let json: Option<serde_json::Value> = if self.captures.iter().any(of_body) {
            serde_json::from_slice(&content.body).ok()
        } else {
            None
        };
        for source in &self.captures {
            let value = match source {
                Source::Header(name) => content
                    .header(name)
                    .map(|value| String::from_utf8_lossy(value).into_owned()),
                Source::Body(pointer) => {
                    json.as_ref()
                        .and_then(|json| json.pointer(pointer))
                        .map(|value| match value {
                            serde_json::Value::String(text) => text.clone(),
                            other => other.to_string(),
                        })
                }
            };
            let Some(value) = value else {
                return false;
            };
            captured.push(value);
        }
        true
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
        let accepts = |expected| step(expected, Vec::new()).accepts(&content(), &mut Vec::new());
        assert!(accepts(expected("v7", "nut")));
        assert!(!accepts(expected("v8", "nut")));
        assert!(!accepts(expected("v7", "bolt")));
        let mut cut = content();
        cut.cut = true;
        assert!(!step(Expected::default(), Vec::new()).accepts(&cut, &mut Vec::new()));
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
        ];
        assert!(step(Expected::default(), sources).accepts(&content(), &mut captured));
        assert_eq!(captured, ["41", "nut", "\"v7\""]);
        for missing in [
            Source::Body("/items/1".into()),
            Source::Header("age".into()),
        ] {
            let step = step(Expected::default(), vec![missing]);
            assert!(!step.accepts(&content(), &mut Vec::new()));
        }
    }
}
