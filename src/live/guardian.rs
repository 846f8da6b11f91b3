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
//! (a conductor that is stopped, say) counts as death, and is made one: a conductor
//! that went on after all would measure what has been undone, and hold what it occupies.
//!
//! What a run does to the user's target is undone from the file where it was
//! written down before it acted. The guardian opens it when it is told of it, so it
//! needs no directory later; `threadbare recover` does the same where the guardian has
//! died too.

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal, setsid};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::process::{ProcessHandle, ProcessIdentity, own_program};
use crate::sync::lock;
use crate::target::Undos;
use crate::units::Nanos;

/// Silence after which the conductor counts as dead. A machine that starves it
/// for longer than this could not have measured anything either.
const LEASE: Nanos = Nanos::from_secs(15);
/// How often the lease is renewed: often enough that a few late beats are no death.
const BEAT_EVERY: Nanos = Nanos::from_secs(1);
/// How long a conductor that was killed may take to be gone. Ours.
const END_WITHIN: Nanos = Nanos::from_secs(3);

/// What the conductor tells the guardian, one word a line.
const CONDUCTOR: &str = "conductor";
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
        line.name(CONDUCTOR, &ProcessIdentity::of(std::process::id()))?;
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
        self.line.name(UNDO, &directory)
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
    /// Tells of something that may hold anything: JSON fits in one line.
    fn name(&self, word: &str, what: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string(what)
            .map_err(|cause| Error::failed(format!("failed to name the {word}: {cause}")))?;
        self.tell(&format!("{word} {text}"))
    }

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
    let mut charge = Charge::default();
    let silent = loop {
        match inbox.recv_timeout(LEASE.to_duration()) {
            Ok(line) if line == DONE => return Ok(()),
            Ok(line) => charge.hear(&line),
            Err(RecvTimeoutError::Disconnected) => break false,
            Err(RecvTimeoutError::Timeout) => break true,
        }
    };
    charge.end(silent);
    Ok(())
}

/// What a guardian has in its charge.
#[derive(Default)]
struct Charge {
    conductor: Option<ProcessHandle>,
    watched: Vec<OwnedFd>,
    undos: Option<Undos>,
}

impl Charge {
    fn hear(&mut self, line: &str) {
        if let Some(pid) = line.strip_prefix(WATCH) {
            self.watched.extend(hold(pid));
        } else if let Some(identity) = named::<ProcessIdentity>(line, CONDUCTOR) {
            self.conductor = identity.hold();
        } else if let Some(directory) = named::<std::path::PathBuf>(line, UNDO) {
            match Undos::open(&directory, "the guardian") {
                Ok(undos) => {
                    self.undos = Some(undos.with_program(Some(own_program())));
                }
                Err(error) => say(&format!("the guardian cannot undo anything: {error}")),
            }
        }
    }

    /// What acts on others is undone first: what is the run's own ends in any case.
    fn end(self, silent: bool) {
        if silent
            && let Some(conductor) = &self.conductor
            && conductor.signal(Signal::KILL).is_ok()
        {
            conductor.ended_within(END_WITHIN);
            say(&format!(
                "the run stood still for {LEASE}, so its guardian has ended it and undoes what \
                 acts; what was recorded can be read with `threadbare report`"
            ));
        }
        if let Some(mut undos) = self.undos {
            // What the conductor was undoing goes on without it, and is waited for.
            undos.wait_for_lock();
            match undos.read_again() {
                Ok(()) => undos.undo_all(),
                Err(error) => say(&format!("the guardian cannot undo anything: {error}")),
            }
        }
        for process in self.watched {
            // A process that has ended already is what was wanted.
            let _ = pidfd_send_signal(&process, Signal::KILL);
        }
    }
}

/// Tells the user, who may have gone.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "threadbare: {text}");
}

/// What a line names after this word; none where it is another's.
fn named<T: DeserializeOwned>(line: &str, word: &str) -> Option<T> {
    serde_json::from_str(line.strip_prefix(word)?).ok()
}

/// A pidfd of the process with this pid; none where it has ended already.
fn hold(pid: &str) -> Option<OwnedFd> {
    let pid = Pid::from_raw(pid.trim().parse().ok()?)?;
    pidfd_open(pid, PidfdFlags::empty()).ok()
}
