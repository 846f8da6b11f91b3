//! What a file of undos says, line by line.
//!
//! A line that was written whole and one that a full disk has torn are told apart by what
//! follows: a whole one ends itself, and the next begins with an end of its own.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use serde::{Deserialize, Serialize};

use super::undo::Undo;
use crate::bounds::UNDOS;
use crate::model::{FailureCause, redact};
use crate::net::Failed;
use crate::process::{ProcessHandle, ProcessIdentity, proc};
use crate::record::Outcome;

/// A line of the file.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Line {
    pub id: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub armed: Option<Undo>,
    /// The process that carries it out from now on, and then the command that it calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<ProcessIdentity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone: Option<UndoResult>,
    /// Who carries out the run; in the first line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conductor: Option<ProcessIdentity>,
    /// Since when its machine runs, by the kernel's own name for that; beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
}

impl Line {
    /// Whether it says anything that is known here.
    const fn says_something(&self) -> bool {
        self.armed.is_some()
            || self.started.is_some()
            || self.undone.is_some()
            || self.conductor.is_some()
    }
}

/// That an undo was carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct UndoResult {
    pub by: String,
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Why a request had no usable answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<FailureCause>,
    /// The status that was not expected, where that is the cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

impl UndoResult {
    /// Why a request had no usable answer, where it had none.
    pub(super) fn failed(&self) -> Option<Failed> {
        let words = match &self.outcome {
            Outcome::Applied { detail } => detail,
            Outcome::Rejected { reason, .. } | Outcome::Failed { reason } => reason,
        };
        self.cause.map(|cause| Failed {
            cause: Some(cause),
            status: self.status,
            words: words.clone(),
        })
    }
}

/// What a file of undos says.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub known: BTreeMap<u64, (Undo, Option<UndoResult>)>,
    /// What carried each out last.
    started: BTreeMap<u64, ProcessIdentity>,
    pub conductor: Option<ProcessIdentity>,
    boot: Option<String>,
    /// Lines that break off: what they were to undo never began.
    pub torn: usize,
    /// Lines that were whole and are not any more: what they were to undo is not known.
    pub damaged: usize,
}

impl Content {
    /// One bad byte costs one line, whatever it is.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut content = Self::default();
        let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        for (place, line) in lines.iter().enumerate() {
            if line.is_empty() {
                continue;
            }
            // Its own end, and the next line's beginning or the file's end, are there.
            let written_whole = lines.get(place + 1).is_some_and(|next| next.is_empty());
            match serde_json::from_slice::<Line>(line) {
                Ok(line) if line.says_something() => content.add(line),
                Err(cause) if cause.is_eof() && !written_whole => content.torn += 1,
                _ => content.damaged += 1,
            }
        }
        content
    }

    fn add(&mut self, line: Line) {
        self.conductor = line.conductor.or(self.conductor);
        self.boot = line.boot.or(self.boot.take());
        if let Some(undo) = line.armed
            && self.known.insert(line.id, (undo, None)).is_some()
        {
            // No number is given twice: one of the two is another's.
            self.damaged += 1;
        }
        self.started
            .extend(line.started.map(|started| (line.id, started)));
        if let (Some(undone), Some((_, slot))) = (line.undone, self.known.get_mut(&line.id)) {
            *slot = Some(undone);
        }
    }

    /// Whether the machine has been started since, or is another: then none of the
    /// processes that are written down is here, whoever has their numbers now.
    pub(super) fn of_another_boot(&self) -> bool {
        let now = proc::boot();
        self.boot.is_some() && now.is_some() && self.boot != now
    }

    /// What carries out the undo of this number, where it is still there.
    pub(super) fn begun(&self, id: u64) -> Option<ProcessHandle> {
        let started = self.started.get(&id)?;
        started.hold().filter(|_| !self.of_another_boot())
    }
}

/// One write: a line is there whole, or torn at the end of the file. Its beginning ends
/// what a full disk may have left of the one before.
pub(super) fn write_line(mut to: impl io::Write, line: &Line) -> io::Result<()> {
    let text = serde_json::to_string(line)?;
    // Only what is armed needs its secrets.
    let text = match line.armed {
        Some(Undo::Told(_)) | None => redact::json(&text),
        Some(_) => Cow::Borrowed(text.as_str()),
    };
    to.write_all(format!("\n{text}\n").as_bytes())?;
    to.flush()
}

/// The whole file, wherever its reading stands.
pub(super) fn read_whole(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut part = [0; 8192];
    loop {
        match file.read_at(&mut part, bytes.len() as u64)? {
            0 => return Ok(bytes),
            _ if bytes.len() as u64 > UNDOS.bytes => {
                return Err(io::Error::other(UNDOS.too_long()));
            }
            read => bytes.extend_from_slice(&part[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn armed(id: u64, words: &str) -> Line {
        Line {
            id,
            armed: Some(Undo::WithTheRun(words.into())),
            ..Line::default()
        }
    }

    fn written(lines: &[Line]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for line in lines {
            write_line(&mut bytes, line).unwrap();
        }
        bytes
    }

    /// No byte that is lost or another makes an undo one that never began.
    #[test]
    fn whatever_byte_is_damaged_the_undo_is_known_or_said_to_be_lost() {
        let whole = written(&[armed(1, "größe"), armed(2, "länge")]);
        let first = whole
            .iter()
            .skip(1)
            .position(|byte| *byte == b'\n')
            .unwrap()
            + 1;
        for place in 1..=first {
            for byte in [
                &b""[..],
                b" ",
                b"\n",
                b"\"",
                b"}",
                b"2",
                b"x",
                b"\0",
                b"\xff",
            ] {
                let bytes = [&whole[..place], byte, &whole[place + 1..]].concat();
                let content = Content::read(&bytes);
                let shown = String::from_utf8_lossy(&bytes);
                assert!(
                    content.known.contains_key(&1) || content.damaged > 0,
                    "{shown}"
                );
                assert!(content.known.contains_key(&2), "{shown}");
            }
        }
    }

    /// What a full disk leaves never began, at the end of the file and before another line.
    #[test]
    fn a_line_that_breaks_off_is_torn_wherever_it_does() {
        let one = written(&[armed(1, "größe")]);
        let two = written(&[armed(2, "länge")]);
        // From its first byte on to the one before its last.
        for length in 2..one.len() - 1 {
            for bytes in [one[..length].to_vec(), [&one[..length], &two[..]].concat()] {
                let content = Content::read(&bytes);
                let found = (content.torn, content.damaged);
                assert_eq!(found, (1, 0), "{}", String::from_utf8_lossy(&bytes));
            }
        }
        let content = Content::read(&[one, two].concat());
        assert_eq!(
            (content.known.len(), content.torn, content.damaged),
            (2, 0, 0)
        );
    }
}
