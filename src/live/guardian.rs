//! The guardian: ends the fleet when the conductor dies, however it dies.
//!
//! A process of its own, in a session of its own, so that neither a signal to
//! the conductor's group nor the end of its terminal reaches it. It holds a
//! pidfd of every process it watches: a pid can be used again, a pidfd cannot
//! go to a stranger. The parent-death signal would not do: it follows a thread
//! and misses grandchildren. The processes' own watch on their standard input
//! would not do alone: a stopped process reads nothing.
//!
//! The conductor renews a lease by writing to the guardian's standard input,
//! from a thread that does nothing else; silence for longer than the lease
//! (a conductor that is stopped, say) counts as death.
//!
//! What a run does to the user's target is undone from the run
//! directory, where it was written down before it acted; `threadbare recover`
//! does the same where the guardian has died too.

use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal, setsid};

use crate::error::{Error, Result};
use crate::sync::lock;
use crate::target::Undos;
use crate::units::Nanos;

/// Silence after which the conductor counts as dead. A machine that starves it
/// for longer than this could not have measured anything either.
const LEASE: Nanos = Nanos::from_secs(15);
/// How often the lease is renewed: often enough that a few late beats are no death.
const BEAT_EVERY: Nanos = Nanos::from_secs(1);

/// What the conductor tells the guardian, one word a line.
const UNDO: &str = "undo";
const WATCH: &str = "watch";
const BEAT: &str = "beat";
const DONE: &str = "done";
/// What the guardian says once it is out of the conductor's reach.
const READY: &str = "ready";

/// The conductor's end: tells the guardian whom to watch, and that all is well.
#[derive(Debug)]
pub(super) struct Guardian {
    child: Child,
    line: Arc<Line>,
    beats: JoinHandle<()>,
}

/// The way to the guardian, and whether it still leads there.
#[derive(Debug)]
struct Line {
    input: Mutex<ChildStdin>,
    open: AtomicBool,
}

impl Guardian {
    /// Starts a guardian from this program's own `binary`, and waits until it guards.
    pub(super) fn start(binary: &Path) -> Result<Self> {
        let failed = |cause: &dyn std::fmt::Display| {
            Error::failed(format!("failed to start the guardian process: {cause}"))
        };
        let mut child = Command::new(binary)
            .arg("__guardian")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|cause| failed(&cause))?;
        let input = child
            .stdin
            .take()
            .ok_or_else(|| failed(&"no standard input"))?;
        let output = child
            .stdout
            .take()
            .ok_or_else(|| failed(&"no standard output"))?;
        let mut line = String::new();
        BufReader::new(output)
            .read_line(&mut line)
            .map_err(|cause| failed(&cause))?;
        if line.trim() != READY {
            return Err(failed(&"it ended at once"));
        }
        let line = Arc::new(Line {
            input: Mutex::new(input),
            open: AtomicBool::new(true),
        });
        let beaten = Arc::clone(&line);
        let beats = thread::spawn(move || {
            while beaten.open.load(Ordering::Acquire) && beaten.tell(BEAT).is_ok() {
                thread::park_timeout(BEAT_EVERY.to_duration());
            }
        });
        Ok(Self { child, line, beats })
    }

    /// From now on this process ends with the conductor.
    pub(super) fn watch(&self, pid: u32) -> Result<()> {
        self.line.tell(&format!("{WATCH} {pid}"))
    }

    /// From now on, what lies in this run directory to be undone is undone when
    /// the conductor dies.
    pub(super) fn undo(&self, directory: &Path) -> Result<()> {
        let directory = directory.canonicalize().map_err(|cause| {
            Error::failed(format!("failed to find {}: {cause}", directory.display()))
        })?;
        // A line holds one path; JSON, since a path may hold anything.
        let path = serde_json::to_string(&directory)
            .map_err(|cause| Error::failed(format!("the run directory has no name: {cause}")))?;
        self.line.tell(&format!("{UNDO} {path}"))
    }

    /// Whether the guardian is there.
    ///
    /// # Errors
    ///
    /// Where it has ended.
    pub(super) fn check(&self) -> Result<()> {
        if self.line.open.load(Ordering::Acquire) {
            return Ok(());
        }
        Err(Error::failed(
            "the guardian process has ended, and a run is not safe without it",
        ))
    }

    /// Nothing is left to guard.
    pub(super) fn dismiss(mut self) -> Result<()> {
        self.line.tell(DONE)?;
        self.line.open.store(false, Ordering::Release);
        self.beats.thread().unpark();
        self.child
            .wait()
            .map(|_| ())
            .map_err(|cause| Error::failed(format!("failed to await the guardian: {cause}")))
    }
}

impl Line {
    fn tell(&self, line: &str) -> Result<()> {
        let mut input = lock(&self.input);
        writeln!(input, "{line}").map_err(|cause| {
            self.open.store(false, Ordering::Release);
            Error::failed(format!(
                "the guardian process has ended ({cause}), and a run is not safe without it"
            ))
        })
    }
}

/// The guardian's own main: watches what standard input names, and ends it all
/// when standard input closes or falls silent before `done`.
///
/// # Errors
///
/// Where it cannot leave the conductor's session or answer it.
pub(crate) fn guard() -> Result<()> {
    let failed = |cause: std::io::Error| Error::failed(format!("the guardian failed: {cause}"));
    setsid().map_err(|cause| failed(cause.into()))?;
    let mut output = std::io::stdout();
    writeln!(output, "{READY}")
        .and_then(|()| output.flush())
        .map_err(failed)?;
    let (lines, inbox) = mpsc::channel();
    thread::spawn(move || {
        for line in std::io::stdin()
            .lock()
            .lines()
            .map_while(std::result::Result::ok)
        {
            if lines.send(line).is_err() {
                return;
            }
        }
    });
    let mut watched = Vec::new();
    let mut directory: Option<PathBuf> = None;
    let silent = loop {
        match inbox.recv_timeout(LEASE.to_duration()) {
            Ok(line) if line == DONE => return Ok(()),
            Ok(line) => {
                watched.extend(line.strip_prefix(WATCH).and_then(hold));
                let path = line.strip_prefix(UNDO);
                directory = path
                    .and_then(|path| serde_json::from_str(path).ok())
                    .or(directory);
            }
            Err(RecvTimeoutError::Disconnected) => break false,
            Err(RecvTimeoutError::Timeout) => break true,
        }
    };
    // What acts on others first: what is ours ends in any case.
    if let Some(directory) = directory
        && let Ok(undos) = Undos::open(&directory, "the guardian")
    {
        // One that stands still holds its occupations and proxies, and would go on
        // measuring what has been undone.
        if silent {
            undos.end_conductor();
        }
        undos.wait_for_lock();
        if let Ok(mut undos) = undos.again() {
            undos.undo_all();
        }
    }
    for process in watched {
        // A process that has ended already is what was wanted.
        let _ = pidfd_send_signal(&process, Signal::KILL);
    }
    Ok(())
}

/// A pidfd of the process with this pid; none where it has ended already.
fn hold(pid: &str) -> Option<OwnedFd> {
    let pid = Pid::from_raw(pid.trim().parse().ok()?)?;
    pidfd_open(pid, PidfdFlags::empty()).ok()
}
