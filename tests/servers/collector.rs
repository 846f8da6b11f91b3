//! A receiver in another language, made of OpenTelemetry's own published messages, reads what
//! is sent over OTLP.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::run::{alone, threadbare};
use crate::server::{dependency, installed};

#[test]
fn a_receiver_of_published_messages_reads_metrics_and_trace() {
    let _alone = alone();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/clients/receive.py");
    let mut receiver = Command::new(installed("python"))
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|cause| panic!("{cause}; `./test setup` installs it"));
    let mut lines = BufReader::new(receiver.stdout.take().unwrap()).lines();
    let port = lines.next().unwrap().unwrap();
    let output = threadbare()
        .args(["load", &format!("http://{}/", dependency())])
        .args(["-R", "100", "-d", "7s", "--json", "--trace", "100 %"])
        .args(["--otlp", &format!("http://127.0.0.1:{port}")])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    // Its input closes, and so does its output.
    drop(receiver.stdin.take());
    let told: Vec<Value> = lines
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();
    assert!(receiver.wait().unwrap().success());
    let metrics: Vec<_> = told.iter().filter(|it| it["metrics"].is_array()).collect();
    // One after five seconds, one at the end.
    assert!(metrics.len() >= 2, "{}", metrics.len());
    let last = metrics.last().unwrap();
    assert_eq!(last["resource"]["service.name"], "threadbare");
    let metric = |name: &str| {
        let mut all = last["metrics"].as_array().unwrap().iter();
        all.find(|it| it["name"] == name)
            .unwrap_or_else(|| panic!("no {name}"))
    };
    let operations = metric("threadbare_operations_total");
    assert_eq!(operations["kind"], "sum");
    assert_eq!(operations["cumulative"], true);
    for point in operations["points"].as_array().unwrap() {
        let outcome = point["labels"]["outcome"].as_str().unwrap();
        assert_eq!(
            point["value"], summary["conservation"][outcome],
            "{outcome}"
        );
    }
    let duration = metric("threadbare_operation_duration_seconds");
    assert_eq!(duration["kind"], "histogram");
    assert_eq!(duration["unit"], "s");
    let succeeded = duration["points"].as_array().unwrap().iter();
    let succeeded = succeeded.filter(|it| it["labels"]["result"] == "success");
    let count: u64 = succeeded.map(|it| it["count"].as_u64().unwrap()).sum();
    assert_eq!(
        count,
        summary["conservation"]["succeeded"].as_u64().unwrap()
    );
    let mut traces = told.iter().filter(|it| it["spans"].is_array());
    let spans = traces.next().unwrap()["spans"].as_array().unwrap();
    assert!(traces.next().is_none(), "one trace for a run");
    let (root, phases) = spans.split_first().unwrap();
    assert_eq!(root["parent"], "");
    assert!(said.contains(root["trace"].as_str().unwrap()), "{said}");
    let found = summary["phases"].as_array().unwrap();
    assert_eq!(phases.len(), found.len());
    for (span, phase) in phases.iter().zip(found) {
        let name = phase["name"].as_str().unwrap();
        assert_eq!(span["name"], format!("phase {name}"));
        assert_eq!(span["parent"], root["span"]);
        let slowest = phase["slowest"].as_array().unwrap();
        let named = span["attributes"]["threadbare.slowest_traces"].as_str();
        let first = slowest[0]["trace"].as_str().unwrap();
        assert!(named.unwrap().starts_with(first), "{span}");
    }
}
