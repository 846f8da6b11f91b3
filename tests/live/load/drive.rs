//! How a load is offered: slices, closed loops, counts, pacings.

use std::net::SocketAddr;
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::plan::{entry, ms, plan};
use crate::server::{ScriptedAnswer, Server};
use crate::told::{run, setup};
use threadbare::load::{Generator, Update, Work};
use threadbare::model::{ArrivalProcess, HttpWork, Part, Step};
use threadbare::plan::{ClosedLoop, Pacing, Plan, Request};
use threadbare::record::{Counters, GeneratorCounters, Measure, OperationCounters, Sample};

/// What all threads of a load say of its operations.
fn add_up(plan: &Plan, address: SocketAddr) -> OperationCounters {
    let (updates, receiver) = channel();
    let generator = Generator::start(&setup(plan, address), move |update| {
        let _ = updates.send(update);
    });
    generator.unwrap().join().unwrap();
    let mut sum = OperationCounters::default();
    for update in receiver {
        if let Update::Sample(sample) = update
            && let Counters::Operations(counters) = sample.counters
        {
            sum.merge(&counters);
        }
    }
    assert!(sum.conserved(), "{sum:?}");
    sum
}

/// Every request that a server got, without the host that it went to, sorted.
fn sent(plan: &Plan) -> Vec<String> {
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let operations = add_up(plan, server.address());
    assert_eq!(operations.succeeded, operations.scheduled);
    let host = format!("host: {}\r\n", server.address());
    let requests = server.requests().into_iter();
    let mut texts: Vec<_> = requests.map(|it| it.text.replace(&host, "")).collect();
    texts.sort();
    texts
}

#[test]
fn the_slices_of_a_load_are_the_whole_of_it() {
    let mut plan = plan(400.0, ms(1_000));
    plan.load.process = ArrivalProcess::Poisson;
    plan.load.mix = Request::ALL.iter().map(|(kind, _)| entry(*kind)).collect();
    let whole = sent(&plan);
    plan.load.drive.threads = 3;
    assert!(whole.len() > 300);
    assert_eq!(sent(&plan), whole);
}

#[test]
fn threads_tell_as_one() {
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let mut plan = plan(300.0, ms(600));
    plan.load.drive.threads = 2;
    let (updates, receiver) = channel();
    let generator = Generator::start(&setup(&plan, server.address()), move |update| {
        let _ = updates.send(update);
    });
    generator.unwrap().join().unwrap();
    let told: Vec<Update> = receiver.iter().collect();
    let count = |wanted: &Update| told.iter().filter(|update| *update == wanted).count();
    assert_eq!(
        (count(&Update::LoadEnded), count(&Update::Finished)),
        (1, 1)
    );
    assert_eq!(told.last(), Some(&Update::Finished));
    let threads = |sample: &Sample| match sample.counters {
        Counters::Generator(GeneratorCounters { threads, .. }) if sample.from == ms(0) => threads,
        _ => 0,
    };
    let first: u64 = told
        .iter()
        .map(|update| match update {
            Update::Sample(sample) => threads(sample),
            _ => 0,
        })
        .sum();
    assert_eq!(first, 2);
}

#[test]
fn a_closed_loop_waits_for_its_answers_and_thinks() {
    let server = Server::start(|_| ScriptedAnswer::status(200).after(Duration::from_millis(20)));
    let mut plan = plan(1.0, ms(1_000));
    let think = ms(30);
    plan.load.drive.closed = Some(ClosedLoop { users: 4, think });
    let told = run(&plan, server.address());
    // Each of four users takes 50 ms at least for a turn: 80 operations at most.
    assert!(
        (40..=80).contains(&told.operations.scheduled),
        "{:?}",
        told.operations
    );
    assert_eq!(told.operations.succeeded, told.operations.scheduled);
    assert_eq!(server.connections(), 4);
    // A slow target slows a closed loop down, so nobody waits from an intended start on.
    let response = told.quantile_ms("user", Measure::Response, 0.5);
    assert!((20.0..40.0).contains(&response), "{response}");
}

#[test]
fn a_count_of_operations_is_exact_in_every_drive() {
    for (closed, threads) in [(false, 1), (false, 2), (true, 1), (true, 3)] {
        let server = Server::start(|_| ScriptedAnswer::status(200));
        let mut plan = plan(1_000.0, ms(5_000));
        let users = 7;
        plan.load.drive.closed = closed.then_some(ClosedLoop {
            users,
            think: ms(0),
        });
        plan.load.drive.threads = threads;
        plan.load.drive.operations = Some(101);
        // A closed loop that has made its count ends at once: the test's patience tells.
        let operations = add_up(&plan, server.address());
        let counts = (operations.scheduled, operations.succeeded);
        assert_eq!(counts, (101, 101), "closed: {closed}, {threads} threads");
        assert_eq!(server.requests().len(), 101);
    }
}

#[test]
fn every_pacing_sends_everything_and_says_what_it_spun() {
    for (pacing, name) in Pacing::ALL {
        let server = Server::start(|_| ScriptedAnswer::status(200));
        let mut plan = plan(500.0, ms(1_000));
        plan.load.drive.pacing = pacing;
        let told = run(&plan, server.address());
        assert_eq!(told.operations.succeeded, 500, "{name}");
        let spun = told.generator.spin_ns > 0;
        assert_eq!(spun, pacing == Pacing::Precise, "{name}");
    }
}

#[test]
fn a_request_of_the_users_own_is_sent_as_written() {
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let mut plan = plan(100.0, ms(100));
    plan.load.mix.clear();
    plan.fleet = None;
    plan.load.drive.fresh_connections = true;
    let mut setup = setup(&plan, server.address());
    let literal = |text: &str| vec![Part::Literal(text.as_bytes().to_vec())];
    setup.work = Work::Http {
        host: "example.test".into(),
        work: HttpWork::single(
            "change".into(),
            Step {
                headers: vec![("X-Token".into(), literal("secret"))],
                body: literal("{}"),
                ..Step::new("PUT", "/things/7?colour=red")
            },
        ),
    };
    Generator::start(&setup, |_| ()).unwrap().join().unwrap();
    let agent = concat!("threadbare/", env!("CARGO_PKG_VERSION"));
    let expected = format!(
        "PUT /things/7?colour=red HTTP/1.1\r\nhost: example.test\r\nuser-agent: {agent}\r\n\
         content-length: 2\r\nX-Token: secret\r\n\r\n{{}}"
    );
    let requests = server.requests();
    assert_eq!(requests.len(), 10);
    assert!(requests.iter().all(|request| request.text == expected));
    assert_eq!(server.connections(), 10);
    assert!(!format!("{:?}", setup.work).contains("secret"));
}
