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
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
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
        Self::answering(|_| Vec::new())
    }

    /// One whose answers have the body that `answer` makes for a path.
    fn answering(answer: fn(&str) -> Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::<Mutex<Vec<_>>>::default();
        let keeps = Arc::clone(&taken);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let Some((path, body)) = take(&mut stream) else {
                    continue;
                };
                let answer = answer(&path);
                // Before the answer: who has it may end, and then this is looked at.
                keeps.lock().unwrap().push((path, body));
                let length = answer.len();
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
                let _ = stream.write_all(&[head.as_bytes(), &answer].concat());
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

/// The path and the body of a request with its length.
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

/// A second of load whose every operation succeeds, whoever hangs: what it said.
fn load(flags: &[&str]) -> String {
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let url = format!("http://{}/", server.address());
    let output = threadbare()
        .args(["load", &url, "-R", "200", "-d", "1s", "-c", "16", "--json"])
        .args(flags)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let summary: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|cause| panic!("{cause}: {said}"));
    let conservation = &summary["conservation"];
    assert_eq!(conservation["scheduled"], 200, "{conservation}");
    assert_eq!(conservation["succeeded"], 200, "{conservation}");
    said
}

#[test]
fn annotations_are_lines_in_a_file() {
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
}

#[test]
fn annotations_are_posted_one_by_one() {
    let _alone = alone();
    let taker = Taker::start();
    let url = format!("http://{}/api/annotations", taker.address);
    load(&["--annotations", &url]);
    let bodies = taker.bodies("/api/annotations");
    // The load begins and ends, the run ends, and there is a verdict.
    assert!(bodies.len() >= 4, "{}", bodies.len());
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
    let id = spans[0].trace_id.as_slice().try_into().unwrap();
    let id = format!("{:032x}", u128::from_be_bytes(id));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&id), "{said}");
}

#[test]
fn a_receiver_that_hangs_costs_no_operation_and_the_end_a_few_seconds() {
    let _alone = alone();
    // The kernel takes connections for it, and nobody ever reads from them.
    let hangs = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", hangs.local_addr().unwrap());
    let began = Instant::now();
    let said = load(&["--otlp", &url, "--annotations", &url]);
    let took = began.elapsed();
    assert_eq!(said.matches("did not reach").count(), 2, "{said}");
    // The metrics of the end, and the trace behind them.
    assert!(said.contains("requests of OTLP did not reach"), "{said}");
    // A second of load, and 5 s for both receivers at once.
    assert!(took < Duration::from_secs(30), "{took:?}");
}

#[test]
fn receivers_that_die_or_are_not_there_cost_no_operation() {
    let _alone = alone();
    let dies = Server::start(|_| ScriptedAnswer::text("HTTP/1.1 2").then(Then::Close));
    let refuses = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    for address in [dies.address(), refuses] {
        let url = format!("http://{address}");
        let said = load(&["--otlp", &url, "--annotations", &url]);
        assert_eq!(said.matches("did not reach").count(), 2, "{said}");
    }
}

#[test]
fn what_a_receiver_refuses_is_told_and_nobody_is_followed_elsewhere() {
    let _alone = alone();
    let taker = Taker::answering(|path| {
        if path != "/v1/traces" {
            return Vec::new();
        }
        let partial = ExportTracePartialSuccess {
            rejected_spans: 1,
            error_message: "too many spans".into(),
        };
        let answer = ExportTraceServiceResponse {
            partial_success: Some(partial),
        };
        answer.encode_to_vec()
    });
    let elsewhere = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{}/elsewhere\r\n\
         content-length: 0\r\n\r\n",
        taker.address
    );
    let redirects = Server::start(move |_| ScriptedAnswer::text(&elsewhere));
    let otlp = format!("http://{}", taker.address);
    let annotations = format!("http://{}", redirects.address());
    let said = load(&["--otlp", &otlp, "--annotations", &annotations]);
    assert!(
        said.contains("1 request of OTLP did not reach") && said.contains("too many spans"),
        "{said}"
    );
    assert!(said.contains("it answered with status 307"), "{said}");
    assert!(!redirects.requests().is_empty());
    assert!(taker.bodies("/elsewhere").is_empty());
    assert_eq!(taker.bodies("/v1/traces").len(), 1);
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
