//! A load in steps, on a service that can do so much and no more.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::station::Station;
use crate::server::{ScriptedAnswer, Server};

fn load(server: &Server, flags: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_threadbare"))
        .args(["load", &format!("http://{}/", server.address())])
        .args(flags)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Four workers of 20 ms each: 200 requests a second.
fn two_hundred_a_second() -> Server {
    let station = Arc::new(Station::new(4));
    Server::start(move |_| {
        station.visit(|| Duration::from_millis(20));
        ScriptedAnswer::status(200)
    })
}

#[test]
fn each_step_is_told_by_itself_and_what_limited_it() {
    let server = two_hundred_a_second();
    let text = load(
        &server,
        &["-R", "40,80,400", "-d", "9s", "-c", "2000", "--json"],
    );
    let summary: Value = serde_json::from_str(&text).unwrap();
    let steps = summary["steps"].as_array().unwrap();
    let told = |step: usize, key: &str| steps[step].pointer(key).cloned().unwrap();
    let number = |step, key| told(step, key).as_f64().unwrap();
    assert_eq!(steps.len(), 3, "{text}");
    let limiters: Vec<Value> = (0..3).map(|step| told(step, "/limiter")).collect();
    assert_eq!(limiters, ["nothing", "nothing", "target"], "{text}");
    assert_eq!(told(2, "/rate"), "400/s");
    // What was not answered in its step is no completion of it.
    let share = number(2, "/completed_per_s") / number(2, "/offered_per_s");
    assert!(share < 0.7, "{share}");
    assert!(number(1, "/completed_per_s") / number(1, "/offered_per_s") > 0.9);
    assert!(number(2, "/response_ms/p50") > 4.0 * number(1, "/response_ms/p50"));
    let why = summary["no_capacity"].as_str().unwrap();
    assert!(why.contains("make the steps longer"), "{why}");
}

#[test]
#[ignore = "half a minute: ./test --long"]
fn a_long_step_past_the_limit_shows_the_capacity() {
    let server = two_hundred_a_second();
    let flags = [
        "-R",
        "100,300",
        "-d",
        "20s",
        "-c",
        "4000",
        "--timeout",
        "30s",
    ];
    let text = load(&server, &flags);
    let sentence = text
        .lines()
        .find(|line| line.contains("Inferred, not measured"));
    let sentence = sentence.unwrap_or_else(|| panic!("{text}"));
    let after = sentence.split("the target completes ").nth(1).unwrap();
    let per_s: f64 = after.split(' ').next().unwrap().parse().unwrap();
    // At most what four workers can do, and no less than a busy machine lets them.
    assert!((140.0..205.0).contains(&per_s), "{sentence}");
    // The headline counts what had succeeded by the load's end: 100/s, then 200/s, and not
    // the 200/s that were scheduled and succeeded in the end.
    let headline: f64 = text.split(' ').next().unwrap().parse().unwrap();
    assert!((100.0..180.0).contains(&headline), "{text}");
}
