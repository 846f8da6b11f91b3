//! What a search for the limit of a service came to: the content of `limit.json`.
//!
//! The names of the keys are a contract; things outside this project read them. The list
//! of steps is also the state of the search: whoever has it can go on where it ended.
//! Rates are operations per second as users offer them, retries not counted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parts::{
    LimitBeyond, LimitCause, LimitEnded, LimitExpectation, LimitHeadroom, LimitMeasure,
    LimitReturns, LimitServed,
};
use crate::analysis::DependencyFigures;
use crate::model::{IncidentVerdict, SustainingEffect};
use crate::named::named;
use crate::record::{Backend, MachineFacts};

/// Everything that a search found, complete or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LimitFound {
    /// The version of this format: 1.
    pub format: u32,
    /// What was looked for, and within which bounds.
    pub sought: LimitSought,
    /// Which backend carried the steps.
    pub backend: Backend,
    /// On what machine.
    pub machine: MachineFacts,
    /// When the search began, in milliseconds since 1970 UTC.
    pub started_wall_ms: u64,
    /// The whole command that makes this search again, without secrets.
    pub command: String,
    /// Seconds that were spent so far, those of steps that came to nothing among them.
    #[serde(default)]
    pub spent_s: f64,
    /// Every step that was tried, in order; the state of the search.
    pub steps: Vec<LimitStep>,
    /// The highest rate that is served.
    pub served: LimitServed,
    /// What limits it, the strongest evidence first; empty where nothing shows it, or no
    /// limit was found.
    pub limited_by: Vec<LimitCause>,
    /// Goodput past the limit; null where that was not tried.
    pub beyond: Option<LimitBeyond>,
    /// The highest rate from which service comes back; null where there was no trigger, or
    /// that was not tried.
    pub returns: Option<LimitReturns>,
    /// How far a rate that the user named is from the limits; null where none was named.
    pub headroom: Option<LimitHeadroom>,
    /// Measures that may raise the rate from which service comes back, those that were
    /// tried first, the best of them first.
    pub advice: Vec<LimitMeasure>,
    /// How the search ended.
    pub ended: LimitEnded,
    /// Why, in one sentence.
    pub ended_because: String,
    /// What was expected, and whether it held.
    pub expectations: Vec<LimitExpectation>,
    /// All of it in one sentence, for somebody who reads nothing else.
    pub sentence: String,
}

/// What was looked for, and within which bounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LimitSought {
    /// The URL, or the scenario's name or file, as it was written.
    pub target: String,
    /// The scenario that was made of a URL and its flags; null where a scenario was named.
    pub scenario: Option<String>,
    /// The scenario that the steps are made of, with the profile and the settings of the
    /// command line in it, without comments and secrets; null where it cannot be read.
    pub scenario_text: Option<String>,
    /// A digest of what is asked of the user's target, with the files that it is read from
    /// and without the values of headers; null of the built-in fleet.
    #[serde(default)]
    pub work_digest: Option<String>,
    /// The objectives, as they were written: `p99 <= 250ms`.
    pub objectives: Vec<String>,
    /// What takes service away, as it was written: `surge 3x for 10s`; null where nothing.
    pub trigger: Option<String>,
    /// How clients behave, as it was written: `timeout 1s, retries 3`; null where it is as
    /// in the scenario.
    pub client: Option<String>,
    /// Keys of the scenario that were given another value: `load.connections=64`.
    pub settings: Vec<String>,
    /// The scenario's profile whose settings come first; null where none.
    pub profile: Option<String>,
    /// Seconds that the service may take to serve as before after a step.
    pub cool_down_s: f64,
    /// The hook that starts the service anew where it stays down; null where none.
    pub restart: Option<String>,
    /// The rate whose headroom is wanted; null where none was named.
    pub at_per_s: Option<f64>,
    /// Service is back by itself within so many seconds after the trigger, or it is not.
    pub return_within_s: f64,
    /// The first rate that is tried.
    pub from_per_s: f64,
    /// The highest rate that may be tried.
    pub most_per_s: f64,
    /// The search ends when the ends of the interval differ by less than this share.
    pub tolerance: f64,
    /// Seconds that a step is measured for at least, its warm-up left out.
    pub window_s: f64,
    /// Operations that a step near the limit is measured over at least; a low rate makes
    /// its window longer.
    pub operations_min: u64,
    /// Seconds at the start of each step that count in no figure.
    pub warm_up_s: f64,
    /// Whether no measure of the advice is tried.
    pub without_advice: bool,
    /// Trials of each rate about the edge of coming back, each with another seed.
    pub trials: u32,
    /// Seconds that the whole search may take; in virtual time those of this machine.
    pub within_s: f64,
    /// Steps at most.
    pub steps_max: u32,
    /// Seed of the first step; each later one has another.
    pub seed: u64,
}

/// A rate that was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LimitStep {
    /// Its number, from 1 on.
    pub number: u32,
    /// For which question it was tried.
    pub stage: LimitStage,
    /// The rate that was offered.
    pub rate_per_s: f64,
    /// Its seed.
    pub seed: u64,
    /// Seconds that it was measured for.
    pub window_s: f64,
    /// Seconds of this machine that it took with all before and after it, also of a
    /// simulation.
    pub took_s: f64,
    /// The measure of the advice that it was tried with; null where none.
    pub measure: Option<String>,
    /// Whether every objective held; with a trigger, whether service came back by itself.
    pub verdict: LimitVerdict,
    /// Why, in a few words.
    pub why: String,
    /// Each objective; empty with a trigger.
    pub objectives: Vec<LimitObjective>,
    /// What was measured.
    pub figures: LimitFigures,
    /// How service came back; null where there was no trigger.
    pub recovery: Option<LimitRecovery>,
    /// What was seen to be at its limit, the strongest evidence first.
    pub limited_by: Vec<LimitCause>,
    /// Where its run lies, seen from the directory of the search; null where it was not
    /// kept.
    pub run: Option<String>,
}

/// Which question a step was tried for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitStage {
    /// What is the highest rate that is served?
    Served,
    /// What becomes of goodput past it?
    Beyond,
    /// From which rate does service come back?
    Returns,
    /// What would raise that?
    Advice,
}

named!(LimitStage {
    Served = "served",
    Beyond = "beyond",
    Returns = "returns",
    Advice = "advice",
});

/// What a step, an objective or an expectation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitVerdict {
    /// It holds, with all that its interval reaches.
    Holds,
    /// It does not, likewise.
    DoesNot,
    /// The interval reaches to both sides, or nothing valid was measured.
    CannotTell,
}

impl LimitVerdict {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::DoesNot => "does not hold",
            Self::CannotTell => "cannot tell",
        }
    }
}

/// An objective in one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LimitObjective {
    /// The objective, as it was written.
    pub objective: String,
    /// The figure that was seen: seconds, a share of 1, per second, or a count; null where
    /// it was not measured.
    pub value: Option<f64>,
    /// The lower end of its 95 % interval; null where there is no interval.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// Its unit: `s`, `share`, `/s` or empty.
    pub unit: String,
    /// What it must not pass.
    pub bound: f64,
    /// The verdict.
    pub verdict: LimitVerdict,
    /// Why it cannot be told; empty where it can.
    pub why: String,
}

/// What was measured in one step: over the window, and with a trigger before it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct LimitFigures {
    /// Operations scheduled per second.
    pub offered_per_s: f64,
    /// Operations succeeded per second, by the instant at which they did.
    pub goodput_per_s: f64,
    /// Operations that ended without success / that ended; null where none ended.
    pub error_share: Option<f64>,
    /// Median of the response time, in milliseconds; null where too few were seen.
    pub response_p50_ms: Option<f64>,
    /// Its 99th percentile, likewise.
    pub response_p99_ms: Option<f64>,
    /// Operations in flight, on average over the window.
    pub in_flight: Option<f64>,
    /// By how many operations per second that grew; null where the window is too short.
    pub in_flight_growth_per_s: Option<f64>,
    /// Users' attempts / first tries.
    pub attempts_per_operation: Option<f64>,
    /// Busy worker-time / worker-time; null where no gauge was read.
    pub saturation: Option<f64>,
    /// Busy share of the whole machine; null where it was not read.
    pub machine_busy: Option<f64>,
    /// Busy share of the generator's threads, likewise.
    pub generator_busy: Option<f64>,
    /// What it waited for behind proxies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<DependencyFigures>,
}

/// How service came back in one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LimitRecovery {
    /// Whether it came back by itself, in time; null where that cannot be told.
    pub returned: Option<bool>,
    /// Seconds from the end of the trigger until it was back; null where that was not
    /// seen, and 0 where service was never lost.
    pub after_s: Option<f64>,
    /// It was waited for so many seconds in vain.
    pub censored_after_s: Option<f64>,
    /// The verdict of the incident, in the words of docs/TERMS.md.
    pub verdict: IncidentVerdict,
    /// What kept it going: `retries`, `zombie_work` and others; null where nothing did.
    pub sustaining: Option<SustainingEffect>,
}
