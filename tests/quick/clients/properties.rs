//! What holds for any plan, any habits and any server.

use std::collections::BTreeMap;

use proptest::prelude::*;
use threadbare::clients::Try;
use threadbare::model::{ArrivalProcess, Backoff, ClientPolicy, SourceName};
use threadbare::plan::{ClosedLoop, Plan, Request};
use threadbare::record::{AttemptCounters, Counters, OperationCounters};
use threadbare::units::Nanos;

use super::script::{Script, Sent, run};
use crate::conformance::Reply;
use crate::plan::{entry, monitor, ms, plan};

fn replies() -> impl Strategy<Value = Reply> {
    prop_oneof![
        4 => prop::sample::select(vec![200, 200, 403, 404, 429, 500, 503]).prop_map(Reply::Status),
        2 => (200u16..=200, 1u64..400).prop_map(|(status, after)| Reply::Late(status, after)),
        1 => Just(Reply::Close),
        1 => Just(Reply::Garbage),
        1 => Just(Reply::Silence),
    ]
}

prop_compose! {
    fn habits()(
        timeout in 5u64..200,
        deadline in prop::option::of(5u64..400),
        retries in 0u32..4,
        backoff in prop::option::of(1u64..50),
        hedge in prop::option::of(1u64..5),
        budget: bool,
        breaker: bool,
    ) -> ClientPolicy {
        ClientPolicy {
            timeout: ms(timeout),
            deadline: deadline.map(ms),
            retries,
            backoff: backoff.map_or(Backoff::None, |pause| Backoff::Fixed(ms(pause))),
            hedge_after: hedge.map(ms),
            retry_budget: budget.then(|| "20 %, burst 3".parse().unwrap()),
            breaker: breaker.then(|| "3 failures, pause 50ms".parse().unwrap()),
            ..ClientPolicy::default()
        }
    }
}

prop_compose! {
    fn plans()(
        rate in 1.0f64..400.0,
        client in habits(),
        closed in prop::option::of((1u32..8, 1u64..20)),
        connections in 1u32..12,
        backlog in 0u32..20,
        monitors in 0u32..3,
        overlap: bool,
        fresh: bool,
        poisson: bool,
        seed: u64,
    ) -> Plan {
        let mut plan = plan(rate, ms(600));
        plan.seed = seed;
        plan.drain = ms(200);
        plan.load.client = client;
        plan.load.connections = connections;
        plan.load.backlog = backlog;
        plan.load.mix = Request::ALL.iter().map(|(request, _)| entry(*request)).collect();
        plan.load.drive.closed = closed.map(|(users, think)| ClosedLoop { users, think: ms(think) });
        plan.load.drive.fresh_connections = fresh;
        if poisson {
            plan.load.process = ArrivalProcess::Poisson;
        }
        plan.monitors = (0..monitors).map(|_| monitor()).collect();
        for monitor in &mut plan.monitors {
            monitor.overlap = overlap;
        }
        plan
    }
}

/// What was sent for each operation, in order.
fn by_operation(sent: &[Sent]) -> BTreeMap<u64, Vec<Sent>> {
    let mut operations: BTreeMap<u64, Vec<Sent>> = BTreeMap::new();
    for attempt in sent {
        if let Some(operation) = attempt.operation {
            operations.entry(operation).or_default().push(*attempt);
        }
    }
    operations
}

fn count(sent: &[Sent], which: Try) -> u64 {
    let users = sent.iter().filter(|it| it.operation.is_some());
    users.filter(|it| it.which == which).count() as u64
}

proptest! {
    #[test]
    fn clients_keep_their_bounds_and_their_books(
        plan in plans(),
        script in prop::collection::vec(replies(), 1..40),
    ) {
        let next = |number: u64| script[usize::try_from(number).unwrap() % script.len()];
        let mut wire = Script::new(&plan, Box::new(next));
        run(&plan, &mut wire);

        // Bounds: connections, attempts of one operation, retries, times.
        prop_assert!(wire.most.0 <= plan.load.connections as usize);
        prop_assert!(wire.most.1 <= 2);
        let policy = &plan.load.client;
        let mut latest = Nanos::ZERO;
        for attempt in &wire.sent {
            prop_assert!(attempt.at >= latest, "time goes one way");
            latest = attempt.at;
            prop_assert!(attempt.at < attempt.waits_until, "somebody waits for what is sent");
        }
        for attempts in by_operation(&wire.sent).values() {
            prop_assert_eq!(attempts[0].which, Try::First);
            let of = |which| attempts.iter().filter(|it| it.which == which).count();
            prop_assert_eq!(of(Try::First), 1);
            prop_assert!(of(Try::Retry) <= policy.retries as usize);
            prop_assert!(of(Try::Hedge) <= 1 && (of(Try::Hedge) == 0 || policy.hedge_after.is_some()));
        }

        // Books: they say what was sent, and what started has ended or is under way.
        let (mut operations, mut user) = (OperationCounters::default(), AttemptCounters::default());
        let mut in_flight = 0;
        for sample in wire.samples.iter().filter(|sample| sample.source == SourceName::User) {
            match &sample.counters {
                Counters::Operations(counters) => {
                    prop_assert!(counters.conserved());
                    operations.merge(counters);
                }
                Counters::Attempts(counters) => {
                    in_flight = counters.in_flight;
                    user.merge(counters);
                }
                _ => {}
            }
        }
        prop_assert!(operations.conserved());
        prop_assert_eq!(user.started(), user.ended() + in_flight);
        prop_assert_eq!(
            (user.first_tries, user.retries, user.hedges, user.resends),
            (
                count(&wire.sent, Try::First),
                count(&wire.sent, Try::Retry),
                count(&wire.sent, Try::Hedge),
                count(&wire.sent, Try::Resend)
            )
        );
        prop_assert_eq!(user.ended_well, operations.succeeded);
        prop_assert_eq!(user.ended_well + user.ended_badly, operations.ended());

        // Nobody is late in virtual time, and each nanosecond has one owner.
        prop_assert_eq!(operations.generator_ns, 0);
        prop_assert_eq!(operations.never_sent, 0);
        let owned = operations.target_ns + operations.connection_wait_ns + operations.pause_ns;
        prop_assert_eq!(operations.response_ns, owned);
    }
}

/// What the clients' books say of all operations.
fn operations(wire: &Script<'_>) -> OperationCounters {
    let mut all = OperationCounters::default();
    for sample in &wire.samples {
        if let Counters::Operations(counters) = &sample.counters {
            all.merge(counters);
        }
    }
    all
}

proptest! {
    /// What a slow carrier adds is the generator's: the target has what lies between each
    /// send and its end, pauses are as long as they are stated, and the parts are the whole.
    #[test]
    fn each_nanosecond_has_one_owner_however_late_the_generator_is(
        plan in plans(),
        script in prop::collection::vec(replies(), 1..40),
        delays in prop::collection::vec(prop_oneof![6 => Just(0), 1 => 0u64..300], 1..20),
    ) {
        let mut plan = plan;
        plan.load.client.deadline = None;
        plan.load.client.hedge_after = None;
        plan.load.backlog = u32::MAX;
        plan.drain = ms(3_600_000);
        plan.monitors.clear();
        let next = |number: u64| script[usize::try_from(number).unwrap() % script.len()];
        let mut wire = Script::new(&plan, Box::new(next));
        wire.delays = delays;
        run(&plan, &mut wire);
        let operations = operations(&wire);
        prop_assert!(operations.conserved());
        prop_assert_eq!(operations.unfinished, 0);
        let target = wire.sent.iter().map(|sent| sent.over.unwrap().0 - sent.at.0);
        prop_assert_eq!(operations.target_ns, target.sum::<u64>());
        let pause = match plan.load.client.backoff {
            Backoff::Fixed(pause) => pause.0,
            _ => 0,
        };
        prop_assert_eq!(operations.pause_ns, count(&wire.sent, Try::Retry) * pause);
        let owned = operations.target_ns + operations.connection_wait_ns + operations.pause_ns
            + operations.generator_ns;
        prop_assert_eq!(operations.response_ns, owned);
    }
}

/// Of a wait for the one connection, what it lay unused is the generator's.
#[test]
fn a_connection_that_lies_unused_is_no_wait_for_a_connection() {
    // Every turn comes 10 ms late, and an answer takes 1 ms.
    let mut plan = plan(200.0, ms(500));
    plan.load.connections = 1;
    plan.drain = ms(3_600_000);
    let spent = |delay| {
        let mut wire = Script::new(&plan, Box::new(|_| Reply::Status(200)));
        wire.delays = vec![delay];
        run(&plan, &mut wire);
        operations(&wire)
    };
    let (prompt, late) = (spent(0), spent(10));
    assert_eq!((prompt.connection_wait_ns, prompt.generator_ns), (0, 0));
    assert_eq!(late.target_ns, prompt.target_ns);
    assert!(late.generator_ns > 5 * late.connection_wait_ns, "{late:?}");
}
