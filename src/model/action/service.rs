//! What can be done to whatever serves: the built-in fleet, or a target that
//! threadbare starts by a command.

use serde::{Deserialize, Serialize};

use super::{ActionName, Group};
use crate::units::Nanos;

/// What is done to a fleet and to a target alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceAction {
    /// Restore what was active before the last push; a fleet's checks may refuse it.
    Rollback,
    /// Restart what serves.
    Restart {
        /// None: all at once. Otherwise one instance after the other, with this
        /// pause after each is back.
        pause: Option<Nanos>,
    },
}

impl Group for ServiceAction {
    fn name(&self) -> ActionName {
        match self {
            Self::Rollback => ActionName::Rollback,
            Self::Restart { .. } => ActionName::Restart,
        }
    }

    fn does(&self) -> &'static str {
        match self {
            Self::Rollback => {
                "Restores the configuration before the last push; a check may refuse it."
            }
            Self::Restart { pause: None } => {
                "Restarts everything that serves at once; what is in flight is lost."
            }
            Self::Restart { pause: Some(_) } => {
                "Restarts what serves one instance after the other; what an instance has in \
                 flight is lost."
            }
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::Rollback => "rollback".into(),
            Self::Restart { pause: None } => "restart all at once".into(),
            Self::Restart { pause: Some(_) } => "restart one after the other".into(),
        }
    }
}

/// What is so once so many instances have been restarted, in words.
pub(crate) fn restarted(pause: Option<Nanos>, instances: usize) -> String {
    let how = pause.map_or_else(
        || "all at once".to_owned(),
        |pause| format!("one after the other, {pause} apart"),
    );
    format!("{instances} instances restarted {how}")
}
