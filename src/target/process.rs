//! What is done to a target's processes, with the undo armed first.

use rustix::process::Signal;

use super::limits;
use super::undo::{Safeguard, Undo};
use crate::model::{Limits, ProcessFault, ProcessSelector};
use crate::process::proc::Stat;
use crate::process::{ProcessHandle, ProcessIdentity};
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
    let identity = |stat: &Stat| ProcessIdentity {
        pid: stat.pid,
        started: stat.started,
    };
    match whom {
        ProcessSelector::All => tree.iter().map(identity).collect(),
        ProcessSelector::First => tree.iter().take(1).map(identity).collect(),
        ProcessSelector::Child => {
            let children = tree.iter().skip(1);
            let youngest = children.max_by_key(|stat| (stat.started, stat.pid));
            youngest.map(identity).into_iter().collect()
        }
    }
}

/// Does it, and says what of it acts from now on.
pub(super) fn act(
    tree: &[Stat],
    fault: ProcessFault,
    whom: ProcessSelector,
    acting: &mut Vec<Acting>,
    safeguard: &dyn Safeguard,
) -> Outcome {
    let processes = meant(tree, whom);
    if processes.is_empty() {
        return failed("there is no such process: it has ended, or has no child".into());
    }
    match fault {
        ProcessFault::Pause => pause(&processes, acting, safeguard),
        ProcessFault::Kill => kill(&processes),
        ProcessFault::Limit(limits) => limit(&processes, limits, acting, safeguard),
        ProcessFault::Continue => {
            take_back(acting, safeguard, |undo| matches!(undo, Undo::Continue(_)))
        }
        ProcessFault::Lift => take_back(acting, safeguard, |undo| matches!(undo, Undo::Restore(_))),
    }
}

fn failed(reason: String) -> Outcome {
    Outcome::Failed { reason }
}

fn applied(detail: String) -> Outcome {
    Outcome::Applied { detail }
}

fn pause(
    processes: &[ProcessIdentity],
    acting: &mut Vec<Acting>,
    safeguard: &dyn Safeguard,
) -> Outcome {
    let undo = Undo::Continue(processes.to_vec());
    let id = match safeguard.arm(undo.clone()) {
        Ok(id) => id,
        Err(error) => return failed(error.to_string()),
    };
    acting.push(Acting { id, undo });
    signal(processes, Signal::STOP, "paused")
}

fn kill(processes: &[ProcessIdentity]) -> Outcome {
    signal(processes, Signal::KILL, "killed")
}

/// Signals processes; one that has ended meanwhile needs none.
fn signal(processes: &[ProcessIdentity], signal: Signal, what: &str) -> Outcome {
    let held: Vec<ProcessHandle> = processes.iter().filter_map(|it| it.hold()).collect();
    if let Some(cause) = held.iter().find_map(|held| held.signal(signal).err()) {
        return failed(format!("failed to signal a process: {cause}"));
    }
    let ids: Vec<String> = held
        .iter()
        .map(|it| it.identity().pid.to_string())
        .collect();
    applied(format!("{what}: {}", ids.join(", ")))
}

fn limit(
    processes: &[ProcessIdentity],
    limits: Limits,
    acting: &mut Vec<Acting>,
    safeguard: &dyn Safeguard,
) -> Outcome {
    let before = limits::before(processes, limits);
    let undo = Undo::Restore(before.clone());
    let id = match safeguard.arm(undo.clone()) {
        Ok(id) => id,
        Err(error) => return failed(error.to_string()),
    };
    acting.push(Acting { id, undo });
    let refused = before.iter().find_map(|before| before.limit(limits).err());
    refused.map_or_else(
        || {
            let ids: Vec<String> = before.iter().map(|it| it.pid().to_string()).collect();
            applied(format!("limited: {}", ids.join(", ")))
        },
        failed,
    )
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
        let undone = one.undo.carry_out();
        safeguard.settle(one.id, &undone);
        if !matches!(outcome, Outcome::Failed { .. }) {
            outcome = undone;
        }
    }
    outcome
}
