//! The generator against targets whose behaviour is known.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../common/mod.rs"]
mod common;

mod clients;
mod control;
mod drive;
mod hostile;
mod limits;
mod oracle;
mod pacing;
mod queueing;
mod station;
mod truth;
