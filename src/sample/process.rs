//! A process watched from outside, by what the kernel says of it in /proc.
//!
//! With it are its descendants, and where it leads a process group, the group:
//! a server's workers are often processes of their own. Their figures are added
//! up. The process is held by a pidfd and by the time it started, so that a pid
//! that is used again is never taken for it.

use std::collections::HashSet;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::machine::TICK;
use crate::units::Nanos;

/// Processes of one target looked at, at most.
const PROCESSES_MAX: usize = 4096;
/// Threads whose state is looked at, at most.
const THREADS_MAX: u64 = 100_000;

/// A process that is watched.
#[derive(Debug)]
pub(super) struct Process {
    pid: u32,
    held: OwnedFd,
    started: u64,
}

/// How it was at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Seen {
    pub processes: u64,
    pub threads: u64,
    pub threads_running: u64,
    pub threads_blocked: u64,
    pub memory_bytes: u64,
    /// None where they belong to another user.
    pub files: Option<u64>,
    /// Since the processes started, with that of children they have awaited.
    pub cpu: Nanos,
}

/// A line of `/proc/PID/stat` (proc(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    pid: u32,
    state: char,
    parent: u32,
    group: u32,
    cpu: Nanos,
    started: u64,
}

impl Process {
    /// Takes hold of a process.
    ///
    /// # Errors
    ///
    /// The cause, in a clause, where there is none.
    pub(super) fn hold(pid: u32) -> Result<Self, String> {
        let gone = || format!("there is no process {pid}");
        let raw = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let held = pidfd_open(raw.ok_or_else(gone)?, PidfdFlags::empty()).map_err(|_| gone())?;
        // Read after the pidfd was opened: it is of this process, or of none.
        let started = stat(pid).ok_or_else(gone)?.started;
        Ok(Self { pid, held, started })
    }

    /// What becomes readable when the process ends.
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.held.as_fd()
    }

    /// Whether it has ended.
    pub(super) fn ended(&self) -> bool {
        let mut watched = [PollFd::new(&self.held, PollFlags::IN)];
        let at_once = Timespec::default();
        poll(&mut watched, Some(&at_once)).is_ok_and(|ready| ready > 0)
    }

    /// How it and its descendants are now.
    ///
    /// # Errors
    ///
    /// The cause, in a clause, where it has ended.
    pub(super) fn see(&self) -> Result<Seen, String> {
        let gone = || "the process has ended".to_owned();
        let own = stat(self.pid).filter(|own| own.started == self.started);
        let own = own.filter(|_| !self.ended()).ok_or_else(gone)?;
        let mut seen = Seen {
            files: Some(0),
            ..Seen::default()
        };
        for member in members(own, &everything()) {
            seen.add(member);
        }
        Ok(seen)
    }
}

impl Seen {
    fn add(&mut self, member: Stat) {
        self.processes += 1;
        self.cpu += member.cpu;
        self.memory_bytes += memory(member.pid);
        let files = fs::read_dir(format!("/proc/{}/fd", member.pid));
        self.files = self
            .files
            .zip(files.ok())
            .map(|(sum, own)| sum + own.count() as u64);
        let Ok(threads) = fs::read_dir(format!("/proc/{}/task", member.pid)) else {
            return;
        };
        for thread in threads.flatten() {
            if self.threads >= THREADS_MAX {
                return;
            }
            self.threads += 1;
            let text = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            match parse(&text).map(|stat| stat.state) {
                Some('R') => self.threads_running += 1,
                Some('D') => self.threads_blocked += 1,
                _ => {}
            }
        }
    }
}

/// The process, its descendants, and the group that it leads.
fn members(own: Stat, all: &[Stat]) -> Vec<Stat> {
    let mut members = vec![own];
    let mut known = HashSet::from([own.pid]);
    if own.group == own.pid {
        let group = all
            .iter()
            .filter(|it| it.group == own.pid && it.pid != own.pid);
        for member in group {
            known.insert(member.pid);
            members.push(*member);
        }
    }
    // Each round finds the children of those that the last one found.
    loop {
        let before = members.len();
        for candidate in all {
            if known.contains(&candidate.parent) && known.insert(candidate.pid) {
                members.push(*candidate);
            }
        }
        if members.len() == before || members.len() > PROCESSES_MAX {
            members.truncate(PROCESSES_MAX);
            return members;
        }
    }
}

/// Every process of the machine; those that end meanwhile are passed over.
fn everything() -> Vec<Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(stat).collect()
}

fn stat(pid: u32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// A program's name may hold spaces and parentheses: fields are counted from
/// the last one that closes.
fn parse(text: &str) -> Option<Stat> {
    let (pid, _) = text.split_once(' ')?;
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // The state is field 3 of the manual.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let small = |field: usize| u32::try_from(number(field)?).ok();
    // Own time, and that of children that were awaited: 14 to 17.
    let ticks: u64 = (14..=17).filter_map(number).sum();
    Some(Stat {
        pid: pid.parse().ok()?,
        state: fields.first()?.chars().next()?,
        parent: small(4)?,
        group: small(5)?,
        cpu: TICK * ticks,
        started: number(22)?,
    })
}

/// Resident memory in bytes.
fn memory(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes =
        line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    #[test]
    fn the_kernels_line_is_read_whatever_the_program_is_called() {
        let line = "7 (a) b (c)) S 1 7 7 0 -1 4194304 1 2 3 4 10 20 1 2 20 0 3 0 5000 1 2 3";
        let stat = parse(line).unwrap();
        assert_eq!(
            (stat.pid, stat.state, stat.parent, stat.group),
            (7, 'S', 1, 7)
        );
        assert_eq!((stat.cpu, stat.started), (TICK * 33, 5000));
        assert_eq!(parse("7 (a) S 1"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn descendants_and_the_led_group_are_members_and_nobody_else() {
        let of = |pid, parent, group| Stat {
            pid,
            state: 'S',
            parent,
            group,
            cpu: Nanos::ZERO,
            started: 0,
        };
        // 2 leads a group with 3 and 6; 4 is a grandchild in a group of its own.
        let all = [
            of(2, 1, 2),
            of(3, 2, 2),
            of(4, 3, 4),
            of(5, 1, 5),
            of(6, 1, 2),
            of(7, 6, 7),
        ];
        let pids = |own: Stat| {
            let mut pids: Vec<_> = members(own, &all).iter().map(|it| it.pid).collect();
            pids.sort_unstable();
            pids
        };
        assert_eq!(pids(all[0]), [2, 3, 4, 6, 7]);
        assert_eq!(pids(all[1]), [3, 4]); // in a group that another leads
    }

    #[test]
    fn this_process_has_threads_files_memory_and_time() {
        let process = Process::hold(std::process::id()).unwrap();
        let before = process.see().unwrap();
        let (begun, done) = (Barrier::new(3), Barrier::new(3));
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    begun.wait();
                    done.wait();
                });
            }
            begun.wait();
            let seen = process.see();
            done.wait();
            let seen = seen.unwrap();
            assert!(seen.threads >= 3 && seen.processes >= 1 && seen.cpu >= before.cpu);
            assert!(seen.memory_bytes > 0 && seen.files.unwrap() > 0);
        });
        assert!(!process.ended());
    }

    #[test]
    fn an_end_is_seen_and_no_other_process_is_taken_for_it() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let process = Process::hold(child.id()).unwrap();
        assert_eq!(process.see().unwrap().processes, 1);
        let other = Process {
            started: process.started + 1,
            ..Process::hold(child.id()).unwrap()
        };
        assert!(other.see().is_err());
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(process.ended() && process.see().is_err());
        assert!(Process::hold(child.id()).is_err());
    }
}
