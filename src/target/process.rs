//! What is done to a target's processes, with the undo armed first.

use rustix::process::Signal;

use super::family::ROUNDS_MAX;
use super::limits;
use super::undo::{Safeguard, Undo};
use crate::model::{Limits, ProcessFault, ProcessSelector};
use crate::process::ProcessIdentity;
use crate::process::proc::Stat;
use crate::record::Outcome;

/// A fault of processes that still acts.
#[derive(Debug, Clone)]
pub(super) struct Acting {
    /// The number under which its undo is armed.
    pub id: u64,
    pub undo: Undo,
}

/// The processes that are meant, of a tree whose first is held.
pub(super) fn meant(tree: &[Stat], whom: ProcessSelector) -> Vec<ProcessIdentity> {
    match whom {
        ProcessSelector::All => tree.iter().map(Stat::identity).collect(),
        ProcessSelector::First => tree.iter().take(1).map(Stat::identity).collect(),
        ProcessSelector::Child => {
            let children = tree.iter().skip(1);
            let youngest = children.max_by_key(|stat| (stat.started, stat.pid));
            youngest.map(Stat::identity).into_iter().collect()
        }
    }
}

/// What is done to the processes of a target, and what acts already.
pub(super) struct Injector<'a> {
    /// The target's processes as they are now, the held one first.
    pub tree: &'a dyn Fn() -> Vec<Stat>,
    /// The command that the run has started, where it has.
    pub command: Option<ProcessIdentity>,
    pub acting: &'a mut Vec<Acting>,
    pub safeguard: &'a dyn Safeguard,
}

impl Injector<'_> {
    /// Does it, and says what of it acts from now on.
    pub(super) fn act(&mut self, fault: ProcessFault, whom: ProcessSelector) -> Outcome {
        match fault {
            ProcessFault::Pause => self.each(whom, Self::pause),
            ProcessFault::Kill => self.each(whom, |_, processes| kill(processes)),
            ProcessFault::Limit(limits) => {
                let before = self.acting.len();
                self.each(whom, |this, processes| {
                    this.limit(processes, limits, before)
                })
            }
            ProcessFault::Continue => take_back(self.acting, self.safeguard, |undo| {
                matches!(undo, Undo::Continue(_))
            }),
            ProcessFault::Lift => take_back(self.acting, self.safeguard, |undo| {
                matches!(undo, Undo::Restore(_))
            }),
        }
    }

    /// Does something to those that are meant; where all are, to those too that appeared
    /// meanwhile, until none does.
    fn each(
        &mut self,
        whom: ProcessSelector,
        mut act: impl FnMut(&mut Self, &[ProcessIdentity]) -> Result<String, String>,
    ) -> Outcome {
        let rounds = if whom == ProcessSelector::All {
            ROUNDS_MAX
        } else {
            1
        };
        let mut done = Vec::new();
        let mut details = Vec::new();
        for _ in 0..rounds {
            let mut new = meant(&(self.tree)(), whom);
            new.retain(|process| !done.contains(process));
            if new.is_empty() {
                break;
            }
            match act(self, &new) {
                Ok(detail) => details.push(detail),
                Err(reason) => return failed(reason),
            }
            done.extend(new);
        }
        if done.is_empty() {
            return failed("there is no such process: it has ended, or has no child".into());
        }
        details.retain(|detail| !detail.is_empty());
        applied(details.join("; "))
    }

    fn arm(&mut self, undo: Undo) -> Result<(), String> {
        let id = self
            .safeguard
            .arm(undo.clone())
            .map_err(|error| error.to_string())?;
        self.acting.push(Acting { id, undo });
        Ok(())
    }

    fn pause(&mut self, processes: &[ProcessIdentity]) -> Result<String, String> {
        self.arm(Undo::Continue(processes.to_vec()))?;
        signal(processes, Signal::STOP, "paused")
    }

    /// Limits processes, all but those that have it from one that this same action has
    /// limited: what acts since `first`. They are set back with that one.
    fn limit(
        &mut self,
        processes: &[ProcessIdentity],
        limits: Limits,
        first: usize,
    ) -> Result<String, String> {
        let acts = |undo: &Undo, process| match undo {
            Undo::Restore(before) => before.iter().any(|it| it.limits_handed_down(process)),
            _ => false,
        };
        let handed_down = |process: &ProcessIdentity| {
            let mut acting = self.acting[first..].iter();
            acting.any(|one| acts(&one.undo, *process))
        };
        let own = processes.iter().copied().filter(|it| !handed_down(it));
        let before = limits::before(&own.collect::<Vec<_>>(), limits, self.command);
        if before.is_empty() {
            return Ok(String::new());
        }
        self.arm(Undo::Restore(before.clone()))?;
        for one in &before {
            one.limit()?;
        }
        let ids: Vec<String> = before.iter().map(|it| it.pid().to_string()).collect();
        Ok(format!("limited: {}", ids.join(", ")))
    }
}

fn failed(reason: String) -> Outcome {
    Outcome::Failed { reason }
}

fn applied(detail: String) -> Outcome {
    Outcome::Applied { detail }
}

fn kill(processes: &[ProcessIdentity]) -> Result<String, String> {
    signal(processes, Signal::KILL, "killed")
}

/// Signals processes; one that has ended meanwhile needs none.
fn signal(processes: &[ProcessIdentity], signal: Signal, what: &str) -> Result<String, String> {
    let mut ids = Vec::new();
    for process in processes {
        if let Some(held) = process.reach()? {
            let pid = process.pid;
            held.signal(signal)
                .map_err(|cause| format!("failed to signal process {pid}: {cause}"))?;
            ids.push(pid.to_string());
        }
    }
    Ok(format!("{what}: {}", ids.join(", ")))
}

/// Undoes what acts and is of this kind, the last first.
fn take_back(
    acting: &mut Vec<Acting>,
    safeguard: &dyn Safeguard,
    kind: impl Fn(&Undo) -> bool,
) -> Outcome {
    let (chosen, rest): (Vec<_>, Vec<_>) = acting.drain(..).partition(|it| kind(&it.undo));
    *acting = rest;
    if chosen.is_empty() {
        return failed("no such fault is active, so there is nothing to undo".into());
    }
    let mut outcome = applied(String::new());
    for one in chosen.iter().rev() {
        let undone = safeguard.carry_out(one.id, &one.undo);
        if !matches!(outcome, Outcome::Failed { .. }) {
            outcome = undone;
        }
    }
    outcome
}
