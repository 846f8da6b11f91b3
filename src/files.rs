//! The one way in which a file is read whole: up to a bound.
//!
//! What a path names may be anything: a device that never ends, a pipe that nobody writes
//! to, a file that grows. So nothing is asked of the path. It is opened without waiting,
//! what was opened is looked at, and what it gives is cut where its bound is. A pipe is
//! read where the user names a file (a shell hands one over for `<(…)`), for as long as a
//! bound of time allows; a device, a socket or a folder is refused. Where threadbare reads
//! what it has written itself, only a regular file will do.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, BufRead, Read};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

use crate::bounds::{Bound, PIPE_TIME_MAX};
use crate::clock::Clock;

/// Reads what the user named: a regular file, or a pipe.
///
/// # Errors
///
/// Where it cannot be read, is neither, is larger than its bound, or does not end in time;
/// in a clause that follows "failed to read it: ".
pub(crate) fn read(path: &Path, bound: &Bound) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let found = file.metadata()?;
    if found.file_type().is_fifo() {
        return cut(Pipe::new(&file), bound);
    }
    check_regular(&found)?;
    cut(file, bound)
}

/// Reads a text that the user named.
///
/// # Errors
///
/// As [`read`], and where it is not UTF-8, with the place.
pub(crate) fn read_text(path: &Path, bound: &Bound) -> io::Result<String> {
    text(read(path, bound)?).map_err(io::Error::other)
}

/// Opens what threadbare has written: a regular file, whoever owns it.
///
/// # Errors
///
/// Where it cannot be read, or is no regular file: a pipe or a device has no end.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let file = open(path)?;
    check_regular(&file.metadata()?)?;
    Ok(file)
}

/// Reads what threadbare has written, whole.
///
/// # Errors
///
/// As [`open_regular`], and where it is larger than its bound.
pub(crate) fn read_regular(path: &Path, bound: &Bound) -> io::Result<Vec<u8>> {
    cut(open_regular(path)?, bound)
}

/// What a reader gives, to its end.
///
/// # Errors
///
/// Where it cannot be read, or gives more than the bound.
fn cut(reader: impl Read, bound: &Bound) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader
        .take(bound.bytes.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bound.bytes {
        return Err(io::Error::other(bound.too_long()));
    }
    Ok(bytes)
}

/// Reads one line, without its end, into `line`, which is emptied first. Of a line that
/// is longer than the bound the rest is skipped, and one byte more than the bound is
/// kept of it.
///
/// Gives false where there is no further line that ends in a newline.
///
/// # Errors
///
/// Where it cannot be read.
pub(crate) fn read_line(
    reader: &mut impl BufRead,
    line: &mut Vec<u8>,
    bound: &Bound,
) -> io::Result<bool> {
    line.clear();
    loop {
        let there = reader.fill_buf()?;
        if there.is_empty() {
            return Ok(false);
        }
        let end = there.iter().position(|byte| *byte == b'\n');
        let room = bound.length_max() + 1 - line.len();
        let part = &there[..end.unwrap_or(there.len())];
        line.extend_from_slice(&part[..part.len().min(room)]);
        let taken = end.map_or(there.len(), |end| end + 1);
        reader.consume(taken);
        if end.is_some() {
            return Ok(true);
        }
    }
}

/// Bytes as text.
///
/// # Errors
///
/// Where they are not UTF-8: the line and column of the first byte that is not, from 1.
fn text(bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|error| {
        let (valid, wrong) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
        let line = valid.split(|byte| *byte == b'\n').count();
        let begin = valid
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let column = 1 + String::from_utf8_lossy(&valid[begin..]).chars().count();
        let byte = wrong.first().copied().unwrap_or_default();
        format!(
            "it is not UTF-8 text: line {line}, column {column} holds the byte 0x{byte:02x}; \
             save it as UTF-8"
        )
    })
}

/// Whether what was opened is a regular file.
///
/// # Errors
///
/// Where it is something else: what it is.
pub(crate) fn check_regular(found: &Metadata) -> io::Result<()> {
    let kind = found.file_type();
    let what = if kind.is_file() {
        return Ok(());
    } else if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(io::Error::other(format!(
        "it is no regular file but {what}; name a file"
    )))
}

fn open(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// A pipe that has to end in time.
struct Pipe<'a> {
    file: &'a File,
    clock: Clock,
}

impl<'a> Pipe<'a> {
    fn new(file: &'a File) -> Self {
        let clock = Clock::start();
        Self { file, clock }
    }

    /// Waits until it gives something.
    fn wait(&self) -> io::Result<()> {
        let left = PIPE_TIME_MAX.saturating_sub(self.clock.now().to_duration());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut fds = [PollFd::new(self.file, PollFlags::IN)];
        match poll(&mut fds, Some(&left)) {
            Ok(0) => Err(io::Error::other(format!(
                "it is a pipe that did not end within {} s; name a file",
                PIPE_TIME_MAX.as_secs()
            ))),
            Ok(_) => Ok(()),
            Err(cause) if cause == rustix::io::Errno::INTR => Ok(()),
            Err(cause) => Err(cause.into()),
        }
    }
}

impl Read for Pipe<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            // First, since a pipe that nobody has opened yet reads as ended.
            self.wait()?;
            match self.file.read(into) {
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }
}
