//! The gate: a command waits behind it until it is known to the guardian.
//!
//! A process that is started can only be written down afterwards; whoever dies
//! in between leaves it behind. So what is started first is the gate, which
//! holds nothing: it becomes the command when it is told to, and ends when
//! whoever could tell it is gone. The process stays the same one.

use std::ffi::OsString;
use std::io::{BufRead as _, stdin};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use crate::error::{Error, Result};

/// What opens the gate.
pub(crate) const OPEN: &[u8] = b"open\n";

/// The gate's own main: becomes the command of these words once standard input
/// says so.
///
/// # Errors
///
/// Where the command cannot be started, or nobody opens the gate.
pub(crate) fn gate(words: &[OsString]) -> Result<()> {
    let (program, arguments) = words
        .split_first()
        .ok_or_else(|| Error::usage("there is no command behind the gate"))?;
    let mut line = String::new();
    let read = stdin().lock().read_line(&mut line);
    if read.is_err() || line.as_bytes() != OPEN {
        return Err(Error::failed("the gate was not opened"));
    }
    let cause = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .exec();
    Err(Error::failed(format!(
        "failed to start {}: {cause}",
        program.to_string_lossy()
    )))
}
