//! Everything that asks anybody counts its failures by the same causes.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use serde_json::Value;

use super::{Case, free_port, on, said, url};
use crate::run::alone;
use crate::server::{ScriptedAnswer, Server, Then};

/// Whose failures, why, and how many.
fn told(summary: &Value) -> Vec<(String, String, u64)> {
    let failures = summary["failures"].as_array().unwrap().iter();
    let told = failures.map(|it| {
        let word = |key: &str| it[key].as_str().unwrap().to_owned();
        (word("source"), word("cause"), it["count"].as_u64().unwrap())
    });
    told.collect()
}

#[test]
fn hooks_ready_checks_gauges_proxies_and_occupations_say_why_they_failed() {
    let _alone = alone();
    let asked = AtomicU32::new(0);
    let server = Server::start(move |request| match request.line().split(' ').nth(1) {
        // Twice it is not ready, and then it is, which here is a 204.
        Some("/health") if asked.fetch_add(1, Ordering::Relaxed) < 2 => ScriptedAnswer::status(200),
        Some("/health") => ScriptedAnswer::status(204),
        Some("/deploy") => ScriptedAnswer::status(503),
        Some("/probe") => ScriptedAnswer::status(418),
        Some("/closes") => ScriptedAnswer::text("").then(Then::Close),
        _ => ScriptedAnswer::status(200),
    });
    let (nobody, front) = (free_port(), free_port());
    let url = url(&server);
    let rest = format!(
        r#"
        [[monitor]]
        name = "teapot"
        probe = "/probe"
        expect_status = "418"
        every = "100ms"
        [[hook]]
        name = "deploy"
        request = "POST {url}/deploy"
        [[gauges]]
        name = "app"
        url = "http://127.0.0.1:{nobody}/metrics"
        busy = "busy"
        [[proxy]]
        name = "db"
        listen = "127.0.0.1:{front}"
        to = "127.0.0.1:{nobody}"
        [[timeline]]
        at = "1s"
        do = "hook"
        hook = "deploy"
        [[timeline]]
        at = "1s"
        do = "occupy"
        hold = "slow-endpoint"
        path = "/closes"
        connections = 1
        [[expect]]
        that = "failures"
        source = "hook deploy"
        cause = "server_error"
        at_most = 1
        [[expect]]
        that = "failures"
        source = "monitor"
        at_most = 0
        "#
    );
    let text = on(&url, "2s", &rest).replace("[load]\n", "ready_status = \"204\"\n[load]\n");
    let case = Case::new(&text);
    let over = AtomicBool::new(false);
    let output = thread::scope(|scope| {
        // Somebody uses the proxy, from the moment on at which it listens.
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) && TcpStream::connect(("127.0.0.1", front)).is_err()
            {
                thread::yield_now();
            }
        });
        let output = case.run();
        over.store(true, Ordering::Relaxed);
        output
    });
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let summary = case.summary();
    let told = told(&summary);
    let has = |source: &str, cause: &str| {
        let mut own = told.iter().filter(|(own, ..)| own == source);
        let found = own.next().map(|(_, why, count)| (why.as_str(), *count));
        assert_eq!(own.next(), None, "{source}: {told:?}");
        let (why, count) = found.unwrap_or_else(|| panic!("{source} is not in {told:?}"));
        assert_eq!(why, cause, "{source}");
        count
    };
    assert_eq!(has("ready", "other_status"), 2);
    assert_eq!(has("hook deploy", "server_error"), 1);
    assert_eq!(has("proxy db", "refused"), 1);
    assert!(has("gauges app", "refused") > 1);
    assert!(has("occupation occupation", "closed") > 0);
    // A probe that gets the status that is stated has not failed.
    assert_eq!(told.iter().find(|(source, ..)| source == "monitor"), None);
    // The first of each is told with its instant, and the table has it by its source.
    let hook = summary["failures"].as_array().unwrap().iter();
    let hook = hook.filter(|it| it["source"] == "hook deploy");
    let hook: Vec<&Value> = hook.collect();
    assert_eq!(hook[0]["examples"][0]["status"], 503);
    assert!((1.0..2.0).contains(&hook[0]["first_s"].as_f64().unwrap()));
    let answer = said(&output);
    assert!(
        answer.contains("hook deploy: server error (5xx)"),
        "{answer}"
    );
    // As many as the journal has of failed readings.
    let readings = case.events("scrape_failed").len() as u64;
    assert_eq!(has("gauges app", "refused"), readings);
}

#[test]
fn an_undo_that_is_refused_counts_under_its_hook_with_its_cause() {
    let _alone = alone();
    let server = Server::start(|request| match request.line().split(' ').nth(1) {
        Some("/back") => ScriptedAnswer::status(503),
        _ => ScriptedAnswer::status(200),
    });
    let url = url(&server);
    let rest = format!(
        r#"
        [[hook]]
        name = "toggle"
        request = "POST {url}/on"
        undo = {{ request = "POST {url}/back" }}
        [[timeline]]
        at = "1s"
        do = "hook"
        hook = "toggle"
        "#
    );
    let case = Case::new(&on(&url, "2s", &rest));
    let output = case.run();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let expected = ("hook toggle".into(), "server_error".into(), 1);
    assert_eq!(told(&case.summary()), [expected]);
    let undos = std::fs::read_to_string(case.directory().join("undo.jsonl")).unwrap();
    assert!(
        undos.contains("\"cause\":\"server_error\",\"status\":503"),
        "{undos}"
    );
}

#[test]
fn a_target_that_is_not_ready_is_told_by_the_statuses_that_were_to_come() {
    let _alone = alone();
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let keys = "ready_status = \"204,503\"\nready_within = \"300ms\"\n[load]\n";
    let case = Case::new(&on(&url(&server), "2s", "").replace("[load]\n", keys));
    let output = case.run();
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let told = "/health with 204,503 within 300ms";
    assert!(said(&output).contains(told), "{}", said(&output));
}
