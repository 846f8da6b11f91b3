//! What the conductor is sent: by the generator, the sampler, the actor, the system
//! under test and the signals, each on a thread of its own.
//!
//! One type, so that there is one inbox and one order. What a message leads to is
//! the conductor's business alone.

use crate::load::Update;
use crate::model::Ordered;
use crate::record::{Event, Outcome, Sample};
use crate::units::Nanos;

/// What the conductor is told.
#[derive(Debug)]
pub(super) enum Message {
    /// By the generator.
    Load(Update),
    /// By the sampler: one source's counters.
    Sample(Sample),
    /// By the sampler: every source of this interval has been read.
    Sampled {
        /// The interval's start.
        from: Nanos,
        /// The interval's end.
        to: Nanos,
    },
    /// By anyone: something happened.
    Event(Event),
    /// By the sampler: a process of the fleet ended on its own.
    Died(Event),
    /// By the actor: a timeline entry has been carried out.
    ActionEnded { entry: usize, outcome: Outcome },
    /// By somebody in the room: what they ask for.
    Ordered(Ordered),
    /// By the system: a signal asks for an end.
    Interrupted,
}
