//! What a file says of gauges.

use threadbare::model::{Preset, Roles};
use threadbare::plan::Plan;
use threadbare::scenario;
use threadbare::units::Nanos;

/// Every kind of mistake that `[[gauges]]` can have.
const WRONG_GAUGES: &str = r#"title = "Wrong gauges"
claim = "Each of these tables has a mistake."
end = "20s"

[load]
rate = "10/s"
mix = [{ weight = 1, request = "list tasks", role = "viewer" }]

[[gauges]]
preset = "pumma"
url = "http://127.0.0.1:9293/stats"

[[gauges]]
preset = "puma"
url = "ftp://127.0.0.1:9293/stats"

[[gauges]]
name = "no place"
busy = "app_busy"

[[gauges]]
name = "two places"
preset = "gunicorn"
url = "http://127.0.0.1:9293/stats"
listen = "127.0.0.1:8125"

[[gauges]]
name = "abroad"
preset = "gunicorn"
listen = "0.0.0.0:8125"

[[gauges]]
name = "nothing"
url = "http://127.0.0.1:9100/metrics"

[[gauges]]
name = "a,b"
url = "http://127.0.0.1:9100/metrics"
busy = "app_busy{pool=~\"a\"}"
every = "10ms"

[[gauges]]
preset = "haproxy"
url = "http://127.0.0.1:8404/metrics"

[[gauges]]
preset = "haproxy"
url = "http://127.0.0.1:8405/metrics"
"#;

#[test]
fn mistakes_in_gauges_are_told_all_at_once() {
    let diagnostics = scenario::parse("gauges", "gauges.toml", WRONG_GAUGES).unwrap_err();
    insta::assert_snapshot!(diagnostics);
}

#[test]
fn gauges_land_in_the_plan_without_their_secrets() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/SCENARIOS.md");
    let guide = std::fs::read_to_string(path).unwrap();
    let examples = guide.split("```toml\n").skip(1);
    let mut examples = examples.filter_map(|text| text.split("```").next());
    let example = examples.find(|text| text.contains("[[gauges]]")).unwrap();
    let text = WRONG_GAUGES.split("[[gauges]]").next().unwrap().to_owned();
    let text = text + example;
    let plan = scenario::parse("a", "a.toml", &text).unwrap();
    let [puma, orders] = &plan.gauges[..] else {
        panic!("{:?}", plan.gauges);
    };
    assert_eq!(
        (puma.name.as_str(), puma.every),
        ("puma", Nanos::from_millis(500))
    );
    assert_eq!(puma.roles, Roles::of(Preset::of("puma").unwrap()));
    assert_eq!(
        (orders.name.as_str(), orders.every),
        ("orders pool", Nanos::from_millis(250))
    );
    let workers = orders.roles.workers.as_ref().unwrap().to_string();
    assert_eq!(workers, "app_pool_size{pool=\"orders\"} or 16");
    let recorded = serde_json::to_string(&plan).unwrap();
    assert!(recorded.contains("stats?token=***") && !recorded.contains("token=x"));
    let back: Plan = serde_json::from_str(&recorded).unwrap();
    assert_eq!(back.gauges[1..], plan.gauges[1..]);
}
