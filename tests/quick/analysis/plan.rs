//! The plan of every synthetic run; only what analysis reads of it matters.

use threadbare::model::{ClientPolicy, Distribution, FleetSpec, IdentitySpec};
use threadbare::plan::{Load, Plan, Story};
use threadbare::units::Nanos;

pub(crate) fn plan() -> Plan {
    let short: Distribution = "constant(1ms)".parse().unwrap();
    Plan {
        scenario: "synthetic".into(),
        title: "A synthetic run".into(),
        claim: "the answer is known".into(),
        source: "ours".into(),
        story: Some(Story {
            starts: "16:00".parse().unwrap(),
            scale: 90.0,
        }),
        warm_up: Nanos::from_secs(5),
        end: Nanos::from_secs(100),
        drain: Nanos::from_secs(3),
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
        load: Load {
            client: ClientPolicy {
                timeout: Nanos::from_millis(500),
                deadline: Some(Nanos::from_secs(2)),
                retries: 3,
                ..ClientPolicy::default()
            },
            connections: 1000,
            backlog: 1000,
            ..Load::default()
        },
        ..Plan::default()
    }
}
