//! The built-in fleet: real processes, threads, sockets and a real database.
//!
//! A balancer in front of instances, each instance a process whose workers are
//! operating-system threads that block, and an identity service that
//! authorization calls. What a configuration does to them emerges: nothing here
//! knows of incidents, phases or outcomes.
//!
//! ```text
//! client ─► balancer ─► instance-1 … n ─► identity
//!                         │ listener → queue → workers
//!                         └─ SQLite, shared by all instances
//! ```
//!
//! All parts are the same binary, started with a hidden subcommand that calls
//! [`serve_part`]; [`Fleet`] starts, steers, reads and ends them, and
//! [`serve_alone`] serves a fleet without any load. Every part has a control
//! listener of its own, which its workers cannot starve.

mod control;
mod database;
mod handle;
mod message;
mod open;
mod parts;
mod wire;

#[cfg(feature = "testing")]
pub use handle::Process;
pub use handle::{Fleet, Launch, StandaloneFleet, serve_alone};
pub(crate) use parts::serve_part;
#[cfg(feature = "testing")]
pub(crate) use wire::read_control;

use crate::sync::lock;
