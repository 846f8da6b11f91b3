//! What the run itself does between clients and the user's target: faults of its
//! proxies, and workers held from outside.

use serde::{Deserialize, Serialize, Serializer};

use super::super::Breakage;
use super::super::fault::Hold;
use super::{ActionName, Cause, Group};
use crate::units::Nanos;

/// What is done by proxies and occupations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProxyAction {
    /// Break what passes a proxy.
    Fault {
        /// The proxy's name.
        proxy: String,
        /// What it is called when it is undone.
        name: String,
        /// How.
        breakage: Breakage,
    },
    /// Hold the target's workers from outside.
    Occupy {
        /// What it is called when it is undone.
        name: String,
        /// What each connection does.
        hold: Hold,
        /// The path that is asked for; its query is not written.
        #[serde(serialize_with = "without_query")]
        path: String,
        /// Connections that hold at a time.
        connections: u32,
        /// Pause between two bytes.
        every: Nanos,
    },
    /// Undo a fault of a proxy, or an occupation.
    Undo {
        /// What it is called.
        name: String,
    },
}

fn without_query<S: Serializer>(path: &str, serializer: S) -> Result<S::Ok, S::Error> {
    path.split('?')
        .next()
        .unwrap_or_default()
        .serialize(serializer)
}

impl Group for ProxyAction {
    fn name(&self) -> ActionName {
        match self {
            Self::Fault { .. } => ActionName::Fault,
            Self::Occupy { .. } => ActionName::Occupy,
            Self::Undo { .. } => ActionName::Undo,
        }
    }

    fn begins(&self) -> Option<Cause> {
        match self {
            Self::Fault { .. } => Some(Cause::Fault),
            Self::Occupy { .. } => Some(Cause::Occupation),
            Self::Undo { .. } => None,
        }
    }

    fn phase(&self) -> String {
        match self {
            Self::Fault { name, .. } | Self::Occupy { name, .. } => name.clone(),
            Self::Undo { name } => format!("{name} undone"),
        }
    }

    fn does(&self) -> &'static str {
        "Does this to what passes between the clients and the target."
    }

    fn undone_by(&self) -> Option<&'static str> {
        match self {
            Self::Fault { .. } => Some("the proxy passes everything again, or ends with the run"),
            Self::Occupy { .. } => Some("every connection is closed, also where the run dies"),
            Self::Undo { .. } => None,
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::Fault {
                proxy, breakage, ..
            } => format!("fault of `{proxy}` ({breakage})"),
            Self::Occupy {
                hold,
                connections,
                path,
                ..
            } => {
                let path = match (hold, path.split('?').next()) {
                    (Hold::SlowHeaders | Hold::Silent, _) | (_, None) => String::new(),
                    (_, Some(path)) => format!(" at {path}"),
                };
                format!("occupation ({connections} × {hold}{path})")
            }
            Self::Undo { name } => format!("undo `{name}`"),
        }
    }
}

impl ProxyAction {
    pub(super) fn ends(&self, begun: &Self) -> bool {
        match (begun, self) {
            (Self::Fault { name, .. } | Self::Occupy { name, .. }, Self::Undo { name: undone }) => {
                name == undone
            }
            _ => false,
        }
    }
}
