//! What clients do about a target that fails: pause, spend a budget, stop asking.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::plan::{entry, ms, plan};
use crate::server::{ScriptedAnswer, Server, Then};
use crate::told::{GeneratorRecord, run, setup, start};
use threadbare::load::Work;
use threadbare::model::{ArrivalProcess, FleetSpec, HttpWork, Retryable, Step};
use threadbare::plan::{ClosedLoop, MixEntry, Plan, Request};

/// One operation with one retry.
fn one_retried() -> Plan {
    let mut plan = plan(100.0, ms(100));
    plan.load.drive.operations = Some(1);
    plan.load.client.retries = 1;
    plan
}

/// A server that answers its first `count` requests so, and the rest with success.
fn at_first(count: usize, answer: ScriptedAnswer) -> Server {
    let seen = AtomicUsize::new(0);
    Server::start(move |_| match seen.fetch_add(1, Ordering::SeqCst) {
        before if before < count => answer.clone(),
        _ => ScriptedAnswer::status(200),
    })
}

fn unavailable(retry_after: u32) -> ScriptedAnswer {
    ScriptedAnswer::text(&format!(
        "HTTP/1.1 503 No\r\nretry-after: {retry_after}\r\ncontent-length: 0\r\n\r\n"
    ))
}

#[test]
fn a_budget_bounds_the_amplification() {
    let server = Server::start(|_| ScriptedAnswer::status(500));
    let mut plan = plan(100.0, ms(1_000));
    plan.load.client.retries = 3;
    let told = run(&plan, server.address());
    // The negative control: without a budget, every operation makes all its retries.
    assert_eq!((told.user.first_tries, told.user.retries), (100, 300));

    plan.load.client.retry_budget = Some("10 %, burst 5".parse().unwrap());
    let told = run(&plan, server.address());
    assert_eq!(
        (told.user.first_tries, told.operations.failed_server_error),
        (100, 100)
    );
    // burst + ratio × first tries = 15; where the generator is held up at the
    // start, what is paid into a full bucket is lost.
    assert!((5..=15).contains(&told.user.retries), "{:?}", told.user);
}

#[test]
fn a_pause_is_as_long_as_the_backoff_or_the_answer_says() {
    for (backoff, respect, least) in [
        ("exponential 300ms..300ms", false, 300),
        ("exponential 600ms..600ms, equal jitter", false, 300),
        ("none", true, 1_000),
    ] {
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&arrived);
        let server = Server::start(move |_| {
            let mut log = log.lock().unwrap();
            log.push(Instant::now());
            match log.len() {
                1 => unavailable(1),
                _ => ScriptedAnswer::status(200),
            }
        });
        let mut plan = one_retried();
        plan.load.client.backoff = backoff.parse().unwrap();
        plan.load.client.respect_retry_after = respect;
        let told = run(&plan, server.address());
        assert_eq!((told.operations.succeeded, told.user.retries), (1, 1));
        let arrived = arrived.lock().unwrap();
        let pause = arrived[1].duration_since(arrived[0]);
        assert!(
            pause >= Duration::from_millis(least),
            "{backoff}: {pause:?}"
        );
    }
}

#[test]
fn a_pause_that_outlasts_the_deadline_is_not_begun() {
    let hour = || at_first(1, unavailable(3_600));
    let mut plan = one_retried();
    plan.load.client.deadline = Some(ms(60_000));
    // The negative control: who does not respect it is answered.
    let told = run(&plan, hour().address());
    assert_eq!((told.operations.succeeded, told.user.retries), (1, 1));
    plan.load.client.respect_retry_after = true;
    let told = run(&plan, hour().address());
    assert_eq!(
        (told.operations.failed_server_error, told.user.retries),
        (1, 0)
    );
}

#[test]
fn what_is_retried_can_be_chosen() {
    for (status, retry_on, retries) in [
        (429, None, 0),
        (429, Some(Retryable::TooManyRequests), 1),
        (503, None, 1),
        (503, Some(Retryable::TooManyRequests), 0),
    ] {
        let server = at_first(1, ScriptedAnswer::status(status));
        let mut plan = one_retried();
        if let Some(only) = retry_on {
            plan.load.client.retry_on = [only].into_iter().collect();
        }
        let told = run(&plan, server.address());
        let counts = (told.user.retries, told.operations.succeeded);
        assert_eq!(counts, (retries, retries), "{status} {retry_on:?}");
    }
}

#[test]
fn a_breaker_stops_the_traffic_and_lets_it_back() {
    for trip in ["5 failures", "100 % of 5"] {
        let server = at_first(5, ScriptedAnswer::status(500));
        let mut plan = plan(100.0, ms(1_500));
        plan.load.client.breaker = Some(format!("{trip}, pause 500ms").parse().unwrap());
        let told = run(&plan, server.address());
        let operations = &told.operations;
        assert_eq!((operations.scheduled, operations.failed()), (150, 5));
        assert!(operations.shed > 0, "{operations:?}");
        assert_eq!(operations.shed_by_breaker, operations.shed);
        // It let the traffic back, and what it shed was never sent.
        assert!(operations.succeeded > 0, "{operations:?}");
        let sent = operations.scheduled - operations.shed;
        assert_eq!((told.user.first_tries, told.user.started()), (sent, sent));
        assert_eq!(server.requests().len() as u64, sent);
    }
}

#[test]
fn in_a_closed_loop_who_is_shed_thinks_before_asking_again() {
    let server = at_first(2, ScriptedAnswer::status(500));
    let mut plan = plan(1.0, ms(1_000));
    let think = ms(20);
    plan.load.drive.closed = Some(ClosedLoop { users: 2, think });
    plan.load.client.breaker = Some("2 failures, pause 300ms".parse().unwrap());
    let told = run(&plan, server.address());
    let operations = &told.operations;
    // Each of two users thinks for 20 ms at least: 50 operations a second at most.
    assert!(operations.scheduled <= 100, "{operations:?}");
    assert!(operations.shed_by_breaker > 0 && operations.succeeded > 0);
    assert_eq!(operations.shed_by_breaker, operations.shed);
}

/// One operation whose first try gets the first of these answers, and so on;
/// what comes after them succeeds.
fn hedged(answers: Vec<ScriptedAnswer>, change: fn(&mut Plan)) -> GeneratorRecord {
    let seen = AtomicUsize::new(0);
    let server = Server::start(move |_| {
        let before = seen.fetch_add(1, Ordering::SeqCst);
        answers
            .get(before)
            .cloned()
            .unwrap_or(ScriptedAnswer::status(200))
    });
    let mut plan = one_retried();
    plan.load.client.timeout = ms(10_000);
    plan.load.client.hedge_after = Some(ms(50));
    change(&mut plan);
    let told = run(&plan, server.address());
    assert_eq!(server.requests().len() as u64, told.user.started());
    assert_eq!(told.user.first_tries, 1);
    told
}

#[test]
fn the_first_answer_of_a_try_and_its_hedge_counts() {
    // The first try is never answered, its hedge is.
    let told = hedged(vec![ScriptedAnswer::never()], |_| ());
    let user = &told.user;
    assert_eq!(told.operations.succeeded, 1);
    assert_eq!((user.hedges, user.cancelled, user.retries), (1, 1, 0));
    // An error is an answer: it is retried, and the first try is given up.
    let told = hedged(
        vec![ScriptedAnswer::never(), ScriptedAnswer::status(500)],
        |_| (),
    );
    let user = &told.user;
    assert_eq!(told.operations.succeeded, 1);
    assert_eq!((user.hedges, user.cancelled, user.retries), (1, 1, 1));
    // A broken connection is none: the other is waited for.
    let slow = Duration::from_secs(1);
    let breaks = ScriptedAnswer::text("").then(Then::Close).after(slow / 2);
    let told = hedged(
        vec![breaks, ScriptedAnswer::status(200).after(slow)],
        |plan| {
            plan.load.client.retries = 0;
        },
    );
    let user = &told.user;
    assert_eq!((told.operations.succeeded, user.hedges), (1, 1));
    assert_eq!(user.connection_errors + user.cancelled, 1);
    // Answered in time, nothing is hedged.
    let told = hedged(vec![], |plan| {
        plan.load.client.hedge_after = Some(ms(9_999));
    });
    assert_eq!((told.operations.succeeded, told.user.hedges), (1, 0));
}

#[test]
fn each_step_of_an_operation_is_hedged_by_itself() {
    // Of each step the first try is never answered, and its hedge is.
    let seen = AtomicUsize::new(0);
    let server = Server::start(move |_| match seen.fetch_add(1, Ordering::SeqCst) % 2 {
        0 => ScriptedAnswer::never(),
        _ => ScriptedAnswer::status(200),
    });
    let mut plan = one_retried();
    plan.load.client.hedge_after = Some(ms(50));
    plan.load.mix.clear();
    plan.fleet = None;
    let mut work = HttpWork::single("browse".into(), Step::new("GET", "/first"));
    work.operations[0].steps.push(Step::new("GET", "/second"));
    let mut setup = setup(&plan, server.address());
    setup.work = Work::Http {
        host: "example.test".into(),
        work,
    };
    let (updates, receiver) = channel();
    let generator = start(&setup, updates);
    let told = GeneratorRecord::gather(&plan, &receiver);
    generator.join().unwrap();
    let user = &told.user;
    assert_eq!((told.operations.succeeded, user.first_tries), (1, 2));
    assert_eq!((user.hedges, user.cancelled, user.retries), (2, 2, 0));
    let lines = server.requests().into_iter().map(|it| it.line().to_owned());
    let expected = ["/first", "/first", "/second", "/second"];
    assert!(lines.eq(expected.map(|path| format!("GET {path} HTTP/1.1"))));
}

#[test]
fn a_hedge_needs_a_connection_a_token_and_a_request_that_may_be_made_twice() {
    let hedges = |change: fn(&mut Plan)| {
        let server = Server::start(|_| ScriptedAnswer::never());
        let mut plan = one_retried();
        plan.load.client.retries = 0;
        plan.load.client.timeout = ms(300);
        plan.load.client.hedge_after = Some(ms(50));
        change(&mut plan);
        let told = run(&plan, server.address());
        assert_eq!(told.operations.timed_out, told.operations.scheduled);
        assert_eq!(told.user.timeouts, told.user.started());
        told.user.hedges
    };
    assert_eq!(hedges(|_| ()), 1);
    assert_eq!(hedges(|plan| plan.load.connections = 1), 0);
    let one_token: fn(&mut Plan) = |plan| {
        plan.load.drive.operations = Some(3);
        plan.load.client.retry_budget = Some("0 %, burst 1".parse().unwrap());
    };
    assert_eq!(hedges(one_token), 1);
    let an_update: fn(&mut Plan) = |plan| {
        // That there is a request that could be hedged is what the plan needs.
        let list = MixEntry {
            weight: 0,
            ..entry(Request::ListTasks)
        };
        plan.load.mix = vec![entry(Request::UpdateTask), list];
    };
    assert_eq!(hedges(an_update), 0);
}

#[test]
fn retries_draw_nothing_from_the_schedule() {
    let sent = |retries| {
        let server = Server::start(|request| match request.index % 3 {
            0 => ScriptedAnswer::status(200),
            _ => ScriptedAnswer::status(500),
        });
        let mut plan = plan(300.0, ms(500));
        plan.load.process = ArrivalProcess::Poisson;
        plan.load.client.retries = retries;
        plan.load.client.backoff = "exponential 1ms..4ms, full jitter".parse().unwrap();
        let told = run(&plan, server.address());
        assert_eq!(told.user.retries > 0, retries > 0);
        let mut buckets = told.buckets();
        buckets.sort_by_key(|bucket| bucket.0);
        let counts = buckets.iter().map(|bucket| bucket.2.scheduled);
        let mut texts: Vec<_> = server.requests().into_iter().map(|it| it.text).collect();
        let host = format!("host: {}\r\n", server.address());
        for text in &mut texts {
            *text = text.replace(&host, "");
        }
        texts.sort();
        texts.dedup();
        (counts.collect::<Vec<_>>(), texts)
    };
    assert_eq!(sent(0), sent(3));
}

/// What an attempt told of itself: the milliseconds it has left, and which it is.
fn told_by(request: &str) -> (Option<u64>, Option<&str>) {
    let header = |name: &str| {
        let mut lines = request.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    let left = header("x-deadline-ms").map(|left| left.parse().unwrap());
    (left, header("x-attempt"))
}

#[test]
fn attempts_tell_the_fleet_what_the_plan_says() {
    let asked = |change: fn(&mut FleetSpec)| {
        let server = at_first(1, ScriptedAnswer::status(500));
        let mut plan = one_retried();
        plan.load.client.timeout = ms(400);
        plan.load.client.deadline = Some(ms(500));
        plan.load.client.backoff = "300ms".parse().unwrap();
        change(plan.fleet.as_mut().unwrap());
        run(&plan, server.address());
        server.requests()
    };
    let [first, retry] = &asked(|_| ())[..] else {
        panic!("a first try and a retry")
    };
    assert_eq!(told_by(&first.text), (None, None));
    assert_eq!(told_by(&retry.text), (None, None));

    let asked = asked(|fleet| {
        fleet.propagate_deadline = true;
        fleet.shed_above = Some(1);
    });
    let [first, retry] = &asked[..] else {
        panic!("a first try and a retry")
    };
    // Its timeout, less what the handshake took.
    let (left, attempt) = told_by(&first.text);
    assert!(
        (1..=400).contains(&left.unwrap()) && attempt == Some("first"),
        "{first:?}"
    );
    // After the pause, what is left of the operation.
    let (left, attempt) = told_by(&retry.text);
    assert!(
        (1..=200).contains(&left.unwrap()) && attempt == Some("retry"),
        "{retry:?}"
    );
}
