//! What processes may use: limits set from outside, and set back.
//!
//! Only the soft limit is lowered, so that setting it back needs no privilege.
//! Processors are taken away by affinity, thread by thread, since a limit on
//! processor time would end the process.
//!
//! What is limited hands its limits down: whatever it starts meanwhile has them too. So
//! limits are set back for the whole family, for each of its processes that still has
//! exactly what was set, and looked for again until there is none.

use std::fs;

use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};

use super::family::{ROUNDS_MAX, family};
use crate::model::Limits;
use crate::process::ProcessIdentity;
use crate::process::proc::{self, Stat};

/// What a process might use before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Before {
    /// Which process.
    process: ProcessIdentity,
    /// Soft and hard limit on open files; none: not changed.
    open_files: Option<Span>,
    /// Soft and hard limit on the user's threads; none: not changed.
    threads: Option<Span>,
    /// The processors that it might run on; empty: not changed.
    processors: Vec<usize>,
    /// What was set in their place: by it, those are known that were started meanwhile.
    #[serde(default)]
    limits: Limits,
    /// The command of the run that the process belongs to, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command: Option<ProcessIdentity>,
    /// When they were to be lowered, in ticks since the machine was started: what was
    /// started before has its limits from elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<u64>,
}

/// A soft and a hard limit; none is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Span {
    soft: Option<u64>,
    hard: Option<u64>,
}

/// What the limits of these processes are that would be changed; `command`: the one of
/// the run that they belong to.
pub(super) fn before(
    processes: &[ProcessIdentity],
    limits: Limits,
    command: Option<ProcessIdentity>,
) -> Vec<Before> {
    let since = proc::ticks();
    let known = processes.iter().filter_map(|process| {
        let has = Before::of(*process, limits)?;
        Some(Before {
            limits,
            command,
            since,
            ..has
        })
    });
    known.collect()
}

/// Sets the limits of all these processes back, and of all that they have started
/// meanwhile; how many those were.
///
/// # Errors
///
/// Which could not be reached, and why, in one sentence.
pub(super) fn restore(before: &[Before]) -> Result<usize, String> {
    // Those that were known first: what they start from now on has the former limits.
    let failed = before.iter().filter_map(|before| before.restore().err());
    let mut failed: Vec<String> = failed.collect();
    let mut done: Vec<ProcessIdentity> = before.iter().map(|it| it.process).collect();
    let command = before.iter().find_map(|it| it.command);
    for _ in 0..ROUNDS_MAX {
        let family = family(&done, command)?;
        let mut found: Vec<Before> = family
            .iter()
            .filter(|stat| !done.contains(&stat.identity()))
            .filter_map(|stat| known_ancestor(stat, &family, before)?.handed_down(stat.identity()))
            .collect();
        if found.is_empty() {
            break;
        }
        for one in found.drain(..) {
            failed.extend(one.restore().err());
            done.push(one.process);
        }
    }
    if failed.is_empty() {
        return Ok(done.len() - before.len());
    }
    Err(failed.join("; "))
}

/// What was known of the nearest process that this one descends from; of any, where the
/// processes in between have ended.
fn known_ancestor<'a>(stat: &Stat, family: &[Stat], before: &'a [Before]) -> Option<&'a Before> {
    let mut next = Some(stat.parent);
    // As many steps as there are processes lead past all of them.
    for _ in 0..=family.len() {
        let Some(parent) = family.iter().find(|it| Some(it.pid) == next) else {
            break;
        };
        let known = before.iter().find(|it| it.process == parent.identity());
        if known.is_some() {
            return known;
        }
        next = Some(parent.parent);
    }
    before.first()
}

/// A row of `/proc/PID/limits`: name, soft limit, hard limit.
fn span(text: &str, name: &str) -> Option<Span> {
    let row = text.lines().find_map(|line| line.strip_prefix(name))?;
    let mut fields = row.split_whitespace();
    let mut next = || match fields.next()? {
        "unlimited" => Some(None),
        number => Some(Some(number.parse().ok()?)),
    };
    Some(Span {
        soft: next()?,
        hard: next()?,
    })
}

fn pid(id: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(id).ok()?)
}

fn processors(id: u32) -> Vec<usize> {
    let set = sched_getaffinity(pid(id)).unwrap_or_else(|_| CpuSet::new());
    (0..CpuSet::MAX_CPU)
        .filter(|cpu| set.is_set(*cpu))
        .collect()
}

impl Before {
    /// Which process.
    pub(super) const fn pid(&self) -> u32 {
        self.process.pid
    }

    /// What a process may use now, of what these limits would change.
    fn of(process: ProcessIdentity, limits: Limits) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{}/limits", process.pid)).ok()?;
        Some(Self {
            process,
            open_files: limits
                .open_files
                .and_then(|_| span(&text, "Max open files")),
            threads: limits.threads.and_then(|_| span(&text, "Max processes")),
            processors: match limits.processors {
                Some(_) => processors(process.pid),
                None => Vec::new(),
            },
            limits: Limits::default(),
            command: None,
            since: None,
        })
    }

    /// What was set in the place of these limits.
    fn lowered(&self) -> Self {
        let lower = |span: Span, most: Option<u64>| Span {
            // Never above the hard limit.
            soft: most.map(|most| span.hard.map_or(most, |hard| hard.min(most))),
            ..span
        };
        let limits = self.limits;
        let most = limits.processors.map_or(0, |most| most as usize);
        Self {
            open_files: self.open_files.map(|span| lower(span, limits.open_files)),
            threads: self.threads.map(|span| lower(span, limits.threads)),
            processors: self.processors.iter().take(most).copied().collect(),
            ..self.clone()
        }
    }

    /// What is to be set back for a process that has its limits from this one; none where
    /// it has none of them, has chosen its own since, or was there before.
    fn handed_down(&self, process: ProcessIdentity) -> Option<Self> {
        if self.since.is_some_and(|since| process.started < since) {
            return None;
        }
        let (lowered, has) = (self.lowered(), Self::of(process, self.limits)?);
        let back = |has: Option<Span>, lowered: Option<Span>, before: Option<Span>| {
            let (has, before) = (has?, before?);
            // A soft limit does not exceed the hard one, which it may have lowered itself.
            let most = |soft: u64| has.hard.map_or(soft, |hard| hard.min(soft));
            (has.soft == lowered?.soft).then_some(Span {
                soft: before.soft.map(most).or(has.hard),
                hard: has.hard,
            })
        };
        let found = Self {
            open_files: back(has.open_files, lowered.open_files, self.open_files),
            threads: back(has.threads, lowered.threads, self.threads),
            processors: if has.processors == lowered.processors {
                self.processors.clone()
            } else {
                Vec::new()
            },
            ..has
        };
        let any =
            found.open_files.is_some() || found.threads.is_some() || !found.processors.is_empty();
        any.then_some(found)
    }

    /// Whether a process has these limits already, handed down by one that was limited.
    pub(super) fn limits_handed_down(&self, process: ProcessIdentity) -> bool {
        self.handed_down(process).is_some()
    }

    /// Lowers the process's limits.
    ///
    /// # Errors
    ///
    /// What the kernel refused, in words.
    pub(super) fn limit(&self) -> Result<(), String> {
        self.set(&self.lowered())
    }

    /// Sets the limits back to what they were; a process that has ended has none.
    ///
    /// # Errors
    ///
    /// What the kernel refused, in words.
    fn restore(&self) -> Result<(), String> {
        self.set(self)
    }

    fn set(&self, to: &Self) -> Result<(), String> {
        let Some(held) = self.process.reach()? else {
            return Ok(());
        };
        let failed = |what: &str, cause: Errno| {
            // It may have ended meanwhile.
            if held.alive() {
                let pid = self.process.pid;
                return Err(format!("failed to limit {what} of process {pid}: {cause}"));
            }
            Ok(())
        };
        let process = pid(self.process.pid);
        for (resource, span, what) in [
            (Resource::Nofile, to.open_files, "open files"),
            (Resource::Nproc, to.threads, "threads"),
        ] {
            let Some(span) = span else { continue };
            let limit = Rlimit {
                current: span.soft,
                maximum: span.hard,
            };
            if let Err(cause) = prlimit(process, resource, limit) {
                return failed(what, cause);
            }
        }
        if to.processors.is_empty() {
            return Ok(());
        }
        let mut set = CpuSet::new();
        to.processors.iter().for_each(|cpu| set.set(*cpu));
        // A thread that is started meanwhile has what the one had that started it.
        let mut done = Vec::new();
        for _ in 0..ROUNDS_MAX {
            let threads = proc::threads(self.process.pid).into_iter();
            let new: Vec<u32> = threads.filter(|thread| !done.contains(thread)).collect();
            if new.is_empty() {
                break;
            }
            for thread in new {
                match sched_setaffinity(pid(thread), &set) {
                    // A thread may end meanwhile; the process as a whole may not.
                    Ok(()) | Err(Errno::SRCH) => done.push(thread),
                    Err(cause) => return failed("the processors", cause),
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    use super::*;

    #[test]
    fn limits_hold_and_are_set_back() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let process = ProcessIdentity::of(child.id()).unwrap();
        let limits = Limits {
            open_files: Some(64),
            threads: None,
            processors: Some(1),
        };
        let read = || {
            let text = fs::read_to_string(format!("/proc/{}/limits", process.pid)).unwrap();
            (
                span(&text, "Max open files").unwrap(),
                processors(process.pid),
            )
        };
        let at_first = read();
        let before = before(&[process], limits, None);
        before[0].limit().unwrap();
        let (files, cpus) = read();
        assert_eq!((files.soft, cpus.len()), (Some(64), 1));
        assert_eq!(restore(&before), Ok(0));
        assert_eq!(read(), at_first);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(restore(&before), Ok(0)); // gone: nothing to set back
    }

    #[test]
    fn what_was_there_before_keeps_limits_that_equal_those_set() {
        let mut child = Command::new("sh")
            .args(["-c", "(ulimit -Sn 64; exec sleep 60) & wait"])
            .process_group(0)
            .spawn()
            .unwrap();
        let first = ProcessIdentity::of(child.id()).unwrap();
        let limits = Limits {
            open_files: Some(64),
            ..Limits::default()
        };
        let older = || {
            let tree = proc::tree(first.pid).into_iter().skip(1);
            let mut limited = tree.filter(|stat| files(stat.pid) == Some(64));
            limited.next_back().map(|stat| stat.identity())
        };
        // It is there, and was so a tick ago.
        let older = loop {
            if let Some(older) = older()
                && proc::ticks().unwrap() > older.started
            {
                break older;
            }
            std::thread::yield_now();
        };
        let before = before(&[first], limits, None);
        before[0].limit().unwrap();
        assert!(!before[0].limits_handed_down(older));
        assert_eq!(restore(&before), Ok(0));
        assert_eq!(files(older.pid), Some(64));
        super::super::family::signal_group(first, rustix::process::Signal::KILL);
        child.wait().unwrap();
    }

    /// The soft limit of a process on open files.
    fn files(pid: u32) -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
        span(&text, "Max open files")?.soft
    }

    #[test]
    fn what_was_started_meanwhile_has_its_limits_back_unless_it_chose_its_own() {
        // It starts one process that keeps what it is handed down, and one that chooses.
        let script = "sleep 60 & read go; sleep 61 & (ulimit -Sn 33; exec sleep 62) & echo; wait";
        let mut child = Command::new("sh")
            .args(["-c", script])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let first = ProcessIdentity::of(child.id()).unwrap();
        let files = |sleep: &str| {
            let tree = proc::tree(first.pid).into_iter();
            let mut found = tree.filter_map(|stat| {
                let words = fs::read_to_string(format!("/proc/{}/cmdline", stat.pid)).ok()?;
                let text = fs::read_to_string(format!("/proc/{}/limits", stat.pid)).ok()?;
                (words == format!("sleep\0{sleep}\0")).then(|| span(&text, "Max open files"))?
            });
            found.next_back().and_then(|span| span.soft)
        };
        let limits = Limits {
            open_files: Some(64),
            ..Limits::default()
        };
        // What was there before is no part of it.
        while files("60").is_none() {
            std::thread::yield_now();
        }
        let before = before(&[first], limits, None);
        before[0].limit().unwrap();
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
        // It says when it has started both; each becomes its program a moment later.
        child.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
        while files("61") != Some(64) || files("62") != Some(33) {
            std::thread::yield_now();
        }
        let soft = before[0].open_files.unwrap().soft;
        assert_eq!(restore(&before), Ok(1));
        assert_eq!(
            (files("60"), files("61"), files("62")),
            (soft, soft, Some(33))
        );
        super::super::family::signal_group(first, rustix::process::Signal::KILL);
        child.wait().unwrap();
    }
}
