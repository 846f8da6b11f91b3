//! When an entry of the timeline is carried out.

use serde::{Deserialize, Serialize};

use crate::units::Nanos;

/// When an entry is carried out.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// At an instant of the run.
    At(Nanos),
    /// After an event, plus a delay; never, if the event does not come.
    After {
        /// The event.
        event: Trigger,
        /// How long after it.
        delay: Nanos,
    },
    /// When somebody decides so, in a run with a console; never by itself.
    Offered,
}

/// An event that entries can wait for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The alert of this name fired.
    Alert(String),
    /// A rollback was refused.
    RollbackRejected,
    /// A rollback was applied.
    RollbackApplied,
    /// A restart has ended: every instance serves again.
    Restarted,
}

impl Trigger {
    /// The event, as a sentence calls it.
    pub fn in_words(&self) -> String {
        match self {
            Self::Alert(name) => format!("the alert `{name}`"),
            Self::RollbackRejected => "a rollback is refused".into(),
            Self::RollbackApplied => "a rollback is applied".into(),
            Self::Restarted => "a restart".into(),
        }
    }
}
