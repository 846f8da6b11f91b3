//! What can be done to clients and monitors, whatever they are directed at.

use serde::{Deserialize, Serialize};

use super::{ActionName, Group};

/// What is done to the run's own clients and monitors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientsAction {
    /// Switch every monitor on or off.
    Monitors {
        /// On or off.
        on: bool,
    },
    /// Change how many retries clients make from now on.
    Retries {
        /// Attempts after the first.
        retries: u32,
    },
}

impl Group for ClientsAction {
    fn name(&self) -> ActionName {
        match self {
            Self::Monitors { .. } => ActionName::Monitors,
            Self::Retries { .. } => ActionName::Retries,
        }
    }

    fn does(&self) -> &'static str {
        match self {
            Self::Monitors { on: true } => "Switches every monitor on.",
            Self::Monitors { on: false } => "Switches every monitor off.",
            Self::Retries { .. } => "Changes how often the clients try again from now on.",
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::Monitors { .. } => self.done(),
            Self::Retries { retries } => format!("retries {retries}"),
        }
    }

    fn phase(&self) -> String {
        self.in_words()
    }
}

impl ClientsAction {
    /// Fewer probes and fewer retries let a system recover.
    pub(super) const fn intervenes(self) -> bool {
        match self {
            Self::Monitors { on } => !on,
            Self::Retries { .. } => true,
        }
    }

    /// What is so once it has been done, in words.
    pub fn done(self) -> String {
        match self {
            Self::Monitors { on } => format!("monitors {}", if on { "on" } else { "off" }),
            Self::Retries { retries } => format!("{retries} retries"),
        }
    }
}
