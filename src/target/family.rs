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
    let group = command.filter(|command| leads(*command));
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

/// Whether a process is there to lead its group, if only to be awaited.
///
/// A number that is a group's is given to no new process while the group has a
/// member. Once its leader is gone, nothing tells whether a group of that number is
/// the same one or a stranger's.
fn leads(leader: ProcessIdentity) -> bool {
    proc::stat(leader.pid).is_some_and(|stat| stat.started == leader.started)
}

/// Signals the group that a process leads; none where that is gone.
pub(super) fn signal_group(leader: ProcessIdentity, signal: Signal) -> Option<()> {
    if !leads(leader) {
        return None;
    }
    let group = Pid::from_raw(i32::try_from(leader.pid).ok()?)?;
    kill_process_group(group, signal).ok()
}

/// What cannot be told of a command whose leader was gone before: whether processes in a
/// group of its number that are not marked as its own were started by it.
fn unclear(command: ProcessIdentity) -> Option<String> {
    let mark = mark(command);
    let members = proc::all().into_iter();
    let members = members.filter(|stat| stat.group == command.pid);
    let ids: Vec<String> = members
        .filter(|stat| !proc::began_with(stat.pid, &mark))
        .map(|stat| stat.pid.to_string())
        .collect();
    (!ids.is_empty()).then(|| {
        format!(
            "whether the processes {} are of its group is not known, since its leader has ended; \
             end them if they are",
            ids.join(", ")
        )
    })
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
    let reached = signal_group(command, Signal::TERM).is_some();
    // A paused process cannot hear that it is to end.
    signal_group(command, Signal::CONT);
    for stat in &before {
        if reached && stat.group == command.pid {
            continue;
        }
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
    let gone = proc::stat(command.pid).is_none();
    let known = ask_to_end(command);
    if let Some(held) = command.hold() {
        held.ended_within(END_WITHIN);
    }
    signal_group(command, Signal::KILL);
    let mut strays = end_strays(command, &known);
    if gone {
        strays.left.extend(unclear(command));
    }
    strays
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};

    use super::*;

    /// A group whose leader has ended and was awaited, and its member that is left.
    fn leaderless(marked: bool) -> (ProcessIdentity, ProcessIdentity) {
        // Its own number and start are known to it alone before it starts the other.
        let script = "read mark; export \"$mark\"; sleep 60 >&- & echo $!";
        let mut leader = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let identity = ProcessIdentity::of(leader.id()).unwrap();
        let said = if marked { mark(identity) } else { "X=1".into() };
        let mut input = leader.stdin.take().unwrap();
        std::io::Write::write_all(&mut input, format!("{said}\n").as_bytes()).unwrap();
        let output = leader.wait_with_output().unwrap();
        let member: u32 = String::from_utf8(output.stdout)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        // It becomes its program a moment later.
        while !proc::began_with(member, &said) {
            std::thread::yield_now();
        }
        (identity, ProcessIdentity::of(member).unwrap())
    }

    #[test]
    fn without_its_leader_a_group_may_be_a_strangers_and_only_what_is_marked_is_ended() {
        let (command, member) = leaderless(true);
        let strays = end_command(command);
        assert_eq!(strays, Strays::default());
        assert!(member.hold().is_none());

        let (command, member) = leaderless(false);
        let strays = end_command(command);
        assert!(member.hold().is_some(), "a stranger's was ended");
        assert_eq!(strays.left.len(), 1);
        let told = format!("the processes {} are of its group", member.pid);
        assert!(strays.left[0].contains(&told), "{strays:?}");
        member.hold().unwrap().signal(Signal::KILL).unwrap();
    }
}
