//! Redirects, followed as `curl -L` follows them.

use super::curl::{curl, load, own};
use crate::server::{Request, ScriptedAnswer, Server};

/// A redirect, who meets it, and what it leads to.
struct Case {
    status: u16,
    location: &'static str,
    /// The method, where it is not GET, and whether there is a body.
    method: Option<&'static str>,
    body: bool,
}

const fn get(status: u16, location: &'static str) -> Case {
    Case {
        status,
        location,
        method: None,
        body: false,
    }
}

const fn post(status: u16) -> Case {
    Case {
        status,
        location: "/end",
        method: None,
        body: true,
    }
}

const CASES: [Case; 19] = [
    get(301, "/end"),
    get(302, "/end"),
    get(303, "/end"),
    get(307, "/end"),
    get(308, "/end"),
    get(302, "end?x=1#part"),
    get(302, "../end"),
    get(302, "./a/../b"),
    get(302, "?q=1"),
    get(302, "/with space"),
    get(302, "http://HOST/absolute"),
    get(302, "//HOST/same-scheme"),
    get(302, "/again/2"),
    post(301),
    post(302),
    post(303),
    post(307),
    post(308),
    Case {
        status: 302,
        location: "/end",
        method: Some("HEAD"),
        body: false,
    },
];

/// A server on which `/c/N` redirects as the case of this number does, and `/again/N`
/// once more; everything else is the end.
fn server() -> Server {
    Server::start(|request| {
        let line = request.line();
        let path = line.split(' ').nth(1).unwrap_or_default();
        let number = |prefix: &str| path.strip_prefix(prefix)?.parse::<usize>().ok();
        let host = request.text.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("host").then(|| value.to_owned())
        });
        let host = host.unwrap_or_default();
        if let Some(case) = number("/c/folder/").and_then(|number| CASES.get(number)) {
            return redirect(case.status, &case.location.replace("HOST", &host));
        }
        match number("/again/") {
            Some(0) => end(line),
            Some(left) => redirect(302, &format!("/again/{}", left - 1)),
            None if path == "/loop" => redirect(302, "/loop"),
            None if path == "/elsewhere" => redirect(302, "http://192.0.2.1:1/x"),
            None if path == "/other-scheme" => redirect(302, "ftp://127.0.0.1/x"),
            None if path == "/nowhere" => {
                ScriptedAnswer::text("HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n")
            }
            None => end(line),
        }
    })
}

pub(super) fn redirect(status: u16, location: &str) -> ScriptedAnswer {
    let text = format!("HTTP/1.1 {status} Go\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
    ScriptedAnswer::text(&text)
}

pub(super) fn end(line: &str) -> ScriptedAnswer {
    // What answers HEAD has no body.
    let body = if line.starts_with("HEAD ") { "" } else { "end" };
    ScriptedAnswer::text(&format!(
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{body}"
    ))
}

/// The line and the body of each request from this one on.
fn asked(server: &Server, from: usize) -> Vec<(String, String)> {
    let told = |request: &Request| {
        let body = request.text.split_once("\r\n\r\n").map(|(_, body)| body);
        (
            request.line().to_owned(),
            body.unwrap_or_default().to_owned(),
        )
    };
    server.requests()[from..].iter().map(told).collect()
}

#[test]
fn redirects_lead_to_the_same_requests_as_curl_makes() {
    let server = server();
    for (number, case) in CASES.iter().enumerate() {
        let url = format!("http://{}/c/folder/{number}", server.address());
        let mut of_curl = vec!["--location", "--max-redirs", "5"];
        let mut of_load = vec!["--follow", "5"];
        if case.body {
            of_curl.extend(["--data", "a=b"]);
            of_load.extend(["--body", "a=b"]);
        }
        if case.method == Some("HEAD") {
            of_curl.push("--head");
            of_load.extend(["--method", "HEAD"]);
        }
        let from = server.requests().len();
        let status = curl(&url, &of_curl);
        let by_curl = asked(&server, from);
        let from = server.requests().len();
        assert_eq!(own(&url, &of_load), status, "{number}");
        assert_eq!(asked(&server, from), by_curl, "{number}");
        assert!(by_curl.len() > 1, "{number}: {by_curl:?}");
    }
}

#[test]
fn every_hop_is_an_attempt_of_one_operation() {
    let server = server();
    let url = format!("http://{}/again/3", server.address());
    let summary = load(&url, &["--follow", "3"]);
    assert_eq!(summary["conservation"]["succeeded"], 1);
    let attempts = &summary["phases"][0]["attempts_per_operation"];
    // Each is a first try, as that of a step is.
    assert_eq!(*attempts, 1.0, "{summary}");
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn what_is_not_followed_has_failed_and_says_why() {
    let server = server();
    let address = server.address();
    for (path, requests, told) in [
        (
            "/loop",
            3,
            "as many redirects were followed as --follow allows",
        ),
        (
            "/again/3",
            3,
            "as many redirects were followed as --follow allows",
        ),
        (
            "/elsewhere",
            1,
            "it leads to 192.0.2.1, which is not this machine's loopback; if you may use it, \
             allow it with --allow-host 192.0.2.1",
        ),
        (
            "/other-scheme",
            1,
            "it leads to neither http nor https, or names a user",
        ),
        ("/nowhere", 1, "it does not say where it leads"),
    ] {
        let from = server.requests().len();
        let summary = load(&format!("http://{address}{path}"), &["--follow", "2"]);
        assert_eq!(server.requests().len() - from, requests, "{path}");
        let [failure] = summary["failures"].as_array().unwrap().as_slice() else {
            panic!("{summary}");
        };
        assert_eq!(failure["cause"], "redirected", "{path}");
        let example = &failure["examples"][0];
        assert_eq!(example["status"], 302, "{path}");
        let seen = example["seen"].as_str().unwrap();
        assert!(seen.contains(told), "{path}: {seen}");
    }
    // curl too gives up there.
    let url = format!("http://{address}/loop");
    assert_eq!(curl(&url, &["--location", "--max-redirs", "2"]), None);
    // Where the status is expected, an answer that leads elsewhere is one.
    let url = format!("http://{address}/elsewhere");
    let summary = load(&url, &["--follow", "2", "--expect-status", "302"]);
    assert_eq!(summary["conservation"]["succeeded"], 1, "{summary}");
}
