//! What can be done to the fleet, its monitors and its clients, and when.
//!
//! Names and parameters only: who carries an action out is not known here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{HookKind, ProcessFault, Whom, secret};
use crate::units::{Nanos, Ratio};

/// When an entry is carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// An event that entries can wait for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

/// What can be done to the fleet, its monitors and its clients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Release a configuration with these settings changed.
    Push {
        /// Settings and their new values.
        set: BTreeMap<String, String>,
        /// The schema the document is written in; none keeps the active one.
        schema: Option<u32>,
        /// Whether its author ran the tests.
        tested: bool,
    },
    /// Restore the version before the active one, through the same checks.
    Rollback,
    /// Make a check advisory.
    Waive {
        /// The check's name.
        check: String,
    },
    /// Restart instances.
    Restart {
        /// None: all at once. Otherwise one after the other, with this pause
        /// after each is back.
        pause: Option<Nanos>,
    },
    /// Let the balancer admit this share of the requests.
    Admit {
        /// The share.
        share: Ratio,
    },
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
    /// Have the user's own tools do something.
    Hook {
        /// The hook's name.
        hook: String,
        /// What it is to the incident.
        kind: HookKind,
    },
    /// Do something to the processes of a target.
    Process {
        /// What.
        fault: ProcessFault,
        /// To which of them.
        whom: Whom,
    },
    /// Push a configuration: start the target's command again with another
    /// environment or other arguments.
    Configure {
        /// Variables and their new values; secrets among them are not written.
        #[serde(serialize_with = "secret::map")]
        env: BTreeMap<String, String>,
        /// Arguments in place of those that it had; none keeps them.
        args: Option<Vec<String>>,
    },
}

impl Action {
    /// Whether it brings a fault, once it is applied: the trigger of an incident.
    #[must_use]
    pub const fn brings_fault(&self) -> bool {
        match self {
            Self::Push { .. } | Self::Configure { .. } => true,
            Self::Hook { kind, .. } => matches!(kind, HookKind::Push),
            Self::Process { fault, .. } => matches!(
                fault,
                ProcessFault::Pause | ProcessFault::Kill | ProcessFault::Limit(_)
            ),
            _ => false,
        }
    }

    /// Whether it takes a fault away, once it is applied.
    #[must_use]
    pub const fn takes_fault_away(&self) -> bool {
        match self {
            Self::Rollback => true,
            Self::Hook { kind, .. } => matches!(kind, HookKind::Rollback),
            Self::Process { fault, .. } => {
                matches!(fault, ProcessFault::Continue | ProcessFault::Lift)
            }
            _ => false,
        }
    }

    /// Whether it restarts what serves.
    #[must_use]
    pub const fn restarts(&self) -> bool {
        match self {
            Self::Restart { .. } => true,
            Self::Hook { kind, .. } => matches!(kind, HookKind::Restart),
            _ => false,
        }
    }

    /// Whether it is a rollback, which a check may refuse.
    #[must_use]
    pub const fn rolls_back(&self) -> bool {
        match self {
            Self::Rollback => true,
            Self::Hook { kind, .. } => matches!(kind, HookKind::Rollback),
            _ => false,
        }
    }

    /// The action's name, as scenario files and reports write it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Push { .. } => "push",
            Self::Rollback => "rollback",
            Self::Waive { .. } => "waive",
            Self::Restart { .. } => "restart",
            Self::Admit { .. } => "admit",
            Self::Monitors { .. } => "monitors",
            Self::Retries { .. } => "retries",
            Self::Hook { .. } => "hook",
            Self::Process { .. } => "process",
            Self::Configure { .. } => "configure",
        }
    }

    /// What is so once it has been done, in words, to a fleet of so many
    /// instances; a release is named by its document.
    #[must_use]
    pub fn done(&self, instances: usize) -> String {
        match self {
            Self::Push { .. } | Self::Rollback | Self::Hook { .. } | Self::Configure { .. } => {
                String::new()
            }
            Self::Process { fault, .. } => fault.to_string(),
            Self::Waive { check } => format!("the check `{check}` is advisory from now on"),
            Self::Restart { pause } => {
                let how = pause.map_or_else(
                    || "all at once".to_owned(),
                    |pause| format!("one after the other, {pause} apart"),
                );
                format!("{instances} instances restarted {how}")
            }
            Self::Admit { share } => format!("{share} of the requests are admitted"),
            Self::Monitors { on } => format!("monitors {}", if *on { "on" } else { "off" }),
            Self::Retries { retries } => format!("{retries} retries"),
        }
    }
}
