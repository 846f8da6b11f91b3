//! The live backend: launches or finds the target, starts the load, carries out the
//! timeline, writes the record, and leaves nothing behind.
//!
//! It decides nothing about outcomes: it does what the plan says at the time
//! the plan says, and writes down what everybody measured. The guardian is
//! a process of its own that ends the fleet when the conductor dies, however it
//! dies.

mod admitted;
mod conductor;
mod faults;
mod gauges;
mod guardian;
mod message;
mod offer;
mod preflight;
mod recover;
mod restart;
mod sampler;
mod serve;
mod signals;
mod system;
mod watch;

pub(crate) use conductor::conduct;
pub(crate) use guardian::guard;
#[cfg(feature = "testing")]
pub use offer::offer;
pub(crate) use offer::offer_from;
pub(crate) use preflight::{connections_max, preflight, refuse, room, too_busy};
pub(crate) use recover::left;
pub(crate) use restart::restart;
pub(crate) use serve::serve;
pub(crate) use signals::Interrupt;
