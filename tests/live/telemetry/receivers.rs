//! Receivers of annotations and of OTLP: those that take everything, and those that hang, die
//! or were never there. None of them costs an operation.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use serde_json::Value;

use crate::run::{alone, summary, threadbare};
use crate::server::{ScriptedAnswer, Server, Then};

/// Short, with a push's worth of things that happen.
const SHORT: &str = r#"
title    = "annotated"
claim    = "what happens is told"
end      = "5s"
warm_up  = "1s"
interval = "500ms"

[target.fleet]
instances = 2
workers   = 2
users     = 30
boot      = "0s"

[load]
rate = "100/s"
mix  = [{ weight = 1, request = "list tasks", role = "contributor" }]
client = { timeout = "1s", retries = 1 }

[[timeline]]
at    = "2s"
do    = "slow"
part  = "database"
factor = 2
phase = "slower"

[[timeline]]
at    = "3s"
do    = "slow"
part  = "database"
factor = 1
phase = "as before"
"#;

/// A receiver that keeps the bodies of what it is sent.
pub(super) struct Taker {
    pub(super) address: SocketAddr,
    taken: Arc<Mutex<Taken>>,
}

/// Paths with the bodies that were sent to them.
type Taken = Vec<(String, Vec<u8>)>;

impl Taker {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::<Mutex<Vec<_>>>::default();
        let keeps = Arc::clone(&taken);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                if let Some(request) = take(&mut stream) {
                    keeps.lock().unwrap().push(request);
                }
            }
        });
        Self { address, taken }
    }

    /// What came to this path.
    fn bodies(&self, path: &str) -> Vec<Vec<u8>> {
        let taken = self.taken.lock().unwrap();
        let own = taken.iter().filter(|(own, _)| own == path);
        own.map(|(_, body)| body.clone()).collect()
    }
}

/// Reads a request with its length, and answers it.
fn take(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut piece = [0; 8192];
    let head = loop {
        let found = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(at) = found {
            break at + 4;
        }
        let length = stream.read(&mut piece).ok().filter(|length| *length > 0)?;
        bytes.extend_from_slice(&piece[..length]);
    };
    let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
    let path = text.split(' ').nth(1)?.to_owned();
    let mut lines = text.lines();
    let length = lines.find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let length: usize = length.unwrap_or(0);
    while bytes.len() < head + length {
        let length = stream.read(&mut piece).ok().filter(|length| *length > 0)?;
        bytes.extend_from_slice(&piece[..length]);
    }
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        .ok()?;
    Some((path, bytes[head..].to_vec()))
}

fn run(flags: &[&str]) -> (Output, Value) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("annotated.toml");
    fs::write(&file, SHORT).unwrap();
    let out = folder.path().join("run");
    let output = threadbare()
        .args(["run", "--out"])
        .arg(&out)
        .args(flags)
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let summary = summary(&out).unwrap_or_else(|| panic!("no summary: {said}"));
    (output, summary)
}

/// Asserts that a run offered everything, whoever hung.
fn assert_unharmed(summary: &Value) {
    assert_eq!(summary["measurement"]["validity"], "valid");
    let scheduled = summary["conservation"]["scheduled"].as_u64().unwrap();
    // 100/s for 5 s: five standard deviations of a Poisson process.
    assert!(scheduled.abs_diff(500) < 112, "{scheduled}");
    assert_eq!(summary["conservation"]["shed"], 0);
}

#[test]
fn annotations_are_lines_in_a_file_and_posts_to_a_url() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("annotations.jsonl");
    let (output, _) = run(&["--annotations", file.to_str().unwrap()]);
    assert!(output.status.success());
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    let with = |tag: &str| {
        let has = |it: &&Value| it["tags"].as_array().unwrap().iter().any(|own| own == tag);
        lines.iter().filter(has).count()
    };
    assert_eq!((with("started"), with("applied")), (2, 2), "{text}");
    assert!(with("phase") >= 2 && with("verdict") == 1, "{text}");
    let taker = Taker::start();
    let url = format!("http://{}/api/annotations", taker.address);
    let (output, _) = run(&["--annotations", &url]);
    assert!(output.status.success());
    let bodies = taker.bodies("/api/annotations");
    assert!(
        bodies.len() >= lines.len() - 2,
        "{} of {}",
        bodies.len(),
        lines.len()
    );
    for body in bodies {
        let read: Value = serde_json::from_slice(&body).unwrap();
        assert!(read["time"].as_u64().unwrap() > 1_700_000_000_000);
        assert_eq!(read["tags"][0], "threadbare");
    }
}

#[test]
fn otlp_has_the_metrics_of_the_end_and_the_run_as_a_trace() {
    let _alone = alone();
    let taker = Taker::start();
    let url = format!("http://{}", taker.address);
    let (output, summary) = run(&["--otlp", &url]);
    assert!(output.status.success());
    let metrics = taker.bodies("/v1/metrics");
    let last = ExportMetricsServiceRequest::decode(metrics.last().unwrap().as_slice()).unwrap();
    let metrics = &last.resource_metrics[0].scope_metrics[0].metrics;
    let names: BTreeSet<_> = metrics.iter().map(|metric| metric.name.as_str()).collect();
    for name in [
        "threadbare_operations_total",
        "threadbare_send_lag_seconds",
        "threadbare_verdict",
    ] {
        assert!(names.contains(name), "{name}: {names:?}");
    }
    let traces = taker.bodies("/v1/traces");
    assert_eq!(traces.len(), 1);
    let trace = ExportTraceServiceRequest::decode(traces[0].as_slice()).unwrap();
    let spans = &trace.resource_spans[0].scope_spans[0].spans;
    let phases = summary["phases"].as_array().unwrap();
    assert_eq!(spans.len(), phases.len() + 1);
    let events: usize = spans.iter().map(|span| span.events.len()).sum();
    assert_eq!(events, 2);
    let id = u128::from_be_bytes(spans[0].trace_id[..].try_into().unwrap());
    let id = format!("{id:032x}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&id), "{said}");
}

#[test]
fn receivers_that_hang_die_or_are_not_there_cost_no_operation() {
    let _alone = alone();
    // The kernel takes connections for it, and nobody ever reads from them.
    let hangs = TcpListener::bind("127.0.0.1:0").unwrap();
    let hanging = hangs.local_addr().unwrap();
    let dies = Server::start(|_| ScriptedAnswer::text("HTTP/1.1 2").then(Then::Close));
    let refuses = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    for address in [hanging, dies.address(), refuses] {
        let url = format!("http://{address}");
        let began = Instant::now();
        let (output, summary) = run(&["--otlp", &url, "--annotations", &url]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert_unharmed(&summary);
        assert!(said.contains("did not reach"), "{said}");
        // 5 s of load, and at most 5 s for each receiver, with the fleet's start and end.
        assert!(
            began.elapsed() < Duration::from_secs(40),
            "{:?}",
            began.elapsed()
        );
    }
}

#[test]
fn another_machine_has_to_be_allowed() {
    for flags in [
        ["--otlp", "http://192.0.2.7:4318"],
        ["--annotations", "http://192.0.2.7/api/annotations"],
    ] {
        let refused = threadbare()
            .args(["load", "http://127.0.0.1:1/"])
            .args(flags)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains("--allow-host 192.0.2.7"), "{said}");
    }
}
