//! What a file says of proxies and of faults in them.

use threadbare::plan::Plan;
use threadbare::scenario;

use super::told;

/// A target of the user's with a proxy in front and one of a dependency.
const PROXIED: &str = r#"
title = "a"
claim = "b"
end = "40s"
[target]
url = "http://127.0.0.1:8000"
[[proxy]]
name = "front"
mode = "http"
[[proxy]]
name = "database"
listen = "127.0.0.1:15432"
to = "127.0.0.1:5432"
[load]
rate = "50/s"
[[timeline]]
at = "10s"
do = "fault"
proxy = "database"
fault = "latency"
with = { latency = "2s", jitter = "100ms" }
share = "50 %"
[[timeline]]
at = "12s"
do = "occupy"
connections = 8
hold = "slow-endpoint"
path = "/report?token=hunter2"
[[timeline]]
at = "20s"
do = "undo"
name = "occupation"
[[timeline]]
at = "21s"
do = "undo"
name = "latency_downstream"
"#;

#[test]
fn faults_of_proxies_land_in_the_plan_without_their_secrets() {
    let header = r#"
[[timeline]]
at = "30s"
do = "fault"
proxy = "front"
fault = "http_header"
stream = "upstream"
with = { name = "authorization", value = "Bearer hunter2", match = { path = "/a", count = 2 } }
name = "no longer who he was"
"#;
    let text = format!("{PROXIED}{header}");
    let plan = scenario::parse("a", "a.toml", &text).unwrap();
    let phases: Vec<_> = plan.timeline.iter().map(|it| it.phase.as_str()).collect();
    assert_eq!(
        phases,
        [
            "latency_downstream",
            "occupation",
            "occupation undone",
            "latency_downstream undone",
            "no longer who he was"
        ]
    );
    let recorded = serde_json::to_string(&plan).unwrap();
    assert!(!recorded.contains("hunter2"), "{recorded}");
    let back: Plan = serde_json::from_str(&recorded).unwrap();
    assert_eq!(back.timeline[0], plan.timeline[0]);
    let dry = threadbare::report::dry_run::render(&plan);
    for told in [
        "proxy `front` on a free port of 127.0.0.1 in front of the target, reading HTTP/1.1",
        "proxy `database` on 127.0.0.1:15432 in front of 127.0.0.1:5432, reading bytes",
        "fault of `database` (latency 2s, jitter 100ms on 50 % of the answers)",
        "occupation (8 × requests to a slow endpoint at /report)",
        "undo: every connection is closed",
        "undo `latency_downstream`",
        "name authorization, value (not shown), count 2, path /a on requests",
    ] {
        assert!(dry.contains(told), "{told}: {dry}");
    }
    assert!(!dry.contains("hunter2"), "{dry}");
}

#[test]
fn the_examples_of_faults_on_the_way_are_right() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/TARGETS.md");
    let page = std::fs::read_to_string(path).unwrap();
    let mut examples = page
        .split("```toml\n")
        .filter_map(|text| text.split("```").next());
    let example = examples.find(|text| text.contains("[[proxy]]")).unwrap();
    let head = "title = 'a'\nclaim = 'b'\nend = '40s'\n[target]\nurl = 'http://127.0.0.1:8000'\n[load]\nrate = '50/s'\n";
    let text = format!("{head}{example}");
    let scenario = scenario::parse("a", "TARGETS.md", &text).unwrap();
    assert_eq!(scenario.target.unwrap().proxies.len(), 2);
}

#[test]
fn mistakes_about_proxies_are_told() {
    for (from, to, part) in [
        (
            "to = \"127.0.0.1:5432\"",
            "",
            "another proxy stands in front of the target",
        ),
        ("listen = \"127.0.0.1:15432\"", "", "lacks the key `listen`"),
        (
            "127.0.0.1:15432",
            "127.0.0.1:8000",
            "the target serves on 127.0.0.1:8000",
        ),
        ("127.0.0.1:15432", "15432", "a host and a port"),
        (
            "name = \"database\"",
            "name = \"front\"",
            "another proxy is called `front`",
        ),
        (
            "proxy = \"database\"",
            "proxy = \"databsae\"",
            "did you mean `database`?",
        ),
        (
            "fault = \"latency\"",
            "fault = \"latencey\"",
            "did you mean `latency`?",
        ),
        ("latency = \"2s\"", "latency = 2000", "is text in quotes"),
        (
            "latency = \"2s\"",
            "latency = \"2us\"",
            "whole milliseconds",
        ),
        (
            "latency = \"2s\"",
            "rate = 5",
            "there are: `jitter`, `latency`",
        ),
        (
            "fault = \"latency\"",
            "fault = \"down\"",
            "has no attributes",
        ),
        (
            "fault = \"latency\"\nwith = { latency = \"2s\", jitter = \"100ms\" }",
            "fault = \"http_hold\"",
            "the proxy `database` is in TCP mode",
        ),
        (
            "name = \"occupation\"",
            "name = \"ocupation\"",
            "did you mean `occupation`?",
        ),
        (
            "share = \"50 %\"",
            "name = \"occupation\"",
            "it acts elsewhere",
        ),
        ("connections = 8", "", "connections"),
        (
            "path = \"/report",
            "path = \"report",
            "a path begins with /",
        ),
        (
            "connections = 8",
            "connections = 8\nevery = \"1us\"",
            "the shortest pause is 1ms",
        ),
        (
            "to = \"127.0.0.1:5432\"",
            "to = \"127.0.0.1:15432\"",
            "where it listens itself",
        ),
        (
            "http://127.0.0.1:8000",
            "https://127.0.0.1:8000",
            "no request under https",
        ),
        (
            "http://127.0.0.1:8000",
            "https://127.0.0.1:8000",
            "cannot read what is sent under https",
        ),
    ] {
        assert!(PROXIED.contains(from), "{from}");
        let text = PROXIED.replacen(from, to, 1);
        let mistakes = scenario::parse("a", "a.toml", &text).expect_err(to);
        let told = mistakes.render(false);
        assert!(told.contains(part), "{to}: {told}");
    }
}

#[test]
fn the_fleet_has_no_proxies() {
    let fleet = told("[[proxy]]\nname = 'front'\n");
    assert!(
        fleet.contains("proxies are for a target of your own"),
        "{fleet}"
    );
}

#[test]
fn a_mistake_in_an_attribute_stands_at_its_key() {
    let with = |fault: &str, with: &str| {
        let own = "fault = \"latency\"\nwith = { latency = \"2s\", jitter = \"100ms\" }";
        assert!(PROXIED.contains(own));
        PROXIED.replacen(own, &format!("fault = \"{fault}\"\n{with}"), 1)
    };
    for (fault, attributes, expected) in [
        ("latency", "with = { latenzy = \"2s\" }", &["latenzy"][..]),
        ("latency", "with.latenzy = \"2s\"", &["latenzy"]),
        (
            "latency",
            "with = { jitter = \"25h\", latency = \"2s\" }",
            &["jitter"],
        ),
        (
            "latency",
            "with = { latency = \"1us\", jitter = \"1500us\" }",
            &["latency", "jitter"],
        ),
        ("latency", "with.jitter = \"25h\"", &["jitter"]),
        (
            "slicer",
            "with = { average_size = 5, size_variation = 5 }",
            &["size_variation"],
        ),
        ("slicer", "with = { size_variation = 5 }", &["with"]),
    ] {
        let text = with(fault, attributes);
        let mistakes = scenario::parse("a", "a.toml", &text).expect_err(attributes);
        let mistakes = mistakes.mistakes();
        let at: Vec<&str> = mistakes.iter().map(|it| &text[it.span.clone()]).collect();
        assert_eq!(at, expected, "{attributes}");
        if expected == ["latenzy"] {
            assert_eq!(mistakes[0].suggestion, "did you mean `latency`?");
        }
    }
}

#[test]
fn a_dry_run_says_which_statuses_mean_ready() {
    for (stated, told) in [
        ("", "2xx or 3xx"),
        ("ready_status = '204,503'\n", "204,503"),
    ] {
        let text = format!(
            "title = 'a'\nclaim = 'b'\nend = '40s'\n[target]\nurl = 'http://127.0.0.1:8000'\n\
             ready = 'GET /health'\n{stated}[load]\nrate = '50/s'\n"
        );
        let plan = scenario::parse("a", "a.toml", &text).unwrap();
        let dry = threadbare::report::dry_run::render(&plan);
        let told = format!("/health until the answer is {told}, for at most");
        assert!(dry.contains(&told), "{told}: {dry}");
    }
}
