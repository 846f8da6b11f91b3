//! Keys of `[[timeline]]`: when, and what is done. Each action has keys of its own.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::num::NonZeroU32;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Map, json};
use toml::Value;

use super::{PlacedText, text};
use crate::model::fault::{Attribute, Effect, Field, FleetFaultKind, Hold, HttpMatch, Stream};
use crate::model::{Distribution, HookKind, KNOWN_SETTINGS, ProcessSelector, Release, SlowPart};
use crate::named::Named;
use crate::scenario::leaf::{Spanned, Text, Word};
use crate::scenario::quantities::{After, Moment, Positive, Share};
use crate::units::Nanos;

/// One thing that is done, and when: `at` an instant, `after` an event, or when somebody in
/// the room decides so.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::scenario) struct Entry {
    /// When: a time of the story's day, or a duration since the start.
    pub(in crate::scenario) at: Option<PlacedText<Moment>>,
    /// After which event: "rollback rejected", "rollback applied", "restarted"
    /// or "alert NAME". An event that does not come is waited for in vain.
    pub(in crate::scenario) after: Option<PlacedText<After>>,
    /// How long after the event; at once, if not given.
    pub(in crate::scenario) delay: Option<PlacedText<Nanos>>,
    /// In place of a time: people decide, in a run with `--console` or `--screen`. It never
    /// comes by itself.
    pub(in crate::scenario) offered: Option<Spanned<bool>>,
    /// Of what is only offered: the facilitator's own to do. Others see it once it acts. The
    /// text is what the facilitator tells the room with it.
    pub(in crate::scenario) inject: Option<Spanned<String>>,
    /// The name of the phase that begins with it; by default, what is done.
    pub(in crate::scenario) phase: Option<Spanned<String>>,
    /// What is done.
    #[serde(flatten)]
    #[schemars(with = "ActionEntry")]
    pub(in crate::scenario) action: Option<ActionEntry>,
}

/// What is done.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(in crate::scenario) enum ActionEntry {
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
        /// The share of the instances that it goes to, rounded up; without it, all of them.
        canary: Option<Text<Share>>,
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
    /// Have the user's own tools do something.
    Hook {
        /// The name of a `[[hook]]`.
        #[schemars(required)]
        hook: Option<String>,
        /// What it is to the incident: "push" brings the fault, "rollback"
        /// takes it away.
        #[serde(default, rename = "as")]
        kind: Option<Word<HookKind>>,
    },
    /// Do something to the processes of the target.
    Process {
        /// What: "pause", "continue", "kill", "limit", or "lift", which takes limits back.
        #[schemars(required)]
        fault: Option<Word<Fault>>,
        /// To which processes: "all", the "first", which is held, or a "child" of it.
        whom: Option<Word<ProcessSelector>>,
        /// Limit: open files of each process.
        #[schemars(range(min = 3, max = 1_000_000_000))]
        open_files: Option<u64>,
        /// Limit: threads and processes of the user in all; it does not bind root.
        #[schemars(range(min = 1, max = 4_194_304))]
        threads: Option<u64>,
        /// Limit: processors that each may run on.
        #[schemars(range(min = 1, max = 1024))]
        processors: Option<u32>,
    },
    /// Push a configuration: start the target's command again with another
    /// environment or other arguments. "rollback" brings the old one back.
    Configure {
        /// Variables and their new values, besides those of `[target]`.
        #[serde(default)]
        env: BTreeMap<String, String>,
        /// Arguments in place of those behind the program in `command`.
        args: Option<Vec<String>>,
    },
    /// Let everything that a part draws from now on take this many times as long.
    Slow {
        /// The part of the fleet.
        #[schemars(required)]
        part: Option<Word<SlowPart>>,
        /// How many times as long; 1 ends it.
        #[schemars(required, range(min = 1.0, max = 1000.0))]
        factor: Option<f64>,
    },
    /// Stop the processes of instances where they are, as SIGSTOP does.
    Pause {
        /// How many instances, from the first on; without it, all.
        #[schemars(range(min = 1, max = 10_000))]
        instances: Option<NonZeroU32>,
    },
    /// Break what passes a proxy, also on connections that are open.
    #[schemars(extend("allOf" = by_fault()))]
    Fault {
        /// The name of a `[[proxy]]`.
        #[schemars(required)]
        proxy: Option<String>,
        /// How. Those with "http" in their names need a proxy of `mode = "http"`.
        #[schemars(required)]
        fault: Option<Word<BreakageName>>,
        /// Its attributes; docs/PROXY.md says which each fault has.
        #[serde(default)]
        with: Attributes,
        /// "upstream" breaks what goes to the target, "downstream" what comes back.
        stream: Option<Word<Stream>>,
        /// The share of the connections, or of the requests that match, that it meets.
        share: Option<Text<Share>>,
        /// What it is called when it is undone; without it, by fault and
        /// stream, such as `latency_downstream`.
        name: Option<String>,
    },
    /// Hold the target's workers from outside.
    Occupy {
        /// How each connection holds one.
        #[serde(default = "hold")]
        hold: Word<Hold>,
        /// The path that is asked for, "/" unless said; of a slow endpoint it must be.
        path: Option<String>,
        /// Connections that hold at a time.
        #[schemars(required, range(min = 1, max = 10_000))]
        connections: Option<u32>,
        /// Pause between two bytes.
        #[serde(default = "every")]
        every: Text<Positive>,
        /// What it is called when it is undone.
        #[serde(default = "occupation")]
        name: String,
    },
    /// Undo a fault of a proxy, or an occupation.
    Undo {
        /// What it is called.
        #[schemars(required)]
        name: Option<String>,
    },
    /// Let a fault of the built-in fleet act, until it is mended or the run ends;
    /// `threadbare faults` lists them.
    #[schemars(extend("allOf" = by_fleet_fault()))]
    Break {
        /// The fault.
        #[schemars(required)]
        fault: Option<Word<FleetFaultKind>>,
        /// Its attributes; docs/FAULTS.md says which each fault has.
        #[serde(default)]
        with: FleetAttributes,
    },
    /// Let a fault of the built-in fleet act no longer.
    Mend {
        /// The fault.
        #[schemars(required)]
        fault: Option<Word<FleetFaultKind>>,
    },
    /// Lose instances with all that they hold; new ones come in their places.
    Lose {
        /// How many instances, from the first on.
        #[schemars(required, range(min = 1, max = 10_000))]
        instances: Option<NonZeroU32>,
    },
    /// Stop every instance, then start one after the other.
    ColdStart {
        /// The pause after each serves.
        #[schemars(required)]
        pause: Option<Text<Nanos>>,
    },
    /// Let paused instances go on.
    Continue {
        /// How many instances, from the first on; without it, all.
        #[schemars(range(min = 1, max = 10_000))]
        instances: Option<NonZeroU32>,
    },
}

/// Attributes of a fault of a proxy: what each fault says of its own.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(in crate::scenario) struct Attributes(pub(in crate::scenario) BTreeMap<String, Value>);

impl JsonSchema for Attributes {
    fn schema_name() -> Cow<'static, str> {
        "attributes".into()
    }

    /// Those of any fault; [`by_fault`] says which are whose.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut properties = Map::new();
        let mut described: BTreeMap<&str, Vec<(String, &str)>> = BTreeMap::new();
        for mut effect in Effect::TYPES.iter().filter_map(|kind| Effect::of(kind)) {
            let kind = effect.kind();
            for attribute in effect.attributes() {
                // What it is in each fault that has it.
                let words = described.entry(attribute.name).or_default();
                match words.last_mut() {
                    Some((kinds, about)) if *about == attribute.about => {
                        kinds.push_str(", ");
                        kinds.push_str(kind);
                    }
                    _ => words.push((kind.to_owned(), attribute.about)),
                }
                let words = words
                    .iter()
                    .map(|(kinds, about)| format!("{kinds}: {about}"));
                let schema = properties
                    .entry(attribute.name)
                    .or_insert_with(|| attribute_schema(&attribute, generator));
                schema["description"] = words.collect::<Vec<_>>().join(" ").into();
            }
        }
        attributes_schema(&properties)
    }
}

/// Attributes of a fault of the fleet: what each fault says of its own.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(in crate::scenario) struct FleetAttributes(pub(in crate::scenario) BTreeMap<String, Value>);

impl JsonSchema for FleetAttributes {
    fn schema_name() -> Cow<'static, str> {
        "fleet attributes".into()
    }

    /// Those of any fault; [`by_fleet_fault`] says which are whose.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut properties = Map::new();
        for (kind, _) in FleetFaultKind::ALL {
            for attribute in kind.usual().attributes() {
                let own = || attribute_schema(&attribute, generator);
                properties.entry(attribute.name).or_insert_with(own);
            }
        }
        attributes_schema(&properties)
    }
}

/// For each fault of the fleet, the schema of an entry in which it is named.
fn by_fleet_fault() -> Vec<serde_json::Value> {
    let settings = SchemaSettings::draft2020_12().with(|it| it.inline_subschemas = true);
    let mut generator = settings.into_generator();
    let rule = |(kind, word): (FleetFaultKind, &str)| {
        let mut usual = kind.usual();
        let attributes = usual.attributes().into_iter();
        let properties: Map<_, _> = attributes
            .map(|it| (it.name.to_owned(), attribute_schema(&it, &mut generator)))
            .collect();
        json!({
            "if": { "properties": { "fault": { "const": word } }, "required": ["fault"] },
            "then": { "properties": { "with": attributes_schema(&properties) } },
        })
    };
    FleetFaultKind::ALL.into_iter().map(rule).collect()
}

/// For each fault, the schema of an entry in which it is named.
fn by_fault() -> Vec<serde_json::Value> {
    let settings = SchemaSettings::draft2020_12().with(|it| it.inline_subschemas = true);
    let mut generator = settings.into_generator();
    let all = Effect::TYPES.iter().filter_map(|kind| Effect::of(kind));
    let rule = |mut effect: Effect| {
        let kind = effect.kind();
        let attributes = effect.attributes().into_iter();
        let properties: Map<_, _> = attributes
            .map(|it| (it.name.to_owned(), attribute_schema(&it, &mut generator)))
            .collect();
        json!({
            "if": { "properties": { "fault": { "const": kind } }, "required": ["fault"] },
            "then": { "properties": { "with": attributes_schema(&properties) } },
        })
    };
    all.map(rule).collect()
}

fn attributes_schema(properties: &Map<String, serde_json::Value>) -> Schema {
    json_schema!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
}

fn attribute_schema(
    attribute: &Attribute<'_>,
    generator: &mut SchemaGenerator,
) -> serde_json::Value {
    let mut schema = match attribute.field {
        Field::Time(..) => Text::<Nanos>::json_schema(generator),
        Field::Count(..) => u64::json_schema(generator),
        Field::Status(_) => json_schema!({ "type": "integer", "minimum": 200, "maximum": 599 }),
        Field::Text(_) | Field::OptionalText(_) => String::json_schema(generator),
        Field::Match(_) => HttpMatch::json_schema(generator),
        Field::Share(_) => Text::<Share>::json_schema(generator),
        Field::Durations(_) => Text::<Distribution>::json_schema(generator),
        Field::Flag(_) => bool::json_schema(generator),
    };
    schema.insert("description".into(), attribute.about.into());
    schema.to_value()
}

/// What can be done to processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scenario) enum Fault {
    Pause,
    Continue,
    Kill,
    Limit,
    Lift,
}

impl Named for Fault {
    fn all() -> Vec<(Self, &'static str)> {
        vec![
            (Self::Pause, "pause"),
            (Self::Continue, "continue"),
            (Self::Kill, "kill"),
            (Self::Limit, "limit"),
            (Self::Lift, "lift"),
        ]
    }
}

const fn hold() -> Word<Hold> {
    Word(Hold::SlowHeaders)
}

fn every() -> Text<Positive> {
    text("1s")
}

fn occupation() -> String {
    "occupation".into()
}

/// The name of a way to break what passes a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scenario) struct BreakageName(pub(in crate::scenario) &'static str);

impl BreakageName {
    /// Nothing listens.
    pub(in crate::scenario) const DOWN: Self = Self("down");
}

impl Named for BreakageName {
    fn all() -> Vec<(Self, &'static str)> {
        let words = Effect::TYPES.iter().copied().chain([Self::DOWN.0]);
        words.map(|word| (Self(word), word)).collect()
    }
}

const fn tested() -> bool {
    true
}

/// Settings and values, of those that the release system knows.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(in crate::scenario) struct Settings(pub(in crate::scenario) BTreeMap<String, String>);

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
pub(in crate::scenario) struct CheckName(pub(in crate::scenario) String);

impl JsonSchema for CheckName {
    fn schema_name() -> Cow<'static, str> {
        "check".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": Release::CHECKS })
    }
}
