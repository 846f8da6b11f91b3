//! `--trace`: what requests carry, and the traces that the report names.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use crate::run::{alone, threadbare};
use crate::server::{Request, ScriptedAnswer, Server};

/// Every sixteenth request takes so long: longer than a busy machine holds up another.
const SLOW: Duration = Duration::from_millis(500);

/// Version, trace, parent and flags of a request.
fn parent(request: &Request) -> Option<[String; 4]> {
    let lines = request.text.lines();
    let mut fields = lines.filter_map(|line| line.strip_prefix("traceparent: "));
    let value = fields.next()?;
    assert_eq!(fields.next(), None, "{}", request.text);
    let parts: Vec<_> = value.split('-').map(str::to_owned).collect();
    parts.try_into().ok()
}

fn load(url: &str, flags: &[&str]) -> Value {
    let output = threadbare()
        .args(["load", url, "--json", "-R", "200", "-d", "2s"])
        .args(flags)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|cause| panic!("{cause}: {said}"))
}

#[test]
fn each_request_carries_its_trace_and_the_slowest_are_named() {
    let _alone = alone();
    let server = Server::start(|request| {
        let answer = ScriptedAnswer::status(200);
        if request.line().contains("slow") {
            answer.after(SLOW)
        } else {
            answer
        }
    });
    // Two kinds of operations by their numbers: one of sixteen is slow.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mixed.toml");
    std::fs::write(
        &file,
        "[[operation]]\nname = \"fast\"\nweight = 15\n\
         [[operation.step]]\nrequest = \"GET /fast\"\n\
         [[operation]]\nname = \"slow\"\n\
         [[operation.step]]\nrequest = \"GET /slow\"\n",
    )
    .unwrap();
    let url = format!("http://{}/", server.address());
    let file = file.to_str().unwrap();
    let summary = load(&url, &["--file", file, "--trace", "100 %", "-c", "64"]);
    let requests = server.requests();
    let parents: Vec<_> = requests.iter().map(|it| parent(it).unwrap()).collect();
    let traces: BTreeSet<_> = parents.iter().map(|parts| &parts[1]).collect();
    assert_eq!(traces.len(), 400);
    let spans: BTreeSet<_> = parents.iter().map(|parts| &parts[2]).collect();
    assert_eq!(spans.len(), 400);
    assert!(parents.iter().all(|it| it[0] == "00" && it[3] == "01"));
    let asked: BTreeMap<_, _> = requests
        .iter()
        .zip(&parents)
        .map(|(request, parts)| (parts[1].clone(), request.line().to_owned()))
        .collect();
    let slowest = summary["phases"][0]["slowest"].as_array().unwrap();
    assert_eq!(slowest.len(), 5, "{slowest:?}");
    for slow in slowest {
        let trace = slow["trace"].as_str().unwrap();
        assert!(asked[trace].contains("/slow"), "{slow}: {}", asked[trace]);
        assert!(slow["response_ms"].as_f64().unwrap() >= SLOW.as_secs_f64() * 1e3);
        assert_eq!(slow["succeeded"], true);
    }
}

#[test]
fn a_share_is_sampled_and_only_those_are_named() {
    let _alone = alone();
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let url = format!("http://{}/", server.address());
    let summary = load(&url, &["--trace", "25 %", "-c", "16"]);
    let requests = server.requests();
    let parents: Vec<_> = requests.iter().map(|it| parent(it).unwrap()).collect();
    let sampled: BTreeSet<_> = parents
        .iter()
        .filter(|parts| parts[3] == "01")
        .map(|parts| parts[1].clone())
        .collect();
    // Five standard deviations of a binomial: √(400 × 0.25 × 0.75) = 8.7.
    assert!(sampled.len().abs_diff(100) < 44, "{}", sampled.len());
    let slowest = summary["phases"][0]["slowest"].as_array().unwrap();
    assert!(!slowest.is_empty());
    for slow in slowest {
        assert!(sampled.contains(slow["trace"].as_str().unwrap()));
    }
}

#[test]
fn without_it_nothing_is_told_and_a_field_of_the_users_own_stays() {
    let _alone = alone();
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let url = format!("http://{}/", server.address());
    let summary = load(&url, &["-c", "16"]);
    assert!(server.requests().iter().all(|it| parent(it).is_none()));
    assert!(summary["phases"][0].get("slowest").is_none());
    let own = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let url = format!("http://{}/", server.address());
    load(&url, &["-H", own, "--trace", "100 %", "-c", "16"]);
    let requests = server.requests();
    assert!(requests.iter().all(|it| it.text.contains(own)));
    assert!(requests.iter().all(|it| parent(it).is_some()));
}
