//! What can be done to the built-in fleet and to nothing else: it has releases,
//! a balancer, and parts whose speed can be set.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::super::SlowPart;
use super::super::fault::{FleetFault, FleetFaultKind};
use super::{ActionName, Cause, Group};
use crate::units::{Nanos, Ratio};

/// What is done to the built-in fleet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FleetAction {
    /// Release a configuration with these settings changed.
    Push {
        /// Settings and their new values.
        set: BTreeMap<String, String>,
        /// The schema the document is written in; none keeps the active one.
        schema: Option<u32>,
        /// Whether its author ran the tests.
        tested: bool,
        /// The share of the instances that it goes to; none: all of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        canary: Option<Ratio>,
    },
    /// Make a check advisory.
    Waive {
        /// The check's name.
        check: String,
    },
    /// Let the balancer admit this share of the requests.
    Admit {
        /// The share.
        share: Ratio,
    },
    /// Let everything that a part draws from now on take this many times as long.
    Slow {
        /// The part.
        part: SlowPart,
        /// The factor; 1 ends it.
        factor: f64,
    },
    /// Stop the processes of instances where they are, as SIGSTOP does.
    Pause {
        /// How many, from the first on; none: all.
        instances: Option<NonZeroU32>,
    },
    /// Let them go on, as SIGCONT does.
    Continue {
        /// How many, from the first on; none: all.
        instances: Option<NonZeroU32>,
    },
    /// Lose instances, as with the machine that they are on: what they hold is gone,
    /// and new ones come in their places.
    Lose {
        /// How many, from the first on.
        instances: NonZeroU32,
    },
    /// Stop every instance, then start one after the other.
    ColdStart {
        /// The pause after each serves.
        pause: Nanos,
    },
    /// Let a fault act.
    Break(FleetFault),
    /// Let it act no longer.
    Mend {
        /// Which.
        fault: FleetFaultKind,
    },
}

impl Group for FleetAction {
    fn name(&self) -> ActionName {
        match self {
            Self::Push { .. } => ActionName::Push,
            Self::Waive { .. } => ActionName::Waive,
            Self::Admit { .. } => ActionName::Admit,
            Self::Slow { .. } => ActionName::Slow,
            Self::Pause { .. } => ActionName::Pause,
            Self::Continue { .. } => ActionName::Continue,
            Self::Lose { .. } => ActionName::Lose,
            Self::ColdStart { .. } => ActionName::ColdStart,
            Self::Break { .. } => ActionName::Break,
            Self::Mend { .. } => ActionName::Mend,
        }
    }

    fn begins(&self) -> Option<Cause> {
        match self {
            Self::Push { .. } => Some(Cause::Push),
            Self::Slow { part, factor } if *factor > 1.0 => Some(Cause::Slow(*part)),
            Self::Pause { .. } => Some(Cause::Pause),
            Self::Lose { .. } => Some(Cause::Loss),
            Self::Break(fault) => Some(Cause::Broken(fault.kind())),
            Self::Slow { .. }
            | Self::Waive { .. }
            | Self::Admit { .. }
            | Self::Continue { .. }
            | Self::ColdStart { .. }
            | Self::Mend { .. } => None,
        }
    }

    fn phase(&self) -> String {
        match self {
            Self::Push { .. } | Self::Waive { .. } | Self::Pause { .. } | Self::Continue { .. } => {
                self.name().to_string()
            }
            Self::Lose { .. } => "loss of instances".to_owned(),
            Self::ColdStart { .. } => "cold start".to_owned(),
            Self::Admit { share } => format!("admit {share}"),
            Self::Slow { part, factor } if *factor > 1.0 => format!("slow {part}"),
            Self::Slow { part, .. } => format!("{part} as usual"),
            Self::Break(fault) => fault.kind().word().replace('_', " "),
            Self::Mend { fault } => format!("{} mended", fault.word().replace('_', " ")),
        }
    }

    fn does(&self) -> &'static str {
        match self {
            Self::Push { .. } => "Releases a configuration with these changes.",
            Self::Waive { .. } => {
                "Makes this check advisory: it warns, and refuses nothing any more."
            }
            Self::Admit { .. } => {
                "Lets the balancer admit this share of the requests, and refuse the rest at once."
            }
            Self::Slow { factor, .. } if *factor > 1.0 => {
                "Makes this part of the fleet slower by this factor."
            }
            Self::Slow { .. } => "Makes this part of the fleet as fast as usual.",
            Self::Pause { .. } => "Stops the processes of instances where they are.",
            Self::Continue { .. } => "Lets paused instances go on.",
            Self::Lose { .. } => {
                "Ends instances with all that they hold; new ones come in their places."
            }
            Self::ColdStart { .. } => {
                "Stops every instance, then starts one after the other; nobody is served in between."
            }
            Self::Break(_) => "Injects this fault into the fleet.",
            Self::Mend { .. } => "Takes this fault of the fleet back.",
        }
    }

    fn undone_by(&self) -> Option<&'static str> {
        match self {
            Self::Push { .. } => Some("A rollback, and the end of the run."),
            Self::Waive { .. } => Some("The end of the run."),
            Self::Admit { .. } => Some("Another share, and the end of the run."),
            Self::Slow { factor, .. } if *factor > 1.0 => {
                Some("The same part as fast as usual, and the end of the run.")
            }
            Self::Pause { .. } => Some("`continue`, a restart, and the end of the run."),
            Self::Lose { .. } => {
                Some("By itself, once the new instances serve; and the end of the run.")
            }
            Self::Break(_) => Some("`mend`, and the end of the run."),
            Self::Slow { .. }
            | Self::Continue { .. }
            | Self::ColdStart { .. }
            | Self::Mend { .. } => None,
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::Push { set, canary, .. } => {
                let changes = set.iter().map(|(name, value)| format!("{name} = {value}"));
                let changes: Vec<String> = changes.collect();
                let to = canary.map_or_else(String::new, |share| format!(" to {share}"));
                let push = format!("push {}{to}", changes.join(", "));
                push.trim_end().to_owned()
            }
            Self::Waive { check } => format!("waive `{check}`"),
            Self::Admit { share } => format!("admit {share}"),
            Self::Slow { part, factor } if *factor > 1.0 => format!("{part} {factor}× as slow"),
            Self::Slow { part, .. } => format!("{part} as usual"),
            Self::Pause { instances } => counted("pause", *instances),
            Self::Continue { instances } => counted("continue", *instances),
            Self::Lose { instances } => counted("lose", Some(*instances)),
            Self::ColdStart { .. } => "stop all, start one after the other".to_owned(),
            Self::Break(fault) => format!("break: {fault}"),
            Self::Mend { fault } => format!("mend: {fault}"),
        }
    }
}

impl FleetAction {
    pub(super) fn ends(&self, begun: &Self) -> bool {
        match (begun, self) {
            (Self::Slow { part: slow, .. }, Self::Slow { part, factor }) => {
                slow == part && *factor <= 1.0
            }
            (Self::Pause { instances: paused }, Self::Continue { instances }) => {
                instances.is_none_or(|go_on| paused.is_some_and(|paused| paused <= go_on))
            }
            // The processes that were paused are gone, and their successors run.
            (Self::Pause { .. }, Self::ColdStart { .. }) => true,
            (Self::Break(fault), Self::Mend { fault: mended }) => fault.kind() == *mended,
            _ => false,
        }
    }

    /// What is so once it has been done, in words, in a fleet of so many
    /// instances; a release is named by its document.
    pub fn done(&self, all: usize) -> String {
        match self {
            // A release is named by its document, what restarts says itself what is so then.
            Self::Push { .. } | Self::Lose { .. } | Self::ColdStart { .. } => String::new(),
            Self::Waive { check } => format!("the check `{check}` is advisory from now on"),
            Self::Admit { share } => format!("{share} of the requests are admitted"),
            Self::Slow { part, factor } if *factor > 1.0 => {
                format!("the {part} takes {factor} times as long")
            }
            Self::Slow { part, .. } => format!("the {part} takes as long as usual"),
            Self::Pause { instances } => {
                format!("{} of {all} instances are paused", first(*instances, all))
            }
            Self::Continue { instances } => {
                format!("{} of {all} instances go on", first(*instances, all))
            }
            Self::Break(fault) if fault.kind().momentary() => format!("{fault} is done"),
            Self::Break(fault) => format!("{fault} acts"),
            Self::Mend { fault } => format!("{fault} acts no longer"),
        }
    }
}

fn counted(verb: &str, instances: Option<NonZeroU32>) -> String {
    match instances.map(NonZeroU32::get) {
        None => verb.to_owned(),
        Some(1) => format!("{verb} 1 instance"),
        Some(count) => format!("{verb} {count} instances"),
    }
}

/// How many instances of `all` are meant.
pub(crate) fn first(count: Option<NonZeroU32>, all: usize) -> usize {
    count.map_or(all, |count| {
        usize::try_from(count.get()).unwrap_or(all).min(all)
    })
}
