//! What can be done to a target's processes, which the kernel knows and the
//! program does not have to.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::named::named;
use crate::units::counted;

/// What is done to processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessFault {
    /// They stand still: their sockets stay open and nobody reads them.
    Pause,
    /// They go on.
    Continue,
    /// They end at once, with nothing put in order.
    Kill,
    /// They may use less.
    Limit(Limits),
    /// They may use again what they might before.
    Lift,
}

/// What processes may use at most; none leaves it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Open files of each process.
    pub open_files: Option<u64>,
    /// Threads and processes of the user in all, as the kernel counts them.
    pub threads: Option<u64>,
    /// Processors that each may run on.
    pub processors: Option<u32>,
}

named! {
    /// Which of a target's processes.
    #[derive(Default)]
    pub enum ProcessSelector {
        /// All of them.
        #[default]
        All = "all",
        /// The one that is held: the command's own, or the one of the id or port.
        First = "first",
        /// One that the first has started: a worker. The youngest, where there are several.
        Child = "child",
    }
}

impl ProcessFault {
    /// Its word, as scenario files write it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Continue => "continue",
            Self::Kill => "kill",
            Self::Limit(_) => "limit",
            Self::Lift => "lift",
        }
    }
}

impl fmt::Display for ProcessFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lift => f.write_str("lift the limits of"),
            Self::Limit(limits) => {
                let open_files = limits.open_files.map(|most| counted(most, "open file"));
                let threads = limits.threads.map(|most| counted(most, "thread"));
                let processors = limits
                    .processors
                    .map(|most| counted(most.into(), "processor"));
                let parts: Vec<_> = [open_files, threads, processors]
                    .into_iter()
                    .flatten()
                    .collect();
                write!(f, "allow {} to", parts.join(", "))
            }
            other => f.write_str(other.word()),
        }
    }
}
