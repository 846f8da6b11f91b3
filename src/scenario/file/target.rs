//! Keys of `[target]`: the fleet that is driven, and its identity service.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Distribution, FleetSpec, IdentitySpec};
use crate::scenario::leaf::{Placed, QueueText, Text};
use crate::scenario::quantities::Positive;
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
    /// wanted ", lifo", ", expire 500ms" and, with a bound, ", silent". A number
    /// is a bound.
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
    /// How much longer the application's part of a request takes for each other
    /// job that workers of the instance hold when it begins.
    pub(in crate::scenario) contention: Text<Nanos>,
    /// Workers of an instance that may be in a verification at a time; one more
    /// is not begun: its request is answered 503.
    #[schemars(range(min = 1, max = 512))]
    pub(in crate::scenario) bulkhead: Option<u32>,
    /// Workers of each instance that serve probes (/readyz, /healthz) and nothing
    /// else, with a queue of their own.
    #[schemars(range(min = 0, max = 512))]
    pub(in crate::scenario) monitor_workers: u32,
    /// Whether clients tell the time they have left, and workers end what nobody
    /// waits for any more.
    pub(in crate::scenario) propagate_deadline: bool,
    /// While at least so many jobs wait in an instance's queue, it refuses probes,
    /// retries and hedges with 503.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(in crate::scenario) shed_above: Option<Placed<u32>>,
}

impl Default for Fleet {
    fn default() -> Self {
        let spec = FleetSpec::default();
        Self {
            instances: spec.instances,
            workers: spec.workers,
            queue: QueueText(spec.queue),
            identity: Identity::default(),
            application: Text(spec.application),
            database: Text(spec.database),
            users: spec.users,
            projects: spec.projects,
            tasks: spec.tasks,
            boot: Text(spec.boot),
            contention: Text(spec.contention),
            bulkhead: spec.bulkhead,
            monitor_workers: spec.monitor_workers,
            propagate_deadline: spec.propagate_deadline,
            shed_above: spec.shed_above.map(Placed::from),
        }
    }
}

impl Fleet {
    /// The fleet that this says.
    pub(in crate::scenario) fn spec(&self) -> FleetSpec {
        FleetSpec {
            instances: self.instances,
            workers: self.workers,
            queue: self.queue.0,
            identity: IdentitySpec {
                latency: self.identity.latency.0,
                capacity: self.identity.capacity,
                cold_factor: self.identity.cold_factor,
                timeout: self.identity.timeout.map(|timeout| timeout.0.0),
            },
            application: self.application.0,
            database: self.database.0,
            users: self.users,
            projects: self.projects,
            tasks: self.tasks,
            boot: self.boot.0,
            contention: self.contention.0,
            bulkhead: self.bulkhead,
            monitor_workers: self.monitor_workers,
            propagate_deadline: self.propagate_deadline,
            shed_above: self.shed_above.as_ref().map(|above| above.value),
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
    /// How long an instance waits for a verification, which goes on without it;
    /// then the request is answered 503, and its roles are not held.
    pub(in crate::scenario) timeout: Option<Text<Positive>>,
}

impl Default for Identity {
    fn default() -> Self {
        let spec = IdentitySpec::default();
        Self {
            latency: Text(spec.latency),
            capacity: spec.capacity,
            cold_factor: spec.cold_factor,
            timeout: spec.timeout.map(|timeout| Text(Positive(timeout))),
        }
    }
}
