//! How a fault is undone, written down before it acts.
//!
//! An [`Undo`] is a plain value: it holds all that carrying it out needs, so
//! that any process of the user's can do so, whatever became of the one that
//! armed it. They lie in `undo.jsonl` in the run directory, a line for each
//! that is armed and a line for each that was carried out, readable by their
//! owner only: a hook's undo may hold a secret. Once nothing is left to undo,
//! the file is written again without them.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};

use super::call::Plain;
use super::limits::Before;
use crate::error::{Error, Result};
use crate::process::proc;
use crate::process::{ProcessHandle, ProcessIdentity};
use crate::record::{Outcome, write_private};
use crate::units::Nanos;

/// The file of undos in a run directory.
const FILE: &str = "undo.jsonl";
/// How long a group that was told to end may take before it is killed. The run
/// that it served is dead: nothing depends on how gracefully it ends. Ours.
const END_WITHIN: Nanos = Nanos::from_secs(3);

/// What undoes a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Undo {
    /// Paused processes go on.
    Continue(Vec<ProcessIdentity>),
    /// Limits are set back.
    Restore(Vec<Before>),
    /// A call of the user's own tools.
    Call(Box<Plain>),
    /// What a run has started ends, with its group.
    EndGroup(ProcessIdentity),
    /// What a run holds itself: it ends with the process that carries the run
    /// out, so whoever finds it outstanding finds it undone.
    WithTheRun(String),
    /// It was carried out, and what it held has been left out.
    Told(String),
}

impl Undo {
    /// What it does, in words.
    #[must_use]
    pub(crate) fn in_words(&self) -> String {
        let pids = |ids: &[u32]| {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            ids.join(", ")
        };
        match self {
            Self::Continue(processes) => {
                let ids: Vec<u32> = processes.iter().map(|it| it.pid).collect();
                format!("continue the processes {}", pids(&ids))
            }
            Self::Restore(before) => {
                let ids: Vec<u32> = before.iter().map(Before::pid).collect();
                format!("restore the limits of the processes {}", pids(&ids))
            }
            Self::Call(call) => format!("call {}", call.called()),
            Self::EndGroup(leader) => format!("end the process group {}", leader.pid),
            Self::WithTheRun(words) | Self::Told(words) => words.clone(),
        }
    }

    /// Carries it out. What is gone already needs no undoing.
    #[must_use]
    pub(crate) fn carry_out(&self) -> Outcome {
        match self {
            Self::Continue(processes) => {
                let held: Vec<ProcessHandle> =
                    processes.iter().filter_map(|it| it.hold()).collect();
                let failed = held.iter().find_map(|held| held.signal(Signal::CONT).err());
                done(failed.map(|cause| cause.to_string()), || {
                    format!("{} of {} were still there", held.len(), processes.len())
                })
            }
            Self::Restore(before) => {
                let failed = before.iter().find_map(|before| before.restore().err());
                done(failed, String::new)
            }
            Self::Call(call) => call.carry_out(),
            Self::EndGroup(leader) => end_group(*leader),
            Self::WithTheRun(_) => done(None, || "it ended with the run".into()),
            Self::Told(_) => done(None, String::new),
        }
    }
}

fn done(failed: Option<String>, detail: impl FnOnce() -> String) -> Outcome {
    match failed {
        Some(reason) => Outcome::Failed { reason },
        None => Outcome::Applied { detail: detail() },
    }
}

/// Ends a group: asks, waits, kills.
fn end_group(leader: ProcessIdentity) -> Outcome {
    if signal_group(leader, Signal::TERM).is_none() {
        return done(None, || "it had ended already".into());
    }
    // A paused process cannot hear that it is to end.
    let _ = signal_group(leader, Signal::CONT);
    if let Some(held) = leader.hold() {
        held.ended_within(END_WITHIN);
    }
    let _ = signal_group(leader, Signal::KILL);
    done(None, || "it has ended".into())
}

/// Signals the group that a process leads or led; none where it is gone.
///
/// A number that is a group's is given to no new process while the group has a
/// member. So where the number is a process's, and that is not the leader, the
/// group is gone and the number a stranger's.
pub(super) fn signal_group(leader: ProcessIdentity, signal: Signal) -> Option<()> {
    if proc::stat(leader.pid).is_some_and(|stat| stat.started != leader.started) {
        return None;
    }
    let group = Pid::from_raw(i32::try_from(leader.pid).ok()?)?;
    kill_process_group(group, signal).ok()
}

/// An undo with its number in the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Armed {
    /// Its number.
    pub id: u64,
    /// What it does.
    pub undo: Undo,
}

/// Whoever sees to it that what is armed is undone, whatever happens.
pub(crate) trait Safeguard: Send + Sync {
    /// Written down and known to the guardian, before the fault acts.
    ///
    /// # Errors
    ///
    /// Where it cannot be written; then the fault must not act.
    fn arm(&self, undo: Undo) -> Result<u64>;

    /// It needs no undoing any more: it was undone, or ended by itself.
    fn settle(&self, id: u64, outcome: &Outcome);
}

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    id: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    armed: Option<Undo>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    undone: Option<UndoResult>,
    /// Who carries out the run; in the first line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    conductor: Option<ProcessIdentity>,
}

/// That an undo was carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct UndoResult {
    by: String,
    #[serde(flatten)]
    outcome: Outcome,
}

/// The undos of a run directory.
#[derive(Debug)]
pub(crate) struct Undos {
    directory: PathBuf,
    /// Who writes here: `run`, `guardian` or `recover`.
    by: &'static str,
    file: File,
    known: BTreeMap<u64, (Undo, Option<UndoResult>)>,
    conductor: Option<ProcessIdentity>,
    /// Lines that cannot be read: what they were to undo never began.
    torn: usize,
}

impl Undos {
    /// The undos of a run directory, with those that lie there already. `by`
    /// is who carries them out from here on.
    ///
    /// # Errors
    ///
    /// Where they cannot be read or written.
    pub(crate) fn open(directory: &Path, by: &'static str) -> Result<Self> {
        let path = directory.join(FILE);
        let failed = |cause: &dyn std::fmt::Display| {
            Error::failed(format!("failed to open {}: {cause}", path.display()))
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => String::new(),
            Err(cause) => return Err(failed(&cause)),
        };
        let mut known: BTreeMap<u64, (Undo, Option<UndoResult>)> = BTreeMap::new();
        let mut conductor = None;
        let mut torn = 0;
        // A torn line was never acted upon: what it was to undo did not begin.
        for line in text.lines().filter(|line| !line.is_empty()) {
            let Ok(line) = serde_json::from_str::<Line>(line) else {
                torn += 1;
                continue;
            };
            conductor = line.conductor.or(conductor);
            if let Some(undo) = line.armed {
                known.insert(line.id, (undo, None));
            }
            if let (Some(undone), Some((_, slot))) = (line.undone, known.get_mut(&line.id)) {
                *slot = Some(undone);
            }
        }
        let mut options = OpenOptions::new();
        let file = options.append(true).create(true).mode(0o600).open(&path);
        Ok(Self {
            directory: directory.to_owned(),
            by,
            file: file.map_err(|cause| failed(&cause))?,
            known,
            conductor,
            torn,
        })
    }

    /// Lines that cannot be read.
    #[must_use]
    pub(crate) const fn torn(&self) -> usize {
        self.torn
    }

    /// Writes down that this process carries out the run.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub(crate) fn begin(&mut self) -> Result<()> {
        self.conductor = ProcessIdentity::of(std::process::id());
        self.write(&Line {
            id: 0,
            armed: None,
            undone: None,
            conductor: self.conductor,
        })
    }

    /// The process that carries out the run, where it is still there.
    #[must_use]
    pub(crate) fn under_way(&self) -> Option<u32> {
        self.conductor
            .filter(|it| it.hold().is_some())
            .map(|it| it.pid)
    }

    /// Ends the process that carries out the run, where it is still there.
    pub(crate) fn end_conductor(&self) {
        if let Some(held) = self.conductor.and_then(ProcessIdentity::hold)
            && held.signal(Signal::KILL).is_ok()
        {
            held.ended_within(END_WITHIN);
        }
    }

    /// The same as [`Undos::lock`], once nobody else undoes anything. Where the
    /// kernel refuses, it is undone all the same: twice is harmless, never is not.
    pub(crate) fn wait_for_lock(&self) {
        let _ = flock(&self.file, FlockOperation::LockExclusive);
    }

    /// Keeps others from undoing the same, until this is dropped; false where
    /// somebody does so now.
    #[must_use]
    pub(crate) fn lock(&self) -> bool {
        flock(&self.file, FlockOperation::NonBlockingLockExclusive).is_ok()
    }

    /// The same, read again: what was undone before it was locked is known too.
    ///
    /// # Errors
    ///
    /// As [`Undos::open`].
    pub(crate) fn again(self) -> Result<Self> {
        let read = Self::open(&self.directory, self.by)?;
        // The lock is this file's.
        Ok(Self {
            file: self.file,
            ..read
        })
    }

    /// Whether a run directory has any.
    #[must_use]
    pub(crate) fn exist(directory: &Path) -> bool {
        directory.join(FILE).exists()
    }

    /// Writes down an undo: its number.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub(crate) fn arm(&mut self, undo: Undo) -> Result<Armed> {
        let id = self.known.keys().next_back().map_or(1, |last| last + 1);
        self.write(&Line {
            id,
            armed: Some(undo.clone()),
            undone: None,
            conductor: None,
        })?;
        self.known.insert(id, (undo.clone(), None));
        Ok(Armed { id, undo })
    }

    /// Writes down that one was carried out.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub(crate) fn undone(&mut self, id: u64, outcome: &Outcome) -> Result<()> {
        let undone = UndoResult {
            by: self.by.to_owned(),
            outcome: outcome.clone(),
        };
        if let Some((_, slot)) = self.known.get_mut(&id) {
            *slot = Some(undone.clone());
        }
        self.write(&Line {
            id,
            armed: None,
            undone: Some(undone),
            conductor: None,
        })
    }

    fn write(&mut self, line: &Line) -> Result<()> {
        let mut text = serde_json::to_string(line)
            .map_err(|cause| Error::failed(format!("failed to write {FILE}: {cause}")))?;
        // One write: a line is there whole, or torn at the end of the file. Its
        // beginning ends what a full disk may have left of the one before.
        text.insert(0, '\n');
        text.push('\n');
        self.file.write_all(text.as_bytes()).map_err(|cause| {
            let path = self.directory.join(FILE);
            Error::failed(format!(
                "failed to write {}: {cause}; nothing is injected that could not be undone",
                path.display()
            ))
        })
    }

    /// What has yet to be undone, the last armed first.
    #[must_use]
    pub(crate) fn outstanding(&self) -> Vec<Armed> {
        let open = self.known.iter().rev().filter(|(_, (_, undone))| {
            // What failed or was refused may be tried again.
            !matches!(undone, Some(undone) if matches!(undone.outcome, Outcome::Applied { .. }))
        });
        open.map(|(id, (undo, _))| Armed {
            id: *id,
            undo: undo.clone(),
        })
        .collect()
    }

    /// What was undone: what, by whom, with which outcome.
    pub(crate) fn told(&self) -> impl Iterator<Item = (String, &str, &Outcome)> {
        self.known.values().filter_map(|(undo, undone)| {
            let undone = undone.as_ref()?;
            Some((undo.in_words(), undone.by.as_str(), &undone.outcome))
        })
    }

    /// Carries out all that is outstanding, the last armed first.
    pub(crate) fn undo_all(&mut self) {
        for armed in self.outstanding() {
            let outcome = armed.undo.carry_out();
            // Where the disk is full, it has still been undone.
            let _ = self.undone(armed.id, &outcome);
        }
        self.close();
    }

    /// Writes the file again without secrets, where nothing is left to undo.
    pub(crate) fn close(&mut self) {
        if !self.outstanding().is_empty() {
            return;
        }
        let lines = self.known.iter().map(|(id, (undo, undone))| Line {
            id: *id,
            armed: Some(Undo::Told(undo.in_words())),
            undone: undone.clone(),
            conductor: None,
        });
        let texts: Vec<String> = lines
            .filter_map(|line| serde_json::to_string(&line).ok())
            .map(|line| line + "\n")
            .collect();
        // Where it cannot be written again, the old one stays: readable by its owner only.
        let _ = write_private(&self.directory, FILE, texts.concat().as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::call::plain_command;
    use super::*;

    #[test]
    fn what_is_armed_is_found_again_and_undone_once() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("mark");
        let touch = |name: &str| {
            let path = mark.with_extension(name).display().to_string();
            Undo::Call(Box::new(plain_command(&[
                "sh",
                "-c",
                &format!("echo x >> {path}"),
            ])))
        };
        let mut undos = Undos::open(folder.path(), "run").unwrap();
        let first = undos.arm(touch("one")).unwrap();
        undos.arm(touch("two")).unwrap();
        let done = Outcome::Applied {
            detail: String::new(),
        };
        undos.undone(first.id, &done).unwrap();
        drop(undos); // killed
        let mut undos = Undos::open(folder.path(), "recover").unwrap();
        assert_eq!(undos.outstanding().len(), 1);
        undos.undo_all();
        undos.undo_all();
        assert!(!mark.with_extension("one").exists());
        let text = std::fs::read_to_string(mark.with_extension("two")).unwrap();
        assert_eq!(text, "x\n");
        let by: Vec<_> = undos.told().map(|(_, by, _)| by.to_owned()).collect();
        assert_eq!(by, ["run", "recover"]);
        // What is settled holds no command any more, only words.
        let text = std::fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert!(!text.contains("\"call\""), "{text}");
    }

    #[test]
    fn a_torn_line_is_left_out_and_a_failure_stays_outstanding() {
        let folder = tempfile::tempdir().unwrap();
        let mut undos = Undos::open(folder.path(), "run").unwrap();
        let armed = undos
            .arm(Undo::Call(Box::new(plain_command(&["false"]))))
            .unwrap();
        undos.undone(armed.id, &armed.undo.carry_out()).unwrap();
        // A full disk took half a line; what was written after it is whole.
        undos.file.write_all(b"{\"id\":9,\"arm").unwrap();
        undos.arm(Undo::WithTheRun("the rest".into())).unwrap();
        let path = folder.path().join(FILE);
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("{\"id\":2,\"arm");
        std::fs::write(&path, text).unwrap();
        let undos = Undos::open(folder.path(), "recover").unwrap();
        assert_eq!(undos.outstanding().len(), 2);
        assert_eq!(undos.torn(), 2);
    }
}
