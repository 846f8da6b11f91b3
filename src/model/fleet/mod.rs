//! The built-in fleet, with nothing running: its parameters, what a request goes
//! through, and what a responder does to it.
//!
//! The live fleet (processes, threads that block) and the simulated one (a calendar)
//! carry the same stages and the same decisions out. No queue, thread or wait is here.

mod denial;
mod handler;
mod peers;
mod responder;
mod restart;
mod role;
mod spec;

pub(crate) use denial::Denial;
pub(crate) use handler::{DatabaseFate, Handler, JobKind, Stage, Unverified, Verification};
pub use peers::PeersSpec;
pub(crate) use peers::{PEERS_MAX, PeerMap, PeerThreads};
pub(crate) use responder::{FleetOrder, NOT_RUNNING, Responder, applied_later, each};
pub(crate) use restart::RestartOrder;
pub use role::Role;
pub(crate) use spec::{Crew, instance_name};
pub use spec::{FleetSpec, IdentitySpec, PoolSpec, TelemetrySpec};
