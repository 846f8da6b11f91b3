//! What an agent tells of its share, and the traces of a load that agents send.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::rig::{Agent, Nats, PATIENCE, Target, found, load};
use crate::run::{alone, wait_until};
use crate::server::free_ports;

/// The page of an agent's metrics; none where nobody serves.
fn page(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let limit = Duration::from_secs(10);
    stream.set_read_timeout(Some(limit)).ok()?;
    let request = "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// The value of a sample of that page.
fn value(port: u16, name: &str) -> Option<f64> {
    let page = page(port)?;
    let line = page.lines().find(|line| line.starts_with(name))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

#[test]
fn the_counters_of_an_agent_go_on_and_its_slow_operations_are_named() {
    let _alone = alone();
    let nats = Nats::start(&[]);
    let [port] = free_ports();
    let metrics = format!("127.0.0.1:{port}");
    let _agent = Agent::with(&nats.url(), "a", &["--metrics", &metrics], &[]);
    let ended = "threadbare_operations_ended_total{result=\"success\"}";
    assert_eq!(value(port, ended), Some(0.0));
    assert!(page(port).unwrap().contains("scenario=\"agent a\""));
    for loads in 1..=2_u32 {
        let target = Target::start();
        let arguments = ["-c", "4", "-n", "200", "-d", "30s", "--trace", "100 %"];
        let (summary, code) = found(load(&target.url(), &nats.url(), &arguments));
        assert!(matches!(code, 0 | 97), "{summary}");
        let slowest = summary["phases"][0]["slowest"].as_array().unwrap();
        assert!(!slowest.is_empty(), "{summary}");
        wait_until(PATIENCE, "the page has every operation", || {
            value(port, ended) == Some(f64::from(200 * loads))
        });
        wait_until(PATIENCE, "the load has ended", || {
            value(port, "threadbare_state{state=\"ended\"}") == Some(1.0)
        });
        assert!(!page(port).unwrap().contains("scenario=\"agent a\""));
    }
}
