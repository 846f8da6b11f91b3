//! What is seen while a run goes on: observers of the record's events and samples.
//!
//! A view decides nothing and keeps nothing: it may miss a second or lose its
//! terminal, and the run goes on. What was measured is in the record, and the
//! answer at the end is made from there, not from here.

mod aside;
mod gauges;
mod progress;
mod screen;
mod simulation;

pub(crate) use aside::Aside;
pub(crate) use progress::progress;
#[cfg(feature = "testing")]
pub use progress::{Lines, Live};
pub(crate) use screen::{Screen, ScreenOf};
pub(crate) use simulation::{Simulation, Trials};
