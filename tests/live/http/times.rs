//! What only the wire sees: times of connecting and of the first byte, statuses, bytes.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::server::{ScriptedAnswer, Server};

const PAUSE: Duration = Duration::from_millis(200);

/// A server that pauses before its answer's last byte, or before all of it.
fn pausing(within: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while connection.read(&mut buffer).is_ok_and(|read| read > 0) {
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                    let (first, last) = answer.split_at(if within { answer.len() - 1 } else { 0 });
                    let _ = connection.write_all(first);
                    thread::sleep(PAUSE);
                    let _ = connection.write_all(last);
                }
            });
        }
    });
    address
}

/// What a load on one connection came to, as JSON.
fn load(url: &str, flags: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_threadbare"))
        .args(["load", url, "-c", "1", "-d", "10s", "--json"])
        .args(flags)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

/// A figure of the load's one phase.
fn figure(summary: &Value, name: &str, key: &str) -> f64 {
    let figure = &summary["phases"][0][name][key];
    figure
        .as_f64()
        .unwrap_or_else(|| panic!("{name}.{key}: {summary}"))
}

#[test]
fn the_first_byte_is_told_apart_from_the_last() {
    let flags = &["-n", "5"];
    let within = load(&format!("http://{}/", pausing(true)), flags);
    let first = figure(&within, "first_byte_ms", "p50");
    assert!(
        2.0 * first < figure(&within, "service_ms", "p50"),
        "{within}"
    );
    // Where the pause is before all of it, both are after it.
    let before = load(&format!("http://{}/", pausing(false)), flags);
    let first = figure(&before, "first_byte_ms", "p50");
    assert!(first >= 200.0, "{before}");
    assert!(first <= figure(&before, "service_ms", "p50"), "{before}");
    for summary in [within, before] {
        let count = |name| summary["phases"][0][name]["count"].as_u64();
        assert_eq!(count("first_byte_ms"), Some(5));
        // One connection, kept, and nothing to encrypt.
        assert_eq!(count("connect_ms"), Some(1));
        assert_eq!(summary["phases"][0]["tls_ms"], Value::Null);
    }
}

#[test]
fn every_connection_and_every_byte_is_counted() {
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let url = format!("http://{}/", server.address());
    let summary = load(&url, &["-n", "5", "--disable-keepalive"]);
    assert_eq!(summary["phases"][0]["connect_ms"]["count"], 5);
    let exchanged = &summary["exchanged"];
    assert_eq!(exchanged["connections_opened"], 5);
    let requests = server.requests();
    let sent: usize = requests.iter().map(|request| request.text.len()).sum();
    assert_eq!(exchanged["sent_bytes"], sent as u64);
    let answer = ScriptedAnswer::status(200).pieces.concat().len() as u64;
    assert_eq!(exchanged["received_bytes"], 5 * answer);
}

#[test]
fn every_status_is_counted_by_its_number() {
    let statuses = [200, 207, 418, 418, 451, 599, 799];
    let server = Server::start(move |request| {
        let number = request.line().split(['/', ' ']).nth(2);
        let number: usize = number.and_then(|number| number.parse().ok()).unwrap();
        ScriptedAnswer::status(statuses[number])
    });
    let file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    let operation =
        "[[operation]]\nname = \"n\"\n[[operation.step]]\nrequest = \"GET /${number}\"\n";
    std::fs::write(file.path(), operation).unwrap();
    let url = format!("http://{}/", server.address());
    let file = file.path().to_str().unwrap();
    let summary = load(&url, &["-n", "7", "--file", file]);
    let expected = json!([
        { "status": 200, "count": 1 },
        { "status": 207, "count": 1 },
        { "status": 418, "count": 2 },
        { "status": 451, "count": 1 },
        { "status": 599, "count": 1 },
        { "status": 799, "count": 1 },
    ]);
    assert_eq!(summary["exchanged"]["statuses"], expected);
}
