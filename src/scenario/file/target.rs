//! Keys of `[target]`: the fleet that is driven, and its identity service.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text;
use crate::model::{Distribution, QueuePolicy};
use crate::scenario::leaf::{QueueText, Text};
use crate::units::Nanos;

/// What the load is directed at.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::scenario) struct Target {
    /// The embedded fleet.
    pub(in crate::scenario) fleet: Fleet,
}

/// The embedded fleet: a balancer and instances, each a process of its own.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::scenario) struct Fleet {
    /// Instances behind the balancer; a live run starts at most 64.
    #[schemars(range(min = 1, max = 10_000))]
    pub(in crate::scenario) instances: u32,
    /// Workers of each instance, each a thread.
    #[schemars(range(min = 1, max = 512))]
    pub(in crate::scenario) workers: u32,
    /// The job queue of each instance: "unbounded" or "bounded(64)", then if
    /// wanted ", lifo" and ", expire 500ms". A number is a bound.
    pub(in crate::scenario) queue: QueueText,
    /// The identity service that authorization calls.
    pub(in crate::scenario) identity: Identity,
    /// Time a worker blocks on the application's own part.
    pub(in crate::scenario) application: Text<Distribution>,
    /// Time a worker blocks on the way to the database and back.
    pub(in crate::scenario) database: Text<Distribution>,
    /// Users, spread evenly over the roles.
    #[schemars(range(min = 3, max = 100_000))]
    pub(in crate::scenario) users: u32,
    /// Projects that tasks belong to.
    #[schemars(range(min = 1, max = 100_000))]
    pub(in crate::scenario) projects: u32,
    /// Tasks at the start.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(in crate::scenario) tasks: u32,
    /// Time a new instance takes before it listens.
    pub(in crate::scenario) boot: Text<Nanos>,
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            instances: 4,
            workers: 4,
            queue: QueueText(QueuePolicy::default()),
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

/// The release system of the fleet's configuration.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::scenario) struct Release {
    /// Whether a push whose author did not run the tests is refused.
    pub(in crate::scenario) require_tests: bool,
}

/// The identity service.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::scenario) struct Identity {
    /// Time one verification takes when the caller knows the user's roles already.
    pub(in crate::scenario) latency: Text<Distribution>,
    /// Verifications at a time; more wait their turn inside the service.
    #[schemars(range(min = 1, max = 10_000))]
    pub(in crate::scenario) capacity: u32,
    /// How many times longer a verification takes for a user whose roles the
    /// instance does not hold yet.
    #[schemars(range(min = 1.0, max = 1000.0))]
    pub(in crate::scenario) cold_factor: f64,
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
