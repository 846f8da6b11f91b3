//! What came of an action, as the journal writes it.

use serde::{Deserialize, Serialize};

use super::Refusal;

/// What came of a timeline entry.
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

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        Self::Rejected {
            check: refusal.check,
            reason: refusal.reason,
        }
    }
}
