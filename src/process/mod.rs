//! Processes of this machine: what the kernel says of them, how one is held,
//! the gate behind which a command waits, and what was said last in a log.
//!
//! What it deliberately does not do: signal by number. A process is signalled by
//! its pidfd, and only while it is the one that was held, by its start time.

mod children;
mod gate;
mod handle;
mod last_words;
mod own;
pub(crate) mod proc;
mod terminal;

pub(crate) use children::keep_children;
pub(crate) use gate::mark;
pub(crate) use gate::{OPEN, gate};
pub(crate) use handle::{ProcessHandle, ProcessIdentity};
pub(crate) use last_words::last_words;
pub(crate) use own::own_program;
pub(crate) use terminal::{TakenTerminal, give_terminal_back, take_terminal};
