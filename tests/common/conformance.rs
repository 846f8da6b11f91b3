//! What clients do, whatever carries them: one body, a script of a server's replies,
//! and the counts that must come of it, exactly.
//!
//! Each carrier is an arm: `tests/quick/clients` has a script in virtual time,
//! `tests/live/load/conformance.rs` real sockets to a server that follows the same
//! script. What is judged does not depend on how long anything takes.

use threadbare::model::{BreakerPolicy, ClientPolicy, SourceName};
use threadbare::plan::{ClosedLoop, Plan};
use threadbare::record::{AttemptCounters, Counters, OperationCounters, Sample};

use crate::plan::{entry, ms, plan};

/// What a server does about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Answers with this status, and keeps the connection.
    Status(u16),
    /// The same, after so many milliseconds.
    Late(u16, u64),
    /// Closes the connection, and says nothing.
    Close,
    /// Says something that is not HTTP.
    Garbage,
    /// Says nothing, ever.
    Silence,
}

use Reply::{Close, Garbage, Late, Silence, Status};

/// One thing that clients must do right.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) plan: Plan,
    /// What the server does about the requests, in their order; then from the start again.
    pub(crate) script: &'static [Reply],
    /// The counts that are not zero.
    expected: &'static str,
}

/// Holds a carrier to every case: `arm` carries a plan's clients to a server that
/// follows a script, and gives the samples of their books.
pub(crate) fn holds(arm: impl Fn(&Plan, &'static [Reply]) -> Vec<Sample>) {
    let mut wrong = Vec::new();
    for case in cases() {
        let counted = counts(&arm(&case.plan, case.script));
        if counted != case.expected {
            wrong.push(format!(
                "{}\n  expected: {}\n  counted:  {counted}",
                case.name, case.expected
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// One user who asks so often, one after the other, with these habits.
fn one_user(operations: u64, client: ClientPolicy) -> Plan {
    let mut plan = plan(1.0, ms(5_000));
    plan.load.drive.closed = Some(ClosedLoop {
        users: 1,
        think: ms(0),
    });
    plan.load.drive.operations = Some(operations);
    plan.load.connections = 1;
    plan.load.client = client;
    plan
}

/// Operations at 50/s, whatever becomes of them.
fn open(operations: u64, client: ClientPolicy) -> Plan {
    let mut plan = one_user(operations, client);
    let at_fifty = crate::plan::plan(50.0, ms(5_000)).load.rate;
    plan.load.rate = at_fifty;
    plan.load.drive.closed = None;
    plan
}

fn client(retries: u32) -> ClientPolicy {
    ClientPolicy {
        timeout: ms(2_000),
        retries,
        ..ClientPolicy::default()
    }
}

fn cases() -> Vec<Case> {
    [answers(), waits_that_end(), connections(), limits()]
        .into_iter()
        .flatten()
        .collect()
}

const fn case(
    name: &'static str,
    plan: Plan,
    script: &'static [Reply],
    expected: &'static str,
) -> Case {
    Case {
        name,
        plan,
        script,
        expected,
    }
}

/// What answers come to.
fn answers() -> Vec<Case> {
    let to_be_refused = |mut plan: Plan| {
        plan.load.mix = vec![threadbare::plan::MixEntry {
            refused: true,
            ..entry(threadbare::plan::Request::ListTasks)
        }];
        plan
    };
    vec![
        case(
            "what is answered as expected succeeds",
            one_user(5, client(0)),
            &[Status(200)],
            "scheduled 5, succeeded 5; first_tries 5, responses 5, status_2xx 5, ended_well 5",
        ),
        case(
            "an error of the server is retried, and counted as what it was",
            one_user(4, client(2)),
            &[Status(500), Status(503), Status(200)],
            "scheduled 4, succeeded 4; first_tries 4, retries 8, responses 12, status_2xx 4, \
             status_5xx 8, status_500 4, status_503 4, ended_well 4",
        ),
        case(
            "the last of its retries decides",
            one_user(2, client(1)),
            &[Status(500), Status(503)],
            "scheduled 2, failed_server_error 2; first_tries 2, retries 2, responses 4, \
             status_5xx 4, status_500 2, status_503 2, ended_badly 2",
        ),
        case(
            "another status is final",
            one_user(2, client(3)),
            &[Status(404)],
            "scheduled 2, failed_refused 2; first_tries 2, responses 2, status_4xx 2, \
             status_404 2, ended_badly 2",
        ),
        case(
            "a refusal that was expected is a success, and a success is none",
            to_be_refused(one_user(2, client(3))),
            &[Status(403), Status(200)],
            "scheduled 2, succeeded 1, failed_wrongly_allowed 1; first_tries 2, responses 2, \
             status_2xx 1, status_4xx 1, status_403 1, ended_well 1, ended_badly 1",
        ),
    ]
}

/// What becomes of waits: timeouts, deadlines, hedges.
fn waits_that_end() -> Vec<Case> {
    let impatient = |timeout, retries| ClientPolicy {
        timeout: ms(timeout),
        ..client(retries)
    };
    vec![
        case(
            "silence runs into the timeout, and is retried",
            one_user(2, impatient(300, 1)),
            &[Silence, Status(200), Silence, Silence],
            "scheduled 2, succeeded 1, timed_out 1; first_tries 2, retries 2, responses 1, \
             status_2xx 1, timeouts 3, ended_well 1, ended_badly 1",
        ),
        case(
            "an answer after the timeout is no answer",
            one_user(1, impatient(300, 0)),
            &[Late(200, 1_200)],
            "scheduled 1, timed_out 1; first_tries 1, timeouts 1, ended_badly 1",
        ),
        case(
            "a deadline ends an operation and what is under way for it",
            one_user(
                2,
                ClientPolicy {
                    deadline: Some(ms(300)),
                    ..client(3)
                },
            ),
            &[Silence],
            "scheduled 2, missed_deadline 2; first_tries 2, cancelled 2, ended_badly 2",
        ),
        case(
            "a hedge answers for a first try that does not",
            hedged(1),
            &[Silence, Status(200)],
            "scheduled 1, succeeded 1; first_tries 1, hedges 1, responses 1, status_2xx 1, \
             cancelled 1, ended_well 1",
        ),
        case(
            "a hedge that fails decides nothing while the first try may be answered",
            hedged(1),
            &[Late(200, 600), Close],
            "scheduled 1, succeeded 1; first_tries 1, hedges 1, responses 1, status_2xx 1, \
             connection_errors 1, ended_well 1",
        ),
    ]
}

/// What becomes of connections.
fn connections() -> Vec<Case> {
    let fresh = |mut plan: Plan| {
        plan.load.drive.fresh_connections = true;
        plan
    };
    vec![
        case(
            "a new connection that is closed is a failure, and is retried",
            fresh(one_user(2, client(1))),
            &[Close, Status(200), Close, Close],
            "scheduled 2, succeeded 1, failed_connection 1; first_tries 2, retries 2, \
             responses 1, status_2xx 1, connection_errors 3, ended_well 1, ended_badly 1",
        ),
        case(
            "a kept connection that is closed has its request sent again, once",
            one_user(3, client(0)),
            &[Status(200), Close, Close, Status(200), Status(200)],
            "scheduled 3, succeeded 2, failed_connection 1; first_tries 3, resends 1, \
             responses 2, status_2xx 2, connection_errors 2, ended_well 2, ended_badly 1",
        ),
        case(
            "what is not HTTP is told apart",
            one_user(2, client(0)),
            &[Garbage],
            "scheduled 2, failed_protocol 2; first_tries 2, protocol_errors 2, ended_badly 2",
        ),
    ]
}

/// What clients do not do.
fn limits() -> Vec<Case> {
    vec![
        case(
            "past the backlog's bound operations are shed, and who waits is unfinished",
            waits(6, 2),
            &[Silence],
            "scheduled 6, shed 3, unfinished 3; first_tries 1, unfinished 1, ended_badly 3",
        ),
        case(
            "an open breaker sheds",
            open(
                6,
                ClientPolicy {
                    breaker: Some("2 failures, pause 60s".parse::<BreakerPolicy>().unwrap()),
                    ..client(0)
                },
            ),
            &[Status(500)],
            "scheduled 6, failed_server_error 2, shed 4, shed_by_breaker 4; first_tries 2, \
             responses 2, status_5xx 2, status_500 2, ended_badly 6",
        ),
        case(
            "a spent budget allows no retry",
            one_user(
                4,
                ClientPolicy {
                    retry_budget: Some("0 %, burst 2".parse().unwrap()),
                    ..client(5)
                },
            ),
            &[Status(500)],
            "scheduled 4, failed_server_error 4; first_tries 4, retries 2, responses 6, \
             status_5xx 6, status_500 6, ended_badly 4",
        ),
    ]
}

/// A user with two connections whose first try gets company after 100 ms.
fn hedged(operations: u64) -> Plan {
    let mut plan = one_user(
        operations,
        ClientPolicy {
            hedge_after: Some(ms(100)),
            ..client(0)
        },
    );
    plan.load.connections = 2;
    plan
}

/// Operations at 50/s of which so many may wait for the only connection.
fn waits(operations: u64, backlog: u32) -> Plan {
    let mut plan = open(operations, client(0));
    plan.load.client.timeout = ms(60_000);
    plan.load.backlog = backlog;
    plan.end = ms(300);
    plan.drain = ms(100);
    plan
}

/// The counts of users' operations and attempts that are not zero, in words.
fn counts(samples: &[Sample]) -> String {
    let mut operations = OperationCounters::default();
    let mut attempts = AttemptCounters::default();
    for sample in samples
        .iter()
        .filter(|sample| sample.source == SourceName::User)
    {
        match &sample.counters {
            Counters::Operations(counters) => operations.merge(counters),
            Counters::Attempts(counters) => attempts.merge(counters),
            _ => {}
        }
    }
    let words = |rows: Vec<(&'static str, u64)>| {
        // Levels, instants and times are no counts.
        let counts = rows.into_iter().filter(|(name, value)| {
            *value > 0
                && !matches!(*name, "in_flight" | "first_failed_min")
                && !name.ends_with("_ns")
        });
        let words: Vec<_> = counts
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        words.join(", ")
    };
    format!("{}; {}", words(operations.rows()), words(attempts.rows()))
}
