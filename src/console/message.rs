//! What pages are sent: one vocabulary for a run that goes on and for one that has ended.
//!
//! Each message has a number that grows by one, and the instant that it is of, in seconds
//! since the load began. Numbers only and words: how it looks is the page's business.

use std::collections::BTreeMap;

use std::sync::Arc;

use serde::Serialize;

use crate::analysis::ServiceClock;
use crate::model::Person;
use crate::units::Nanos;

/// Something that pages are sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Message {
    /// What was counted in one interval, as far as it is known.
    Frame(Box<Frame>),
    /// Something happened.
    Mark(Mark),
    /// How service is, and the incident's clock.
    State(Standing),
    /// The run has ended; nothing follows.
    End(End),
}

/// What was counted in one interval. Shares are of 1, rates per second.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Frame {
    /// Its length in seconds; the last one may be cut short.
    pub width_s: f64,
    /// Whether every operation that was scheduled in it has ended. Until then the figures
    /// of users are those of the operations that ended in it.
    pub settled: bool,
    /// Operations scheduled in it.
    pub scheduled: u64,
    /// Of them: succeeded, whenever that was.
    pub succeeded: u64,
    /// Operations scheduled per second.
    pub offered: Option<f64>,
    /// Of them: succeeded, per second.
    pub goodput: Option<f64>,
    /// Of them: ended without success / ended.
    pub error_share: Option<f64>,
    /// Median response time of those that succeeded, in milliseconds.
    pub p50_ms: Option<f64>,
    /// 99th percentile of the same.
    pub p99_ms: Option<f64>,
    /// First tries that started in it, per second.
    pub first: f64,
    /// Retries, hedges and resends that started in it, per second.
    pub retries: f64,
    /// Probes that started in it, per second.
    pub probes: f64,
    /// What held the workers of the fleet; none where no gauge was read.
    pub held: Option<HeldWorkers>,
    /// Workers that serve; none where nobody tells.
    pub workers: Option<f64>,
    /// Busy share of the workers.
    pub busy_share: Option<f64>,
    /// Jobs waiting for a worker, on average.
    pub waiting: Option<f64>,
    /// The instances of the fleet one by one, or the gauges of the target.
    pub instances: Vec<InstanceFrame>,
    /// Busy share of the machine.
    pub machine_busy: Option<f64>,
    /// 99th percentile of the generator's send lag, in milliseconds.
    pub send_lag_p99_ms: Option<f64>,
    /// Busy share of the generator's threads.
    pub generator_busy: Option<f64>,
}

/// Workers by what held them, on average; they add up to the busy ones.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct HeldWorkers {
    /// Requests whose caller waited.
    pub live: f64,
    /// Requests whose caller had gone.
    pub gone: f64,
    /// Detached verifications.
    pub detached: f64,
    /// Of what a caller waited for: what a warm role cache would have saved.
    pub cold: f64,
    /// Probes whose monitor waited.
    pub probes: f64,
}

/// One instance in one interval.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InstanceFrame {
    /// Its name.
    pub name: String,
    /// Busy share of its workers.
    pub busy_share: Option<f64>,
    /// Jobs waiting in it, on average.
    pub waiting: Option<f64>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Mark {
    /// Its kind: `action`, `alert`, `note`, `prediction`, `joined`, `held`, `went_on`,
    /// `declined`, `stop`, `warning`, `died`, `undone`, `phase`, `elsewhere`, `finding`.
    #[serde(rename = "mark")]
    pub sort: &'static str,
    /// Of an action: the place of what was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<usize>,
    /// Of an action: the button that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<u32>,
    /// Of an action: its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'static str>,
    /// Of an action: the phase that begins with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// What it is, in a few words.
    pub label: String,
    /// Who.
    pub by: Option<Person>,
    /// Its result: `started`, `applied`, `rejected`, `failed`; of an alert `fired`, `cleared`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<&'static str>,
    /// More about it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// How service is, as far as it is known while the run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Standing {
    /// In one word.
    pub state: &'static str,
    /// Whether somebody holds the timeline.
    pub held: bool,
    /// The incident's clock.
    pub clock: IncidentClock,
}

impl IncidentClock {
    /// The clock as pages are sent it; at the end it is that of the report, to the last digit.
    pub(super) fn of(clock: ServiceClock) -> Self {
        let seconds = |at: Option<Nanos>| at.map(Nanos::as_secs_f64);
        Self {
            began_s: seconds(clock.began),
            detected_s: seconds(clock.detected),
            mitigated_s: seconds(clock.mitigated),
            recovered_s: seconds(clock.recovered),
        }
    }
}

/// The incident's clock, in seconds since the load began.
#[cfg_attr(
    not(feature = "testing"),
    expect(clippy::struct_field_names, reason = "the unit stands last")
)]
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct IncidentClock {
    /// When service was lost.
    pub began_s: Option<f64>,
    /// When the first alert fired after it.
    pub detected_s: Option<f64>,
    /// When goodput was back at the share that counts as mitigated.
    pub mitigated_s: Option<f64>,
    /// When service was back.
    pub recovered_s: Option<f64>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct End {
    /// Why: `completed`, `stopped`, `interrupted`, `aborted` or `failed`.
    pub cause: &'static str,
    /// What the incident came to; none where nothing was analysed.
    pub verdict: Option<&'static str>,
    /// One sentence.
    pub detail: String,
    /// Where its report lies; none where there is none.
    pub report: Option<String>,
    /// What was measured of what people predicted, by question.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub measured: BTreeMap<&'static str, String>,
}

/// A message with its number and its instant, as it is sent.
#[derive(Serialize)]
struct Numbered<'a> {
    seq: u64,
    t: f64,
    #[serde(flatten)]
    message: &'a Message,
}

impl Message {
    /// The message as one line of JSON.
    pub(super) fn numbered(&self, seq: u64, at: Nanos) -> Arc<str> {
        let numbered = Numbered {
            seq,
            t: seconds(at),
            message: self,
        };
        // Numbers that are not finite are written as null, so that none fails.
        serde_json::to_string(&numbered).unwrap_or_default().into()
    }
}

/// An instant in seconds, to the millisecond: the precision of the record's axis.
pub(super) fn seconds(at: Nanos) -> f64 {
    (at.0 / 1_000_000) as f64 / 1e3
}

/// Three digits behind the point: what a chart can show, in fewer bytes.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}
