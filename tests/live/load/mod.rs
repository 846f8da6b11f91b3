//! The generator against targets whose behaviour is known.

mod clients;
mod command;
mod conformance;
mod control;
mod descriptors;
mod drive;
mod early;
mod gate;
mod held;
mod hostile;
mod limits;
mod operations;
mod oracle;
mod owners;
mod pacing;
pub(crate) mod published;
mod queueing;
mod series;
pub(crate) mod station;
mod steps;
mod studies;
mod transport;
mod truth;
mod turns;
