//! What a file says of HTTP/2, what the plan makes of it, and what cannot be had over it.

use threadbare::plan::Plan;
use threadbare::scenario;

/// A target of the user's.
const TARGET: &str = r#"
title = "a"
claim = "b"
end = "40s"
[target]
url = "http://127.0.0.1:8000"
[load]
rate = "50/s"
"#;

/// The same, with these keys in `[target]` and `[load]`, and this after it.
fn with(target: &str, load: &str, rest: &str) -> String {
    let text = TARGET.replace("[load]\n", &format!("{target}\n[load]\n{load}\n"));
    format!("{text}{rest}")
}

fn plan(text: &str) -> Plan {
    scenario::parse("a", "a.toml", text).unwrap_or_else(|it| panic!("{}", it.render(false)))
}

#[test]
fn a_target_is_loaded_over_http2_where_the_file_says_so() {
    let usual = plan(TARGET);
    let record = serde_json::to_string(&usual).unwrap();
    assert!(!record.contains("streams"), "{record}");
    assert_eq!(usual.streams(), None);
    assert_eq!(plan(&with("http2 = false", "", "")), usual);

    let http2 = plan(&with("http2 = true", "", ""));
    assert_eq!(http2.streams(), Some(32));
    // As many requests at a time as over HTTP/1.1.
    assert_eq!(usual.load.connections, 1024);
    assert_eq!(http2.load.connections, 32);
    // The same load by another protocol: such runs can be compared.
    assert_eq!(http2.requests, usual.requests);
    let back: Plan = serde_json::from_str(&serde_json::to_string(&http2).unwrap()).unwrap();
    assert_eq!(back.streams(), Some(32));

    let stated = plan(&with("http2 = true", "streams = 8\nconnections = 4", ""));
    assert_eq!((stated.streams(), stated.load.connections), (Some(8), 4));
}

#[test]
fn a_dry_run_names_the_protocol_and_counts_what_is_sent_again() {
    let (usual, http2) = (plan(TARGET), plan(&with("http2 = true", "", "")));
    let dry = |plan: &Plan| threadbare::report::dry_run::render(plan);
    assert!(!dry(&usual).contains("HTTP/2"), "{}", dry(&usual));
    let told = "send 100.0 % of the load to http://127.0.0.1:8000 over HTTP/2";
    assert!(dry(&http2).contains(told), "{}", dry(&http2));
    // What a server refuses unprocessed is sent again twice for an operation.
    let more = http2.requests_max_per_second() - usual.requests_max_per_second();
    assert!((more - 100.0).abs() < 1e-6, "{more}");
}

#[test]
fn what_cannot_be_had_over_http2_is_a_mistake_at_its_key() {
    let proxy = "[[proxy]]\nname = 'front'\nmode = \"http\"\n";
    let occupy =
        "[[timeline]]\nat = '10s'\ndo = 'occupy'\nconnections = 2\nhold = 'HOLD'\npath = '/'\n";
    for (text, at, told) in [
        (
            with("", "streams = 8", ""),
            "8",
            "the target is loaded over HTTP/1.1",
        ),
        (
            with("http2 = true", "", proxy),
            "mode",
            "reads HTTP/1.1, and the target is loaded over HTTP/2",
        ),
        (
            with("http2 = true", "", &occupy.replace("HOLD", "slow-headers")),
            "",
            "`occupy` needs a target without `http2`",
        ),
        (with("http2 = 1", "", ""), "", "http2"),
        (with("http2 = true", "streams = 0", ""), "", "streams"),
    ] {
        let mistakes = scenario::parse("a", "a.toml", &text).expect_err(&text);
        let rendered = mistakes.render(false);
        assert!(rendered.contains(told), "{told}: {rendered}");
        let mistakes = mistakes.mistakes();
        assert_eq!(mistakes.len(), 1, "{rendered}");
        if !at.is_empty() {
            assert_eq!(&text[mistakes[0].span.clone()], at, "{rendered}");
        }
    }
    // Bytes pass, and a connection that says nothing speaks no protocol.
    plan(&with("http2 = true", "", "[[proxy]]\nname = 'front'\n"));
    plan(&with("http2 = true", "", &occupy.replace("HOLD", "silent")));
}

#[test]
fn the_built_in_fleet_speaks_no_http2() {
    let text = "title = 'a'\nclaim = 'b'\nend = '40s'\n[target]\nhttp2 = true\n[load]\nrate = '50/s'\n\
                streams = 8\nmix = [{ weight = 1, request = 'list tasks', role = 'viewer' }]\n";
    let mistakes = scenario::parse("a", "a.toml", text).expect_err("two mistakes");
    let rendered = mistakes.render(false);
    let places: Vec<&str> = mistakes
        .mistakes()
        .iter()
        .map(|it| &text[it.span.clone()])
        .collect();
    assert_eq!(places, ["http2", "8"], "{rendered}");
    let told = "the built-in fleet speaks HTTP/1.1";
    assert_eq!(rendered.matches(told).count(), 2, "{rendered}");
}
