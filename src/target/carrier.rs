//! Carries out one undo, so that it is never begun twice.
//!
//! A `rollout undo`, or a toggle, may not bear to be called again beside itself, or after
//! itself. So it is called by a process of its own, which whoever asked for it may not
//! outlive: a second Ctrl-C ends the conductor and not this. That process shares the lock
//! of the file of undos and writes down the result, and then the lock is free. Its
//! command does not share it: a server that an undo starts would hold it for ever. So the
//! command is written down before it begins, and whoever finds it still there waits.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use super::call::{Guarded, Plain};
use super::content::{Content, Line, UndoResult, read_whole, write_line};
use super::family::end_command;
use super::lock;
use super::undo::{Armed, Safeguard, Undo, done};
use crate::error::{Error, Result};
use crate::net::Failed;
use crate::process::{ProcessIdentity, own_program};
use crate::record::Outcome;

/// What a process that carries out an undo is told.
#[derive(Debug, Serialize, Deserialize)]
struct Errand {
    by: String,
    #[serde(flatten)]
    armed: Armed,
}

/// Carries out undos for whoever has the file of them open.
#[derive(Debug)]
pub(crate) struct Carrier {
    by: &'static str,
    binary: Option<PathBuf>,
    file: File,
}

impl Carrier {
    pub(super) const fn new(by: &'static str, binary: Option<PathBuf>, file: File) -> Self {
        Self { by, binary, file }
    }

    /// Carries one out, and waits for it.
    ///
    /// A call of the user's tools is carried out by a process of its own. Everything else
    /// can be done twice, and is done here.
    /// `failed` hears why a request had no usable answer.
    pub(crate) fn carry_out(&self, armed: &Armed, failed: &dyn Fn(&Failed)) -> Outcome {
        self.await_earlier(armed);
        let another = match (&self.binary, &armed.undo) {
            (Some(binary), Undo::Call(_)) => self.start(binary, armed).ok(),
            _ => None,
        };
        match another {
            Some(child) => self.result(child, armed.id, failed),
            // Where no other could be started, it has not begun.
            None => armed.undo.carry_out_noting(failed),
        }
    }

    /// Waits for the command that this undo has begun before and whose own carrier was
    /// killed, for as long as it might take; then ends it.
    fn await_earlier(&self, armed: &Armed) {
        let Undo::Call(call) = &armed.undo else {
            return;
        };
        if let Some(begun) = self.content().begun(armed.id)
            && !begun.ended_within(call.timeout())
        {
            end_command(begun.identity());
        }
    }

    /// What the file says now; nothing where it cannot be read.
    fn content(&self) -> Content {
        let bytes = read_whole(&self.file).unwrap_or_default();
        Content::read(&bytes)
    }

    /// Starts a process that carries it out.
    ///
    /// # Errors
    ///
    /// Where it could not be started: then nothing has begun.
    fn start(&self, binary: &Path, armed: &Armed) -> io::Result<Child> {
        let errand = serde_json::to_string(&Errand {
            by: self.by.to_owned(),
            armed: armed.clone(),
        })?;
        let mut child = Command::new(binary)
            .arg("__undo")
            .stdin(Stdio::piped())
            .stdout(self.file.try_clone()?)
            .stderr(Stdio::null())
            // Out of reach of a signal to the group of whoever asked.
            .process_group(0)
            .spawn()?;
        let started = Line {
            id: armed.id,
            started: ProcessIdentity::of(child.id()),
            ..Line::default()
        };
        // Where the disk is full, it is undone all the same.
        let _ = write_line(&self.file, &started);
        if let Some(mut stdin) = child.stdin.take() {
            // One that has ended already is found out by its end.
            let _ = stdin.write_all(errand.as_bytes());
        }
        Ok(child)
    }

    /// Waits for a process that carries out this undo, and says the result. It has
    /// begun, so whatever cannot be found out is no reason to do it here again.
    fn result(&self, mut child: Child, id: u64, note: &dyn Fn(&Failed)) -> Outcome {
        let failed = |reason: String| Outcome::Failed { reason };
        let status = child.wait();
        if let Ok(status) = &status
            && status.code().is_none()
        {
            return failed(format!("what carried it out was ended: {status}"));
        }
        let content = self.content();
        let written = content.known.get(&id).and_then(|(_, it)| it.clone());
        if let Some(failed) = written.as_ref().and_then(UndoResult::failed) {
            note(&failed);
        }
        match (status.ok().and_then(|status| status.code()), written) {
            (Some(0 | 1) | None, Some(UndoResult { outcome, .. })) => outcome,
            // It could not be written down, on a full disk for example.
            (Some(0), None) => done(None, String::new),
            _ => failed("its result is not known".into()),
        }
    }
}

/// Writes down the command of an undo before it begins, so that it is known where this
/// process is killed and the lock with it.
struct Noted {
    id: u64,
}

impl Safeguard for Noted {
    fn arm(&self, undo: Undo) -> Result<u64> {
        if let Undo::EndGroup(command) = undo {
            let started = Line {
                id: self.id,
                started: Some(command),
                ..Line::default()
            };
            // On a full disk, it is undone all the same.
            let _ = write_line(&io::stdout(), &started);
        }
        Ok(self.id)
    }

    fn carry_out(&self, _: u64, undo: &Undo) -> Outcome {
        undo.carry_out()
    }

    /// The line that says the result of the undo says this too.
    fn settle(&self, _: u64, _: &Outcome) {}
}

impl Noted {
    /// Carries out a call: a command waits until it is written down.
    fn call(&self, call: &Plain, failed: &(dyn Fn(&Failed) + Sync)) -> Outcome {
        call.guarded(Guarded {
            binary: &own_program(),
            safeguard: self,
            ending: &|| false,
            failed,
        })
    }
}

/// The main of a process that carries out one undo (`threadbare __undo`): standard input
/// says which, and standard output is the file of undos, whose lock it shares. The exit
/// code is 0 where it was carried out.
///
/// # Errors
///
/// Where standard input ends before it is whole: then nothing was done.
pub(crate) fn carry_out_alone() -> Result<bool> {
    let failed = |cause: &dyn std::fmt::Display| {
        Error::failed(format!("failed to read what is to be undone: {cause}"))
    };
    let mut text = String::new();
    let read = io::stdin().lock().read_to_string(&mut text);
    read.map_err(|cause| failed(&cause))?;
    let errand: Errand = serde_json::from_str(&text).map_err(|cause| failed(&cause))?;
    let Armed { id, undo } = errand.armed;
    let noted: Mutex<Option<Failed>> = Mutex::default();
    let note = |failed: &Failed| *lock(&noted) = Some(failed.clone());
    let outcome = match &undo {
        Undo::Call(call) => Noted { id }.call(call, &note),
        _ => undo.carry_out_noting(&note),
    };
    let noted = lock(&noted).take();
    let line = Line {
        id,
        undone: Some(UndoResult {
            by: errand.by,
            outcome: outcome.clone(),
            cause: noted.as_ref().and_then(|failed| failed.cause),
            status: noted.and_then(|failed| failed.status),
        }),
        ..Line::default()
    };
    // On a full disk the exit code alone tells.
    let _ = write_line(&io::stdout(), &line);
    Ok(matches!(outcome, Outcome::Applied { .. }))
}
