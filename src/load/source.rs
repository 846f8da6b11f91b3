//! Who sends a load: threads of this process, or generators elsewhere.
//!
//! The conductor of a run and `threadbare load` know this much of either. What is told
//! comes in the same words whoever tells it, so nothing behind them differs.

use super::generator::{Command, Generator, Setup, Update};
use crate::error::Result;
use crate::units::Nanos;

/// Hears what is told, on a thread of who sends the load.
pub type Tell = Box<dyn FnMut(Update) + Send>;

/// A load under way.
pub trait Sending: Send {
    /// Tells who sends it something; without effect once it has finished.
    fn command(&self, command: Command);

    /// Waits until it has finished.
    ///
    /// # Errors
    ///
    /// Where a thread died, which is a bug.
    fn join(self: Box<Self>) -> Result<()>;
}

/// Who can send a load, once.
pub trait LoadSource {
    /// Makes ready for it; the clocks of the setups do not count yet.
    ///
    /// # Errors
    ///
    /// Where the load cannot be planned, or not be sent from where it is to be.
    fn prepare(&mut self, targets: &[(Setup, u32)]) -> Result<()>;

    /// How far ahead the load's zero must lie when it is started.
    fn lead(&self) -> Nanos;

    /// How long after the drain its end may be told.
    fn patience(&self) -> Nanos {
        Nanos::ZERO
    }

    /// Starts it: it begins at the zero of the setups' clocks.
    ///
    /// # Errors
    ///
    /// As [`Generator::across`].
    fn start(&mut self, targets: &[(Setup, u32)], updates: Tell) -> Result<Box<dyn Sending>>;
}

/// Threads of this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct OwnThreads;

impl LoadSource for OwnThreads {
    fn prepare(&mut self, _targets: &[(Setup, u32)]) -> Result<()> {
        Ok(())
    }

    fn lead(&self) -> Nanos {
        Nanos::ZERO
    }

    fn start(&mut self, targets: &[(Setup, u32)], updates: Tell) -> Result<Box<dyn Sending>> {
        Ok(Box::new(Generator::across(targets, updates)?))
    }
}

impl Sending for Generator {
    fn command(&self, command: Command) {
        Self::command(self, command);
    }

    fn join(self: Box<Self>) -> Result<()> {
        Self::join(*self)
    }
}
