//! The embedded fleet, with real processes, threads and sockets.

#[path = "common/target.rs"]
mod common;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{Rig, alive, ask, eventually, instance, small, sources};
use threadbare::clock::Clock;
use threadbare::error::Kind;
use threadbare::model::Role;
use threadbare::record::{Event, InstanceCounters, Measure, Outcome};
use threadbare::target::{Alone, Fleet, Launch, serve_alone};
use threadbare::units::{Nanos, Ratio};

const LIST: &str = "/projects/1/tasks";

fn detached(unverified: &str) -> BTreeMap<String, String> {
    [
        ("authorization.verification", "detached"),
        ("authorization.unverified", unverified),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

fn push(rig: &Rig, unverified: &str, schema: Option<u32>) -> Outcome {
    let set = detached(unverified);
    rig.fleet.push(rig.clock.now(), "ops", &set, schema, false)
}

fn sum(all: &[InstanceCounters]) -> InstanceCounters {
    let mut sum = InstanceCounters::default();
    for counters in all {
        sum.merge(counters);
    }
    sum
}

#[test]
fn users_list_create_and_update_as_their_roles_allow() {
    let rig = Rig::launch(&small());
    let [viewer, contributor, manager] = Role::ALL.map(|role| rig.token(role));
    for (method, path, token, body, status, part) in [
        ("GET", LIST, viewer, "", 200, r#"{"tasks":[{"#),
        (
            "POST",
            LIST,
            contributor,
            r#"{"title":"new"}"#,
            201,
            r#""id":101,"#,
        ),
        ("GET", LIST, viewer, "", 200, r#""title":"new""#),
        (
            "PATCH",
            "/tasks/3",
            contributor,
            r#"{"done":true}"#,
            200,
            r#""done":true"#,
        ),
        (
            "POST",
            "/projects/2/close",
            manager,
            "",
            200,
            r#""closed":true"#,
        ),
        (
            "POST",
            "/projects/2/close",
            manager,
            "",
            200,
            r#""closed":true"#,
        ), // again
        ("GET", "/healthz", "", "", 200, "ok"),
        ("GET", "/readyz?deep=true", "", "", 200, "ok"),
        (
            "GET",
            "/readyz?deep=true",
            rig.fleet.tokens().service(),
            "",
            200,
            "ok",
        ),
        (
            "PATCH",
            "/tasks/3",
            viewer,
            r#"{"done":true}"#,
            403,
            r#"{"error":"#,
        ),
        (
            "POST",
            LIST,
            viewer,
            r#"{"title":"new"}"#,
            403,
            r#"{"error":"#,
        ),
        (
            "POST",
            "/projects/2/close",
            contributor,
            "",
            403,
            r#"{"error":"#,
        ),
        ("GET", LIST, "nobody", "", 401, r#"{"error":"#),
        ("GET", LIST, "", "", 401, r#"{"error":"#),
        ("GET", "/projects/99/tasks", viewer, "", 404, r#"{"error":"#),
        (
            "PATCH",
            "/tasks/999",
            contributor,
            r#"{"done":true}"#,
            404,
            r#"{"error":"#,
        ),
        ("DELETE", "/tasks/3", manager, "", 405, r#"{"error":"#),
        ("POST", LIST, contributor, "{", 400, r#"{"error":"#),
        (
            "POST",
            LIST,
            contributor,
            &"x".repeat(20_000),
            413,
            r#"{"error":"#,
        ),
    ] {
        let (found, text) = rig.ask(method, path, token, body);
        assert_eq!(found, status, "{method} {path} {text}");
        assert!(text.contains(part), "{method} {path} {text}");
    }
}
