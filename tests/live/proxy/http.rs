//! Faults of requests.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use threadbare::model::fault::Mode;
use threadbare::proxy::Proxy;

use super::peers::{connect, end_of, eventually, fault, mirror, proxy, target};

/// Asks on a connection that stays open, and gives status, head and body.
fn ask(stream: &mut TcpStream, request: &str) -> (u16, String, String) {
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap();
    let length = head
        .to_lowercase()
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap()];
    stream.read_exact(&mut body).unwrap();
    let status = head[9..12].parse().unwrap();
    (status, head, String::from_utf8(body).unwrap())
}

const GET: &str = "GET /a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer y\r\n\r\n";

/// A proxy of HTTP in front of a mirror, with these faults.
fn mirrored(faults: &[Value]) -> Proxy {
    let proxy = proxy(mirror().0, Mode::Http);
    for own in faults {
        proxy.inject(fault(own)).unwrap();
    }
    proxy
}

#[test]
fn requests_pass_as_they_were_sent() {
    let proxy = mirrored(&[]);
    let mut stream = connect(proxy.address());
    let post = "POST /x HTTP/1.1\r\nhOsT: x\r\ncontent-length: 5\r\n\r\nhello";
    for request in [GET, post, GET] {
        let (status, _, body) = ask(&mut stream, request);
        assert_eq!((status, body.as_str()), (200, request));
    }
    assert_eq!(proxy.counters().requests, 3);
}

#[test]
fn clients_that_ask_nothing_leave_nothing() {
    let proxy = mirrored(&[]);
    for _ in 0..3 {
        drop(connect(proxy.address()));
    }
    eventually("three", || proxy.counters().accepted == 3);
    eventually("the end of all", || proxy.counters().open == 0);
}

#[test]
fn the_first_two_requests_fail_on_whatever_connection() {
    let proxy = mirrored(&[json!({
        "type": "http_status", "stream": "upstream",
        "attributes": { "status": 503, "match": { "method": "GET", "path": "/a", "count": 2 } }
    })]);
    let other = GET.replace("/a", "/b");
    let mut one = connect(proxy.address());
    let mut two = connect(proxy.address());
    assert_eq!(ask(&mut one, &other).0, 200);
    assert_eq!(ask(&mut one, GET).0, 503);
    assert_eq!(ask(&mut two, GET).0, 503);
    assert_eq!(ask(&mut one, GET).0, 200);
    assert_eq!(ask(&mut two, GET).0, 200);
    let counted = proxy.counters();
    assert_eq!(counted.own_answers, 2);
    assert_eq!(counted.faults["http_status_upstream"].met, 2);
    assert_eq!(counted.faults["http_status_upstream"].seen, 4);
}

#[test]
fn an_authorization_vanishes_on_its_way() {
    let proxy = mirrored(&[]);
    let mut stream = connect(proxy.address());
    assert!(ask(&mut stream, GET).2.contains("Authorization"));
    // On a connection that is open.
    let removed = json!({
        "type": "http_header", "stream": "upstream", "attributes": { "name": "authorization" }
    });
    proxy.inject(fault(&removed)).unwrap();
    let (_, _, body) = ask(&mut stream, GET);
    assert_eq!(body, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    let replaced = json!({
        "type": "http_header", "stream": "upstream",
        "attributes": { "name": "authorization", "value": "Bearer z" }
    });
    proxy.inject(fault(&replaced)).unwrap();
    assert!(ask(&mut stream, GET).2.contains("authorization: Bearer z"));
}

#[test]
fn the_targets_status_is_replaced_and_the_work_was_done() {
    let (address, seen) = mirror();
    let proxy = proxy(address, Mode::Http);
    let status = json!({ "type": "http_status", "attributes": { "status": 500 } });
    proxy.inject(fault(&status)).unwrap();
    assert_eq!(ask(&mut connect(proxy.address()), GET).0, 500);
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[test]
fn a_cut_body_is_short_and_its_connection_ends() {
    let proxy = mirrored(&[json!({ "type": "http_cut", "attributes": { "bytes": 7 } })]);
    let mut stream = connect(proxy.address());
    stream.write_all(GET.as_bytes()).unwrap();
    let (bytes, ended) = end_of(&mut stream);
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.ends_with("\r\n\r\nGET /a "), "{text}");
    assert_eq!(ended, None);
}

#[test]
fn an_abort_is_a_reset_and_other_paths_live() {
    let proxy = mirrored(&[json!({
        "type": "http_abort", "stream": "upstream", "attributes": { "match": { "path": "/a" } }
    })]);
    let mut stream = connect(proxy.address());
    assert_eq!(ask(&mut stream, &GET.replace("/a", "/b")).0, 200);
    stream.write_all(GET.as_bytes()).unwrap();
    assert_eq!(end_of(&mut stream).1, Some(ErrorKind::ConnectionReset));
}

#[test]
fn what_is_held_back_comes_with_the_undo() {
    let (address, seen) = mirror();
    let proxy = proxy(address, Mode::Http);
    let hold = json!({ "type": "http_hold", "stream": "upstream" });
    proxy.inject(fault(&hold)).unwrap();
    let mut stream = connect(proxy.address());
    thread::scope(|scope| {
        let asked = scope.spawn(|| ask(&mut stream, GET).0);
        eventually("the request at the proxy", || {
            proxy.counters().requests == 1
        });
        assert!(seen.lock().unwrap().is_empty());
        proxy.clear();
        assert_eq!(asked.join().unwrap(), 200);
    });
}

#[test]
fn a_delay_is_at_least_its_length_and_meets_its_method_only() {
    let proxy = mirrored(&[json!({
        "type": "http_delay", "attributes": { "delay": 60, "match": { "method": "POST" } }
    })]);
    let mut stream = connect(proxy.address());
    let began = Instant::now();
    ask(&mut stream, "POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n");
    assert!(began.elapsed() >= Duration::from_millis(60));
    let counted = proxy.counters().faults["http_delay_downstream"];
    ask(&mut stream, GET);
    assert_eq!(proxy.counters().faults["http_delay_downstream"], counted);
}

#[test]
fn faults_of_connections_work_here_too() {
    let proxy = mirrored(&[json!({
        "type": "slicer", "attributes": { "average_size": 3, "size_variation": 1 }
    })]);
    let mut stream = connect(proxy.address());
    assert_eq!(ask(&mut stream, GET).2, GET);
    proxy
        .inject(fault(&json!({ "type": "reset_peer" })))
        .unwrap();
    assert_eq!(end_of(&mut stream).1, Some(ErrorKind::ConnectionReset));
}

#[test]
fn what_is_no_http_is_answered_and_counted() {
    let proxy = mirrored(&[]);
    // A megabyte of a head: refused long before its end.
    let mut stream = connect(proxy.address());
    let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(1 << 20));
    // The proxy may have had enough before the last byte.
    let _ = stream.write_all(long.as_bytes());
    let (bytes, _) = end_of(&mut stream);
    assert!(bytes.starts_with(b"HTTP/1.1 431 "), "{}", bytes.len());
    let mut stream = connect(proxy.address());
    stream.write_all(b"\x16\x03\x01\r\n\r\n").unwrap();
    assert!(end_of(&mut stream).0.starts_with(b"HTTP/1.1 400 "));
    assert_eq!(proxy.counters().malformed, 2);
}

#[test]
fn targets_that_are_not_there_or_leave_are_data() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let unreachable = proxy(address, Mode::Http);
    let (status, _, body) = ask(&mut connect(unreachable.address()), GET);
    assert_eq!(status, 502);
    assert!(body.contains("cannot be reached"), "{body}");
    assert_eq!(unreachable.counters().unreachable, 1);

    let leaves = proxy(
        target(|mut stream| drop(stream.read(&mut [0; 4096]))),
        Mode::Http,
    );
    let mut stream = connect(leaves.address());
    stream.write_all(GET.as_bytes()).unwrap();
    assert_eq!(end_of(&mut stream).0, b"");
    eventually("the count", || leaves.counters().unanswered == 1);
}
