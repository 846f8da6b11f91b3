//! Plans for tests: a constant rate of listed tasks, patiently, unless told otherwise.

use threadbare::model::{
    ArrivalProcess, ClientPolicy, FleetSpec, IdentitySpec, MonitorPolicy, Role, Shape,
};
use threadbare::plan::{Load, MixEntry, Plan, Request};
use threadbare::units::{Nanos, Rate};

pub(crate) fn ms(value: u64) -> Nanos {
    Nanos::from_millis(value)
}

/// A constant `rate` per second until `end`.
pub(crate) fn plan(rate: f64, end: Nanos) -> Plan {
    let instant = "constant(0s)".parse().unwrap();
    Plan {
        scenario: "test".into(),
        end,
        drain: ms(2_000),
        interval: ms(100),
        fleet: Some(FleetSpec {
            instances: 1,
            workers: 1,
            queue: "unbounded".parse().unwrap(),
            identity: IdentitySpec {
                latency: instant,
                capacity: 1,
                cold_factor: 1.0,
                ..IdentitySpec::default()
            },
            application: instant,
            database: instant,
            users: 9,
            projects: 10,
            tasks: 1_000,
            boot: Nanos::ZERO,
            ..FleetSpec::default()
        }),
        load: Load {
            process: ArrivalProcess::Constant,
            rate: vec![(
                Nanos::ZERO,
                Shape::Constant(Rate::per_second(rate).unwrap()),
            )],
            mix: vec![entry(Request::ListTasks)],
            client: ClientPolicy {
                timeout: ms(5_000),
                deadline: None,
                retries: 0,
                ..ClientPolicy::default()
            },
            connections: 64,
            backlog: 10_000,
            ..Load::default()
        },
        ..Plan::default()
    }
}

/// A request by a manager that is to be allowed.
pub(crate) fn entry(request: Request) -> MixEntry {
    MixEntry {
        weight: 1,
        request,
        role: Role::Manager,
        refused: false,
    }
}

/// A monitor that probes every 100 ms, after a failure every 20 ms.
pub(crate) fn monitor() -> MonitorPolicy {
    MonitorPolicy {
        name: "deep health".into(),
        probe: "/readyz?deep=true".into(),
        count: 1,
        every: ms(100),
        every_after_failure: ms(20),
        overlap: true,
        timeout: ms(500),
        expect_status: None,
        reconnects: None,
    }
}
