//! What others did while the run went on, as they reported it: nothing is carried out.

use serde::{Deserialize, Serialize};

use super::super::Reported;
use super::{ActionName, Cause, Group};

/// What was done outside of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutsideAction {
    /// Somebody, or a tool of theirs, reported something.
    Happened {
        /// What it was.
        what: String,
        /// Whether it began, or has ended.
        kind: Reported,
    },
}

impl Group for OutsideAction {
    fn name(&self) -> ActionName {
        ActionName::Happened
    }

    fn begins(&self) -> Option<Cause> {
        let Self::Happened { kind, .. } = self;
        matches!(kind, Reported::Began).then_some(Cause::Outside)
    }

    fn phase(&self) -> String {
        let Self::Happened { what, kind } = self;
        match kind {
            Reported::Began | Reported::Other => what.clone(),
            Reported::Ended => format!("{what} ended"),
        }
    }

    fn does(&self) -> &'static str {
        "Writes down what was done elsewhere."
    }

    fn in_words(&self) -> String {
        let Self::Happened { what, kind } = self;
        match kind {
            Reported::Began => format!("outside: {what} began"),
            Reported::Ended => format!("outside: {what} ended"),
            Reported::Other => format!("outside: {what}"),
        }
    }
}

impl OutsideAction {
    pub(super) fn ends(&self, begun: &Self) -> bool {
        let Self::Happened { what, kind } = self;
        let Self::Happened { what: begun, .. } = begun;
        matches!(kind, Reported::Ended) && what == begun
    }

    /// What comes of it: a report is written down, and nothing is carried out.
    pub(crate) const DONE: &str = "reported, not carried out by this run";
}
