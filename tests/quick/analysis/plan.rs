//! The plan of every synthetic run; only what analysis reads of it matters.

use threadbare::model::{ArrivalProcess, ClientPolicy, Distribution, FleetSpec, IdentitySpec};
use threadbare::plan::{Drive, Load, Plan, RecoveryRule, Story};
use threadbare::units::Nanos;

pub(crate) fn plan() -> Plan {
    let short: Distribution = "constant(1ms)".parse().unwrap();
    Plan {
        scenario: "synthetic".into(),
        title: "A synthetic run".into(),
        claim: "the answer is known".into(),
        source: "ours".into(),
        seed: 1,
        story: Some(Story {
            starts: "16:00".parse().unwrap(),
            scale: 90.0,
        }),
        warm_up: Nanos::from_secs(5),
        end: Nanos::from_secs(100),
        drain: Nanos::from_secs(3),
        interval: Nanos::from_secs(1),
        fleet: Some(FleetSpec {
            instances: 4,
            workers: 4,
            queue: "unbounded".parse().unwrap(),
            identity: IdentitySpec {
                latency: short,
                capacity: 64,
                cold_factor: 6.0,
                ..IdentitySpec::default()
            },
            application: short,
            database: short,
            users: 10,
            projects: 1,
            tasks: 1,
            boot: Nanos::ZERO,
            ..FleetSpec::default()
        }),
        release: threadbare::model::ReleasePolicy::default(),
        load: Load {
            process: ArrivalProcess::Poisson,
            rate: Vec::new(),
            replay: None,
            mix: Vec::new(),
            client: ClientPolicy {
                timeout: Nanos::from_millis(500),
                deadline: Some(Nanos::from_secs(2)),
                retries: 3,
                ..ClientPolicy::default()
            },
            connections: 1000,
            backlog: 1000,
            drive: Drive::default(),
        },
        monitors: Vec::new(),
        gauges: Vec::new(),
        alerts: Vec::new(),
        timeline: Vec::new(),
        recovery: RecoveryRule::default(),
        target: None,
        safety: threadbare::model::Safety::default(),
        expectations: Vec::new(),
    }
}
