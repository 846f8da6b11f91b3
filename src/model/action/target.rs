//! What can be done to the user's target and to nothing else: by the user's own
//! tools, to its processes, and by starting its command otherwise.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::secret::{self, command, shown};
use super::super::{HookKind, ProcessFault, ProcessSelector};
use super::{ActionName, Cause, Group};

/// What is done to the user's target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetAction {
    /// Have the user's own tools do something.
    Hook {
        /// The hook's name.
        hook: String,
        /// What it is to the incident.
        kind: HookKind,
    },
    /// Do something to the target's processes.
    Process {
        /// The fault, or its end.
        fault: ProcessFault,
        /// Which of them.
        whom: ProcessSelector,
    },
    /// Push a configuration: start the target's command again with another
    /// environment or other arguments.
    Configure {
        /// Variables and their new values; secrets among them are not written.
        #[serde(serialize_with = "secret::map")]
        env: BTreeMap<String, String>,
        /// Arguments in place of those that it had; none keeps them.
        #[serde(serialize_with = "secret::some_words")]
        args: Option<Vec<String>>,
    },
}

impl Group for TargetAction {
    /// A hook that pushes, rolls back or restarts is called by what it is.
    fn name(&self) -> ActionName {
        match self {
            Self::Hook { kind, .. } => match kind {
                HookKind::Push => ActionName::Push,
                HookKind::Rollback => ActionName::Rollback,
                HookKind::Restart => ActionName::Restart,
                HookKind::Other => ActionName::Hook,
            },
            Self::Process { .. } => ActionName::Process,
            Self::Configure { .. } => ActionName::Configure,
        }
    }

    fn begins(&self) -> Option<Cause> {
        match self {
            Self::Hook { kind, .. } => match kind {
                HookKind::Push => Some(Cause::Push),
                HookKind::Rollback | HookKind::Restart | HookKind::Other => None,
            },
            Self::Process { fault, .. } => match fault {
                ProcessFault::Pause => Some(Cause::Pause),
                ProcessFault::Kill => Some(Cause::Kill),
                ProcessFault::Limit(_) => Some(Cause::Limit),
                ProcessFault::Continue | ProcessFault::Lift => None,
            },
            Self::Configure { .. } => Some(Cause::Push),
        }
    }

    fn phase(&self) -> String {
        match self {
            Self::Hook { hook, .. } => hook.clone(),
            Self::Process { fault, .. } => fault.word().into(),
            Self::Configure { .. } => "push".into(),
        }
    }

    fn does(&self) -> &'static str {
        "Does this to the target."
    }

    fn undone_by(&self) -> Option<&'static str> {
        match self {
            // It has an undo of its own.
            Self::Hook { .. } => None,
            Self::Process { fault, .. } => match fault {
                ProcessFault::Pause => Some("let the processes go on"),
                ProcessFault::Limit(_) => Some("set the limits back"),
                ProcessFault::Kill => Some("none: `restart` starts a command again"),
                ProcessFault::Continue | ProcessFault::Lift => None,
            },
            Self::Configure { .. } => Some("the command ends with the run"),
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::Hook { hook, .. } => format!("hook `{hook}`"),
            Self::Process { fault, whom } => match whom {
                ProcessSelector::All => format!("{fault} the target"),
                ProcessSelector::First => format!("{fault} the target's first process"),
                ProcessSelector::Child => format!("{fault} a child of the target"),
            },
            Self::Configure { env, args } => {
                let set = env.iter();
                let set = set.map(|(name, value)| format!("{name}={}", shown(name, value)));
                let args = args.iter();
                let args = args.map(|args| format!("arguments {}", command(args)));
                let changes: Vec<String> = set.chain(args).collect();
                format!("push {}", changes.join(", "))
            }
        }
    }
}

impl TargetAction {
    /// Whether it takes back a fault of processes.
    pub(super) const fn takes_back(&self, begun: ProcessFault) -> bool {
        let Self::Process { fault, .. } = self else {
            return false;
        };
        matches!(
            (begun, fault),
            (ProcessFault::Pause, ProcessFault::Continue)
                | (ProcessFault::Limit(_), ProcessFault::Lift)
        )
    }
}
