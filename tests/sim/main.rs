//! The simulator against theory, the literature and itself.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../common/documented.rs"]
mod documented;
#[path = "../common/plan.rs"]
mod plan;
#[path = "../common/simulated.rs"]
mod simulated;

mod carried_out;
mod fleet;
mod literature;
mod parity;
mod properties;
mod theory;
