//! How a fault is undone, written down before it acts.
//!
//! An [`Undo`] is a plain value: it holds all that carrying it out needs, so that any
//! process of the user's can do so, whatever became of the one that armed it. What was
//! armed in a run is kept in its file ([`super::Undos`]).

use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use super::call::Plain;
use super::family::end_command;
use super::limits::{self, Before};
use crate::error::Result;
use crate::model::SourceName;
use crate::net::Failed;
use crate::process::ProcessIdentity;
use crate::record::Outcome;

/// What undoes a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Undo {
    /// Paused processes go on.
    Continue(Vec<ProcessIdentity>),
    /// Limits are set back.
    Restore(Vec<Before>),
    /// A call of the user's own tools.
    Call(Box<Plain>),
    /// What a run has started ends, with its group.
    EndGroup(ProcessIdentity),
    /// What a run holds itself: it ends with the process that carries the run
    /// out, so whoever finds it outstanding finds it undone.
    WithTheRun(String),
    /// It was carried out, and what it held has been left out.
    Told(String),
}

impl Undo {
    /// Under which source its failures are counted: that of the hook which it undoes.
    pub(crate) fn source(&self) -> Option<SourceName> {
        match self {
            Self::Call(call) => Some(SourceName::of_hook(call.name())),
            _ => None,
        }
    }

    /// Whether it acts on processes, which end with their machine.
    pub(super) const fn is_of_processes(&self) -> bool {
        matches!(
            self,
            Self::Continue(_) | Self::Restore(_) | Self::EndGroup(_)
        )
    }

    /// What it does, in words.
    pub(crate) fn in_words(&self) -> String {
        let pids = |ids: &[u32]| {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            ids.join(", ")
        };
        match self {
            Self::Continue(processes) => {
                let ids: Vec<u32> = processes.iter().map(|it| it.pid).collect();
                format!("continue the processes {}", pids(&ids))
            }
            Self::Restore(before) => {
                let ids: Vec<u32> = before.iter().map(Before::pid).collect();
                format!("restore the limits of the processes {}", pids(&ids))
            }
            Self::Call(call) => format!("call {}", call.called()),
            Self::EndGroup(leader) => format!("end the process group {}", leader.pid),
            Self::WithTheRun(words) | Self::Told(words) => words.clone(),
        }
    }

    /// The same for whoever is asked whether it may: all of what is called, with only the
    /// values of secrets left out.
    pub(crate) fn in_full(&self) -> String {
        match self {
            Self::Call(call) => format!("call {}", call.in_full()),
            _ => self.in_words(),
        }
    }

    /// Carries it out. What is gone already needs no undoing.
    pub(crate) fn carry_out(&self) -> Outcome {
        self.carry_out_noting(&|_| {})
    }

    /// The same; `failed` hears why a request had no usable answer.
    pub(crate) fn carry_out_noting(&self, failed: &dyn Fn(&Failed)) -> Outcome {
        match self {
            Self::Continue(processes) => go_on(processes),
            Self::Restore(before) => match limits::restore(before) {
                Ok(0) => done(None, String::new),
                Ok(more) => done(None, || {
                    format!("and of {more} that were started meanwhile")
                }),
                Err(cause) => done(Some(cause), String::new),
            },
            Self::Call(call) => call.carry_out(failed),
            Self::EndGroup(leader) => end_group(*leader),
            Self::WithTheRun(_) => done(None, || "it ended with the run".into()),
            Self::Told(_) => done(None, String::new),
        }
    }
}

pub(super) fn done(failed: Option<String>, detail: impl FnOnce() -> String) -> Outcome {
    match failed {
        Some(reason) => Outcome::Failed { reason },
        None => Outcome::Applied { detail: detail() },
    }
}

/// Lets processes go on: each of them, whatever comes of another.
fn go_on(processes: &[ProcessIdentity]) -> Outcome {
    let (mut held, mut failed) = (0, Vec::new());
    for process in processes {
        let signalled = process.reach().and_then(|there| {
            let Some(there) = there else { return Ok(0) };
            there
                .signal(Signal::CONT)
                .map(|()| 1)
                .map_err(|cause| format!("process {} cannot be signalled: {cause}", process.pid))
        });
        match signalled {
            Ok(one) => held += one,
            Err(cause) => failed.push(cause),
        }
    }
    done((!failed.is_empty()).then(|| failed.join("; ")), || {
        format!("{held} of {} were there", processes.len())
    })
}

/// Ends a group and all that its leader has started: asks, waits, kills.
fn end_group(leader: ProcessIdentity) -> Outcome {
    let strays = end_command(leader);
    let told = strays.in_words();
    let failed = told.clone().filter(|_| !strays.left.is_empty());
    done(failed, || {
        told.map_or_else(
            || "it has ended".into(),
            |told| format!("it has ended; {told}"),
        )
    })
}

/// An undo with its number in the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Armed {
    /// Its number.
    pub id: u64,
    /// What it does.
    pub undo: Undo,
}

/// Whoever sees to it that what is armed is undone, whatever happens.
pub(crate) trait Safeguard: Send + Sync {
    /// Written down and known to the guardian, before the fault acts.
    ///
    /// # Errors
    ///
    /// Where it cannot be written; then the fault must not act.
    fn arm(&self, undo: Undo) -> Result<u64>;

    /// Carries out what is armed under this number, and writes down the result.
    fn carry_out(&self, id: u64, undo: &Undo) -> Outcome;

    /// It needs no undoing any more: it was undone, or ended by itself.
    fn settle(&self, id: u64, outcome: &Outcome);
}
