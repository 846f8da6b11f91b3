//! Keys of `[[hook]]`: what the user's own tools do, and how it is undone.

use schemars::JsonSchema;
use serde::Deserialize;

use super::text;
use crate::model::ExpectedAnswer;
use crate::scenario::leaf::{Spanned, Text};
use crate::scenario::operations::HeaderLine;
use crate::scenario::quantities::{Positive, UrlRequest};

/// A call of the user's own tools: a command or an HTTP request.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::scenario) struct Hook {
    /// What the timeline calls it.
    #[schemars(required)]
    pub(in crate::scenario) name: Option<Spanned<String>>,
    /// What it does.
    #[serde(flatten)]
    pub(in crate::scenario) call: Call,
    /// What undoes it when the run ends, fails or is killed before a rollback
    /// was applied.
    pub(in crate::scenario) undo: Option<Spanned<Call>>,
}

/// A command or an HTTP request, of a hook or of what undoes one.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::scenario) struct Call {
    /// A program and its arguments, without a shell, in this file's folder.
    #[schemars(length(min = 1))]
    pub(in crate::scenario) command: Option<Vec<String>>,
    /// A method and a URL.
    pub(in crate::scenario) request: Option<Text<UrlRequest>>,
    /// Header fields of the request.
    #[serde(default)]
    pub(in crate::scenario) headers: Vec<Text<HeaderLine>>,
    /// The request's body.
    #[serde(default)]
    pub(in crate::scenario) body: String,
    /// Limit on it; a command that runs longer is ended with its group.
    #[serde(default = "timeout")]
    pub(in crate::scenario) timeout: Text<Positive>,
    /// The answer that means success: "exit 0", or "status 200..299". Any other
    /// is a refusal.
    pub(in crate::scenario) expect: Option<Text<ExpectedAnswer>>,
}

fn timeout() -> Text<Positive> {
    text("30s")
}
