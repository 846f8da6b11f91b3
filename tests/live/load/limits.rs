//! Timeouts, retries, deadlines, the pool and its backlog.

use std::time::Duration;

use crate::plan::{ms, plan};
use crate::server::{ScriptedAnswer, Server};
use crate::told::run;
use threadbare::model::Backoff;
use threadbare::record::Measure;

#[test]
fn timeouts_and_retries_are_counted_exactly() {
    let server = Server::start(|_| ScriptedAnswer::never());
    let mut plan = plan(100.0, ms(300));
    plan.load.connections = 200;
    plan.load.client.timeout = ms(60);
    plan.load.client.retries = 2;
    plan.load.client.backoff = Backoff::Fixed(ms(10));
    let told = run(&plan, server.address());
    assert_eq!(
        (told.operations.scheduled, told.operations.timed_out),
        (30, 30)
    );
    assert_eq!((told.user.first_tries, told.user.retries), (30, 60));
    assert_eq!((told.user.timeouts, told.user.ended()), (90, 90));
    // Each had a connection to itself: what may still come on one belongs to nobody.
    assert_eq!(told.generator.connections_opened, 90);
}

#[test]
fn the_deadline_ends_an_operation_and_its_attempt() {
    let server = Server::start(|_| ScriptedAnswer::never());
    let mut plan = plan(100.0, ms(300));
    plan.load.connections = 200;
    plan.load.client.timeout = ms(200);
    plan.load.client.deadline = Some(ms(500));
    plan.load.client.retries = 9;
    let told = run(&plan, server.address());
    // Attempts at 0, 200 and 400 ms; the third is given up at 500 ms.
    assert_eq!(
        (told.operations.scheduled, told.operations.missed_deadline),
        (30, 30)
    );
    assert_eq!(
        (told.user.retries, told.user.timeouts, told.user.cancelled),
        (60, 60, 30)
    );
    assert_eq!(told.operations.unfinished, 0);
}

#[test]
fn past_the_pool_operations_wait_and_past_the_backlog_they_are_shed() {
    let server = Server::start(|_| ScriptedAnswer::never());
    let mut plan = plan(100.0, ms(300));
    plan.drain = ms(100);
    plan.load.connections = 2;
    plan.load.backlog = 3;
    plan.load.client.timeout = ms(60_000);
    let told = run(&plan, server.address());
    assert_eq!((told.operations.scheduled, told.operations.shed), (30, 25));
    assert_eq!((told.operations.unfinished, told.user.started()), (5, 2));
    assert_eq!(told.generator.backlog_max, 3);
    assert_eq!(server.connections(), 2);
}

#[test]
fn those_who_wait_are_served_in_order() {
    let server = Server::start(|_| ScriptedAnswer::status(200).after(Duration::from_millis(20)));
    let mut plan = plan(200.0, ms(200));
    plan.load.connections = 1;
    let told = run(&plan, server.address());
    assert_eq!(told.operations.succeeded, 40);
    assert_eq!(server.connections(), 1);
    // 40 × 20 ms of work arrive within 200 ms: the last waits for nearly all of it.
    let waited = told.quantile_ms("generator", Measure::PoolWait, 1.0);
    assert!((500.0..1_500.0).contains(&waited), "{waited}");
    // None of it is the generator's own lag.
    let lag = told.quantile_ms("generator", Measure::SendLag, 0.5);
    assert!(lag < 50.0, "{lag}");
}
