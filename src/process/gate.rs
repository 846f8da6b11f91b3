//! The gate: a command waits behind it until it is known to the guardian.
//!
//! A process that is started can only be written down afterwards; whoever dies
//! in between leaves it behind. So what is started first is the gate, which
//! holds nothing: it becomes the command when it is told to, and ends when
//! whoever could tell it is gone. The process stays the same one.
//!
//! A command that serves is given a mark on its way: a variable of its environment,
//! which all that it starts inherit, so that they are found again wherever they went.

use std::ffi::OsString;
use std::io::{BufRead as _, stdin};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use super::ProcessIdentity;
use crate::error::{Error, Result};

/// The variable that is the mark.
const MARK: &str = "THREADBARE_COMMAND";

/// The mark of all that a command has started, as the environment holds it.
pub(crate) fn mark(command: ProcessIdentity) -> String {
    format!("{MARK}={}", value(command))
}

fn value(command: ProcessIdentity) -> String {
    format!("{}.{}", command.pid, command.started)
}

/// What opens the gate.
pub(crate) const OPEN: &[u8] = b"open\n";

/// The gate's own main: becomes the command of these words once standard input
/// says so; marked, where it serves.
///
/// # Errors
///
/// Where the command cannot be started, or nobody opens the gate.
pub(crate) fn gate(words: &[OsString], marked: bool) -> Result<()> {
    let (program, arguments) = words
        .split_first()
        .ok_or_else(|| Error::usage("there is no command behind the gate"))?;
    let mut line = String::new();
    let read = stdin().lock().read_line(&mut line);
    if read.is_err() || line.as_bytes() != OPEN {
        return Err(Error::failed("the gate was not opened"));
    }
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    if let Some(own) = ProcessIdentity::of(std::process::id()).filter(|_| marked) {
        command.env(MARK, value(own));
    }
    let cause = command.exec();
    Err(Error::failed(format!(
        "failed to start {}: {cause}",
        program.to_string_lossy()
    )))
}
