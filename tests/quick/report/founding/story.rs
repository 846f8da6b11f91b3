//! What was done in the made-up run, and what it was planned to be.

use std::collections::BTreeMap;

use threadbare::model::{
    ClientPolicy, ClientsAction, FailuresOf, FleetAction, FleetSpec, IdentitySpec, IncidentVerdict,
    MonitorPolicy, Role, ServiceAction, Shape, Word,
};
use threadbare::plan::{
    Action, Bound, Entry, Expectation, Figure, Load, MixEntry, Plan, Request, Story, When,
};
use threadbare::record::{Event, Outcome, StopCause};
use threadbare::units::{ClockTime, Nanos, Rate, Ratio};

use super::SECONDS;

fn actions() -> Vec<(u64, u64, Action, &'static str, Outcome)> {
    let applied = |detail: &str| Outcome::Applied {
        detail: detail.into(),
    };
    let share = |percent: f64| {
        Action::Fleet(FleetAction::Admit {
            share: Ratio::new(percent / 100.0).unwrap(),
        })
    };
    let push = Action::Fleet(FleetAction::Push {
        set: BTreeMap::from([("authorization.verification".into(), "detached".into())]),
        schema: Some(2),
        tested: false,
        canary: None,
    });
    let refused = Outcome::Rejected {
        check: "schema".into(),
        reason: "version 1 is written in schema 1, and the check demands schema 2".into(),
    };
    let waive = Action::Fleet(FleetAction::Waive {
        check: "schema".into(),
    });
    let restart = Action::Service(ServiceAction::Restart {
        pause: Some(Nanos::from_millis(500)),
    });
    let monitors = Action::Clients(ClientsAction::Monitors { on: false });
    vec![
        (18_000, 18_012, push, "push", applied("version 2 released")),
        (
            78_600,
            78_604,
            Action::Service(ServiceAction::Rollback),
            "rollback refused",
            refused,
        ),
        (
            79_800,
            79_803,
            waive,
            "check waived",
            applied("the check schema is advisory"),
        ),
        (
            81_000,
            81_009,
            Action::Service(ServiceAction::Rollback),
            "rolled back",
            applied("version 3 released, equal to version 1"),
        ),
        (
            90_000,
            90_002,
            monitors,
            "monitors off",
            applied("10 monitors stopped"),
        ),
        (
            101_000,
            101_002,
            share(10.0),
            "shed",
            applied("10 % admitted"),
        ),
        (
            101_400,
            108_900,
            restart,
            "restart",
            applied("4 instances restarted"),
        ),
        (
            112_200,
            112_201,
            share(45.0),
            "45 % admitted",
            applied("45 % admitted"),
        ),
        (
            114_000,
            114_001,
            share(100.0),
            "all admitted",
            applied("100 % admitted"),
        ),
    ]
}

pub(crate) fn events() -> Vec<(Nanos, Event)> {
    let mut events = vec![(Nanos::ZERO, Event::LoadStarted)];
    for (entry, (started, ended, action, _, outcome)) in actions().into_iter().enumerate() {
        events.push((
            Nanos::from_millis(started),
            Event::ActionStarted { entry, action },
        ));
        events.push((
            Nanos::from_millis(ended),
            Event::ActionEnded { entry, outcome },
        ));
    }
    let alert = "users refused".to_owned();
    let also = [
        (
            50_400,
            Event::AlertFired {
                alert: alert.clone(),
            },
        ),
        (118_000, Event::AlertCleared { alert }),
        (
            101_700,
            Event::ScrapeFailed {
                source: "instance-1".into(),
                cause: "connection refused".into(),
            },
        ),
        (140_000, Event::LoadEnded),
        (
            143_000,
            Event::RunEnded {
                cause: StopCause::Completed,
            },
        ),
    ];
    events.extend(also.map(|(at, event)| (Nanos::from_millis(at), event)));
    events.sort_by_key(|(at, _)| *at);
    events
}

/// The plan of the record.
pub(crate) fn plan() -> Plan {
    Plan {
        scenario: "missing-await".into(),
        title: "Role check launched without await".into(),
        claim: "Rolling back alone does not restore service; a gradual restart does.".into(),
        source: "a public postmortem".into(),
        story: Some(story()),
        warm_up: Nanos::from_secs(3),
        end: Nanos::from_secs(SECONDS),
        drain: Nanos::from_secs(3),
        fleet: Some(FleetSpec {
            instances: 4,
            workers: 4,
            queue: "unbounded".parse().unwrap(),
            identity: IdentitySpec {
                latency: "exponential(mean 9ms)".parse().unwrap(),
                capacity: 64,
                cold_factor: 6.0,
                ..IdentitySpec::default()
            },
            application: "exponential(mean 1ms)".parse().unwrap(),
            database: "exponential(mean 4ms)".parse().unwrap(),
            users: 300,
            projects: 50,
            tasks: 2_000,
            boot: Nanos::from_millis(800),
            ..FleetSpec::default()
        }),
        load: Load {
            rate: vec![(
                Nanos::ZERO,
                Shape::Constant(Rate::per_second(350.0).unwrap()),
            )],
            mix: vec![MixEntry {
                weight: 1,
                request: Request::ListTasks,
                role: Role::Contributor,
                refused: false,
            }],
            client: ClientPolicy {
                timeout: Nanos::from_millis(500),
                deadline: Some(Nanos::from_secs(2)),
                retries: 3,
                ..ClientPolicy::default()
            },
            connections: 2_000,
            backlog: 10_000,
            ..Load::default()
        },
        monitors: vec![MonitorPolicy {
            name: "deep health".into(),
            probe: "/readyz?deep=true".into(),
            count: 10,
            every: Nanos::from_millis(100),
            every_after_failure: Nanos::from_millis(20),
            overlap: true,
            timeout: Nanos::from_secs(1),
            expect_status: None,
            reconnects: None,
        }],
        timeline: actions()
            .into_iter()
            .map(|(at, _, action, phase, _)| Entry {
                when: When::At(Nanos::from_millis(at)),
                action,
                phase: phase.into(),
                inject: None,
            })
            .collect(),
        expectations: expectations(),
        ..Plan::default()
    }
}

fn expectations() -> Vec<Expectation> {
    [
        (Figure::GoodputShare, Some("baseline"), Bound::AtLeast(0.99)),
        (
            Figure::ExhaustedInstances,
            Some("push"),
            Bound::AtLeast(4.0),
        ),
        (Figure::RejectedRollbacks, None, Bound::AtLeast(1.0)),
        (
            Figure::GoodputShare,
            Some("rolled back"),
            Bound::AtMost(0.5),
        ),
        (Figure::RecoveryAfterRollback, None, Bound::AtMost(60.0)),
        (Figure::TimeToDetect, None, Bound::AtMost(10.0)),
        (
            Figure::IncidentVerdict,
            None,
            Bound::Is(Word::Verdict(IncidentVerdict::RecoveredByIntervention)),
        ),
    ]
    .map(|(that, phase, bound)| Expectation {
        window: None,
        kind: None,
        that,
        phase: phase.map(str::to_owned),
        of: FailuresOf::default(),
        bound,
        abort: false,
        share: None,
    })
    .into()
}

fn story() -> Story {
    Story {
        starts: ClockTime::from_seconds(16 * 3600),
        scale: 100.0,
    }
}
