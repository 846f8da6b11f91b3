//! Carries out one undo, so that it is never begun twice.
//!
//! A `rollout undo`, or a toggle, may not bear to be called again beside itself, or after
//! itself. So it is called by a process of its own, which whoever asked for it may not
//! outlive: a second Ctrl-C ends the conductor and not this. That process shares the lock
//! of the file of undos and writes down what came of it, and then the lock is free.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::undo::{Armed, Undo, done};
use super::undos::{Content, Line, UndoResult, read_whole, write_line};
use crate::error::{Error, Result};
use crate::net::Failed;
use crate::process::ProcessIdentity;
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
        match (&self.binary, &armed.undo) {
            (Some(binary), Undo::Call(_)) => self
                .by_another(binary, armed, failed)
                // It could not be started, and has not begun.
                .unwrap_or_else(|_| armed.undo.carry_out_noting(failed)),
            _ => armed.undo.carry_out_noting(failed),
        }
    }

    fn by_another(
        &self,
        binary: &Path,
        armed: &Armed,
        note: &dyn Fn(&Failed),
    ) -> io::Result<Outcome> {
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
        let status = child.wait()?;
        let failed = |reason: String| Outcome::Failed { reason };
        let Some(code) = status.code() else {
            return Ok(failed(format!("what carried it out was ended: {status}")));
        };
        let content = Content::read(&read_whole(&self.file)?);
        let written = content.known.get(&armed.id).and_then(|(_, it)| it.clone());
        if let Some(failed) = written.as_ref().and_then(UndoResult::failed) {
            note(&failed);
        }
        Ok(match (code, written) {
            (0 | 1, Some(UndoResult { outcome, .. })) => outcome,
            // It could not be written down, on a full disk for example.
            (0, None) => done(None, String::new),
            _ => failed("its result is not known".into()),
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
    let noted = RefCell::default();
    let note = |failed: &Failed| *noted.borrow_mut() = Some(failed.clone());
    let outcome = errand.armed.undo.carry_out_noting(&note);
    let noted: Option<Failed> = noted.take();
    let line = Line {
        id: errand.armed.id,
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
