//! The conductor's side of the fleet: starts, steers, reads and ends its parts.

mod alone;
mod autoscaler;
mod fleet;
mod gauges;
mod launch;
mod operations;
mod part;
mod pauses;
mod restart;
mod supervisor;

pub use alone::{StandaloneFleet, serve_alone};
pub use fleet::Fleet;
#[cfg(feature = "testing")]
pub use fleet::Process;
pub use launch::Launch;
