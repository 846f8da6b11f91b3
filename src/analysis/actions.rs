//! What was done, as the findings list it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{ActionName, Person};

/// An action and its result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ActionTaken {
    /// When it began.
    pub at_s: f64,
    /// When it had been carried out, or was refused; null where that was not observed.
    pub ended_s: Option<f64>,
    /// Its name.
    pub action: ActionName,
    /// What was done, in a few words: `admit 45 %`.
    pub what: String,
    /// The phase that begins with it.
    pub phase: String,
    /// Who decided it; only where a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Person>,
    /// Its result; null where its end was not observed.
    pub outcome: Option<ActionOutcome>,
    /// The detail, the refusal's check and reason, or why it failed.
    pub detail: String,
}

/// The result of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActionOutcome {
    /// It was done.
    Applied,
    /// A check refused it; nothing was changed.
    Rejected,
    /// It could not be carried out.
    Failed,
}
