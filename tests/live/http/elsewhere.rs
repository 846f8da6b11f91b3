//! Redirects to another scheme, host or port: followed where that is allowed, and without
//! what is meant for one host alone.

use super::curl::{curl, load, own};
use super::redirects::{end, redirect};
use crate::https;
use crate::server::Server;

/// A server on which `/to/URL` redirects there, and `/keep/URL` with method and body;
/// everything else is the end.
fn server() -> Server {
    Server::start(|request| {
        let line = request.line();
        let path = line.split(' ').nth(1).unwrap_or_default();
        match (path.strip_prefix("/to/"), path.strip_prefix("/keep/")) {
            (Some(url), _) => redirect(302, url),
            (_, Some(url)) => redirect(307, url),
            _ => end(line),
        }
    })
}

/// What each request from this one on says of itself, and who is asked.
fn told(server: &Server, from: usize) -> Vec<Vec<String>> {
    let told = |text: &str| {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let mut told = vec![lines.next().unwrap().to_owned(), body.to_owned()];
        let wanted = ["host:", "authorization:", "cookie:", "x-own:"];
        let fields = lines.map(str::to_ascii_lowercase);
        told.extend(fields.filter(|line| wanted.iter().any(|name| line.starts_with(name))));
        told.sort();
        told
    };
    let requests = server.requests();
    requests[from..].iter().map(|it| told(&it.text)).collect()
}

#[test]
fn others_are_asked_as_curl_asks_them() {
    let (here, there) = (server(), server());
    let (own_address, other) = (here.address(), there.address());
    let by_name = format!("localhost:{}", other.port());
    let secrets = ["-H", "authorization: Bearer x", "-H", "cookie: a=b"];
    let flags = [&secrets[..], &["-H", "x-own: 1"]].concat();
    for (path, body) in [
        // another port, another name, and back
        (format!("to/http://{other}/x"), false),
        (format!("to/http://{by_name}/x?y=1"), false),
        (
            format!("to/http://{other}/to/http://{own_address}/x"),
            false,
        ),
        // from there on to what lies beside it
        (format!("to/http://{other}/to//x"), false),
        // with and without the body
        (format!("to/http://{other}/x"), true),
        (format!("keep/http://{other}/x"), true),
    ] {
        let url = format!("http://{own_address}/{path}");
        let (mut of_curl, mut of_load) = (flags.clone(), flags.clone());
        of_curl.extend(["--location", "--max-redirs", "5"]);
        of_load.extend(["--follow", "5"]);
        if body {
            of_curl.extend(["--data", "a=b"]);
            of_load.extend(["--body", "a=b"]);
        }
        let asked = || (here.requests().len(), there.requests().len());
        let since = |from: (usize, usize)| (told(&here, from.0), told(&there, from.1));
        let from = asked();
        let status = curl(&url, &of_curl);
        let by_curl = since(from);
        let from = asked();
        assert_eq!(own(&url, &of_load), status, "{path}");
        assert_eq!(since(from), by_curl, "{path}");
        assert!(!by_curl.1.is_empty(), "{path}: {by_curl:?}");
        let of_others = by_curl.1.concat().join("\n");
        assert!(!of_others.contains("Bearer") && of_others.contains("x-own"));
    }
}

/// Connections to all that is asked are as many as are allowed, and are kept.
#[test]
fn connections_are_bounded_over_all_that_is_asked_and_kept() {
    let (here, there) = (server(), server());
    let url = format!("http://{}/to/http://{}/x", here.address(), there.address());
    let opened = |flags: &[&str]| {
        let flags = [&["--follow", "1", "-n", "20", "-d", "2s"], flags].concat();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_threadbare"))
            .args(["load", &url, "--json"])
            .args(flags)
            .output()
            .unwrap();
        let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(summary["conservation"]["succeeded"], 20, "{summary}");
        assert_eq!(
            summary["exchanged"]["statuses"][0]["count"], 20,
            "{summary}"
        );
        summary["exchanged"]["connections_opened"].as_u64().unwrap()
    };
    // One at a time makes room for the other; with two, each is kept.
    assert_eq!(opened(&["-c", "1"]), 40);
    assert_eq!(opened(&["-R", "20", "-c", "2"]), 2);
}

#[test]
fn https_on_the_same_host_is_followed_and_trusted_as_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let secure = https::Server::start(https::authority(folder.path()));
    let plain = server();
    let url = format!(
        "http://localhost:{}/to/{}",
        plain.address().port(),
        secure.url("/end")
    );
    let ca = folder.path().join("ca.pem");
    let summary = load(&url, &["--follow", "1", "--cacert", ca.to_str().unwrap()]);
    assert_eq!(summary["conservation"]["succeeded"], 1, "{summary}");
    assert!(secure.saw("GET /end"));
    // Nobody vouches for it.
    let summary = load(&url, &["--follow", "1"]);
    assert_eq!(summary["failures"][0]["cause"], "tls", "{summary}");
}

#[test]
fn what_is_allowed_by_name_was_looked_up_before() {
    let (here, there) = (server(), server());
    let to = |host: &str| {
        let port = there.address().port();
        format!("http://{}/to/http://{host}:{port}/x", here.address())
    };
    let seen = |url: &str, flags: &[&str]| {
        let summary = load(url, &[&["--follow", "1"], flags].concat());
        assert_eq!(summary["failures"][0]["cause"], "redirected", "{summary}");
        summary["failures"][0]["examples"][0]["seen"].to_string()
    };
    let told = seen(&to("shop.invalid"), &[]);
    assert!(
        told.contains("allow it with --allow-host shop.invalid"),
        "{told}"
    );
    let told = seen(&to("shop.invalid"), &["--allow-host", "shop.invalid"]);
    assert!(told.contains("was not found when the load began"), "{told}");
    assert_eq!(there.requests().len(), 0);
    // An address of the user's own is as good as the resolver's.
    let address = format!("shop.invalid:{}:127.0.0.1", there.address().port());
    let flags = ["--follow", "1", "--resolve", &address];
    let summary = load(&to("shop.invalid"), &flags);
    assert_eq!(summary["conservation"]["succeeded"], 1, "{summary}");
}
