//! `limit.toml` for every trigger that a scenario can say, and what it keeps of the
//! scenario that was searched.

use threadbare::analysis::limit::{LimitFound, LimitVerdict};
use threadbare::plan::{Entry, Plan, When};
use threadbare::report::limit;
use threadbare::scenario;
use threadbare::units::Nanos;

use super::cases;

/// A target of its own, with a proxy before what it depends on.
const OWN: &str = "\
title = \"Orders\"
claim = \"It takes a lot.\"
end   = \"30s\"
[story]
starts = \"10:00\"
[target]
command = [\"./server\"]
url = \"http://127.0.0.1:8000/\"
[[hook]]
name = \"break\"
command = [\"./break\"]
[[hook]]
name = \"mend\"
command = [\"./mend\"]
[[proxy]]
name = \"database\"
listen = \"127.0.0.1:15432\"
to = \"127.0.0.1:5432\"
[load]
rate = \"100/s\"
client = { timeout = \"2s\", deadline = \"9s\" }
[[load.step]]
at = \"10:00:10\"
rate = \"300/s\"
[[timeline]]
at = \"10:00:12\"
do = \"restart\"
phase = \"again\"
[[expect]]
that = \"error share\"
in = \"again\"
at_most = \"1 %\"
[profile]
ci = [\"end=20s\"]
";

const FLEET: &str = include_str!("../../../scenarios/retry-collapse.toml");

fn with(scenario: &str, trigger: &str, client: Option<&str>) -> LimitFound {
    let mut found = cases::found();
    found.sought.scenario = None;
    found.sought.scenario_text = Some(scenario.into());
    found.sought.trigger = Some(trigger.into());
    found.sought.client = client.map(Into::into);
    found
}

fn plan(found: &LimitFound) -> Plan {
    let text = limit::scenario(found).unwrap();
    scenario::parse("limit", "limit.toml", &text)
        .unwrap_or_else(|error| panic!("{error:?}\n{text}"))
}

#[test]
fn a_trigger_becomes_a_timeline_that_ends_it() {
    for (scenario, trigger, length_s) in [
        (OWN, "fault database latency 2s for 10s", 10),
        (OWN, "fault database latency 2s jitter=100ms for 10s", 10),
        (OWN, "fault database down for 5s", 5),
        (OWN, "hook break for 7s then mend", 7),
        (OWN, "fault database bandwidth 10 for 5s", 5),
        (OWN, "pause for 3s", 3),
        (FLEET, "pause for 3s", 3),
        (FLEET, "slow database 20x for 1min", 60),
    ] {
        let plan = plan(&with(scenario, trigger, None));
        let [first, last] = &plan.timeline[..] else {
            panic!("{trigger}: {:?}", plan.timeline);
        };
        assert!(last.action.ends(&first.action), "{trigger}");
        let at = |entry: &Entry| match entry.when {
            When::At(at) => at,
            When::After { .. } | When::Offered => panic!("{trigger}"),
        };
        let lasts = at(last).saturating_sub(at(first));
        assert_eq!(lasts, Nanos::from_secs(length_s), "{trigger}");
        assert_eq!(plan.load.rate.len(), 1, "no surge besides");
    }
}

#[test]
fn what_a_scenario_cannot_say_is_not_written() {
    for trigger in [
        "fault database down 2s for 10s",
        "surge for 10s",
        "surge 3x",
        "surge 3x for ever",
        "fault database teleport 2s for 10s",
    ] {
        assert_eq!(
            limit::scenario(&with(OWN, trigger, None)),
            None,
            "{trigger}"
        );
    }
    let mut found = cases::found();
    found.sought.scenario = None;
    assert_eq!(limit::scenario(&found), None, "there is no scenario");
}

/// No expectation says that nothing piles up: a profile that failed by that would pass.
#[test]
fn a_rate_at_which_only_work_piles_up_is_no_side_of_the_edge() {
    let mut found = cases::found();
    found.returns = None;
    let names = |found: &LimitFound| -> Vec<String> {
        let text = limit::scenario(found).unwrap();
        let table: toml::Table = text.parse().unwrap();
        table["profile"]
            .as_table()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    };
    assert_eq!(names(&found), ["above", "below"]);
    for step in &mut found.steps {
        for objective in &mut step.objectives {
            objective.verdict = LimitVerdict::Holds;
        }
    }
    assert_eq!(names(&found), ["below"]);
    let text = limit::scenario(&found).unwrap();
    assert!(!text.contains("just above it does not"), "{text}");
}

#[test]
fn the_clients_are_as_they_were_said() {
    let policy = "timeout 1s, retries 3, backoff exponential 50ms..2s, full jitter, \
                  retry budget 20 %, reserve 5/s, breaker=5 failures, pause 2s, \
                  retry on timeout connection, respect_retry_after";
    let found = with(OWN, "surge 3x for 10s", Some(policy));
    let client = plan(&found).load.client;
    assert_eq!(client.retries, 3);
    assert_eq!(client.timeout.to_string(), "1s");
    assert_eq!(
        client.backoff.to_string(),
        "exponential 50ms..2s, full jitter"
    );
    assert!(client.retry_budget.is_some() && client.breaker.is_some());
    assert!(client.respect_retry_after);
    // What was not said is as in the scenario.
    assert_eq!(
        client.deadline.map(|it| it.to_string()).as_deref(),
        Some("9s")
    );
}

#[test]
fn a_scenario_keeps_its_target_and_loses_its_own_incident() {
    let found = with(OWN, "surge 3x for 10s", None);
    let text = limit::scenario(&found).unwrap();
    let plan = plan(&found);
    assert!(plan.target.is_some() && text.contains("[[proxy]]"));
    assert!(plan.timeline.is_empty() && plan.story.is_none());
    assert!(text.contains("copy it beside http://127.0.0.1:8000/."));
    let surge = plan.load.rate.len();
    assert_eq!(surge, 3, "the trigger's own step, and no other");
    let fleet = self::plan(&with(FLEET, "surge 3x for 10s", None));
    assert!(fleet.timeline.is_empty() && fleet.fleet.is_some());
}

#[test]
fn a_low_rate_has_a_baseline_that_is_long_enough_for_a_verdict() {
    let mut found = with(FLEET, "surge 3x for 20s", None);
    let returns = found.returns.as_mut().unwrap();
    (returns.low_per_s, returns.high_per_s) = (Some(3.75), Some(4.5));
    let plan = plan(&found);
    let surge = plan.load.rate[1].0;
    let calm = surge.saturating_sub(plan.warm_up);
    assert!(calm.as_secs_f64() * 3.75 >= 400.0, "{calm}");
    // Of the 37 operations of a hold window some may be missing.
    assert_eq!(plan.recovery.operations_min, 30);
}

#[test]
fn no_text_leaves_its_place_in_any_output() {
    let found = cases::hostile();
    let page = limit::html(&found).unwrap();
    assert!(!page.contains("<script") && !page.contains("<!--") && !page.contains('\u{1b}'));
    assert!(page.contains("href=\"./"), "the links are there");
    assert!(!page.contains("href=\"h"), "and lead nowhere else");
    let text = limit::text(&found, false);
    assert!(!text.contains('\u{1b}'));
    let junit = limit::junit(&found).unwrap();
    assert!(!junit.contains("<script") && !junit.contains('\u{1b}'));
    let mut rendered = String::new();
    let summary = limit::summary(&found);
    // The command is a block of code, where nothing is active.
    let lines = summary.lines().filter(|line| !line.starts_with("    "));
    let mut characters = lines.flat_map(str::chars);
    while let Some(character) = characters.next() {
        if character == '\\' {
            characters.next();
        } else {
            rendered.push(character);
        }
    }
    for active in ["<", "![", "](", "`", "\u{1b}"] {
        assert!(!rendered.contains(active), "{active}: {rendered}");
    }
    let scenario = limit::scenario(&found).unwrap();
    let table: toml::Table = scenario.parse().unwrap();
    assert!(!table.contains_key("b"), "{scenario}");
}

#[test]
fn the_files_of_a_search_are_written_for_their_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let found = cases::found();
    let page = limit::write(folder.path(), &found).unwrap();
    assert_eq!(page, folder.path().join("limit.html"));
    for name in ["limit.json", "limit.html", "junit.xml", "limit.toml"] {
        let file = folder.path().join(name).metadata().unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600, "{name}");
    }
    let written = std::fs::read_to_string(folder.path().join("limit.json")).unwrap();
    assert_eq!(written, limit::json(&found).unwrap());
    serde_json::from_str::<LimitFound>(&written).unwrap();
    let nowhere = limit::write(&folder.path().join("none"), &found).unwrap_err();
    assert!(nowhere.to_string().contains("limit.json"));
}
