//! What processes may use: limits set from outside, and set back.
//!
//! Only the soft limit is lowered, so that setting it back needs no privilege.
//! Processors are taken away by affinity, thread by thread, since a limit on
//! processor time would end the process.

use std::fs;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};

use crate::model::Limits;
use crate::process::ProcessIdentity;
use crate::process::proc;

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
}

/// A soft and a hard limit; none is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Span {
    soft: Option<u64>,
    hard: Option<u64>,
}

/// What the limits of these processes are that would be changed.
pub(super) fn before(processes: &[ProcessIdentity], limits: Limits) -> Vec<Before> {
    let known = processes.iter().filter_map(|process| {
        let text = fs::read_to_string(format!("/proc/{}/limits", process.pid)).ok()?;
        Some(Before {
            process: *process,
            open_files: limits
                .open_files
                .and_then(|_| span(&text, "Max open files")),
            threads: limits.threads.and_then(|_| span(&text, "Max processes")),
            processors: match limits.processors {
                Some(_) => processors(process.pid),
                None => Vec::new(),
            },
        })
    });
    known.collect()
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

    /// Lowers the process's limits.
    ///
    /// # Errors
    ///
    /// What the kernel refused, in words.
    pub(super) fn limit(&self, limits: Limits) -> Result<(), String> {
        let lower = |span: Span, most: Option<u64>| Span {
            // Never above the hard limit.
            soft: most.map(|most| span.hard.map_or(most, |hard| hard.min(most))),
            ..span
        };
        self.set(&Self {
            open_files: self.open_files.map(|span| lower(span, limits.open_files)),
            threads: self.threads.map(|span| lower(span, limits.threads)),
            processors: match limits.processors {
                Some(most) => self
                    .processors
                    .iter()
                    .take(most as usize)
                    .copied()
                    .collect(),
                None => Vec::new(),
            },
            ..self.clone()
        })
    }

    /// Sets the limits back to what they were; a process that has ended has none.
    ///
    /// # Errors
    ///
    /// What the kernel refused, in words.
    pub(super) fn restore(&self) -> Result<(), String> {
        self.set(self)
    }

    fn set(&self, to: &Self) -> Result<(), String> {
        let Some(held) = self.process.hold() else {
            return Ok(());
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
            prlimit(process, resource, limit)
                .map_err(|cause| format!("failed to limit {what}: {cause}"))?;
        }
        if !to.processors.is_empty() {
            let mut set = CpuSet::new();
            to.processors.iter().for_each(|cpu| set.set(*cpu));
            for thread in proc::threads(self.process.pid) {
                let set_it = sched_setaffinity(pid(thread), &set);
                // A thread may end meanwhile; the process as a whole may not.
                if let Err(cause) = set_it
                    && held.alive()
                    && proc::threads(self.process.pid).contains(&thread)
                {
                    return Err(format!("failed to limit processors: {cause}"));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
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
        let before = before(&[process], limits);
        before[0].limit(limits).unwrap();
        let (files, cpus) = read();
        assert_eq!((files.soft, cpus.len()), (Some(64), 1));
        before[0].restore().unwrap();
        assert_eq!(read(), at_first);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(before[0].restore(), Ok(())); // gone: nothing to set back
    }
}
