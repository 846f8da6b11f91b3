//! Servers whose workers are all taken, seen from outside only: who could not connect,
//! and whose connection nobody took.

use serde_json::Value;

use crate::run::{alone, threadbare};
use crate::server::{Gunicorn, HttpServer, Puma, Server};

type Start = fn() -> Box<dyn Server>;

/// How many connections the kernel keeps for each: few, so that a small load fills them.
const BACKLOG: u32 = 8;

/// The summary of a load of short patience on an endpoint that takes most of a second.
fn exhausted(server: &dyn Server) -> Value {
    let url = format!("{}{}", server.url(), server.slow_path(700));
    let output = threadbare()
        .args(["load", &url, "-R", "40", "-d", "4s", "-c", "200"])
        .args(["--timeout", "1s", "--json"])
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn those_who_could_not_connect_are_told_from_those_who_were_not_answered() {
    let _alone = alone();
    let servers: [(&str, Start); 3] = [
        ("gunicorn", || Box::new(Gunicorn::with_backlog(BACKLOG))),
        ("puma", || Box::new(Puma::with_backlog(BACKLOG))),
        ("http.server", || Box::new(HttpServer::start(BACKLOG))),
    ];
    for (name, start) in servers {
        let summary = exhausted(&*start());
        let count = |cause: &str| {
            let failures = summary["failures"].as_array().unwrap().iter();
            let mut own = failures.filter(|it| it["cause"] == cause);
            own.next().map_or(0, |it| it["count"].as_u64().unwrap())
        };
        assert!(count("connect_timed_out") > 0, "{name}: {summary}");
        assert!(count("no_answer") > 0, "{name}: {summary}");
        let queue = &summary["accept_queue"];
        assert!(queue["overflows"].as_u64().unwrap() > 0, "{name}: {queue}");
        let said = summary["sentences"].as_array().unwrap().iter();
        let mut said = said.filter_map(Value::as_str);
        let sentence = said.find(|it| it.contains("could not connect in time"));
        let sentence = sentence.unwrap_or_else(|| panic!("{name}: {summary}"));
        assert!(sentence.contains("the accept queue was full"), "{sentence}");
        assert!(
            sentence.contains("connected and were not answered"),
            "{sentence}"
        );
    }
}
