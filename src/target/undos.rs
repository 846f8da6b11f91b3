//! The undos of a run, in its directory: `undo.jsonl`.
//!
//! There is a line for each that is armed and a line for each that was carried out,
//! readable by their owner only: a hook's undo may hold a secret. Once nothing is left to
//! undo, the file is written again without them.
//!
//! What of it is under way is known as well: by the lock of the file, whose holder writes
//! down the result. Where that one is killed, its command goes on without the lock,
//! and is known by the process that was written down before it began.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::carrier::Carrier;
use super::content::{Content, Line, UndoResult, read_whole, write_line};
use super::undo::{Armed, Undo, done};
use crate::error::{Error, Result};
use crate::process::{ProcessIdentity, proc};
use crate::record::{Outcome, open_to_append};

/// The file of undos in a run directory.
const FILE: &str = "undo.jsonl";

/// Reads a file of undos, and tells what they would do.
#[cfg(feature = "testing")]
pub(crate) fn read_undos(bytes: &[u8]) {
    for (undo, _) in Content::read(bytes).known.values() {
        let _ = undo.in_words();
    }
}

/// The undos of a run directory.
///
/// Who opens them needs the directory no more: where it is moved or removed meanwhile,
/// they are still at hand. Who carries them out holds the lock of the file, from the
/// conductor's beginning on, and so does every process that carries one out for another.
/// So the next waits until none is under way, and then knows the result of each.
#[derive(Debug)]
pub(crate) struct Undos {
    /// Where they were, for those who read of them.
    path: PathBuf,
    /// Who writes here: `run`, `guardian` or `recover`.
    by: &'static str,
    /// This program's own file, which carries out what must not be begun twice; none: this
    /// process does so itself.
    binary: Option<PathBuf>,
    file: File,
    content: Content,
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
        let failed =
            |cause: io::Error| Error::failed(format!("failed to open {}: {cause}", path.display()));
        let file = open_to_append(&path).map_err(failed)?;
        let content = Content::read(&read_whole(&file).map_err(failed)?);
        Ok(Self {
            path,
            by,
            binary: None,
            file,
            content,
        })
    }

    /// The same, whose calls are each carried out by a process of its own, which outlives
    /// the one that asked for it.
    pub(crate) fn with_program(self, binary: Option<PathBuf>) -> Self {
        Self { binary, ..self }
    }

    /// Lines that break off.
    pub(crate) const fn torn(&self) -> usize {
        self.content.torn
    }

    /// Lines that are damaged otherwise.
    pub(crate) const fn damaged(&self) -> usize {
        self.content.damaged
    }

    /// Writes down that this process carries out the run, and locks them for as long as
    /// it does.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub(crate) fn begin(&mut self) -> Result<()> {
        // Where the kernel cannot lock here, the run is not worse off than without.
        let _ = self.lock();
        self.content.conductor = ProcessIdentity::of(std::process::id());
        self.write(&Line {
            conductor: self.content.conductor,
            boot: proc::boot(),
            ..Line::default()
        })
    }

    /// The process that carries out the run, where it is still there.
    pub(crate) fn under_way(&self) -> Option<u32> {
        let conductor = self.content.conductor?;
        let there = !self.content.of_another_boot() && conductor.hold().is_some();
        there.then_some(conductor.pid)
    }

    /// Whether a command that undoes something goes on though its carrier was killed.
    pub(crate) fn abandoned(&self) -> bool {
        let mut outstanding = self.outstanding().into_iter();
        outstanding.any(|armed| self.content.begun(armed.id).is_some())
    }

    /// Waits until nobody else undoes anything, and locks. Where the kernel refuses, it is
    /// undone all the same: twice is rarely harmful, never always is.
    pub(crate) fn wait_for_lock(&self) {
        let _ = flock(&self.file, FlockOperation::LockExclusive);
    }

    /// Keeps others from undoing the same, until this is dropped; false where
    /// somebody does so now.
    pub(crate) fn lock(&self) -> bool {
        flock(&self.file, FlockOperation::NonBlockingLockExclusive).is_ok()
    }

    /// Reads them again: what was undone before they were locked is known too.
    ///
    /// # Errors
    ///
    /// Where they cannot be read.
    pub(crate) fn read_again(&mut self) -> Result<()> {
        let bytes = read_whole(&self.file).map_err(|cause| {
            Error::failed(format!("failed to read {}: {cause}", self.path.display()))
        })?;
        self.content = Content::read(&bytes);
        Ok(())
    }

    /// Whether a run directory has any.
    pub(crate) fn exist(directory: &Path) -> bool {
        directory.join(FILE).exists()
    }

    /// Writes down an undo: its number.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub(crate) fn arm(&mut self, undo: Undo) -> Result<Armed> {
        let known = &self.content.known;
        let id = known.keys().next_back().map_or(1, |last| last + 1);
        self.write(&Line {
            id,
            armed: Some(undo.clone()),
            ..Line::default()
        })?;
        self.content.known.insert(id, (undo.clone(), None));
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
            cause: None,
            status: None,
        };
        if let Some((_, slot)) = self.content.known.get_mut(&id) {
            *slot = Some(undone.clone());
        }
        self.write(&Line {
            id,
            undone: Some(undone),
            ..Line::default()
        })
    }

    fn write(&mut self, line: &Line) -> Result<()> {
        write_line(&self.file, line).map_err(|cause| {
            Error::failed(format!(
                "failed to write {}: {cause}; nothing is done that could not be undone",
                self.path.display()
            ))
        })
    }

    /// What has yet to be undone, the last armed first.
    pub(crate) fn outstanding(&self) -> Vec<Armed> {
        let open = self.content.known.iter().rev().filter(|(_, (_, undone))| {
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
        self.content.known.values().filter_map(|(undo, undone)| {
            let undone = undone.as_ref()?;
            Some((undo.in_words(), undone.by.as_str(), &undone.outcome))
        })
    }

    /// How one is carried out, apart from these: it may take its time.
    ///
    /// # Errors
    ///
    /// Where no descriptor is left for it.
    pub(crate) fn carrier(&self) -> io::Result<Carrier> {
        Ok(Carrier::new(
            self.by,
            self.binary.clone(),
            self.file.try_clone()?,
        ))
    }

    /// Carries one out: the result, and whether that could be written down.
    pub(crate) fn carry_out(&mut self, armed: &Armed) -> (Outcome, Result<()>) {
        let outcome = if armed.undo.is_of_processes() && self.content.of_another_boot() {
            done(None, || {
                "its processes are gone: the machine was started again since".into()
            })
        } else {
            match self.carrier() {
                Ok(carrier) => carrier.carry_out(armed, &|_| {}),
                // Without it, it is undone all the same.
                Err(_) => armed.undo.carry_out(),
            }
        };
        let written = self.undone(armed.id, &outcome);
        (outcome, written)
    }

    /// Carries out all that is outstanding, the last armed first.
    pub(crate) fn undo_all(&mut self) {
        for armed in self.outstanding() {
            // Where the disk is full, it has still been undone.
            let _ = self.carry_out(&armed);
        }
        self.close();
    }

    /// Writes the file again without secrets, where nothing is left to undo. One that
    /// cannot be read as a whole stays as it is: it may say more to whoever looks at it.
    pub(crate) fn close(&mut self) {
        let unread = self.content.torn + self.content.damaged;
        if !self.outstanding().is_empty() || unread > 0 {
            return;
        }
        // Where it cannot be written again, the old one stays: readable by its owner only.
        if self.file.set_len(0).is_err() {
            return;
        }
        for (id, (undo, undone)) in &self.content.known {
            let line = Line {
                id: *id,
                armed: Some(Undo::Told(undo.in_words())),
                undone: undone.clone(),
                ..Line::default()
            };
            let _ = write_line(&self.file, &line);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};

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
        assert_eq!((undos.torn(), undos.damaged()), (2, 0));
    }

    #[test]
    fn a_file_that_cannot_be_read_as_a_whole_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let mut undos = Undos::open(folder.path(), "run").unwrap();
        let done = Outcome::Applied {
            detail: String::new(),
        };
        for name in ["one", "two"] {
            let armed = undos.arm(Undo::WithTheRun(name.into())).unwrap();
            undos.undone(armed.id, &done).unwrap();
        }
        let whole = std::fs::read(&path).unwrap();
        let end = whole.windows(2).position(|it| it == b"}\n").unwrap();
        // The end of an applied fault's line, lost or another; and a line that breaks off.
        for bytes in [
            [&whole[..end], &whole[end + 1..]].concat(),
            [&whole[..end], b" ", &whole[end + 1..]].concat(),
            [&whole[..], b"\n{\"id\":9,\"arm"].concat(),
        ] {
            std::fs::write(&path, &bytes).unwrap();
            Undos::open(folder.path(), "recover").unwrap().undo_all();
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
        }
        std::fs::write(&path, &whole).unwrap();
        Undos::open(folder.path(), "recover").unwrap().undo_all();
        assert_ne!(std::fs::read(&path).unwrap(), whole);
    }

    #[test]
    fn a_command_that_outlives_its_carrier_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let say = |word: &str| format!("echo {word} >> {}", log.display());
        let mut undos = Undos::open(folder.path(), "recover").unwrap();
        let again = plain_command(&["sh", "-c", &say("again")]);
        let armed = undos.arm(Undo::Call(Box::new(again))).unwrap();
        // It goes on until its input ends.
        let script = format!("read word; {}", say("first"));
        let mut command = Command::new("sh")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        undos
            .write(&Line {
                id: armed.id,
                started: ProcessIdentity::of(command.id()),
                ..Line::default()
            })
            .unwrap();
        undos.read_again().unwrap();
        assert!(undos.abandoned());
        let undoing = std::thread::spawn(move || {
            undos.undo_all();
            undos
        });
        drop(command.stdin.take());
        let undos = undoing.join().unwrap();
        command.wait().unwrap();
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "first\nagain\n");
        assert!(!undos.abandoned() && undos.outstanding().is_empty());
    }

    #[test]
    fn what_carried_an_undo_out_has_begun_whatever_is_known_of_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let (program, mark) = (folder.path().join("program"), folder.path().join("mark"));
        // Too long to be read: what it wrote is not known.
        let script = format!(
            "#!/bin/sh\ncat > /dev/null\nhead -c {} /dev/zero\nexit 1\n",
            65 << 20
        );
        // Written by another: no process that is forked meanwhile has it open for writing.
        let made = "printf '%s' \"$1\" > \"$0\"; chmod 700 \"$0\"";
        let mut shell = Command::new("sh");
        let shell = shell.args(["-c", made]).arg(&program).arg(script);
        assert!(shell.status().unwrap().success());
        let undos = Undos::open(folder.path(), "run").unwrap();
        let mut undos = undos.with_program(Some(program));
        let touch = plain_command(&["touch", mark.to_str().unwrap()]);
        let armed = undos.arm(Undo::Call(Box::new(touch))).unwrap();
        let (outcome, _) = undos.carry_out(&armed);
        let reason = "its result is not known".into();
        assert_eq!(outcome, Outcome::Failed { reason });
        assert!(!mark.exists(), "it was carried out here too");
    }

    #[test]
    fn after_another_start_of_the_machine_no_process_is_touched() {
        let mut child = Command::new("sleep")
            .arg("60")
            .process_group(0)
            .spawn()
            .unwrap();
        let process = ProcessIdentity::of(child.id()).unwrap();
        for (boot, here) in [(Some("another".to_owned()), false), (proc::boot(), true)] {
            let folder = tempfile::tempdir().unwrap();
            let mut undos = Undos::open(folder.path(), "recover").unwrap();
            undos
                .write(&Line {
                    conductor: Some(process),
                    boot,
                    ..Line::default()
                })
                .unwrap();
            undos.arm(Undo::EndGroup(process)).unwrap();
            undos.read_again().unwrap();
            assert_eq!(undos.under_way().is_some(), here);
            undos.undo_all();
            assert!(undos.outstanding().is_empty());
            assert_eq!(process.hold().is_none(), here);
        }
        child.wait().unwrap();
    }

    #[test]
    fn one_bad_byte_costs_one_line_and_no_undo_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut undos = Undos::open(folder.path(), "run").unwrap();
        for name in ["größe", "länge", "weite"] {
            undos.arm(Undo::WithTheRun(name.into())).unwrap();
        }
        let path = folder.path().join(FILE);
        let whole = std::fs::read(&path).unwrap();
        let at = whole
            .windows(2)
            .position(|it| it == "ö".as_bytes())
            .unwrap();
        // Any byte of the first line, and a file that breaks off within a character.
        for (bytes, left, torn, damaged) in [
            ([&whole[..=at], &[0xff], &whole[at + 2..]].concat(), 2, 0, 1),
            ([&whole[..=at], &[0], &whole[at + 2..]].concat(), 2, 0, 1),
            (whole[..=at].to_vec(), 0, 1, 0),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let undos = Undos::open(folder.path(), "recover").unwrap();
            let found = (undos.outstanding().len(), undos.torn(), undos.damaged());
            assert_eq!(found, (left, torn, damaged));
        }
    }

    #[test]
    fn undos_are_at_hand_where_their_directory_was_moved_or_removed() {
        for moved in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let mark = folder.path().join("mark");
            let directory = folder.path().join("run");
            std::fs::create_dir(&directory).unwrap();
            let mut undos = Undos::open(&directory, "run").unwrap();
            let mut guardian = Undos::open(&directory, "the guardian").unwrap();
            let touch = plain_command(&["touch", mark.to_str().unwrap()]);
            // Its log cannot be opened either.
            let touch = touch.with_log(&directory.join("hooks.log"));
            undos.arm(Undo::Call(Box::new(touch))).unwrap();
            if moved {
                std::fs::rename(&directory, folder.path().join("elsewhere")).unwrap();
            } else {
                std::fs::remove_dir_all(&directory).unwrap();
            }
            guardian.read_again().unwrap();
            guardian.undo_all();
            assert!(mark.exists(), "moved: {moved}");
            assert!(guardian.outstanding().is_empty());
        }
    }
}
