//! Keys of `[target]`: the fleet that is driven, or the user's target.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PlacedText, text};
use crate::model::{
    AutoscalerSpec, BalancerChoice, BalancerSpec, Distribution, FleetSpec, HealthSpec,
    IdentitySpec, PeersSpec, PoolSpec, Statuses, TelemetrySpec, Url,
};
use crate::scenario::leaf::{QueueText, Spanned, Text, Word};
use crate::scenario::quantities::{Positive, ReadyCheck, Share};
use crate::units::Nanos;

/// What the load is directed at: the built-in fleet, or the user's server,
/// which is named by `url`, `urls`, `command`, `pid` or `port`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct Target {
    /// The built-in fleet; it is the target where no other is named.
    pub(in crate::scenario) fleet: Option<Spanned<Fleet>>,
    /// Where the user's target serves.
    pub(in crate::scenario) url: Option<PlacedText<Url>>,
    /// Several places where it serves, with weights.
    pub(in crate::scenario) urls: Option<Spanned<Vec<Site>>>,
    /// A command that serves at `url`: it is started, awaited, watched, and
    /// ended with its process group.
    #[schemars(length(min = 1))]
    pub(in crate::scenario) command: Option<Spanned<Vec<String>>>,
    /// Variables that the command's environment has besides threadbare's own.
    #[serde(default)]
    pub(in crate::scenario) env: BTreeMap<String, String>,
    /// The folder that the command runs in, relative to this file's folder.
    pub(in crate::scenario) directory: Option<Spanned<String>>,
    /// The request whose answer says that the target serves: a method and a
    /// path at `url`, or a whole URL. 2xx and 3xx mean that it does.
    pub(in crate::scenario) ready: Option<PlacedText<ReadyCheck>>,
    /// How long the target may take until its ready check succeeds; by default 30s for a command, and
    /// 5s for what runs already.
    pub(in crate::scenario) ready_within: Option<Text<Positive>>,
    /// Statuses of the ready check that mean yes; without it, any 2xx or 3xx.
    pub(in crate::scenario) ready_status: Option<Text<Statuses>>,
    /// How long the command may take to end once it was asked to (SIGTERM);
    /// then it is killed.
    #[serde(default = "stop_within")]
    pub(in crate::scenario) stop_within: Text<Positive>,
    /// The id of the process that serves at `url`, and runs already.
    #[schemars(range(min = 2, max = 4_194_304))]
    pub(in crate::scenario) pid: Option<Spanned<u32>>,
    /// The port that the process listens on, which runs already.
    #[schemars(range(min = 1, max = 65_535))]
    pub(in crate::scenario) port: Option<Spanned<u16>>,
    /// A file of certificates (PEM) to trust under https in place of the
    /// system's, relative to this file's folder; also of ready checks, hooks and gauges.
    pub(in crate::scenario) ca: Option<String>,
    /// Whether users and monitors use HTTP/2: with prior knowledge for http, by ALPN for https.
    /// There is no fallback to HTTP/1.1. A ready check at one of its urls uses it too; hooks and
    /// gauges use HTTP/1.1.
    #[serde(default)]
    pub(in crate::scenario) http2: bool,
}

fn stop_within() -> Text<Positive> {
    text("10s")
}

/// One place where a target serves.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct Site {
    /// Where.
    #[schemars(required)]
    pub(in crate::scenario) url: Option<PlacedText<Url>>,
    /// Its share of the operations is weight / sum of weights.
    #[serde(default = "weight")]
    #[schemars(range(min = 1, max = 1000))]
    pub(in crate::scenario) weight: u32,
}

const fn weight() -> u32 {
    1
}

/// The built-in fleet: a balancer and instances, each a process of its own.
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
    /// Whether clients send the time they have left, and workers end what nobody
    /// waits for any more.
    pub(in crate::scenario) propagate_deadline: bool,
    /// While at least this many jobs wait in an instance's queue, it refuses probes,
    /// retries and hedges with 503.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(in crate::scenario) shed_above: Option<Spanned<u32>>,
    /// A pool of database connections that the workers of an instance share; without
    /// it every worker has a connection of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::scenario) pool: Option<Pool>,
    /// The cluster that the instances belong to: each keeps a thread for each other member.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::scenario) peers: Option<Peers>,
    /// How the balancer chooses among the instances, and whether it checks their health.
    #[serde(skip_serializing_if = "Balancer::is_usual")]
    pub(in crate::scenario) balancer: Balancer,
    /// What instances ask of the identity service while the setting `telemetry` is "on",
    /// which it is from the start in no fleet: a push has to switch it on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::scenario) telemetry: Option<Spanned<Telemetry>>,
    /// What adds and removes instances. Without it, their number stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::scenario) autoscaler: Option<Spanned<Autoscaler>>,
}

/// What adds and removes instances, one at a time, by the share of busy workers.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::scenario) struct Autoscaler {
    /// Instances at least.
    #[schemars(range(min = 1, max = 10_000))]
    pub(in crate::scenario) least: u32,
    /// Instances at most; a live run has at most 64.
    #[schemars(range(min = 1, max = 10_000))]
    pub(in crate::scenario) most: u32,
    /// The share of busy workers above which one is added; it serves after `boot`.
    pub(in crate::scenario) add_above: Text<Share>,
    /// The share of busy workers below which one is removed.
    pub(in crate::scenario) remove_below: Text<Share>,
    /// For how long that must have held before it decides. It looks once an `interval`.
    pub(in crate::scenario) delay: Text<Nanos>,
}

impl Default for Autoscaler {
    fn default() -> Self {
        Self {
            least: 1,
            most: 8,
            add_above: text("70 %"),
            remove_below: text("30 %"),
            delay: text("10s"),
        }
    }
}

/// The telemetry of each instance: calls to the identity service beside those of its
/// workers. Each takes as long as the verification of a user whose roles are not held.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::scenario) struct Telemetry {
    /// Calls of an instance at a time.
    #[schemars(range(min = 1, max = 64))]
    pub(in crate::scenario) calls: u32,
    /// The pause from the end of a call to the next.
    pub(in crate::scenario) every: Text<Positive>,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            calls: 4,
            every: text("100ms"),
        }
    }
}

/// The balancer.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::scenario) struct Balancer {
    /// Which instance a request goes to: "round robin", "least" (the one with the
    /// fewest requests under way) or "two random" (of two that are drawn, the one with fewer).
    pub(in crate::scenario) choice: Word<BalancerChoice>,
    /// Health checks; instances that fail them get no requests. Without it there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::scenario) health: Option<Health>,
}

impl Default for Balancer {
    fn default() -> Self {
        Self {
            choice: Word(BalancerChoice::default()),
            health: None,
        }
    }
}

impl Balancer {
    fn is_usual(&self) -> bool {
        self.spec() == BalancerSpec::default()
    }

    fn spec(&self) -> BalancerSpec {
        BalancerSpec {
            choice: self.choice.0,
            health: self.health.as_ref().map(|health| HealthSpec {
                every: health.every.0.0,
                timeout: health.timeout.0.0,
                unhealthy: health.unhealthy,
                healthy: health.healthy,
                deep: health.deep,
                panic: health.panic.0.0,
            }),
        }
    }
}

/// The balancer's health checks.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::scenario) struct Health {
    /// From one check of an instance to the next.
    pub(in crate::scenario) every: Text<Positive>,
    /// How long an instance has to answer one.
    pub(in crate::scenario) timeout: Text<Positive>,
    /// Checks that fail in a row until an instance is taken out.
    #[schemars(range(min = 1, max = 100))]
    pub(in crate::scenario) unhealthy: u32,
    /// Checks that succeed in a row until it is back.
    #[schemars(range(min = 1, max = 100))]
    pub(in crate::scenario) healthy: u32,
    /// Whether a check asks for `/readyz?deep=true`, which needs the identity service
    /// and the database, in place of `/readyz`, which needs a worker.
    pub(in crate::scenario) deep: bool,
    /// Where fewer than this share of the instances are healthy, requests go to all of
    /// them. 0 %: never.
    pub(in crate::scenario) panic: Text<Share>,
}

impl Default for Health {
    /// What `HAProxy` has where nothing is said, with shorter times.
    fn default() -> Self {
        Self {
            every: text("1s"),
            timeout: text("1s"),
            unhealthy: 3,
            healthy: 2,
            deep: false,
            panic: text("0 %"),
        }
    }
}

/// A pool of database connections.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::scenario) struct Pool {
    /// Connections of each instance.
    #[schemars(range(min = 1, max = 512))]
    pub(in crate::scenario) size: u32,
    /// How long a worker waits for a connection; then its request is answered 500.
    /// Without it, as long as it takes.
    pub(in crate::scenario) timeout: Option<Text<Positive>>,
    /// How many more connections a request takes, one after the other and each for a
    /// query of its own, while it has the first.
    #[schemars(range(min = 0, max = 8))]
    pub(in crate::scenario) nested: u32,
}

impl Default for Pool {
    /// What `HikariCP` has where nothing is said.
    fn default() -> Self {
        Self {
            size: 10,
            timeout: None,
            nested: 0,
        }
    }
}

/// The cluster that the instances belong to.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::scenario) struct Peers {
    /// Members beside the instance itself. An instance keeps a thread for each, and a map
    /// of the cluster that is of use while it has all of them.
    #[schemars(range(min = 1, max = 128))]
    pub(in crate::scenario) members: u32,
    /// How many such threads the operating system grants an instance. Without it, all.
    #[schemars(range(min = 1, max = 256))]
    pub(in crate::scenario) limit: Option<u32>,
    /// How long after it was refused a thread an instance tries again. Without it, not
    /// until it restarts.
    pub(in crate::scenario) again: Option<Text<Positive>>,
}

impl Default for Peers {
    fn default() -> Self {
        Self {
            members: 16,
            limit: None,
            again: None,
        }
    }
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
            shed_above: spec.shed_above.map(Spanned::from),
            pool: None,
            peers: None,
            balancer: Balancer::default(),
            telemetry: None,
            autoscaler: None,
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
            pool: self.pool.as_ref().map(|pool| PoolSpec {
                size: pool.size,
                timeout: pool.timeout.map(|timeout| timeout.0.0),
                nested: pool.nested,
            }),
            peers: self.peers.as_ref().map(|peers| PeersSpec {
                members: peers.members,
                limit: peers.limit,
                again: peers.again.map(|again| again.0.0),
            }),
            balancer: self.balancer.spec(),
            telemetry: self.telemetry.as_ref().map(|telemetry| TelemetrySpec {
                calls: telemetry.value.calls,
                every: telemetry.value.every.0.0,
            }),
            autoscaler: self.autoscaler.as_ref().map(|it| AutoscalerSpec {
                least: it.value.least,
                most: it.value.most,
                add_above: it.value.add_above.0.0,
                remove_below: it.value.remove_below.0.0,
                delay: it.value.delay.0,
            }),
        }
    }
}

/// The release system of the fleet's configuration.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::scenario) struct Release {
    /// Whether a push whose author did not run the tests is refused.
    pub(in crate::scenario) require_tests: bool,
    /// Within how long the identity service must verify who releases; otherwise a push
    /// or a rollback is refused. Without it, nobody is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::scenario) verified_within: Option<Text<Positive>>,
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
