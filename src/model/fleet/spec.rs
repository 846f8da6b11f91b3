//! What the built-in fleet is made of: its parameters, with nothing running.

use serde::{Deserialize, Serialize};

use super::{Denial, PeersSpec, Role};
use crate::model::{AutoscalerSpec, BalancerSpec, Distribution, QueuePolicy, Standing};
use crate::units::Nanos;

/// The built-in fleet's parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FleetSpec {
    /// Instances behind the balancer, each a process.
    pub instances: u32,
    /// Workers of each instance, each a thread.
    pub workers: u32,
    /// The job queue in front of them.
    pub queue: QueuePolicy,
    /// The identity service that authorization calls.
    pub identity: IdentitySpec,
    /// Time a worker blocks on the application's own part, before authorization.
    pub application: Distribution,
    /// Time a worker blocks on the way to the database and back, which `SQLite`
    /// in the same process does not have; the queries themselves are real and
    /// come on top.
    pub database: Distribution,
    /// Users, spread evenly over the roles.
    pub users: u32,
    /// Projects that tasks belong to.
    pub projects: u32,
    /// Tasks at the start.
    pub tasks: u32,
    /// Time a new instance takes before it listens.
    pub boot: Nanos,
    /// How much longer the application's part of a request takes for each other
    /// job that workers of the instance hold when it begins.
    #[serde(default)]
    pub contention: Nanos,
    /// Workers of an instance that may be in a verification at a time; one more
    /// is not begun. None: all of them.
    #[serde(default)]
    pub bulkhead: Option<u32>,
    /// Workers of each instance that serve probes and nothing else, beside the
    /// others; with none, probes are served as everything is.
    #[serde(default)]
    pub monitor_workers: u32,
    /// Whether callers tell the time they have left, and workers end what nobody
    /// waits for any more.
    #[serde(default)]
    pub propagate_deadline: bool,
    /// Jobs that wait in an instance's queue from which on it refuses probes,
    /// retries and hedges. None: it makes no difference between them.
    #[serde(default)]
    pub shed_above: Option<u32>,
    /// The pool of database connections of each instance. None: every worker has
    /// a connection of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolSpec>,
    /// The cluster that the instances belong to. None: they know of no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peers: Option<PeersSpec>,
    /// How the balancer chooses, and whether it checks the instances.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub balancer: BalancerSpec,
    /// The telemetry that instances collect while their settings say so. None: there is
    /// nothing that a setting could switch on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telemetry: Option<TelemetrySpec>,
    /// What changes the number of instances. None: nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaler: Option<AutoscalerSpec>,
}

fn is_usual(balancer: &BalancerSpec) -> bool {
    *balancer == BalancerSpec::default()
}

/// A pool of database connections that the workers of an instance share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolSpec {
    /// Connections.
    pub size: u32,
    /// How long a worker waits for one; then its request is answered 500. None: as
    /// long as it takes.
    pub timeout: Option<Nanos>,
    /// How many more connections a request takes, one after the other, while it has
    /// the first.
    pub nested: u32,
}

/// The telemetry of each instance: calls to the identity service beside those of its
/// workers, each of which takes as long as the verification of a user whose roles the
/// instance does not hold, and is waited for as long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TelemetrySpec {
    /// Calls at a time.
    pub calls: u32,
    /// The pause from the end of a call to the next.
    pub every: Nanos,
}

impl TelemetrySpec {
    /// When the collector at this place first calls, after it was switched on: they are
    /// spread over the pause.
    pub(crate) fn first_call(&self, place: u32) -> Nanos {
        let part = self.every.0 / u64::from(self.calls.max(1));
        Nanos(part * (u64::from(place) + 1))
    }
}

impl Default for FleetSpec {
    /// What a scenario that says nothing drives.
    fn default() -> Self {
        Self {
            instances: 4,
            workers: 4,
            queue: QueuePolicy::default(),
            identity: IdentitySpec::default(),
            application: Distribution::Constant(Nanos::from_millis(1)),
            database: Distribution::Exponential {
                mean: Nanos::from_millis(6),
            },
            users: 200,
            projects: 20,
            tasks: 1000,
            boot: Nanos::from_millis(500),
            contention: Nanos::ZERO,
            bulkhead: None,
            monitor_workers: 0,
            propagate_deadline: false,
            shed_above: None,
            pool: None,
            peers: None,
            balancer: BalancerSpec::default(),
            telemetry: None,
            autoscaler: None,
        }
    }
}

/// Which workers of an instance a job is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crew {
    /// Those that serve; saturation and queue depth are theirs.
    Serving,
    /// Those that serve probes and nothing else.
    Monitors,
}

/// Verifications that the identity service holds beside one for each worker:
/// those that somebody waited for too long and went. Each is a thread there.
const ABANDONED_MAX: u32 = 4096;

impl FleetSpec {
    /// The time of the application's part that takes `own` alone, beside
    /// `others` jobs that workers of the instance hold: load-dependent latency
    /// that is linear in the concurrency (as in Brooker's simulation of collapse
    /// by retries, in which it is 1 s and 10 ms for each).
    pub(crate) const fn contended(&self, own: Nanos, others: u64) -> Nanos {
        own.saturating_add(Nanos(self.contention.0.saturating_mul(others)))
    }

    /// Whose job a request becomes while so many wait in the queue. What has
    /// workers of its own is in nobody's way, and is not shed.
    ///
    /// # Errors
    ///
    /// What it is answered where it is shed.
    pub fn crew(&self, standing: Standing, waiting: usize) -> Result<Crew, Denial> {
        match standing {
            Standing::Probe if self.monitor_workers > 0 => Ok(Crew::Monitors),
            Standing::FirstTry => Ok(Crew::Serving),
            Standing::Probe | Standing::Again => match self.shed_above {
                Some(above) if waiting >= above as usize => Err(Denial::FirstTriesOnly),
                _ => Ok(Crew::Serving),
            },
        }
    }

    /// What a request is answered that finds the queue full; none: it is not
    /// answered at all.
    pub fn full(&self) -> Option<Denial> {
        (!self.queue.silent).then_some(Denial::QueueFull)
    }

    /// Places for instances: as many as there can ever be.
    pub fn places(&self) -> u32 {
        let most = self.autoscaler.map_or(0, |autoscaler| autoscaler.most);
        self.instances.max(most)
    }

    /// Verifications that wait or run in the identity service at most; one more
    /// is refused.
    pub fn verifications_max(&self) -> u32 {
        let each = self.workers.saturating_add(self.monitor_workers);
        self.places()
            .saturating_mul(each)
            .saturating_add(ABANDONED_MAX)
    }

    /// How many users have this role: they are 0 to n − 1, in turn over the roles.
    pub(crate) const fn users_of(&self, role: Role) -> u32 {
        (self.users + Role::COUNT - 1 - role as u32) / Role::COUNT
    }

    /// The user at this place among those of the role.
    pub(crate) const fn user_of(role: Role, place: u32) -> u32 {
        place * Role::COUNT + role as u32
    }

    /// The user as whom monitors take the authorization path: one past the others.
    pub(crate) const fn service_user(&self) -> u32 {
        self.users
    }
}

/// The identity service's parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IdentitySpec {
    /// Time one verification takes when the caller knows the user's roles already.
    pub latency: Distribution,
    /// Verifications at a time; more wait their turn inside the service.
    pub capacity: u32,
    /// How many times longer a verification takes for a user whose roles the
    /// calling instance does not hold yet (a cold role cache).
    pub cold_factor: f64,
    /// How long an instance waits for a verification, which goes on without it.
    /// None: as long as it takes.
    #[serde(default)]
    pub timeout: Option<Nanos>,
}

impl Default for IdentitySpec {
    fn default() -> Self {
        Self {
            latency: Distribution::Lognormal {
                median: Nanos::from_millis(8),
                sigma: 0.5,
            },
            capacity: 64,
            cold_factor: 12.0,
            timeout: None,
        }
    }
}

/// What the instance at this place is called.
pub(crate) fn instance_name(index: usize) -> String {
    format!("instance-{}", index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_other_job_adds_its_share() {
        let spec = FleetSpec {
            contention: Nanos::from_millis(10),
            ..FleetSpec::default()
        };
        let second = Nanos::from_secs(1);
        for (others, expected) in [(0, 1_000), (1, 1_010), (35, 1_350)] {
            let took = spec.contended(second, others);
            assert_eq!(took, Nanos::from_millis(expected), "{others}");
        }
        assert_eq!(FleetSpec::default().contended(second, 35), second);
        assert_eq!(spec.contended(second, u64::MAX), Nanos::MAX); // saturates
    }

    #[test]
    fn a_request_is_shed_by_its_standing_and_never_for_another_crew() {
        use Standing::{Again, FirstTry, Probe};
        let plain = FleetSpec::default();
        let sheds = FleetSpec {
            shed_above: Some(2),
            ..FleetSpec::default()
        };
        let apart = FleetSpec {
            monitor_workers: 1,
            ..sheds.clone()
        };
        let (serving, monitors) = (Ok(Crew::Serving), Ok(Crew::Monitors));
        let shed = Err(Denial::FirstTriesOnly);
        for (spec, standing, waiting, expected) in [
            (&plain, Probe, 1_000, serving),
            (&plain, Again, 1_000, serving),
            (&sheds, FirstTry, 1_000, serving), // the last to be refused, by the bound only
            (&sheds, Again, 1, serving),
            (&sheds, Probe, 1, serving),
            (&sheds, Again, 2, shed),
            (&sheds, Probe, 2, shed),
            (&apart, Probe, 1_000, monitors),
            (&apart, Again, 2, shed),
        ] {
            let found = spec.crew(standing, waiting);
            assert_eq!(found, expected, "{standing:?} {waiting}");
        }
    }

    #[test]
    fn an_older_fleet_is_read_as_it_was() {
        let mut written = serde_json::to_value(FleetSpec::default()).unwrap();
        let fleet = written.as_object_mut().unwrap();
        for key in [
            "contention",
            "bulkhead",
            "monitor_workers",
            "propagate_deadline",
            "shed_above",
        ] {
            assert!(fleet.remove(key).is_some(), "{key}");
        }
        assert!(
            fleet["identity"]
                .as_object_mut()
                .unwrap()
                .remove("timeout")
                .is_some()
        );
        assert!(
            fleet["queue"]
                .as_object_mut()
                .unwrap()
                .remove("silent")
                .is_some()
        );
        let read: FleetSpec = serde_json::from_value(written).unwrap();
        assert_eq!(read, FleetSpec::default());
    }
}
