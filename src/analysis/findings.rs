//! What a run was found to show: the content of `summary.json`.
//!
//! The names of the keys are a contract; things outside this project read them.
//! Seconds are counted from the start of the load. A figure that was not seen
//! before the observation stopped is *censored*: the key is null, and
//! `…_censored_after_s` beside it says how long it was watched for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::actions::{ActionOutcome, ActionTaken};
use super::agents::AgentsFigures;
use super::capacity::InferredCapacity;
use super::dependencies::DependencyFigures;
use super::ending::Ending;
use super::expectations::ExpectationResult;
use super::failures::{AcceptQueueFigures, FailureCount, Failures};
use super::gameday::GameDay;
use super::harm::{AfterRecovery, Harm, Relapse};
use super::kinds::{KindFigures, UrlFigures};
use super::observed::{GaugeFigures, GaugeGap, ProcessFigures};
use super::owners::{Marked, OverAllLatency, TimeSpent};
use super::probes::ProbeFigures;
use super::seeds::SeedShares;
use super::slowest::SlowTrace;
use super::steps::LoadStep;
use super::stuck::HeldCapacity;
use super::totals::QueueDepth;
use super::wire::Exchanged;
use crate::model::{IncidentVerdict, SourceName, SustainingEffect};
use crate::plan::{Cause, Story, Variant};
use crate::record::{Backend, MachineFacts, is_told};

/// Everything found in a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Findings {
    /// The version of this format: 1.
    pub format: u32,
    /// The scenario's short name.
    pub scenario: String,
    /// Its title.
    pub title: String,
    /// What it claims.
    pub claim: String,
    /// The variant of the scenario that was run; only where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<Variant>,
    /// Which backend ran it.
    pub backend: Backend,
    /// The seed.
    pub seed: u64,
    /// Whether the run reached its planned end.
    pub complete: bool,
    /// On what machine.
    pub machine: MachineFacts,
    /// The incident's clock, where there is one.
    pub story: Option<Story>,
    /// Width of the buckets, which is the resolution of every instant below
    /// that does not come from the journal.
    pub interval_s: f64,
    /// Whether the figures can be trusted.
    pub measurement: Measurement,
    /// What service was like before the first action or surge; null where that was too short to tell.
    pub baseline: Option<Baseline>,
    /// What was done, in the order in which it began.
    pub actions: Vec<ActionTaken>,
    /// Where every scheduled operation went, warm-up included.
    pub conservation: Conservation,
    /// Where the time went that operations took, warm-up left out; only where it was
    /// recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_spent: Option<TimeSpent>,
    /// The run in phases, from the baseline on.
    pub phases: Vec<Phase>,
    /// Each kind of operation over the whole run, warm-up left out; only where there are
    /// several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<KindFigures>,
    /// Each URL that the load is sent to over the whole run, warm-up left out; only where
    /// there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<UrlFigures>,
    /// All phases as one, `whole run`; only where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole_run: Option<Box<Phase>>,
    /// Who took part and what they said; only where people decided something or spoke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub game_day: Option<GameDay>,
    /// When which instance was exhausted.
    pub exhaustion: Vec<ExhaustionWindow>,
    /// How many instances were read; of the user's target, how many sources of
    /// gauges that have busy workers, workers and a queue.
    pub instances: u64,
    /// The load in steps, and ramps in parts; empty where its rate never changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<LoadStep>,
    /// The capacity of a target that publishes none; only where a plateau was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inferred_capacity: Option<InferredCapacity>,
    /// Why a load of steps or a ramp showed no capacity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_capacity: Option<String>,
    /// The clock and verdict of the incident; of several, those of the worst that the run
    /// itself began.
    pub incident: Incident,
    /// Every incident in the order of time; only where somebody was harmed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incidents: Vec<Incident>,
    /// Whether the user's target served again after everything had been
    /// undone; null where that was not checked.
    pub steady_state_returned: Option<bool>,
    /// The expectations and their results.
    pub expectations: Vec<ExpectationResult>,
    /// Attempts that failed, by source and cause; only where there are some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failures>,
    /// The accept queue of the port that was loaded; only where it is on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept_queue: Option<AcceptQueueFigures>,
    /// What went over the generator's connections; only where the record tells it.
    #[serde(default, skip_serializing_if = "Exchanged::is_empty")]
    pub exchanged: Exchanged,
    /// Gauges that could not be read, by source and cause.
    pub scrape_failures: Vec<ScrapeFailures>,
    /// When gauges of the user's target had no value, from the earliest of each source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gauge_gaps: Vec<GaugeGap>,
    /// What the run itself warned of, one sentence each.
    pub warnings: Vec<String>,
    /// The agents that sent the load; only where some did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agents: Option<AgentsFigures>,
    /// What a reader should know, one sentence each, the cause first.
    pub sentences: Vec<String>,
    /// The verdict of the run.
    pub verdict: Verdict,
    /// The same with other seeds: the share of each verdict; only where it was run so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds: Option<SeedShares>,
    /// How it ended, and why its verdict is what it is.
    #[serde(default)]
    pub ending: Ending,
    /// The whole command that makes this run again, without secrets; empty where the
    /// record does not tell.
    #[serde(default)]
    pub command: String,
}

/// The verdict of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every expectation held.
    Passed,
    /// One did not.
    Failed,
    /// The measurement is invalid: nothing is judged.
    Invalid,
}

/// Whether the figures can be trusted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measurement {
    /// Whether the generator was the limit.
    pub validity: Validity,
    /// Why it is invalid, one sentence each; empty where it is valid.
    pub reasons: Vec<String>,
    /// The generator's own error.
    pub send_lag_us: SendLag,
    /// Busy share of the generator's threads, deliberate spinning not counted, in the
    /// worst phase; null where it was not measured.
    pub generator_busy: Option<f64>,
    /// Share of the time for which the generator's threads were ready to run and had no
    /// processor, in the worst phase; only where the kernel tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generator_delayed: Option<f64>,
    /// Share of the time for which the generator's threads were away, in the worst phase:
    /// back from a wait more than 5 ms late, or as long in one turn, as in a process that
    /// stands still; only where they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generator_away: Option<f64>,
    /// Operations that were never sent, because the generator was late; only where some
    /// were not.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub never_sent: u64,
    /// Busy share of the whole machine in the worst phase; null where it was not measured.
    pub machine_busy_max: Option<f64>,
    /// Share of processor time that the hypervisor gave to others, over the run; null
    /// where it was not measured.
    pub machine_steal: Option<f64>,
}

/// Whether the generator was the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Validity {
    /// It was not.
    Valid,
    /// It was.
    Invalid,
}

/// Send lag of first tries, in microseconds; null where nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct SendLag {
    /// Median.
    pub p50: Option<f64>,
    /// 90th percentile.
    #[serde(default)]
    pub p90: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// Largest.
    pub max: Option<f64>,
}

/// Users' service between the end of the warm-up and the first action or surge.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Baseline {
    /// Its start, on an edge of the buckets.
    pub from_s: f64,
    /// Its end, likewise, at or before the first action.
    pub to_s: f64,
    /// Operations scheduled in it.
    pub operations: u64,
    /// Operations scheduled per second.
    pub offered_per_s: f64,
    /// Operations succeeded per second.
    pub goodput_per_s: f64,
    /// Operations that ended without success / that ended.
    pub error_share: f64,
    /// 99th percentile of the response time, in milliseconds.
    pub response_p99_ms: f64,
    /// Whether more of it is the generator's own lag than may be overlooked; only where it is.
    #[serde(default, skip_serializing_if = "is_false")]
    pub response_p99_marked: bool,
    /// The most that a p99 may be for service to count as back, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_p99_allowed_ms: Option<f64>,
    /// The smallest share of the operations of a hold window at this load that would be
    /// found lost if it failed: less cannot be told from chance. Null where not even all
    /// of them would be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smallest_loss: Option<f64>,
}

/// A gauge that could not be read, for one cause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScrapeFailures {
    /// Whose gauge.
    #[schemars(with = "String")]
    pub source: SourceName,
    /// Why.
    pub cause: String,
    /// How often.
    pub count: u64,
    /// The first time.
    pub first_s: f64,
    /// The last time.
    pub last_s: f64,
}

/// Where every scheduled operation went; the keys are exactly these, the last
/// only where it is not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Conservation {
    /// Scheduled.
    pub scheduled: u64,
    /// Ended with success.
    pub succeeded: u64,
    /// The last attempt was answered, refused or broken.
    pub failed: u64,
    /// The last attempt ran into its timeout.
    pub timed_out: u64,
    /// The deadline came first.
    pub missed_deadline: u64,
    /// Given up by the generator, or not begun by its circuit breaker.
    pub shed: u64,
    /// In flight when the observation stopped.
    pub unfinished: u64,
    /// Of those shed: by the circuit breaker.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub shed_by_breaker: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
pub(super) const fn is_false(value: &bool) -> bool {
    !*value
}

/// A stretch of the run between two actions or surges.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// Its start, on an edge of the buckets.
    pub from_s: f64,
    /// Its end, likewise.
    pub to_s: f64,
    /// Operations scheduled per second.
    pub offered_per_s: f64,
    /// Operations succeeded per second, by intended start.
    pub goodput_per_s: f64,
    /// Operations that ended with success per second, by the instant at which they did.
    /// Where a target is asked for more than it does, this is what it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_per_s: Option<f64>,
    /// Operations that ended without success / that ended; null where none ended.
    pub error_share: Option<f64>,
    /// Operations answered though they should have been refused.
    pub wrongly_allowed: u64,
    /// Users' attempts / first tries; null where there was none.
    pub attempts_per_operation: Option<f64>,
    /// Probes / operations; null where there was no operation.
    pub probes_per_operation: Option<f64>,
    /// Busy worker-time / worker-time, over the fleet; null where no gauge was read.
    pub saturation: Option<f64>,
    /// Share of the busy worker-time for callers who had gone.
    pub zombie_share: Option<f64>,
    /// Share of the busy worker-time in detached tasks.
    pub detached_share: Option<f64>,
    /// Share of the busy worker-time that a warm cache would have saved.
    pub cold_share: Option<f64>,
    /// Jobs waiting in the whole fleet.
    pub queue_depth: QueueDepth,
    /// Queue wait, in milliseconds.
    pub queue_wait_ms: Latency,
    /// Response time of succeeded operations, in milliseconds.
    pub response_ms: Latency,
    /// Response time of all operations, in milliseconds; only where it was recorded how
    /// long those were waited for that did not succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_all_ms: Option<OverAllLatency>,
    /// Where the time went that its operations took; only where it was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_spent: Option<TimeSpent>,
    /// Service time of answered attempts, in milliseconds.
    pub service_ms: Latency,
    /// From the beginning of a users' connection until it was made, in milliseconds; only
    /// where one was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_ms: Option<Latency>,
    /// From then until the two sides had agreed on encryption, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_ms: Option<Latency>,
    /// From the send of an answered attempt to the first byte of its answer; only where
    /// it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_ms: Option<Latency>,
    /// Busy share of the whole machine; null where it was not read.
    pub machine_busy: Option<f64>,
    /// Attempts that failed in it, by cause; only where some did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<FailureCount>,
    /// The gauges of the user's target; only where there are some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gauges: Vec<GaugeFigures>,
    /// The processes of such a target; only where some were watched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<ProcessFigures>,
    /// What the target waited for behind proxies; only where there are such.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<DependencyFigures>,
    /// Probes of each monitor that ended in it; only where there are several monitors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<ProbeFigures>,
    /// Completions / inferred capacity, where the capacity was inferred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saturation_inferred: Option<f64>,
    /// Its slowest operations, the slowest first, of those whose traces are recorded; only
    /// where requests told their traces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slowest: Vec<SlowTrace>,
}

/// Percentiles of a latency in milliseconds; null where there was no value.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    /// How many values.
    pub count: u64,
    /// Median.
    pub p50: Option<f64>,
    /// 90th percentile.
    pub p90: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// 99.9th percentile.
    pub p999: Option<f64>,
    /// Largest.
    pub max: Option<f64>,
    /// Of a response time: which of these are not the target's alone; only where some are.
    #[serde(default, skip_serializing_if = "Marked::is_none")]
    pub marked: Marked,
}

impl Latency {
    /// The 99th percentile, where it is not marked.
    pub fn own_p99(&self) -> Option<f64> {
        self.p99.filter(|_| !self.marked.p99)
    }

    /// The 99th percentile, where there are values enough to tell it.
    pub fn told_p99(&self) -> Option<f64> {
        self.p99.filter(|_| is_told(0.99, self.count))
    }
}

/// An unbroken window in which an instance had no free worker and jobs waiting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExhaustionWindow {
    /// The instance.
    #[schemars(with = "String")]
    pub instance: SourceName,
    /// Its start, on an edge of the buckets.
    pub from_s: f64,
    /// Its end, likewise.
    pub to_s: f64,
    /// Whether it is known from point samples of a target's own gauges: what was
    /// between two readings is unknown.
    #[serde(default, skip_serializing_if = "is_false")]
    pub point_samples: bool,
}

/// The incident's clock and verdict; instants in seconds from the start of the load.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Incident {
    /// What began it; null where nothing did.
    #[serde(default)]
    pub trigger: Option<Cause>,
    /// When it did.
    pub trigger_s: Option<f64>,
    /// All that acted in it, in the order in which it began, in the words of `trigger`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub causes: Vec<Cause>,
    /// When the last cause ended: the trigger is off.
    #[serde(default)]
    pub trigger_off_s: Option<f64>,
    /// In the bucket from which on service was lost, the intended start of the first
    /// operation that failed; within the trigger's own bucket at the earliest the trigger.
    /// The intended start of the first operation that failed is at most one bucket
    /// later, so every figure counted from here is an upper bound, by at most one bucket.
    pub impact_s: Option<f64>,
    /// The first alert after the impact.
    pub detected_s: Option<f64>,
    /// How long a detection was waited for without success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detected_censored_after_s: Option<f64>,
    /// When somebody on call looked at an alert; only where somebody was on call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_s: Option<f64>,
    /// The first rollback that was refused.
    pub rollback_rejected_s: Option<f64>,
    /// The check and the reason that refused it.
    pub rollback_rejected_because: Option<String>,
    /// The first rollback that was applied after the push.
    pub rollback_applied_s: Option<f64>,
    /// Goodput back at half of the baseline, for a hold window; null where it never was
    /// below that.
    pub mitigated_s: Option<f64>,
    /// How long mitigation was waited for without success, from the impact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mitigated_censored_after_s: Option<f64>,
    /// When service was back, and stayed so, while a cause still acted; null where it was
    /// not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_early_s: Option<f64>,
    /// The last action of the timeline.
    pub last_action_s: Option<f64>,
    /// The start of the first hold window after the trigger was off, and after the impact,
    /// that meets the recovery rule.
    pub recovered_s: Option<f64>,
    /// How long recovery was waited for without success, from the trigger's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered_censored_after_s: Option<f64>,
    /// Trigger off → recovered.
    #[serde(default)]
    pub recovery_after_trigger_off_s: Option<f64>,
    /// How long it was waited for without success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_after_trigger_off_censored_after_s: Option<f64>,
    /// Rollback applied → recovered; null where no rollback was applied.
    pub recovery_after_rollback_s: Option<f64>,
    /// How long it was waited for without success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_after_rollback_censored_after_s: Option<f64>,
    /// Last action → recovered.
    pub recovery_after_last_action_s: Option<f64>,
    /// How long it was waited for without success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_after_last_action_censored_after_s: Option<f64>,
    /// Impact → detected.
    pub time_to_detect_s: Option<f64>,
    /// How long it was waited for without success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_to_detect_censored_after_s: Option<f64>,
    /// Impact → acknowledged by somebody on call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_to_acknowledge_s: Option<f64>,
    /// How long it was waited for without success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_to_acknowledge_censored_after_s: Option<f64>,
    /// Impact → mitigated.
    pub time_to_mitigate_s: Option<f64>,
    /// How long it was waited for without success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_to_mitigate_censored_after_s: Option<f64>,
    /// Impact → recovered.
    pub time_to_recover_s: Option<f64>,
    /// How long it was waited for without success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_to_recover_censored_after_s: Option<f64>,
    /// The verdict, in the words of docs/TERMS.md with underscores.
    pub verdict: IncidentVerdict,
    /// Why the verdict is `undetermined`, in one sentence; null where it is another.
    pub undetermined_because: Option<String>,
    /// When service was lost again after it had recovered; null where it was not.
    pub relapsed_s: Option<f64>,
    /// Each time that it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relapses: Vec<Relapse>,
    /// When service was back from the last relapse; null where it was not, or there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned_s: Option<f64>,
    /// What users got from the impact on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub harm: Option<Harm>,
    /// What users got after service was back for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_recovery: Option<AfterRecovery>,
    /// What kept the incident going after the trigger was off: `retries`,
    /// `monitor_probes`, `reconnections`, `zombie_work`, `cold_start`, `detached_tasks`,
    /// `deadlock` or `leak`.
    pub sustaining: Option<SustainingEffect>,
    /// The shares that the sustaining effect is named from.
    pub sustaining_shares: Option<SustainingShares>,
    /// What was held for nothing, where that is a deadlock or a leak.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldCapacity>,
}

/// Shares between the trigger's end and the next action or the recovery, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct SustainingShares {
    /// Retries / (attempts + probes).
    pub retries: f64,
    /// Probes / (attempts + probes).
    pub monitor_probes: f64,
    /// Busy worker-time for callers who had gone / busy worker-time; null, as the
    /// next two, where no worker was read.
    pub zombie_work: Option<f64>,
    /// Busy worker-time that a warm cache would have saved / busy worker-time.
    pub cold_start: Option<f64>,
    /// Busy worker-time in detached tasks / busy worker-time.
    pub detached_tasks: Option<f64>,
}

/// The JSON schema of `summary.json`, as it is committed in `docs/summary.schema.json`.
pub fn summary_schema() -> String {
    let schema = schemars::schema_for!(Findings);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
