//! What a file of operations may hold: the one list of keys, types and defaults.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::leaf::{Spanned, Text, Word};
use super::texts::{Capturing, Check, HeaderLine, RequestLine};
use crate::model::RowOrder;
use crate::units::Nanos;

/// Operations of users on an HTTP server, for `threadbare load --file`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// Values that requests differ by; `${name}` stands for one in a request.
    #[serde(default)]
    pub(super) values: Vec<Spanned<Values>>,
    /// Kinds of operations.
    #[schemars(required, length(min = 1))]
    pub(super) operation: Option<Vec<Operation>>,
}

/// A table of values. Each operation draws one row of it. It has a `list`, a
/// `range` or a `csv`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct Values {
    /// What requests call it.
    #[schemars(required)]
    pub(super) name: Option<Spanned<String>>,
    /// The values one by one.
    #[schemars(length(min = 1))]
    pub(super) list: Option<Spanned<Vec<String>>>,
    /// All whole numbers from the first of two to the second.
    #[schemars(length(min = 2))]
    pub(super) range: Option<Spanned<Vec<i64>>>,
    /// A file of comma-separated values; its first line names the columns, and
    /// `${name.column}` stands for a cell.
    pub(super) csv: Option<Spanned<String>>,
    /// Which row an operation draws: any, or the next one.
    #[serde(default = "order")]
    pub(super) order: Word<RowOrder>,
}

const fn order() -> Word<RowOrder> {
    Word(RowOrder::Random)
}

/// A kind of operation: one request, or several one after the other.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct Operation {
    /// What it is called.
    #[schemars(required)]
    pub(super) name: Option<String>,
    /// Its share of the operations is weight / sum of weights.
    #[serde(default = "weight")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(super) weight: u32,
    /// Whether its requests send the cookies that its earlier answers set.
    #[serde(default)]
    pub(super) cookies: bool,
    /// Redirects of each step that are followed at most, to this machine and to hosts that
    /// are allowed; never from https to http.
    #[serde(default)]
    #[schemars(range(max = 50))]
    pub(super) follow: u32,
    /// Its requests, in order; it fails with the first of them that does.
    #[schemars(required, length(min = 1))]
    pub(super) step: Option<Vec<Step>>,
}

const fn weight() -> u32 {
    1
}

const fn no_pause() -> Text<Nanos> {
    Text(Nanos::ZERO)
}

/// One request.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct Step {
    /// Method and path; values in the path are escaped as a URL needs it.
    #[schemars(required)]
    pub(super) request: Option<Spanned<Text<RequestLine>>>,
    /// Header fields.
    #[serde(default)]
    pub(super) headers: Vec<Spanned<Text<HeaderLine>>>,
    /// The body.
    pub(super) body: Option<Spanned<String>>,
    /// A file that holds the body, which is sent as it is.
    pub(super) body_file: Option<Spanned<String>>,
    /// How long the user thinks before it, after the answer to the step before; no part
    /// of the operation's response time.
    #[serde(default = "no_pause")]
    pub(super) pause: Text<Nanos>,
    /// What the answer must be; without a status among it, any 2xx.
    #[serde(default)]
    pub(super) check: Vec<Text<Check>>,
    /// What is taken from the answer for later steps: from a JSON body by a pointer,
    /// from a header, or from either by a regular expression. An answer that lacks it
    /// has failed.
    #[serde(default)]
    pub(super) capture: Vec<Spanned<Text<Capturing>>>,
}
