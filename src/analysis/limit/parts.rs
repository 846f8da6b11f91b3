//! The parts of what a search came to: each limit, what it rests on, and what follows.
//! The same contract as for the whole (`found`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::found::LimitVerdict;
use crate::model::SustainingEffect;
use crate::named::named;

/// The highest rate that is served.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LimitServed {
    /// What is known of it.
    pub status: LimitStatus,
    /// The highest rate at which every objective was seen to hold, and below every rate at
    /// which one did not; null where there is none.
    pub low_per_s: Option<f64>,
    /// The lowest rate at which an objective was seen not to hold; null where there is
    /// none.
    pub high_per_s: Option<f64>,
    /// Whether the lower end held once more, with another seed and a longer window.
    pub confirmed: bool,
    /// Rates between the two at which it could not be told.
    pub unsure_per_s: Vec<f64>,
    /// The objective that did not hold at the upper end, in words; null where none.
    pub broken: Option<String>,
    /// In one sentence.
    pub sentence: String,
}

/// What is known of the highest rate that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitStatus {
    /// Both ends are known.
    Found,
    /// Every rate up to the highest that was allowed is served.
    NoLimit,
    /// The generator or this machine was the limit before the service was.
    NotTheService,
    /// Not even the lowest rate that was tried is served.
    Nothing,
    /// The search ended too early to tell.
    Unknown,
}

named!(LimitStatus {
    Found = "found",
    NoLimit = "no limit found",
    NotTheService = "the generator or this machine was the limit",
    Nothing = "nothing is served",
    Unknown = "cannot tell",
});

/// What is at its limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LimitCause {
    /// Which resource.
    pub resource: LimitResource,
    /// Its name, where there are several: of a gauge, a proxy, a process.
    pub name: Option<String>,
    /// How much of it was used, or by how much it grew, as the sentence says.
    pub value: f64,
    /// What was seen, in one sentence.
    pub sentence: String,
}

/// What can limit a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitResource {
    /// Its workers are busy.
    Workers,
    /// As many requests as it works on at a time, by Little's law.
    Concurrency,
    /// Connections wait to be accepted.
    AcceptQueue,
    /// The time of something behind it.
    Dependency,
    /// The processor of the service.
    Processor,
    /// The load generator, and not the service.
    Generator,
    /// This machine, and not the service alone.
    Machine,
}

named!(LimitResource {
    Workers = "workers",
    Concurrency = "concurrency",
    AcceptQueue = "accept queue",
    Dependency = "dependency",
    Processor = "processor",
    Generator = "generator",
    Machine = "machine",
});

/// What becomes of goodput past the limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LimitBeyond {
    /// Goodput at each rate, the lowest rate first; those below the limit are among them.
    pub points: Vec<LimitPoint>,
    /// What becomes of it.
    pub shape: LimitShape,
    /// The highest goodput that was seen.
    pub peak_per_s: Option<f64>,
    /// The share of it that is left at one and a half times the limit; null where that
    /// was not tried.
    pub share_at_half_more: Option<f64>,
    /// In one sentence.
    pub sentence: String,
}

/// Goodput at one rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LimitPoint {
    /// The step.
    pub step: u32,
    /// Operations that were offered per second.
    pub offered_per_s: f64,
    /// Operations that succeeded per second.
    pub goodput_per_s: f64,
    /// The lower end of its 95 % interval; null where there is no interval.
    pub low_per_s: Option<f64>,
    /// The upper end.
    pub high_per_s: Option<f64>,
}

/// What becomes of goodput past the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitShape {
    /// At twice the limit more than nine tenths of the peak are left.
    Keeps,
    /// More than half is left.
    Degrades,
    /// Less.
    Collapses,
    /// Too little was tried.
    Unknown,
}

named!(LimitShape {
    Keeps = "keeps",
    Degrades = "degrades",
    Collapses = "collapses",
    Unknown = "cannot tell",
});

/// The highest rate from which service comes back by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LimitReturns {
    /// What is known of it.
    pub status: LimitStatus,
    /// The highest rate at which it came back in every trial, below every rate at which it
    /// once did not; null where there is none.
    pub low_per_s: Option<f64>,
    /// The lowest rate at which it never did, above every rate at which it once did; null
    /// where there is none. Between the two chance decides.
    pub high_per_s: Option<f64>,
    /// Each rate that was tried, the lowest first.
    pub rates: Vec<LimitReturnRate>,
    /// What kept service down where it did not come back; null where nothing was named.
    pub sustaining: Option<SustainingEffect>,
    /// In one sentence.
    pub sentence: String,
}

/// How often service came back from one rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LimitReturnRate {
    /// The rate.
    pub rate_per_s: f64,
    /// Trials that could be told …
    pub trials: u32,
    /// … and those of them in which service came back.
    pub returned: u32,
    /// Of these: trials in which service was never lost, so that nothing had to come back.
    #[serde(default)]
    pub unharmed: u32,
    /// The lower end of the 95 % interval (Wilson) of the probability that it does.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// Seconds until it was back, of each trial in which it came back.
    pub after_s: Vec<f64>,
    /// The steps.
    pub steps: Vec<u32>,
}

/// How far a rate is from the limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LimitHeadroom {
    /// The rate that the user named.
    pub rate_per_s: f64,
    /// What is served / that rate, less 1: 0.5 is half as much again; null where unknown.
    pub to_served: Option<f64>,
    /// The rate from which service comes back / that rate, less 1, likewise.
    pub to_returns: Option<f64>,
    /// In one sentence.
    pub sentence: String,
}

/// A measure that may raise the rate from which service comes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LimitMeasure {
    /// Its name: `no retries`.
    pub name: String,
    /// What it changes, in one sentence.
    pub change: String,
    /// The rates that it was tried at; empty where it was not tried.
    pub rates: Vec<LimitReturnRate>,
    /// The highest rate at which service came back with it; null where none, or untried.
    pub returns_from_per_s: Option<f64>,
    /// Why it was not tried; null where it was.
    pub untried_because: Option<String>,
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitEnded {
    /// All that was asked for was tried.
    Complete,
    /// It is still going on.
    Going,
    /// Its time or its number of steps was used up.
    Bound,
    /// A signal ended it.
    Interrupted,
    /// The service stays down, and nothing says how it is restarted.
    StayedDown,
    /// A step failed to run.
    Failed,
}

named!(LimitEnded {
    Complete = "complete",
    Going = "going on",
    Bound = "at its bound",
    Interrupted = "interrupted",
    StayedDown = "the service stays down",
    Failed = "failed",
});

/// Something that was expected of the limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LimitExpectation {
    /// As it was written: `served >= 400/s`.
    pub expectation: String,
    /// The rate that is required.
    pub at_least_per_s: f64,
    /// Whether it holds; what cannot be told is no pass.
    pub verdict: LimitVerdict,
    /// What was found, in words: `412/s to 425/s`.
    pub observed: String,
}

impl LimitExpectation {
    /// Whether it holds, beyond doubt.
    pub fn passed(&self) -> bool {
        self.verdict == LimitVerdict::Holds
    }
}
