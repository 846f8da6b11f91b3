//! What a run is judged by: figures with their units, bounds, the recovery rule.
//!
//! Nothing is measured or compared here; these are the words that scenario
//! files, plans and findings share.

use serde::{Deserialize, Serialize};

use super::{FailureCause, IncidentVerdict, SourceName, SustainingEffect, Window};
use crate::named::named;
use crate::units::{Nanos, Ratio};

/// A figure that expectations can speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Rollback applied → recovered, in seconds.
    RecoveryAfterRollback,
    /// Trigger off → recovered, in seconds.
    RecoveryAfterTriggerOff,
    /// Last action → recovered, in seconds.
    RecoveryAfterLastAction,
    /// Impact start → detected, in seconds.
    TimeToDetect,
    /// Impact → acknowledged, in seconds.
    TimeToAcknowledge,
    /// Impact start → half of the baseline's goodput, in seconds.
    TimeToMitigate,
    /// Impact start → recovered, in seconds.
    TimeToRecover,
    /// The incident's verdict, a word.
    IncidentVerdict,
    /// The sustaining effect, a word.
    Sustaining,
    /// Succeeded / offered, by phase.
    GoodputShare,
    /// Operations that ended without success / that ended, by phase.
    ErrorShare,
    /// Busy worker-time share, by phase.
    Saturation,
    /// Attempts per operation, by phase.
    AttemptsPerOperation,
    /// Largest queue depth over all instances, by phase.
    QueueDepthMax,
    /// Operations scheduled per second.
    OfferedRate,
    /// Operations succeeded per second, by intended start.
    Goodput,
    /// p50 of the response time of succeeded operations in seconds.
    ResponseP50,
    /// p90 likewise.
    ResponseP90,
    /// p99 likewise.
    ResponseP99,
    /// p99.9 likewise.
    ResponseP999,
    /// p99 of the response time over all operations, the failed as at least their wait.
    OverAllP99,
    /// p50 of the service time of answered attempts in seconds.
    ServiceP50,
    /// p90 likewise.
    ServiceP90,
    /// p99 likewise.
    ServiceP99,
    /// p99.9 likewise.
    ServiceP999,
    /// p99 of the time from the send to the first byte of the answer, in seconds.
    FirstByteP99,
    /// p99 of the time until a connection was made, in seconds.
    ConnectP99,
    /// p99 of the time that jobs waited for a worker, in seconds.
    QueueWaitP99,
    /// Share of the busy worker-time for callers who had gone.
    ZombieShare,
    /// Operations that were answered though they should have been refused.
    WronglyAllowed,
    /// Instances with an exhaustion window that overlaps the phase.
    ExhaustedInstances,
    /// Rollbacks that were refused.
    RejectedRollbacks,
    /// Failed attempts, over the whole run or in a phase, of all causes or one.
    Failures,
}

/// What a figure is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The whole incident; it has no window.
    Incident,
    /// Any window, a phase, or the whole run.
    Window,
    /// A phase or the whole run.
    Phase,
}

/// What a figure's values are measured in; it decides how bounds are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A duration in seconds.
    Seconds,
    /// A share of 1.
    Share,
    /// So many per second.
    PerSecond,
    /// A bare number.
    Number,
    /// A word.
    Word,
}

named!(Figure {
    RecoveryAfterRollback = "recovery after rollback",
    RecoveryAfterTriggerOff = "recovery after trigger off",
    RecoveryAfterLastAction = "recovery after the last action",
    TimeToDetect = "time to detect",
    TimeToAcknowledge = "time to acknowledge",
    TimeToMitigate = "time to mitigate",
    TimeToRecover = "time to recover",
    IncidentVerdict = "incident verdict",
    Sustaining = "sustaining effect",
    GoodputShare = "goodput share",
    ErrorShare = "error share",
    Saturation = "saturation",
    AttemptsPerOperation = "attempts per operation",
    QueueDepthMax = "queue depth",
    OfferedRate = "offered rate",
    Goodput = "goodput",
    ResponseP50 = "response p50",
    ResponseP90 = "response p90",
    ResponseP99 = "response p99",
    ResponseP999 = "response p99.9",
    OverAllP99 = "response p99 over all",
    ServiceP50 = "service p50",
    ServiceP90 = "service p90",
    ServiceP99 = "service p99",
    ServiceP999 = "service p99.9",
    FirstByteP99 = "first byte p99",
    ConnectP99 = "connect p99",
    QueueWaitP99 = "queue wait p99",
    ZombieShare = "zombie share",
    WronglyAllowed = "wrongly allowed",
    ExhaustedInstances = "exhausted instances",
    RejectedRollbacks = "rejected rollbacks",
    Failures = "failures",
});

impl Figure {
    /// What its values are measured in.
    pub const fn unit(self) -> Unit {
        match self {
            Self::RecoveryAfterRollback
            | Self::RecoveryAfterTriggerOff
            | Self::RecoveryAfterLastAction
            | Self::TimeToDetect
            | Self::TimeToAcknowledge
            | Self::TimeToMitigate
            | Self::TimeToRecover
            | Self::ResponseP50
            | Self::ResponseP90
            | Self::ResponseP99
            | Self::ResponseP999
            | Self::OverAllP99
            | Self::ServiceP50
            | Self::ServiceP90
            | Self::ServiceP99
            | Self::ServiceP999
            | Self::FirstByteP99
            | Self::ConnectP99
            | Self::QueueWaitP99 => Unit::Seconds,
            Self::GoodputShare | Self::ErrorShare | Self::Saturation | Self::ZombieShare => {
                Unit::Share
            }
            Self::OfferedRate | Self::Goodput => Unit::PerSecond,
            Self::AttemptsPerOperation
            | Self::WronglyAllowed
            | Self::QueueDepthMax
            | Self::ExhaustedInstances
            | Self::RejectedRollbacks
            | Self::Failures => Unit::Number,
            Self::IncidentVerdict | Self::Sustaining => Unit::Word,
        }
    }

    /// The words that its value can be; none where it is no word.
    pub fn words(self) -> Vec<Word> {
        match self {
            Self::IncidentVerdict => IncidentVerdict::ALL
                .map(|(verdict, _)| Word::Verdict(verdict))
                .into(),
            Self::Sustaining => SustainingEffect::ALL
                .map(|(effect, _)| Word::Sustaining(effect))
                .into(),
            _ => Vec::new(),
        }
    }

    /// What it is taken over.
    pub const fn scope(self) -> Scope {
        match self {
            Self::RecoveryAfterRollback
            | Self::RecoveryAfterTriggerOff
            | Self::RecoveryAfterLastAction
            | Self::TimeToDetect
            | Self::TimeToAcknowledge
            | Self::TimeToMitigate
            | Self::TimeToRecover
            | Self::IncidentVerdict
            | Self::Sustaining
            | Self::RejectedRollbacks => Scope::Incident,
            Self::Failures => Scope::Phase,
            _ => Scope::Window,
        }
    }

    /// Whether each kind of operation has its own.
    pub const fn is_by_kind(self) -> bool {
        matches!(
            self,
            Self::GoodputShare
                | Self::ErrorShare
                | Self::OfferedRate
                | Self::Goodput
                | Self::ResponseP50
                | Self::ResponseP90
                | Self::ResponseP99
                | Self::ResponseP999
                | Self::OverAllP99
                | Self::WronglyAllowed
        )
    }
}

/// What a figure must be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// At most this; a censored figure fails it.
    AtMost(f64),
    /// At least this; a figure censored after at least this passes it.
    AtLeast(f64),
    /// This word.
    Is(Word),
}

/// What a figure is where it is a word; no two figures share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Word {
    /// The incident's verdict.
    Verdict(IncidentVerdict),
    /// The sustaining effect.
    Sustaining(SustainingEffect),
}

impl Word {
    /// The word itself, which is also what serde writes.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Verdict(verdict) => verdict.word(),
            Self::Sustaining(effect) => effect.word(),
        }
    }
}

/// A statement about the findings that a run passes or fails.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Expectation {
    /// What is looked at.
    pub that: Figure,
    /// In which phase; none: over the window, or else the whole run.
    pub phase: Option<String>,
    /// Over which window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Of which kind of operation; none: of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Which failures, where it is about these.
    #[serde(default, skip_serializing_if = "FailuresOf::is_all")]
    pub of: FailuresOf,
    /// What it must be.
    pub bound: Bound,
    /// Whether the run ends as soon as it can no longer hold.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub abort: bool,
    /// The least share of the seeds in which it holds; none: it holds in each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Ratio>,
}

/// Which failures are counted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FailuresOf {
    /// Of one cause; none: of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<FailureCause>,
    /// Whose; none: the users'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceName>,
}

impl FailuresOf {
    fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// Whose failures.
    pub fn source(&self) -> SourceName {
        self.source.clone().unwrap_or(SourceName::User)
    }
}

/// What counts as impact, mitigation and recovery (docs/TERMS.md, "Incident clock").
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RecoveryRule {
    /// Recovered: goodput at least this share of the baseline's …
    pub goodput: Ratio,
    /// … and error share at most the baseline's plus this …
    pub error_margin: Ratio,
    /// … and p99 at most this many times the baseline's, or …
    pub p99_factor: f64,
    /// … the baseline's plus this, whichever is more …
    pub p99_margin: Nanos,
    /// … over a window so long …
    pub hold: Nanos,
    /// … with at least so many operations.
    pub operations_min: u64,
    /// Mitigated: goodput at least this share of the baseline's, over the window.
    pub mitigated: Ratio,
}

impl Default for RecoveryRule {
    fn default() -> Self {
        let percent = |value: f64| Ratio::new(value / 100.0).unwrap_or(Ratio::WHOLE);
        Self {
            goodput: percent(95.0),
            error_margin: percent(1.0),
            p99_factor: 2.0,
            p99_margin: Nanos::from_millis(50),
            hold: Nanos::from_secs(10),
            operations_min: 200,
            mitigated: percent(50.0),
        }
    }
}
