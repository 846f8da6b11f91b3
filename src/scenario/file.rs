//! What a scenario file may hold: the one list of keys, types and defaults.
//!
//! The doc comments are the descriptions in `docs/scenario.schema.json`, and
//! serde's defaults are its defaults, so they are written for users. Required
//! keys are `Option`s here: a value that was found wrong has been reported and
//! taken out, and the rest of the file is still read.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::leaf::{
    After, Condition, Moment, Pause, Placed, Positive, ProbePath, Quantity, Share, Text, Word,
};
use crate::model::{
    ArrivalProcess, Distribution, Figure, KNOWN_SETTINGS, QueuePolicy, RecoveryRule, Release,
    Request, Role,
};
use crate::units::{ClockTime, Nanos, Rate};

type PlacedText<T> = Placed<Text<T>>;

/// The text of a default, which a test holds to be right.
fn text<T: Quantity>(text: &str) -> Text<T> {
    Text(text.parse().unwrap_or_else(|_| panic!("default `{text}`")))
}

/// A scenario of threadbare: what is done to a fleet, and what that is expected to show.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// What the scenario is about, in one line.
    #[schemars(required)]
    pub(super) title: Option<String>,
    /// What a run of it is to show, in one sentence.
    #[schemars(required)]
    pub(super) claim: Option<String>,
    /// Where the facts come from.
    #[serde(default)]
    pub(super) source: String,
    /// The seed of every random stream.
    #[serde(default = "seed")]
    #[schemars(range(max = 9_223_372_036_854_775_807_u64))]
    pub(super) seed: u64,
    /// When the load ends: a duration since the start, or a time of the story's day.
    #[schemars(required)]
    pub(super) end: Option<PlacedText<Moment>>,
    /// Figures begin after this duration.
    #[serde(default = "warm_up")]
    pub(super) warm_up: PlacedText<Nanos>,
    /// After the end nothing is scheduled, and what is under way may end for so long.
    #[serde(default = "drain")]
    pub(super) drain: PlacedText<Nanos>,
    /// Width of the buckets that figures are counted in, in whole milliseconds.
    #[serde(default = "interval")]
    pub(super) interval: PlacedText<Positive>,
    /// The incident's own clock; with it, instants may be given as times of day.
    pub(super) story: Option<Story>,
    /// What the load is directed at.
    #[serde(default)]
    pub(super) target: Target,
    /// What users do.
    #[schemars(required)]
    pub(super) load: Option<Load>,
    /// Monitors that probe the fleet.
    #[serde(default)]
    pub(super) monitor: Vec<Monitor>,
    /// When somebody is told.
    #[serde(default)]
    pub(super) alert: Vec<Alert>,
    /// What is done to the fleet, its monitors and its clients.
    #[serde(default)]
    pub(super) timeline: Vec<Placed<Entry>>,
    /// What counts as recovered.
    #[serde(default)]
    pub(super) recovery: Recovery,
    /// What the run is expected to show.
    #[serde(default)]
    pub(super) expect: Vec<Placed<Expect>>,
}

const fn seed() -> u64 {
    1
}

fn warm_up() -> PlacedText<Nanos> {
    text("5s").into()
}

fn drain() -> PlacedText<Nanos> {
    text("3s").into()
}

fn interval() -> PlacedText<Positive> {
    text("1s").into()
}

/// The incident's own clock.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Story {
    /// The story's time of day at the start of the run.
    #[schemars(required)]
    pub(super) starts: Option<Text<ClockTime>>,
    /// Story seconds per real second.
    #[serde(default = "scale")]
    #[schemars(range(min = 0.001, max = 100_000.0))]
    pub(super) scale: f64,
}

const fn scale() -> f64 {
    1.0
}

/// What the load is directed at.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Target {
    /// The embedded fleet.
    pub(super) fleet: Fleet,
}

/// The embedded fleet: a balancer and instances, each a process of its own.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Fleet {
    /// Instances behind the balancer.
    #[schemars(range(min = 1, max = 64))]
    pub(super) instances: u32,
    /// Workers of each instance, each a thread.
    #[schemars(range(min = 1, max = 512))]
    pub(super) workers: u32,
    /// The job queue of each instance: "unbounded" or "bounded(64)", then if
    /// wanted ", lifo" and ", expire 500ms".
    pub(super) queue: Text<QueuePolicy>,
    /// The identity service that authorization calls.
    pub(super) identity: Identity,
    /// Time a worker blocks on the application's own part.
    pub(super) application: Text<Distribution>,
    /// Time a worker blocks on the way to the database and back.
    pub(super) database: Text<Distribution>,
    /// Users, spread evenly over the roles.
    #[schemars(range(min = 3, max = 100_000))]
    pub(super) users: u32,
    /// Projects that tasks belong to.
    #[schemars(range(min = 1, max = 100_000))]
    pub(super) projects: u32,
    /// Tasks at the start.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(super) tasks: u32,
    /// Time a new instance takes before it listens.
    pub(super) boot: Text<Nanos>,
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            instances: 4,
            workers: 4,
            queue: text("unbounded"),
            identity: Identity::default(),
            application: text("constant(1ms)"),
            database: text("exponential(mean 6ms)"),
            users: 200,
            projects: 20,
            tasks: 1000,
            boot: text("500ms"),
        }
    }
}

/// The identity service.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Identity {
    /// Time one verification takes when the caller knows the user's roles already.
    pub(super) latency: Text<Distribution>,
    /// Verifications at a time; more wait their turn inside the service.
    #[schemars(range(min = 1, max = 10_000))]
    pub(super) capacity: u32,
    /// How many times longer a verification takes for a user whose roles the
    /// instance does not hold yet.
    #[schemars(range(min = 1.0, max = 1000.0))]
    pub(super) cold_factor: f64,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            latency: text("lognormal(median 8ms, sigma 0.5)"),
            capacity: 64,
            cold_factor: 12.0,
        }
    }
}

/// What users do: when, what and how patiently.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Load {
    /// How arrivals are spread; they come at the rate whatever the fleet does.
    #[serde(default = "arrivals")]
    pub(super) arrivals: Word<ArrivalProcess>,
    /// Operations scheduled per second, from the start on.
    #[schemars(required)]
    pub(super) rate: Option<PlacedText<Rate>>,
    /// Changes of the rate.
    #[serde(default)]
    pub(super) step: Vec<Step>,
    /// What operations ask for; an operation is of a kind with probability
    /// weight / sum of weights.
    #[schemars(required, length(min = 1))]
    pub(super) mix: Option<Vec<Mix>>,
    /// How clients behave.
    #[serde(default)]
    pub(super) client: Client,
    /// Connections at most; past it, operations wait for one.
    #[serde(default = "connections")]
    #[schemars(range(min = 1, max = 100_000))]
    pub(super) connections: u32,
    /// Operations that may wait for a connection; one more is shed.
    #[serde(default = "backlog")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(super) backlog: u32,
}

const fn arrivals() -> Word<ArrivalProcess> {
    Word(ArrivalProcess::Poisson)
}

const fn connections() -> u32 {
    1024
}

const fn backlog() -> u32 {
    1024
}

/// A change of the rate.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    /// From when on.
    #[schemars(required)]
    pub(super) at: Option<PlacedText<Moment>>,
    /// Operations scheduled per second.
    #[schemars(required)]
    pub(super) rate: Option<PlacedText<Rate>>,
}

/// One kind of operation.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Mix {
    /// Its share of the operations is weight / sum of weights.
    #[schemars(required, range(min = 1, max = 1_000_000))]
    pub(super) weight: Option<u32>,
    /// What it asks for.
    #[schemars(required)]
    pub(super) request: Option<Word<Request>>,
    /// The role of the user who asks.
    #[schemars(required)]
    pub(super) role: Option<Word<Role>>,
    /// Whether the answer is to be a refusal (403).
    #[serde(default)]
    pub(super) refused: bool,
}

/// How clients behave.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Client {
    /// Limit on one attempt, from its send.
    pub(super) timeout: Text<Positive>,
    /// Limit on an operation, from its intended start; without it clients wait for ever.
    pub(super) deadline: Option<Text<Positive>>,
    /// Attempts after the first.
    #[schemars(range(min = 0, max = 100))]
    pub(super) retries: u32,
    /// The pause before each retry, or "none".
    pub(super) backoff: Text<Pause>,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            timeout: text("1s"),
            deadline: None,
            retries: 0,
            backoff: text("none"),
        }
    }
}

/// A group of like monitors.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Monitor {
    /// What the group is called in reports.
    #[schemars(required)]
    pub(super) name: Option<Placed<String>>,
    /// The path it requests with GET; a success is a 2xx answer.
    #[schemars(required)]
    pub(super) probe: Option<Text<ProbePath>>,
    /// Monitors in the group, spread evenly over the interval.
    #[serde(default = "count")]
    #[schemars(range(min = 1, max = 1000))]
    pub(super) count: u32,
    /// Time between the starts of two probes of one monitor.
    #[schemars(required)]
    pub(super) every: Option<Text<Positive>>,
    /// What changes while its last probe failed.
    pub(super) after_failure: Option<AfterFailure>,
    /// Whether a probe starts though the last has not ended.
    #[serde(default = "overlap")]
    pub(super) overlap: bool,
    /// Limit on one probe.
    #[serde(default = "probe_timeout")]
    pub(super) timeout: Text<Positive>,
}

const fn count() -> u32 {
    1
}

const fn overlap() -> bool {
    true
}

fn probe_timeout() -> Text<Positive> {
    text("1s")
}

/// How a monitor probes while its last probe failed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AfterFailure {
    /// Time between the starts of two probes of one monitor.
    #[schemars(required)]
    pub(super) every: Option<Text<Positive>>,
}

/// When somebody is told: the first alert is the detection.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Alert {
    /// What the alert is called in reports, and by entries that wait for it.
    #[schemars(required)]
    pub(super) name: Option<Placed<String>>,
    /// `error share`, `probe failures` or `saturation`, then `>` and a share.
    #[schemars(required)]
    pub(super) when: Option<Text<Condition>>,
    /// It fires when that has held without a break for so long.
    #[schemars(required)]
    pub(super) r#for: Option<Text<Nanos>>,
}

/// One thing that is done, and when: `at` an instant, or `after` an event.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Entry {
    /// When: a time of the story's day, or a duration since the start.
    pub(super) at: Option<PlacedText<Moment>>,
    /// After which event: "rollback rejected", "rollback applied", "restarted"
    /// or "alert NAME". An event that does not come is waited for in vain.
    pub(super) after: Option<PlacedText<After>>,
    /// How long after the event; at once, if not given.
    pub(super) delay: Option<PlacedText<Nanos>>,
    /// The name of the phase that begins with it; by default, what is done.
    pub(super) phase: Option<Placed<String>>,
    /// What is done.
    #[serde(flatten)]
    #[schemars(with = "Do")]
    pub(super) action: Option<Do>,
}

/// What is done.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(super) enum Do {
    /// Release a configuration with these settings changed.
    Push {
        /// Settings and their new values.
        #[schemars(required)]
        set: Option<Settings>,
        /// The schema the document is written in; without it, the active one.
        #[schemars(range(min = 1, max = 1_000_000))]
        schema: Option<u32>,
        /// Whether its author ran the tests.
        #[serde(default = "tested")]
        tested: bool,
    },
    /// Restore the version before the active one, through the same checks as a push.
    Rollback {},
    /// Make a check of the release system advisory.
    Waive {
        /// The check.
        #[schemars(required)]
        check: Option<CheckName>,
    },
    /// Restart the instances.
    Restart {
        /// One after the other, with this pause after each is back; without it, all at once.
        pause: Option<Text<Nanos>>,
    },
    /// Let the balancer admit this share of the requests; the rest is refused at once.
    Admit {
        /// The share.
        #[schemars(required)]
        share: Option<Text<Share>>,
    },
    /// Switch every monitor on or off.
    Monitors {
        /// On or off.
        #[schemars(required)]
        on: Option<bool>,
    },
    /// Change how many retries clients make from now on.
    Retries {
        /// Attempts after the first.
        #[schemars(required, range(min = 0, max = 100))]
        retries: Option<u32>,
    },
}

const fn tested() -> bool {
    true
}

/// Settings and values, of those that the release system knows.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Settings(pub(super) BTreeMap<String, String>);

impl JsonSchema for Settings {
    fn schema_name() -> Cow<'static, str> {
        "settings".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let properties: BTreeMap<_, _> = KNOWN_SETTINGS
            .iter()
            .map(|(key, values)| (*key, json_schema!({ "type": "string", "enum": values })))
            .collect();
        json_schema!({
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
        })
    }
}

/// A check of the release system.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct CheckName(pub(super) String);

impl JsonSchema for CheckName {
    fn schema_name() -> Cow<'static, str> {
        "check".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": Release::CHECKS })
    }
}

/// What counts as recovered: every threshold of the definition in docs/TERMS.md.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Recovery {
    /// Goodput is at least this share of the baseline's.
    pub(super) goodput: Text<Share>,
    /// The error share is at most the baseline's plus this.
    pub(super) error_margin: Text<Share>,
    /// p99 is at most this many times the baseline's, or the baseline's plus
    /// `p99_margin`, whichever is more.
    #[schemars(range(min = 1.0, max = 1000.0))]
    pub(super) p99_factor: f64,
    /// See `p99_factor`.
    pub(super) p99_margin: Text<Nanos>,
    /// All of it over a window so long.
    pub(super) hold: Text<Positive>,
    /// The window has at least so many operations.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub(super) operations_min: u64,
    /// Mitigated: goodput is at least this share of the baseline's, over the window.
    pub(super) mitigated: Text<Share>,
}

impl Default for Recovery {
    fn default() -> Self {
        let rule = RecoveryRule::default();
        Self {
            goodput: Text(Share(rule.goodput)),
            error_margin: Text(Share(rule.error_margin)),
            p99_factor: rule.p99_factor,
            p99_margin: Text(rule.p99_margin),
            hold: Text(Positive(rule.hold)),
            operations_min: rule.operations_min,
            mitigated: Text(Share(rule.mitigated)),
        }
    }
}

/// A statement about the findings that the run passes or fails: a figure and one bound.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    /// The figure.
    #[schemars(required)]
    pub(super) that: Option<Placed<Word<Figure>>>,
    /// The phase, for figures that are kept by phase; before the first entry it is "baseline".
    pub(super) r#in: Option<Placed<String>>,
    /// It is at most this, in the figure's unit: "60s", "50 %" or a number.
    pub(super) at_most: Option<Placed<Limit>>,
    /// It is at least this, in the figure's unit: "60s", "50 %" or a number.
    pub(super) at_least: Option<Placed<Limit>>,
    /// It is this word.
    pub(super) is: Option<Placed<String>>,
}

/// A bound as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Limit {
    Number(f64),
    Text(String),
}

impl JsonSchema for Limit {
    fn schema_name() -> Cow<'static, str> {
        "bound".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number"] })
    }
}
