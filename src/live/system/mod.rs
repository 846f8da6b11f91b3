//! What a run has to do with: the built-in fleet, or the user's target.
//!
//! The conductor knows this much of either, and no more; so there is one way
//! through a run whatever is being broken.

mod fleet;
mod target;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use super::guardian::Guardian;
use super::message::Message;
use super::signals::Interrupt;
use crate::clock::Clock;
use crate::error::Result;
use crate::load::{Address, Endpoint, Work};
use crate::model::Action;
use crate::plan::Plan;
use crate::record::{Event, FailureBook, Outcome, Sample};
use crate::target::Addresses;
use crate::units::Nanos;

/// Where a part of the load goes.
pub(super) struct Destination {
    pub endpoint: Endpoint,
    /// Where the program itself is served, whatever stands in front of it.
    pub site: Address,
    pub work: Work,
    /// Its share of the load is weight / sum of weights.
    pub weight: u32,
}

/// A process that ended without having been told to.
pub(super) struct Death {
    pub event: Event,
    /// Whether the run ends with it: it does where the process is a part of
    /// threadbare itself, and the incident would not be the one described.
    pub ends_the_run: bool,
}

/// What a run has to do with.
pub(super) trait SystemUnderTest: Send + Sync {
    /// Where the load goes.
    fn destinations(&self) -> Result<Vec<Destination>>;
    /// The processes that serve now.
    fn serving(&self) -> Vec<Event>;
    /// What was counted since the last sample; what could not be read comes as
    /// [`Event::ScrapeFailed`].
    fn sample(&self, from: Nanos, to: Nanos) -> Vec<std::result::Result<Sample, Event>>;
    /// Processes that have ended without having been told to; each once.
    fn dead(&self) -> Vec<Death>;
    /// Carries out an action; `tell` hears what happens meanwhile.
    fn act(&self, now: Nanos, action: Action, tell: &dyn Fn(Event)) -> Outcome;
    /// Whether the action takes its time, and others go on beside it.
    fn takes_time(&self, action: &Action) -> bool;
    /// Undoes everything that still acts, and finds out whether that helped; `tell`
    /// hears of each as it is done.
    fn undo(&self, tell: &mut dyn FnMut(Event));
    /// Ends what the run has started; an error where something of what was done could not
    /// be undone.
    fn stop(&self) -> (Vec<Event>, Result<()>);
}

/// What a system is made from.
pub(super) struct Start<'a> {
    pub plan: &'a Plan,
    /// The run directory.
    pub directory: &'a Path,
    pub binary: &'a Path,
    /// The addresses that may be sent to.
    pub addresses: &'a Addresses,
    pub guardian: &'a Arc<Guardian>,
    pub interrupt: &'a Interrupt,
    pub clock: Clock,
    pub messages: &'a Sender<Message>,
    /// Where requests that fail are noted, other than the load's.
    pub failures: &'a Arc<FailureBook>,
}

/// Starts, holds or finds what the plan names; returns once it serves.
///
/// # Errors
///
/// Where it cannot be had; nothing is left running.
pub(super) fn begin(start: &Start<'_>) -> Result<Arc<dyn SystemUnderTest>> {
    match &start.plan.target {
        Some(spec) => target::begin(start, spec),
        None => fleet::begin(start),
    }
}
