//! What a scenario file may hold: the one list of keys, types and defaults.
//!
//! The doc comments are the descriptions in `docs/scenario.schema.json`, and
//! serde's defaults are its defaults, so they are written for users. Required
//! keys are `Option`s here: a value that was found wrong has been reported and
//! taken out, and the rest of the file is still read.

mod entry;
mod gauges;
mod hook;
mod judgement;
mod load;
mod proxy;
mod responder;
mod safety;
mod target;
mod variant;
mod watch;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::leaf::{Quantity, Spanned, Text};
use super::quantities::{Moment, Positive};
use crate::units::{ClockTime, Nanos};

pub(super) use entry::{ActionEntry, Entry, Fault, FleetAttributes};
pub(super) use gauges::Gauges;
pub(super) use hook::{Call, Hook};
pub(super) use judgement::{Expect, Limit, Recovery};
pub(super) use load::{Load, Mix, Step, Swing};
pub(super) use proxy::Proxy;
pub(super) use responder::Responder;
pub(super) use safety::Safety;
pub(super) use target::{Fleet, Release, Target};
pub(super) use variant::Variant;
pub(super) use watch::{Alert, Monitor};

type PlacedText<T> = Spanned<Text<T>>;

/// The text of a default, which a test holds to be right.
fn text<T: Quantity>(text: &str) -> Text<T> {
    Text(text.parse().unwrap_or_else(|_| panic!("default `{text}`")))
}

/// A scenario of threadbare: what is done to a target, and what that is expected to show.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// What the scenario is about, in one line.
    #[schemars(required)]
    pub(super) title: Option<String>,
    /// What a run of it shows, in one sentence.
    #[schemars(required)]
    pub(super) claim: Option<String>,
    /// Where the facts come from.
    #[serde(default)]
    pub(super) source: String,
    /// What kind of failure it shows, in a word or two: `threadbare list` groups by it.
    #[serde(default)]
    pub(super) mechanism: String,
    /// What people say who see such an incident: "my workers are all busy and the load is gone".
    #[serde(default)]
    pub(super) seen: Vec<String>,
    /// The seed of every random stream.
    #[serde(default = "seed")]
    #[schemars(range(max = 9_007_199_254_740_991_u64))]
    pub(super) seed: u64,
    /// When the load ends: a duration since the start, or a time of the story's day.
    #[schemars(required)]
    pub(super) end: Option<PlacedText<Moment>>,
    /// Figures begin after this duration.
    #[serde(default = "warm_up")]
    pub(super) warm_up: PlacedText<Nanos>,
    /// After the end nothing is scheduled, and operations in flight have this long to finish; by
    /// default 3s, or as long as clients wait (`deadline`, or else `timeout`) where that is longer.
    pub(super) drain: Option<PlacedText<Nanos>>,
    /// Width of the buckets that figures are counted in, in whole milliseconds.
    #[serde(default = "interval")]
    pub(super) interval: PlacedText<Positive>,
    /// A game day: a run in which people decide.
    #[serde(default)]
    pub(super) gameday: GameDay,
    /// The incident's own clock; with it, instants may be given as times of day.
    pub(super) story: Option<Story>,
    /// What the load is directed at.
    pub(super) target: Option<Spanned<Target>>,
    /// The release system of the fleet's configuration.
    #[serde(default)]
    pub(super) release: Release,
    /// What users do.
    #[schemars(required)]
    pub(super) load: Option<Spanned<Load>>,
    /// Monitors that probe the fleet.
    #[serde(default)]
    pub(super) monitor: Vec<Monitor>,
    /// What the user's target publishes about its workers.
    #[serde(default)]
    pub(super) gauges: Vec<Spanned<Gauges>>,
    /// What fires an alert.
    #[serde(default)]
    pub(super) alert: Vec<Alert>,
    /// Those on call: they hear alerts and act, beside the timeline.
    #[serde(default)]
    pub(super) responder: Vec<Spanned<Responder>>,
    /// Calls of the user's own tools that the timeline can make.
    #[serde(default)]
    pub(super) hook: Vec<Spanned<Hook>>,
    /// Proxies in front of the target, or of what it depends on.
    #[serde(default)]
    pub(super) proxy: Vec<Spanned<Proxy>>,
    /// Limits on what the run may do.
    #[serde(default)]
    pub(super) safety: Safety,
    /// What is done to the target, its monitors and its clients.
    #[serde(default)]
    pub(super) timeline: Vec<Spanned<Entry>>,
    /// What counts as recovered.
    #[serde(default)]
    pub(super) recovery: Recovery,
    /// What the run is expected to show.
    #[serde(default)]
    pub(super) expect: Vec<Spanned<Expect>>,
    /// Settings by name, which `--profile NAME` applies as `--set` would: a shorter run for
    /// CI, a smaller one for a laptop.
    #[serde(default)]
    #[expect(dead_code, reason = "`settings` reads it before the file is read")]
    pub(super) profile: BTreeMap<String, Vec<String>>,
    /// What would have prevented or ended the incident: changes by name, of which
    /// `--variant NAME` applies one.
    #[serde(default)]
    pub(super) variant: Vec<Spanned<Variant>>,
}

const fn seed() -> u64 {
    1
}

fn warm_up() -> PlacedText<Nanos> {
    text("5s").into()
}

fn interval() -> PlacedText<Positive> {
    text("1s").into()
}

/// A game day: a run in which people decide.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GameDay {
    /// When the load of a run with `--manual` ends: people need longer than a timeline.
    pub(super) end: Option<PlacedText<Moment>>,
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
