//! The plan: a scenario, a seed and machine facts, with nothing left to decide.
//!
//! Both backends take the same plan, and the record's header holds it, so that
//! a run can be analysed without the scenario that led to it. A plan is
//! immutable: what happens during a run is in the record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{AlertRule, ArrivalProcess, ClientPolicy, FleetSpec, MonitorPolicy, Role};
use crate::units::{ClockTime, Nanos, Rate, Ratio};

/// Everything a backend needs to carry out a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The scenario's short name: its file's stem.
    pub scenario: String,
    /// What the scenario is about, in one line.
    pub title: String,
    /// What a run of it is to show, in one sentence.
    pub claim: String,
    /// Where the facts come from.
    pub source: String,
    /// The seed of every random stream.
    pub seed: u64,
    /// The incident's own clock, where the scenario has one.
    pub story: Option<Story>,
    /// Figures begin here; what was scheduled before counts in none.
    pub warm_up: Nanos,
    /// The last operation is scheduled before this instant.
    pub end: Nanos,
    /// After the end nothing is scheduled, and what is under way may end for so long.
    pub drain: Nanos,
    /// Width of the buckets that the record counts in.
    pub interval: Nanos,
    /// The fleet that is driven.
    pub fleet: FleetSpec,
    /// What users do.
    pub load: Load,
    /// What monitors do.
    pub monitors: Vec<MonitorPolicy>,
    /// When somebody is told.
    pub alerts: Vec<AlertRule>,
    /// What is done to the fleet and its clients, in the order of the scenario.
    pub timeline: Vec<Entry>,
    /// What counts as impact and recovery.
    pub recovery: RecoveryRule,
    /// What the run is expected to show.
    pub expectations: Vec<Expectation>,
}

/// The incident's clock: story time = `starts` + real time × `scale`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Story {
    /// The story's time at the start of the run.
    #[schemars(with = "String")]
    pub starts: ClockTime,
    /// Story seconds per real second.
    pub scale: f64,
}

impl Story {
    /// The story's time at an instant of the run.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a story spans hours; `as` saturates"
    )]
    pub fn at(&self, instant: Nanos) -> ClockTime {
        let seconds = (instant.as_secs_f64() * self.scale).round() as u32;
        ClockTime::from_seconds(self.starts.as_seconds().saturating_add(seconds))
    }
}

/// What users do: when, what and how patiently.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// How arrivals are spread.
    pub process: ArrivalProcess,
    /// Rate in force from each instant on; the first is at zero.
    pub rate: Vec<(Nanos, Rate)>,
    /// What operations ask for, with weights.
    pub mix: Vec<MixEntry>,
    /// How clients behave at the start.
    pub client: ClientPolicy,
    /// Connections at most; past it operations wait for one.
    pub connections: u32,
    /// Operations that may wait for a connection; one more is shed.
    pub backlog: u32,
}

/// One kind of operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MixEntry {
    /// Its share of the operations is weight / sum of weights.
    pub weight: u32,
    /// What it asks for.
    pub request: Request,
    /// The role of the user who asks.
    pub role: Role,
    /// Whether the answer is to be a refusal (403).
    pub refused: bool,
}

/// The requests that the embedded fleet's API knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// `GET /projects/{project}/tasks`
    ListTasks,
    /// `POST /projects/{project}/tasks`
    CreateTask,
    /// `PATCH /tasks/{task}`
    UpdateTask,
    /// `POST /projects/{project}/close`
    CloseProject,
}

impl Request {
    /// All requests with the names that scenario files use.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::ListTasks, "list tasks"),
        (Self::CreateTask, "create task"),
        (Self::UpdateTask, "update task"),
        (Self::CloseProject, "close project"),
    ];

    /// The name that scenario files use.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(request, _)| *request == self)
            .map_or("", |(_, name)| name)
    }
}

/// One thing that is done, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub when: When,
    /// What.
    pub action: Action,
    /// The name of the phase that begins with it.
    pub phase: String,
}

/// When an entry is carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// At an instant of the run.
    At(Nanos),
    /// After an event, plus a delay; never, if the event does not come.
    After {
        /// The event.
        event: Trigger,
        /// How long after it.
        delay: Nanos,
    },
}

/// An event that entries can wait for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The alert of this name fired.
    Alert(String),
    /// A rollback was refused.
    RollbackRejected,
    /// A rollback was applied.
    RollbackApplied,
    /// A restart has ended: every instance serves again.
    Restarted,
}

/// What can be done to the fleet, its monitors and its clients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Release a configuration with these settings changed.
    Push {
        /// Settings and their new values.
        set: BTreeMap<String, String>,
        /// The schema the document is written in; none keeps the active one.
        schema: Option<u32>,
        /// Whether its author ran the tests.
        tested: bool,
    },
    /// Restore the version before the active one, through the same checks.
    Rollback,
    /// Make a check advisory.
    Waive {
        /// The check's name.
        check: String,
    },
    /// Restart instances.
    Restart {
        /// None: all at once. Otherwise one after the other, with this pause
        /// after each is back.
        pause: Option<Nanos>,
    },
    /// Let the balancer admit this share of the requests.
    Admit {
        /// The share.
        share: Ratio,
    },
    /// Switch every monitor on or off.
    Monitors {
        /// On or off.
        on: bool,
    },
    /// Change how many retries clients make from now on.
    Retries {
        /// Attempts after the first.
        retries: u32,
    },
}

impl Action {
    /// The action's name, as scenario files and reports write it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Push { .. } => "push",
            Self::Rollback => "rollback",
            Self::Waive { .. } => "waive",
            Self::Restart { .. } => "restart",
            Self::Admit { .. } => "admit",
            Self::Monitors { .. } => "monitors",
            Self::Retries { .. } => "retries",
        }
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

/// A statement about the findings that a run passes or fails.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Expectation {
    /// What is looked at.
    pub that: Figure,
    /// In which phase, for figures that are kept by phase.
    pub phase: Option<String>,
    /// What it must be.
    pub bound: Bound,
}

/// A figure that expectations can speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Rollback applied → recovered, in seconds.
    RecoveryAfterRollback,
    /// Last action → recovered, in seconds.
    RecoveryAfterLastAction,
    /// Impact start → detected, in seconds.
    TimeToDetect,
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
    /// p99 of the response time in seconds, by phase.
    ResponseP99,
    /// Instances with an exhaustion window that overlaps the phase.
    ExhaustedInstances,
    /// Rollbacks that were refused.
    RejectedRollbacks,
}

/// What a figure's values are measured in; it decides how bounds are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A duration in seconds.
    Seconds,
    /// A share of 1.
    Share,
    /// A bare number.
    Number,
    /// A word.
    Word,
}

impl Figure {
    /// All figures with the names that scenario files use, their unit, and
    /// whether they are kept by phase.
    pub const ALL: [(Self, &'static str, Unit, bool); 14] = [
        (
            Self::RecoveryAfterRollback,
            "recovery after rollback",
            Unit::Seconds,
            false,
        ),
        (
            Self::RecoveryAfterLastAction,
            "recovery after the last action",
            Unit::Seconds,
            false,
        ),
        (Self::TimeToDetect, "time to detect", Unit::Seconds, false),
        (Self::TimeToRecover, "time to recover", Unit::Seconds, false),
        (Self::IncidentVerdict, "incident verdict", Unit::Word, false),
        (Self::Sustaining, "sustaining effect", Unit::Word, false),
        (Self::GoodputShare, "goodput share", Unit::Share, true),
        (Self::ErrorShare, "error share", Unit::Share, true),
        (Self::Saturation, "saturation", Unit::Share, true),
        (
            Self::AttemptsPerOperation,
            "attempts per operation",
            Unit::Number,
            true,
        ),
        (Self::QueueDepthMax, "queue depth", Unit::Number, true),
        (Self::ResponseP99, "response p99", Unit::Seconds, true),
        (
            Self::ExhaustedInstances,
            "exhausted instances",
            Unit::Number,
            true,
        ),
        (
            Self::RejectedRollbacks,
            "rejected rollbacks",
            Unit::Number,
            false,
        ),
    ];

    fn row(self) -> &'static (Self, &'static str, Unit, bool) {
        Self::ALL
            .iter()
            .find(|row| row.0 == self)
            .expect("ALL lists every figure")
    }

    /// The name that scenario files use.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// What its values are measured in.
    #[must_use]
    pub fn unit(self) -> Unit {
        self.row().2
    }

    /// Whether it is kept by phase.
    #[must_use]
    pub fn by_phase(self) -> bool {
        self.row().3
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
    Is(String),
}
