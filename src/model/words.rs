//! The words of records and findings as types: who a line of the record is of, what
//! an incident came to, what kept it going.
//!
//! Each is written as the one word that it has always been, so old runs read the same.
//! A word of the findings that is not known is refused: findings are made anew from
//! the record, and a verdict that nobody can judge by is worse than none. The name of
//! a source that is not known is kept as it is: users name their gauges. Nothing is
//! decided here.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Cause;
use crate::named::{named, one_of};

named! {
    /// What an incident came to (docs/TERMS.md, "Verdicts").
    #[derive(Hash, Default)]
    pub enum IncidentVerdict {
        /// No verdict could be given.
        #[default]
        Undetermined = "undetermined",
        /// Users were not harmed.
        NoImpact = "no_impact",
        /// Service was lost again after it had recovered.
        Relapsed = "relapsed",
        /// Service was back within a hold window after the trigger was off.
        RecoveredWithTheTrigger = "recovered_with_the_trigger",
        /// Service was back after somebody had intervened.
        RecoveredByIntervention = "recovered_by_intervention",
        /// Service came back later, by itself.
        SlowDrain = "slow_drain",
        /// Service was stuck until the end.
        Metastable = "metastable",
        /// Service was not back at the end.
        NotRecovered = "not_recovered",
    }
}

impl fmt::Display for IncidentVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

named! {
    /// What keeps an incident going after its trigger is off.
    #[derive(Hash)]
    pub enum SustainingEffect {
        /// Users' retries.
        Retries = "retries",
        /// Probes of monitors.
        MonitorProbes = "monitor_probes",
        /// Clients that set up sessions which they had lost.
        Reconnections = "reconnections",
        /// Work for callers who had gone.
        ZombieWork = "zombie_work",
        /// Want of a warm cache.
        ColdStart = "cold_start",
        /// Tasks that nobody waits for.
        DetachedTasks = "detached_tasks",
        /// Nothing completes, nothing runs, and all workers are held.
        Deadlock = "deadlock",
        /// Capacity that was lost and does not come back.
        Leak = "leak",
    }
}

impl SustainingEffect {
    /// As it stands behind `sustained by`.
    pub fn in_words(self) -> String {
        match self {
            Self::Deadlock => "a deadlock".into(),
            Self::Leak => "a leak".into(),
            _ => self.word().replace('_', " "),
        }
    }
}

impl fmt::Display for SustainingEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What findings call what began an incident is its name in sentences.
impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Cause {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::all()
            .find(|cause| cause.name() == name)
            .ok_or_else(|| de::Error::custom(format!("`{name}` is not a cause of an incident")))
    }
}

impl schemars::JsonSchema for Cause {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Cause".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        one_of(Self::all().map(Self::name))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who a sample or an event of the record is of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum SourceName {
    /// Users, as the generator counts them.
    User,
    /// Monitors, likewise.
    Monitor,
    /// The generator itself.
    Generator,
    /// The whole machine.
    Machine,
    /// The fleet's balancer.
    Balancer,
    /// The fleet's identity service.
    Identity,
    /// An instance of the fleet, numbered from 1.
    Instance(u32),
    /// A process or the gauges of the user's target, as they are called.
    Named(String),
}

impl SourceName {
    /// Users' operations of the kind at this place of the plan's.
    pub fn of_kind(place: usize) -> Self {
        Self::Named(format!("{KIND}{}", place + 1))
    }

    /// The place of the kind of operation that it is; none where it is another source.
    pub fn kind(&self) -> Option<usize> {
        let Self::Named(name) = self else { return None };
        let number: usize = name.strip_prefix(KIND)?.parse().ok()?;
        number.checked_sub(1)
    }

    /// Users' operations at the URL at this place of the target's.
    pub fn of_url(place: usize) -> Self {
        Self::Named(format!("url {}", place + 1))
    }

    /// Probes of the group of monitors at this place of the plan's.
    pub fn of_monitor(place: usize) -> Self {
        Self::Named(format!("monitor {}", place + 1))
    }

    /// Requests of a hook of this name.
    pub fn of_hook(name: &str) -> Self {
        Self::Named(format!("hook {name}"))
    }

    /// Requests for a page of gauges of this name.
    pub fn of_gauges(name: &str) -> Self {
        Self::Named(format!("gauges {name}"))
    }

    /// Connections of a proxy of this name to what is behind it.
    pub fn of_proxy(name: &str) -> Self {
        Self::Named(format!("proxy {name}"))
    }

    /// Connections of an occupation of this name.
    pub fn of_occupation(name: &str) -> Self {
        Self::Named(format!("occupation {name}"))
    }

    /// An agent of this name, which sends a share of the load.
    pub fn of_agent(name: &str) -> Self {
        Self::Named(format!("{AGENT}{name}"))
    }

    /// The name of the agent that it is; none of others.
    pub fn agent(&self) -> Option<&str> {
        let Self::Named(name) = self else { return None };
        name.strip_prefix(AGENT)
    }

    /// The ready check of the target, or where it has none the connections in its place.
    pub fn of_ready() -> Self {
        Self::Named("ready".into())
    }
}

/// How the name of an agent begins.
const AGENT: &str = "agent ";
/// How the name of a kind of operation begins.
const KIND: &str = "kind ";
/// How the name of an instance begins.
const INSTANCE: &str = "instance-";

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User => f.write_str("user"),
            Self::Monitor => f.write_str("monitor"),
            Self::Generator => f.write_str("generator"),
            Self::Machine => f.write_str("machine"),
            Self::Balancer => f.write_str("balancer"),
            Self::Identity => f.write_str("identity"),
            Self::Instance(number) => write!(f, "{INSTANCE}{number}"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

impl From<&str> for SourceName {
    fn from(name: &str) -> Self {
        match name {
            "user" => Self::User,
            "monitor" => Self::Monitor,
            "generator" => Self::Generator,
            "machine" => Self::Machine,
            "balancer" => Self::Balancer,
            "identity" => Self::Identity,
            _ => instance(name).map_or_else(|| Self::Named(name.to_owned()), Self::Instance),
        }
    }
}

/// The number of an instance of this name, where it is written as we write it.
fn instance(name: &str) -> Option<u32> {
    let digits = name.strip_prefix(INSTANCE)?;
    let plain = !digits.starts_with(['0', '+']);
    digits.parse::<u32>().ok().filter(|_| plain)
}

impl From<String> for SourceName {
    fn from(name: String) -> Self {
        Self::from(name.as_str())
    }
}

impl From<SourceName> for String {
    fn from(source: SourceName) -> Self {
        source.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_serde_writes_and_unknown_ones_are_refused() {
        fn holds<T>(word: &T)
        where
            T: fmt::Debug + fmt::Display + PartialEq + Serialize + de::DeserializeOwned,
        {
            let text = serde_json::to_string(word).unwrap();
            assert_eq!(text, format!("\"{word}\""));
            assert_eq!(serde_json::from_str::<T>(&text).unwrap(), *word);
            assert!(serde_json::from_str::<T>("\"solar flare\"").is_err());
        }
        for (verdict, _) in IncidentVerdict::ALL {
            holds(&verdict);
        }
        for (effect, _) in SustainingEffect::ALL {
            holds(&effect);
        }
        for cause in Cause::all() {
            holds(&cause);
        }
    }

    #[test]
    fn a_source_is_written_as_it_was_read() {
        for (name, source) in [
            ("user", SourceName::User),
            ("monitor", SourceName::Monitor),
            ("generator", SourceName::Generator),
            ("machine", SourceName::Machine),
            ("balancer", SourceName::Balancer),
            ("identity", SourceName::Identity),
            ("instance-1", SourceName::Instance(1)),
            ("instance-2000", SourceName::Instance(2000)),
        ] {
            assert_eq!(SourceName::from(name), source);
            assert_eq!(source.to_string(), name);
        }
        for name in [
            "",
            "puma",
            "User",
            "instance-",
            "instance-01",
            "instance-+1",
            "instance-1 ",
            "instance-4294967296",
        ] {
            assert_eq!(SourceName::from(name), SourceName::Named(name.to_owned()));
            assert_eq!(SourceName::from(name).to_string(), name);
        }
    }
}
