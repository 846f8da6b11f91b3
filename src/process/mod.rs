//! Processes of this machine: what the kernel says of them, how one is held, and
//! the gate behind which a command waits.
//!
//! What it deliberately does not do: signal by number. A process is signalled by
//! its pidfd, and only while it is the one that was held, by its start time.

mod gate;
mod handle;
pub(crate) mod proc;

pub use gate::{OPEN, gate};
pub use handle::{ProcessHandle, ProcessIdentity};
