//! Keys of `[recovery]` and `[[expect]]`: what the run is judged by.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::model::{FailureCause, RecoveryRule};
use crate::scenario::leaf::{Spanned, Text, Word};
use crate::scenario::quantities::{Positive, Share};
use crate::units::Nanos;

/// What counts as recovered: every threshold of the definition in docs/TERMS.md.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::scenario) struct Recovery {
    /// Goodput is at least this share of the baseline's.
    pub(in crate::scenario) goodput: Text<Share>,
    /// The error share is at most the baseline's plus this.
    pub(in crate::scenario) error_margin: Text<Share>,
    /// p99 is at most this many times the baseline's, or the baseline's plus
    /// `p99_margin`, whichever is more.
    #[schemars(range(min = 1.0, max = 1000.0))]
    pub(in crate::scenario) p99_factor: f64,
    /// See `p99_factor`.
    pub(in crate::scenario) p99_margin: Text<Nanos>,
    /// The length of the window over which all of this must hold.
    pub(in crate::scenario) hold: Text<Positive>,
    /// The least number of operations in the window.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub(in crate::scenario) operations_min: u64,
    /// Mitigated: goodput is at least this share of the baseline's, over the window.
    pub(in crate::scenario) mitigated: Text<Share>,
}

impl Default for Recovery {
    fn default() -> Self {
        let rule = RecoveryRule::default();
        Self {
            goodput: Text(Share(rule.goodput)),
            error_margin: Text(Share(rule.error_margin)),
            p99_factor: rule.p99_factor,
            p99_margin: Text(rule.p99_margin),
            hold: Text(Positive(rule.hold)),
            operations_min: rule.operations_min,
            mitigated: Text(Share(rule.mitigated)),
        }
    }
}

/// A statement about the findings, a figure and one bound, that the run passes or fails.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct Expect {
    /// The figure, and with it where wanted its window and its bound, as in
    /// "response p99 in the 10 s before trigger <= 50ms" (docs/EXPECTATIONS.md).
    #[schemars(required)]
    pub(in crate::scenario) that: Option<Spanned<String>>,
    /// For `failures`: those of this cause; without it, of all.
    pub(in crate::scenario) cause: Option<Spanned<Word<FailureCause>>>,
    /// For `failures`: whose; without it, the users'.
    pub(in crate::scenario) source: Option<Spanned<String>>,
    /// The phase; before the first entry it is "baseline". Without a phase and a window: the whole run.
    pub(in crate::scenario) r#in: Option<Spanned<String>>,
    /// It is at most this, in the figure's unit: "60s", "50 %" or a number.
    pub(in crate::scenario) at_most: Option<Spanned<Limit>>,
    /// It is at least this, in the figure's unit: "60s", "50 %" or a number.
    pub(in crate::scenario) at_least: Option<Spanned<Limit>>,
    /// It is this word.
    pub(in crate::scenario) is: Option<Spanned<String>>,
    /// Whether a live run ends as soon as it can no longer hold.
    #[serde(default)]
    pub(in crate::scenario) abort: bool,
    /// The least share of seeds in which it holds, where one run may end either way: judged
    /// over several seeds (`simulate --seeds`, `run --repeat`), and never by one run.
    pub(in crate::scenario) share: Option<Spanned<Text<Share>>>,
}

/// A bound as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(in crate::scenario) enum Limit {
    Number(f64),
    Text(String),
}

impl JsonSchema for Limit {
    fn schema_name() -> Cow<'static, str> {
        "bound".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number"] })
    }
}
