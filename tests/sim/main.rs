//! The simulator against theory, the literature and itself.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../common/plan.rs"]
mod plan;

mod carried_out;
mod fleet;
mod literature;
mod properties;
mod theory;
