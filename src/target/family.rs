//! All that a process has started, found again wherever it went, and ended.
//!
//! Three signs, since each can be lost: a descendant is known by its parents until one
//! of them ends, by its group until it leaves it, and by the mark in its environment
//! ([`mark`]) unless it was started with an environment of its own or writes its title
//! there. The last two are of commands that a run has started; of a process that ran
//! already there is the first alone.
//!
//! New ones may appear while they are looked for, so whoever acts on a family looks again
//! until none does.

use rustix::process::{Pid, Signal, kill_process_group};

use crate::clock::Clock;
use crate::process::proc::{self, Stat};
use crate::process::{ProcessIdentity, mark};
use crate::units::Nanos;

/// How often a family is looked for again at most: a program that starts processes faster
/// than they are found would keep its hunter busy for ever. Ours.
pub(super) const ROUNDS_MAX: usize = 50;
/// How long a process outside its command's group may take to end once it was asked to,
/// and one that is killed to be gone. Nothing depends on how gracefully it ends. Ours.
const END_WITHIN: Nanos = Nanos::from_secs(3);

/// These processes, all that descends from them, and all that the command has started,
/// where there is one.
///
/// # Errors
///
/// Where processes cannot be looked for, for example because no descriptor is left.
pub(super) fn family(
    first: &[ProcessIdentity],
    command: Option<ProcessIdentity>,
) -> Result<Vec<Stat>, String> {
    let all = proc::try_all().map_err(|cause| format!("failed to look for processes: {cause}"))?;
    let mark = command.map(mark);
    let group = command.filter(|command| owns_number(*command));
    // This process may run within what another run has started.
    let own = std::process::id();
    let belongs = |stat: &Stat| {
        first.contains(&stat.identity())
            || group.is_some_and(|command| stat.group == command.pid)
            || mark
                .as_ref()
                .is_some_and(|mark| proc::began_with(stat.pid, mark))
    };
    let found = all.iter().filter(|stat| belongs(stat)).copied();
    let mut family = proc::descendants(found.collect(), &all);
    family.retain(|stat| stat.pid != own);
    Ok(family)
}

/// Whether the number of a process that leads or led a group is still the group's.
///
/// A number that is a group's is given to no new process while the group has a
/// member. So where the number is a process's, and that is not the leader, the
/// group is gone and the number a stranger's.
fn owns_number(leader: ProcessIdentity) -> bool {
    proc::stat(leader.pid).is_none_or(|stat| stat.started == leader.started)
}

/// Signals the group that a process leads or led; none where it is gone.
pub(super) fn signal_group(leader: ProcessIdentity, signal: Signal) -> Option<()> {
    if !owns_number(leader) {
        return None;
    }
    let group = Pid::from_raw(i32::try_from(leader.pid).ok()?)?;
    kill_process_group(group, signal).ok()
}

/// What the end of a command found beside its group.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Strays {
    /// Those that had left the group, and have ended.
    pub ended: Vec<u32>,
    /// Why each that is still there could not be ended, in one sentence.
    pub left: Vec<String>,
}

impl Strays {
    /// What is to be told of them, in one sentence; none where there were none.
    pub(super) fn in_words(&self) -> Option<String> {
        let ids: Vec<String> = self.ended.iter().map(u32::to_string).collect();
        let ended = (!ids.is_empty()).then(|| {
            format!(
                "it had started processes outside its group, which were ended too: {}",
                ids.join(", ")
            )
        });
        let left = (!self.left.is_empty()).then(|| {
            format!(
                "what it has started could not all be ended: {}",
                self.left.join("; ")
            )
        });
        let told: Vec<String> = ended.into_iter().chain(left).collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

/// Asks a command to end, with all that it has started. What it has started is known
/// best now: once it has ended, its children have no parent by which to be found.
pub(super) fn ask_to_end(command: ProcessIdentity) -> Vec<Stat> {
    let before = family(&[command], Some(command)).unwrap_or_default();
    signal_group(command, Signal::TERM);
    // A paused process cannot hear that it is to end.
    signal_group(command, Signal::CONT);
    for stat in before.iter().filter(|stat| stat.group != command.pid) {
        if let Some(held) = stat.identity().hold() {
            let _ = held.signal(Signal::TERM);
            let _ = held.signal(Signal::CONT);
        }
    }
    before
}

/// Ends what is left of a command's family once its group was killed: waits for a moment,
/// kills, and looks again until nothing is found. `asked`: those that were asked to end;
/// one outside the group is a stray, also where it has ended by itself since.
pub(super) fn end_strays(command: ProcessIdentity, asked: &[Stat]) -> Strays {
    let clock = Clock::start();
    let mut known: Vec<ProcessIdentity> = asked.iter().map(Stat::identity).collect();
    let outside = asked.iter().filter(|stat| stat.group != command.pid);
    let mut strays = Strays {
        ended: outside.map(|stat| stat.pid).collect(),
        left: Vec::new(),
    };
    for _ in 0..ROUNDS_MAX {
        let mut found = match family(&known, Some(command)) {
            Ok(found) => found,
            Err(cause) => {
                strays.left = vec![cause];
                return strays;
            }
        };
        // The command's own process is its parent's to await.
        found.retain(|stat| stat.pid != command.pid);
        strays.left.clear();
        let mut ended = false;
        for stat in &found {
            match end(stat.identity(), END_WITHIN.saturating_sub(clock.now())) {
                Ok(()) => ended = true,
                Err(cause) => strays.left.push(cause),
            }
            if stat.group != command.pid && !strays.ended.contains(&stat.pid) {
                strays.ended.push(stat.pid);
            }
        }
        if !ended {
            break;
        }
        known.extend(found.iter().map(Stat::identity));
    }
    // What is still there has been named already, as out of reach.
    let gone = |pid: &u32| proc::stat(*pid).is_none_or(|stat| !stat.alive());
    strays.ended.retain(gone);
    strays
}

/// Waits for a process's end, kills it, and waits again.
fn end(process: ProcessIdentity, patience: Nanos) -> Result<(), String> {
    let Some(held) = process.reach()? else {
        return Ok(());
    };
    if held.ended_within(patience) {
        return Ok(());
    }
    let pid = process.pid;
    held.signal(Signal::KILL)
        .map_err(|cause| format!("process {pid} cannot be ended: {cause}"))?;
    if held.ended_within(END_WITHIN) {
        return Ok(());
    }
    Err(format!("process {pid} was killed and has not ended"))
}

/// Ends a command and all that it has started; for whoever is not its parent.
pub(super) fn end_command(command: ProcessIdentity) -> Strays {
    let known = ask_to_end(command);
    if let Some(held) = command.hold() {
        held.ended_within(END_WITHIN);
    }
    signal_group(command, Signal::KILL);
    end_strays(command, &known)
}
