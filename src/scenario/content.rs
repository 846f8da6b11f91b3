//! What a scenario says, once it is known to be valid.

use crate::model::{
    Action, AlertRule, Expectation, FleetSpec, GaugeSource, Load, MonitorPolicy, RecoveryRule,
    ReleasePolicy, Safety, Story, TargetSpec, When,
};
use crate::units::Nanos;

/// What a scenario file says, valid as a whole; instants are those of the run.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Its short name: the file's stem.
    pub name: String,
    /// What it is about, in one line.
    pub title: String,
    /// What a run of it is to show, in one sentence.
    pub claim: String,
    /// Where the facts come from; may be empty.
    pub source: String,
    /// The seed of every random stream.
    pub seed: u64,
    /// The incident's own clock, where it has one.
    pub story: Option<Story>,
    /// Figures begin here.
    pub warm_up: Nanos,
    /// The last operation is scheduled before this instant.
    pub end: Nanos,
    /// How long after the end what is under way may still end.
    pub drain: Nanos,
    /// Width of the buckets that figures are counted in: whole milliseconds.
    pub interval: Nanos,
    /// The fleet that is driven; none where the target is somebody else's.
    pub fleet: Option<FleetSpec>,
    /// The target that is driven, where it is somebody else's.
    pub target: Option<TargetSpec>,
    /// What the fleet's release system demands.
    pub release: ReleasePolicy,
    /// What users do.
    pub load: Load,
    /// What monitors do.
    pub monitors: Vec<MonitorPolicy>,
    /// Gauges of a target that is not ours.
    pub gauges: Vec<GaugeSource>,
    /// When somebody is told.
    pub alerts: Vec<AlertRule>,
    /// What is done, in the order of the file.
    pub timeline: Vec<Entry>,
    /// What counts as recovered.
    pub recovery: RecoveryRule,
    /// What the run may do at most.
    pub safety: Safety,
    /// What the run is expected to show.
    pub expectations: Vec<Expectation>,
}

/// One thing that is done, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When.
    pub when: When,
    /// What.
    pub action: Action,
    /// The phase's name, where the file gives one.
    pub phase: Option<String>,
}
