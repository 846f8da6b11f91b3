//! Targets that refuse, hang, break off or send nonsense.

use std::net::TcpListener;

use crate::plan::{entry, ms, plan};
use crate::server::{Request as Received, ScriptedAnswer, Server, Then};
use crate::told::{GeneratorRecord, run};
use threadbare::plan::Request;
use threadbare::record::Measure;

#[test]
fn a_dead_target_gives_failures_and_no_rate() {
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut plan = plan(200.0, ms(500));
    plan.load.client.retries = 2;
    let told = run(&plan, address);
    assert_eq!(
        (told.operations.scheduled, told.operations.failed_connection),
        (100, 100)
    );
    assert_eq!((told.user.first_tries, told.user.retries), (100, 200));
    assert_eq!((told.user.connection_errors, told.user.responses), (300, 0));
    assert!(told.histogram("user", Measure::Response).is_empty());
}

#[test]
fn hostile_answers_are_outcomes() {
    type Count = fn(&GeneratorRecord) -> u64;
    let hello = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
    let large = format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "b".repeat(400_000));
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    let big = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: 3000000\r\n\r\n{}",
        "x".repeat(3_000_000)
    );
    let cases: [(&str, ScriptedAnswer, Count); 11] = [
        (
            "garbage",
            ScriptedAnswer::text("SSH-2.0-OpenSSH_9.6\r\n"),
            |told| told.operations.failed_protocol,
        ),
        ("a head without end", ScriptedAnswer::text(&large), |told| {
            told.operations.failed_protocol
        }),
        (
            "closed at once",
            ScriptedAnswer::text("").then(Then::Close),
            |told| told.operations.failed_connection,
        ),
        (
            "closed half way",
            ScriptedAnswer::text(&hello[..20]).then(Then::Close),
            |told| told.operations.failed_connection,
        ),
        ("twice", ScriptedAnswer::text(&hello.repeat(2)), |told| {
            told.operations.succeeded
        }),
        (
            "byte by byte",
            ScriptedAnswer::status(200).byte_by_byte(),
            |told| told.operations.succeeded,
        ),
        (
            "chunks byte by byte",
            ScriptedAnswer::text(chunked).byte_by_byte(),
            |told| told.operations.succeeded,
        ),
        (
            "until it closes",
            ScriptedAnswer::text("HTTP/1.0 200 OK\r\n\r\nhi").then(Then::Close),
            |told| told.operations.succeeded,
        ),
        ("megabytes", ScriptedAnswer::text(&big), |told| {
            told.operations.succeeded
        }),
        ("an error", ScriptedAnswer::status(503), |told| {
            told.operations.failed_server_error
        }),
        ("no such thing", ScriptedAnswer::status(404), |told| {
            told.operations.failed_refused
        }),
    ];
    for (name, answer, count) in cases {
        let server = Server::start(move |_| answer.clone());
        let told = run(&plan(50.0, ms(300)), server.address());
        assert_eq!(
            (told.operations.scheduled, count(&told)),
            (15, 15),
            "{name}: {told:?}"
        );
        if name == "twice" {
            // Nothing that comes after a surplus can be trusted.
            assert_eq!(server.connections(), 15);
        }
    }
}

#[test]
fn a_refusal_is_a_success_where_it_is_due_and_a_hole_where_it_is_missing() {
    let mut plan = plan(100.0, ms(300));
    plan.load.mix[0].refused = true;
    let strict = Server::start(|_| ScriptedAnswer::status(403));
    assert_eq!(run(&plan, strict.address()).operations.succeeded, 30);
    let lax = Server::start(|_| ScriptedAnswer::status(200));
    let told = run(&plan, lax.address());
    assert_eq!(
        (told.operations.failed_wrongly_allowed, told.user.status_2xx),
        (30, 30)
    );
}

#[test]
fn a_server_that_closes_idle_connections_breaks_nothing() {
    let server = Server::start(|_| ScriptedAnswer::status(200).then(Then::Close));
    let told = run(&plan(100.0, ms(500)), server.address());
    assert_eq!(
        (told.operations.scheduled, told.operations.succeeded),
        (50, 50)
    );
}

#[test]
fn a_request_on_a_stale_connection_is_sent_once_more_where_that_is_safe() {
    // The second request on a connection meets its end.
    let stale = |request: &Received| match request.index {
        0 => ScriptedAnswer::status(200),
        _ => ScriptedAnswer::text("").then(Then::Close),
    };
    let mut plan = plan(50.0, ms(400));
    plan.load.connections = 1;
    let server = Server::start(stale);
    let told = run(&plan, server.address());
    assert_eq!(
        (told.operations.scheduled, told.operations.succeeded),
        (20, 20)
    );
    assert_eq!(
        (told.user.first_tries, told.user.resends, told.user.retries),
        (20, 19, 0)
    );
    assert_eq!(told.user.connection_errors, 19);

    // An update may have been carried out already: it is the client's to decide.
    plan.load.mix = vec![entry(Request::UpdateTask)];
    let server = Server::start(stale);
    let told = run(&plan, server.address());
    assert_eq!(
        (told.user.resends, told.operations.failed_connection),
        (0, 10)
    );
    assert_eq!(
        (told.operations.succeeded, told.user.connection_errors),
        (10, 10)
    );
}
