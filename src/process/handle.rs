//! A process that is held: by its pidfd, which cannot go to a stranger, and by
//! its start time, by which it is known again after everything else is gone.

use std::io;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, geteuid, getpid, pidfd_open, pidfd_send_signal};
use rustix::time::Timespec;
use serde::{Deserialize, Serialize};

use super::proc;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::units::Nanos;

/// Which process: an id can be used again, an id with a start time cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct ProcessIdentity {
    /// Its id.
    pub pid: u32,
    /// When it was started, in ticks since the machine was.
    pub started: u64,
}

/// A process that is held.
#[derive(Debug)]
pub(crate) struct ProcessHandle {
    identity: ProcessIdentity,
    pidfd: OwnedFd,
}

impl ProcessIdentity {
    /// The process, where it has not ended and is still this user's.
    pub(crate) fn hold(self) -> Option<ProcessHandle> {
        self.reach().ok().flatten()
    }

    /// The process; none where it has ended, which is not the same as out of reach.
    ///
    /// # Errors
    ///
    /// Why it cannot be held though it is there, in one sentence.
    pub(crate) fn reach(self) -> std::result::Result<Option<ProcessHandle>, String> {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return Ok(None);
        };
        let out_of_reach = |cause: &str| Err(format!("process {} {cause}", self.pid));
        // The pidfd first: what is read afterwards is of the process that it holds.
        let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(Errno::SRCH) => return Ok(None),
            Err(cause) => return out_of_reach(&format!("cannot be held: {cause}")),
        };
        match (proc::stat(self.pid), proc::owner(self.pid)) {
            (None, Some(_)) => out_of_reach("cannot be looked at: are there descriptors left?"),
            (_, None) => Ok(None),
            (Some(stat), _) if !stat.alive() || stat.started != self.started => Ok(None),
            (_, Some(owner)) if owner != geteuid().as_raw() => out_of_reach("is another user's"),
            _ => Ok(Some(ProcessHandle {
                identity: self,
                pidfd,
            })),
        }
    }

    /// What a process is known by; none where there is none.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let started = proc::stat(pid)?.started;
        Some(Self { pid, started })
    }
}

impl ProcessHandle {
    /// Holds a process that runs already.
    ///
    /// # Errors
    ///
    /// Wrong usage, where it may not be touched: process 1, this one, one that
    /// this one descends from, another user's; an unfit environment, where
    /// there is none.
    pub(crate) fn take(pid: u32) -> Result<Self> {
        let refused = |why: &str| {
            Err(Error::usage(format!(
                "process {pid} is {why}, and threadbare does not touch it; name the process that \
                 serves"
            )))
        };
        if pid <= 1 {
            return refused("the system's first");
        }
        if ancestors().contains(&pid) {
            return refused("threadbare itself or one that it was started from");
        }
        let none = || Error::unfit(format!("there is no process {pid}; has it ended?"));
        let identity = ProcessIdentity::of(pid).ok_or_else(none)?;
        if proc::owner(pid) != Some(geteuid().as_raw()) {
            return refused("another user's");
        }
        identity.hold().ok_or_else(none)
    }

    /// Holds the process that listens on a port: where several share it, the
    /// oldest, which started the others.
    ///
    /// # Errors
    ///
    /// As [`ProcessHandle::take`], and an unfit environment where no process of this
    /// user's listens there.
    pub(crate) fn listening(port: u16) -> Result<Self> {
        let sockets = proc::listeners(port);
        let holders = proc::all().into_iter();
        let holders = holders.filter(|stat| proc::holds(stat.pid, &sockets));
        let oldest = holders.min_by_key(|stat| (stat.started, stat.pid));
        let oldest = oldest.ok_or_else(|| {
            Error::unfit(format!(
                "no process of this user listens on port {port}; start the target first"
            ))
        })?;
        Self::take(oldest.pid)
    }

    /// What it is known by.
    pub(crate) const fn identity(&self) -> ProcessIdentity {
        self.identity
    }

    /// Whether it has not ended.
    pub(crate) fn alive(&self) -> bool {
        !self.ended_within(Nanos::ZERO)
    }

    /// Waits for its end, at most so long; whether it has ended.
    pub(crate) fn ended_within(&self, patience: Nanos) -> bool {
        let clock = Clock::start();
        loop {
            let left = patience.saturating_sub(clock.now());
            let timeout = Timespec::try_from(left.to_duration()).ok();
            let mut polled = [PollFd::new(&self.pidfd, PollFlags::IN)];
            match poll(&mut polled, timeout.as_ref()) {
                // A signal came between.
                Err(Errno::INTR) => {}
                polled => return matches!(polled, Ok(ready) if ready > 0),
            }
        }
    }

    /// Signals it; one that has ended meanwhile needs none.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.pidfd, signal) {
            Err(Errno::SRCH) | Ok(()) => Ok(()),
            Err(cause) => Err(cause.into()),
        }
    }
}

/// This process and those that it descends from.
fn ancestors() -> Vec<u32> {
    let own = u32::try_from(getpid().as_raw_nonzero().get()).unwrap_or_default();
    let mut ancestors = vec![own];
    let mut next = proc::stat(own).map(|stat| stat.parent);
    // The chain is finite; the bound is against a `/proc` that changes meanwhile.
    while let Some(pid) = next.filter(|pid| *pid > 0 && ancestors.len() < 1024) {
        ancestors.push(pid);
        next = proc::stat(pid).map(|stat| stat.parent);
    }
    ancestors
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::process::Command;

    use super::*;

    #[test]
    fn what_must_not_be_touched_is_refused() {
        let own = std::process::id();
        let parent = proc::stat(own).unwrap().parent;
        for pid in [0, 1, own, parent] {
            let error = ProcessHandle::take(pid).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{error}");
        }
        assert_eq!(ProcessHandle::take(4_194_304).unwrap_err().exit_code(), 3);
    }

    #[test]
    fn a_process_is_known_by_its_start_time_and_its_end_is_seen() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let held = ProcessHandle::take(child.id()).unwrap();
        assert!(held.alive() && held.identity().hold().is_some());
        let another = ProcessIdentity {
            started: held.identity().started + 1,
            ..held.identity()
        };
        assert!(another.hold().is_none());
        held.signal(Signal::KILL).unwrap();
        assert!(held.ended_within(Nanos::from_secs(10)));
        child.wait().unwrap();
        assert!(held.identity().hold().is_none());
    }

    #[test]
    fn the_process_of_a_port_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        // It is this very process, which is refused by its name.
        let error = ProcessHandle::listening(port).unwrap_err().to_string();
        assert!(error.contains("threadbare itself"), "{error}");
        drop(listener);
    }
}
