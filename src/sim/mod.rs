//! The simulator: a plan carried out in virtual time.
//!
//! The same plan, the same policies of [`crate::model`] and the same books
//! (`clients/ledger.rs`) as a live run, with durations in place of threads
//! that block: a worker holds its job for as long as the distributions say, and
//! nothing takes processor time. So a simulated run is the live one on a machine
//! without limits; what it leaves out is in `docs/SIMULATOR.md`.
//!
//! - `calendar`: what is to come, by (time, sequence)
//! - `engine`: the loop; virtual time goes from one thing that is due to the next
//! - `wire`: what carries the requests of `clients` to the fleet
//! - `fleet`: balancer, instances, identity service, and what is done to them
//!
//! Everything is drawn from named streams of the plan's seed, so the same plan
//! gives the same record, byte for byte.

mod bounds;
mod calendar;
mod engine;
mod fleet;
mod identity;
mod instance;
mod wire;

pub use bounds::Bounds;
pub use engine::{Simulated, simulate};
