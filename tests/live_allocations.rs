//! Nothing is allocated for a request: a process of its own, whose every
//! allocation is counted.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::alloc::System;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::thread;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use threadbare::clock::Clock;
use threadbare::load::{Generator, Setup, Update, Work};
use threadbare::model::{HttpWork, Step, Tracing};
use threadbare::plan::ClosedLoop;
use threadbare::scenario;
use threadbare::units::Nanos;

/// One bucket, longer than the load lasts.
const PLAN: &str = r#"
title = "a"
claim = "b"
interval = "60s"
end = "60s"
drain = "2s"
[target]
url = "http://127.0.0.1:1"
[load]
rate = "1/s"
arrivals = "constant"
connections = 4
client = { timeout = "5s", retries = 0 }
"#;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A server that allocates nothing once its connections are open.
fn serve(listener: &TcpListener) {
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while stream.read(&mut buffer).is_ok_and(|length| length > 0) {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                if stream.write_all(answer).is_err() {
                    return;
                }
            }
        });
    }
}

/// Allocations in the whole process while so many operations are made, one
/// connection at a time, everything before and after them included; `trace`: what requests
/// say of their traces.
fn allocations(operations: u64, trace: Option<Tracing>) -> usize {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || serve(&listener));
    let mut plan = scenario::parse("test", "test.toml", PLAN).unwrap();
    plan.seed = 1;
    plan.load.trace = trace;
    plan.load.drive.operations = Some(operations);
    plan.load.drive.closed = Some(ClosedLoop {
        users: 4,
        think: Nanos::ZERO,
    });
    let setup = Setup {
        plan,
        endpoint: address.into(),
        clock: Clock::start_in(Nanos::from_millis(20)),
        work: Work::Http {
            host: "localhost".into(),
            work: HttpWork::single("get".into(), Step::new("GET", "/")),
        },
    };
    let (sender, receiver) = channel();
    let region = Region::new(ALLOCATOR);
    let generator = Generator::start(&setup, move |update| {
        let _ = sender.send(update);
    });
    generator.unwrap().join().unwrap();
    let made = region.change();
    assert!(receiver.iter().any(|update| update == Update::Finished));
    made.allocations + made.reallocations
}

#[test]
fn a_request_more_is_no_allocation_more() {
    // With a trace on each request as without.
    let all = Tracing {
        share: "100 %".parse().unwrap(),
        salt: 1,
    };
    for trace in [None, Some(all)] {
        let few = allocations(1_000, trace);
        let many = allocations(21_000, trace);
        // What a run allocates as a whole may differ by a histogram's growth, of
        // which there are a few dozen; 20,000 requests must not show.
        let more = many.saturating_sub(few);
        assert!(
            more < 200,
            "{few} allocations for 1,000 requests, {many} for 21,000, with {trace:?}"
        );
    }
}
