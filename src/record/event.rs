//! The one event vocabulary: what the journal holds and every view is told.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::InstanceCounters;
use crate::error::EXIT_FAILED;
use crate::model::{FailureCause, Outcome, Person, Question, ScalingDecision, SourceName, redact};
use crate::plan::{Action, Entry, Responders, Response, Trigger};
use crate::units::Nanos;

/// Why the gauges of a paused instance could not be read, in either backend.
pub const PAUSED: &str = "it is paused";

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A process of the target runs and serves.
    Serving {
        /// Its name: `instance-1`, `balancer`, `identity`.
        source: SourceName,
        /// Its process id.
        pid: u32,
    },
    /// A process of the user's target ended as it was told to.
    Ended {
        /// Its name.
        source: SourceName,
        /// How, in words.
        status: String,
    },
    /// An instance was stopped on purpose; its counters are final and exact.
    Stopped {
        /// Its name.
        source: SourceName,
        /// Its counters since it began to serve.
        counters: InstanceCounters,
    },
    /// A process of the target ended without having been told to.
    Died {
        /// Its name.
        source: SourceName,
        /// Its exit status, in words.
        status: String,
    },
    /// The load begins: the run's zero.
    LoadStarted,
    /// A timeline entry is about to be carried out; written before it acts.
    ActionStarted {
        /// Its place in the plan's timeline.
        entry: usize,
        /// What is done.
        action: Action,
    },
    /// A timeline entry has been carried out, or not.
    ActionEnded {
        /// Its place in the plan's timeline.
        entry: usize,
        /// The result.
        outcome: Outcome,
    },
    /// Somebody takes part in the game day.
    Joined {
        /// Who.
        by: Person,
    },
    /// Somebody decided that something be done; written before it is.
    Ordered {
        /// Who.
        by: Person,
        /// The place of what is done: of the plan's timeline, or after it.
        entry: usize,
        /// What is done.
        action: Action,
        /// The name of the phase that begins with it.
        phase: String,
    },
    /// Somebody asked for what was not done.
    Declined {
        /// Who.
        by: Person,
        /// For what.
        what: String,
        /// The offer, where it was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        offer: Option<u32>,
        /// Why not.
        reason: String,
    },
    /// Somebody holds the timeline; the load goes on.
    Held {
        /// Who.
        by: Person,
    },
    /// Somebody lets the timeline go on where it stood.
    WentOn {
        /// Who.
        by: Person,
        /// For how long it was held.
        held_ns: Nanos,
    },
    /// Somebody wrote something down.
    Noted {
        /// Who.
        by: Person,
        /// What.
        text: String,
    },
    /// Somebody wrote down what they expect.
    Predicted {
        /// Who.
        by: Person,
        /// Of what.
        question: Question,
        /// What.
        answer: String,
    },
    /// Somebody ends the run; everything is undone.
    StopOrdered {
        /// Who.
        by: Person,
    },
    /// Somebody on call looks at an alert.
    Acknowledged {
        /// Who.
        by: Person,
        /// The alert.
        alert: String,
    },
    /// An alert began to fire.
    AlertFired {
        /// Its name.
        alert: String,
    },
    /// An alert no longer fires.
    AlertCleared {
        /// Its name.
        alert: String,
    },
    /// The fleet's autoscaler decided to change the number of instances; the one that
    /// starts serves later, the one that leaves ends later.
    Scaled {
        /// Instances before it.
        from: u32,
        /// Instances after it.
        to: u32,
        /// Why, as a clause.
        reason: String,
    },
    /// A gauge could not be read: a datum, never a gap or a zero.
    ScrapeFailed {
        /// Whose gauge.
        source: SourceName,
        /// Why.
        cause: String,
    },
    /// Attempts failed in a way in which none had before; this was the first.
    FirstFailure(FirstFailure),
    /// The slowest operations of an interval, of those whose traces are recorded.
    Slowest {
        /// A few of them, in any order.
        operations: Vec<SlowOperation>,
    },
    /// Agents on other machines, or on this one, have the load from now on.
    AgentsBegan {
        /// Who they are.
        agents: Vec<AgentFacts>,
    },
    /// An agent was lost: nothing is known of its share of the load from an instant on.
    AgentLost(AgentLost),
    /// How well agents began together, and what became of their deliveries.
    AgentsEnded {
        /// What was measured of each, in the order in which they began.
        agents: Vec<AgentMeasured>,
    },
    /// A fault is armed: what will undo it is written down, and the guardian
    /// knows it; written before the fault acts.
    Armed {
        /// What will be done to undo it.
        undo: String,
    },
    /// A fault was undone, by the run itself or at its end.
    Undone {
        /// What was done to undo it.
        undo: String,
        /// The result.
        outcome: Outcome,
    },
    /// After everything had been undone, the target was asked whether it serves.
    SteadyState {
        /// Whether it does.
        returned: bool,
        /// What it answered, in words.
        detail: String,
    },
    /// Something the reader of the figures must know.
    Warning {
        /// One sentence.
        text: String,
    },
    /// The last operation was scheduled; the drain begins.
    LoadEnded,
    /// The run stopped; nothing follows. A journal without it is incomplete.
    RunEnded {
        /// Why.
        cause: StopCause,
    },
}

/// The first attempt of a source that failed in some way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstFailure {
    /// When, in nanoseconds since the load began.
    #[serde(rename = "first_ns")]
    pub at: Nanos,
    /// Whose attempt it was: the users' or the monitors'.
    pub source: SourceName,
    /// Why it failed.
    pub cause: FailureCause,
    /// The status, where one was not expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What was seen of the answer, or what the machine said; empty where nothing was.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub example: String,
}

/// An operation that was slow, with the trace in which to look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowOperation {
    /// Its intended start.
    #[serde(rename = "intended_ns")]
    pub intended: Nanos,
    /// How long it was waited for.
    #[serde(rename = "response_ns")]
    pub response: Nanos,
    /// Whether it ended with success.
    pub succeeded: bool,
    /// The id of its trace, in hexadecimal digits.
    pub trace: String,
}

/// An agent that sends a part of the load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentFacts {
    /// Its name.
    pub agent: String,
    /// Its processors.
    pub cores: u32,
    /// Its threads that send load.
    pub threads: u32,
    /// Of so many threads in all.
    pub of_threads: u32,
}

/// The end of what is known of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentLost {
    /// Its name.
    pub agent: String,
    /// Its threads that sent load, at every place that is loaded.
    pub threads: u32,
    /// Of so many in all.
    pub of_threads: u32,
    /// From here on its share is taken as not offered, in nanoseconds since the load began.
    #[serde(rename = "from_ns")]
    pub from: Nanos,
    /// Why, in a clause.
    pub reason: String,
    /// Deliveries that it is known to have sent and that did not arrive.
    #[serde(default)]
    pub missing: u64,
    /// Whether the run ends with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stops: bool,
}

impl AgentLost {
    /// What became of it, in a clause.
    pub fn in_words(&self) -> String {
        let share = 100.0 * f64::from(self.threads) / f64::from(self.of_threads.max(1));
        format!(
            "the agent {} was lost: {}; its share of the load, {share:.0} %, counts as not offered \
             from {:.1} s on",
            self.agent,
            self.reason,
            self.from.as_secs_f64()
        )
    }
}

/// What was measured of an agent's clock and of its deliveries. The run's zero on its clock is
/// where its load began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentMeasured {
    /// Its name.
    pub agent: String,
    /// How long after the run's zero it began; before it where it is negative.
    pub skew_ns: i64,
    /// How far that may be off, in either direction.
    pub skew_bound_ns: u64,
    /// The same at the end, when its clock had drifted.
    pub end_skew_ns: i64,
    /// How far that may be off.
    pub end_skew_bound_ns: u64,
    /// How fast its clock goes against the conductor's, in parts of a billion; none where it
    /// was not watched for long enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_ppb: Option<i64>,
    /// Round trips of which that was found.
    pub round_trips: u64,
    /// The shortest of them.
    pub round_trip_min_ns: u64,
    /// Deliveries that arrived, each counted once.
    pub deliveries: u64,
    /// Those that arrived once more, and were not counted again.
    pub repeated: u64,
}

impl Event {
    /// Who it is of, where it is of a person.
    pub const fn by(&self) -> Option<&Person> {
        match self {
            Self::Joined { by }
            | Self::Acknowledged { by, .. }
            | Self::Ordered { by, .. }
            | Self::Declined { by, .. }
            | Self::Held { by }
            | Self::WentOn { by, .. }
            | Self::Noted { by, .. }
            | Self::Predicted { by, .. }
            | Self::StopOrdered { by } => Some(by),
            _ => None,
        }
    }

    /// The same without secrets, as it may be shown.
    pub fn redacted(&self) -> Cow<'_, Self> {
        let written = serde_json::to_string(self).unwrap_or_default();
        match redact::json(&written) {
            Cow::Borrowed(_) => Cow::Borrowed(self),
            // What was left out leaves texts as they were, and they hold anything.
            Cow::Owned(shown) => {
                serde_json::from_str(&shown).map_or(Cow::Borrowed(self), Cow::Owned)
            }
        }
    }

    /// What the autoscaler decided.
    pub(crate) fn of_scaling(decision: ScalingDecision) -> Self {
        let ScalingDecision { from, to, reason } = decision;
        Self::Scaled { from, to, reason }
    }

    /// Those on call hear of it, where it is an alert or the end of an action.
    pub(crate) fn tell(&self, now: Nanos, responders: &mut Responders) {
        match self {
            Self::AlertFired { alert } => responders.alert(now, alert, true),
            Self::AlertCleared { alert } => responders.alert(now, alert, false),
            Self::ActionEnded { entry, outcome } => responders.ended(now, *entry, outcome),
            _ => {}
        }
    }

    /// What somebody on call does, as the journal has it.
    pub(crate) fn of_response(response: Response) -> Self {
        match response {
            Response::Acknowledged { by, alert } => Self::Acknowledged { by, alert },
            Response::Decided {
                by,
                entry,
                action,
                phase,
            } => Self::Ordered {
                by,
                entry,
                action,
                phase,
            },
        }
    }

    /// What entries of this timeline may be waiting for, where it is such an event.
    pub fn trigger(&self, timeline: &[Entry]) -> Option<Trigger> {
        match self {
            Self::AlertFired { alert } => Some(Trigger::Alert(alert.clone())),
            Self::ActionEnded { entry, outcome } => {
                let action = &timeline.get(*entry)?.action;
                match outcome {
                    Outcome::Rejected { .. } if action.rolls_back() => {
                        Some(Trigger::RollbackRejected)
                    }
                    Outcome::Applied { .. } if action.rolls_back() => {
                        Some(Trigger::RollbackApplied)
                    }
                    Outcome::Applied { .. } if action.restarts() => Some(Trigger::Restarted),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// Why a run stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum StopCause {
    /// It came to its planned end.
    Completed,
    /// A signal interrupted it.
    Interrupted {
        /// The signal's number.
        signal: i32,
    },
    /// Its own stop condition held, or what it was expected to show can no longer hold.
    Aborted {
        /// The condition, or the expectation and what was seen.
        because: String,
        /// Whether it was an expectation.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        expectation: bool,
    },
    /// Somebody in the room ended it.
    Stopped {
        /// Who.
        by: String,
    },
    /// It failed.
    Failed {
        /// Why.
        reason: String,
        /// The exit code that it led to.
        #[serde(default = "failed", skip_serializing_if = "is_failed")]
        code: i32,
    },
}

const fn failed() -> i32 {
    EXIT_FAILED
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the form in which serde calls it"
)]
const fn is_failed(code: &i32) -> bool {
    *code == EXIT_FAILED
}

impl StopCause {
    /// Why a run was stopped by its own rule: a clause that ends a sentence.
    pub(crate) fn own_rule(because: &str, expectation: bool) -> String {
        if expectation {
            format!("because an expectation can no longer hold ({because})")
        } else {
            format!("by its stop condition ({because})")
        }
    }
}

/// An event with the instant at which it happened: one line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    /// Nanoseconds since the load began; zero for what came before.
    pub at_ns: Nanos,
    #[serde(flatten)]
    pub event: Event,
}
