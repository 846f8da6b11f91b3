//! The result of an action, as the journal writes it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Action, Refusal};

/// The result of a timeline entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Applied {
        /// One line of detail: the version released, the share admitted.
        detail: String,
    },
    /// A check refused it; nothing was changed.
    Rejected {
        /// The check.
        check: String,
        /// Its reason.
        reason: String,
    },
    /// It could not be carried out.
    Failed {
        /// Why.
        reason: String,
    },
}

impl Outcome {
    /// An action reached a target that has none of its kind: a scenario is held to
    /// its target, so only a plan from elsewhere leads here.
    pub(crate) fn of_another_target(action: &Action) -> Self {
        Self::Failed {
            reason: format!("this target has no action `{}`", action.name()),
        }
    }
}

/// What was done, or why it could not be.
impl<E: fmt::Display> From<Result<String, E>> for Outcome {
    fn from(done: Result<String, E>) -> Self {
        match done {
            Ok(detail) => Self::Applied { detail },
            Err(cause) => Self::Failed {
                reason: cause.to_string(),
            },
        }
    }
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        Self::Rejected {
            check: refusal.check,
            reason: refusal.reason,
        }
    }
}
