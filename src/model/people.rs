//! The people of a game day: who they are, what they may do, and what they ask the run for.

use serde::{Deserialize, Serialize};

use super::Action;
use crate::named::named;

/// Characters of a name at most.
pub const NAME_MAX: usize = 60;
/// Characters of a note, an answer or a report from outside at most.
pub const TEXT_MAX: usize = 2_000;

named! {
    /// What a person is in a game day.
    pub enum GameRole {
        /// Sees everything, and leads the game: may do what is offered, injects included, hold
        /// the timeline and let it go on.
        Facilitator = "facilitator",
        /// May do what is offered, except injects.
        Responder = "responder",
        /// Looks, and writes notes.
        Observer = "observer",
    }
}

impl GameRole {
    /// Whether such a person may do what is offered.
    pub const fn may_act(self) -> bool {
        !matches!(self, Self::Observer)
    }

    /// Whether such a person leads the game.
    pub const fn leads(self) -> bool {
        matches!(self, Self::Facilitator)
    }
}

/// Somebody who takes part: a person, or a tool that speaks for one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Person {
    /// The name as it was given.
    pub name: String,
    /// What they are in the game.
    pub role: GameRole,
}

impl std::hash::Hash for GameRole {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.word().hash(state);
    }
}

named! {
    /// What people predict before the game.
    pub enum Question {
        /// Who or what sees the incident first.
        FirstSeen = "first_seen",
        /// How long service takes to recover.
        Recovery = "recovery",
        /// What holds the service down.
        HeldDown = "held_down",
    }
}

impl Question {
    /// The question, as people are asked it.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::FirstSeen => "Who or what sees it first?",
            Self::Recovery => "How long until service has recovered?",
            Self::HeldDown => "What will hold the service down?",
        }
    }
}

named! {
    /// What a report from outside says of a fault.
    pub enum Reported {
        /// It acts from now on.
        Began = "began",
        /// It acts no longer.
        Ended = "ended",
        /// Neither: something was done, and is only told.
        Other = "other",
    }
}

/// Something that people may do: one button.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// Its number, the same for the whole run.
    pub id: u32,
    /// What it does.
    pub action: Action,
    /// The name of the phase that begins with it.
    pub phase: String,
    /// The entry of the timeline that it is.
    pub entry: usize,
    /// What the facilitator tells the room when it is done, of an inject: one that only
    /// facilitators see before it acts.
    pub inject: Option<String>,
    /// Whether it makes things worse before it makes them better, and so is asked for once more.
    pub dangerous: bool,
    /// What it does, as a sentence.
    pub does: String,
    /// What takes it back, as a sentence; none where nothing has to.
    pub undone_by: Option<String>,
}

/// What somebody asks the run for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GameOrder {
    /// To be known by name from now on.
    Join,
    /// To do what is offered.
    Act {
        /// The offer's number.
        offer: u32,
    },
    /// That the timeline waits. The load goes on.
    Hold,
    /// That the timeline goes on.
    GoOn,
    /// To stop the load, undo everything, and end the run.
    Stop,
    /// To write something down.
    Note {
        /// What.
        text: String,
    },
    /// To write down what they expect.
    Predict {
        /// Of what.
        question: Question,
        /// What.
        answer: String,
    },
    /// To write down what was done outside of the run.
    Happened {
        /// What it was; the same text tells that it has ended.
        what: String,
        /// Whether it began, or has ended.
        kind: Reported,
    },
}

/// An order with its author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered {
    /// Who.
    pub by: Person,
    /// What.
    pub order: GameOrder,
}
