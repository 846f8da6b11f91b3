//! Scenario files: the shipped ones hold, the schema is current, and mistakes
//! are told all at once.

use proptest::prelude::*;
use threadbare::model::{Action, Preset, Roles, ServiceAction, Trigger, When};
use threadbare::plan::Plan;
use threadbare::scenario;
use threadbare::units::Nanos;

#[test]
fn every_shipped_scenario_parses_and_plans_the_same_way_twice() {
    for (name, _) in scenario::shipped() {
        let plan = scenario::load(name, false).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(plan.scenario, *name);
        assert_eq!(plan, scenario::load(name, false).unwrap());
        assert!(!plan.claim.is_empty() && !plan.source.is_empty(), "{name}");
        assert!(!plan.expectations.is_empty(), "{name}");
    }
}

#[test]
fn every_scenario_in_the_folder_is_shipped() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let shipped = scenario::shipped().iter().any(|(name, _)| *name == stem);
        assert!(shipped, "{stem} is not in scenario::shipped()");
    }
}

#[test]
fn the_founding_incident_keeps_its_proportions() {
    let plan = scenario::load("missing-await", false).unwrap();
    assert_eq!(plan.end, Nanos::from_secs(132)); // 3 h 40 min at 100 to 1
    let pushed = &plan.timeline[0];
    assert_eq!(pushed.when, When::At(Nanos::from_secs(18)));
    assert_eq!(pushed.phase, "push");
    let phases: Vec<_> = plan.timeline.iter().map(|e| e.phase.as_str()).collect();
    assert_eq!(
        phases,
        [
            "push",
            "rollback refused",
            "rollback",
            "rollback",
            "monitors off",
            "gradual restart",
            "gradual restart",
            "admit 45 %",
            "admit 100 %"
        ]
    );
    let rollbacks = plan
        .timeline
        .iter()
        .filter(|e| e.action == Action::Service(ServiceAction::Rollback));
    assert_eq!(rollbacks.count(), 2);
}

/// The committed schema is what the code gives. To renew it after a change:
/// `THREADBARE_UPDATE=1 cargo test --test scenario`.
#[test]
fn the_committed_schema_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scenario.schema.json");
    let current = scenario::schema();
    if std::env::var_os("THREADBARE_UPDATE").is_some() {
        std::fs::write(path, &current).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == current,
        "docs/scenario.schema.json is not current: run \
         `THREADBARE_UPDATE=1 cargo test --test scenario`"
    );
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest() {
    let error = scenario::load("mising-await", false).unwrap_err();
    insta::assert_snapshot!(error);
    assert_eq!(error.exit_code(), 2);
    assert!(
        scenario::load("zzz", false)
            .unwrap_err()
            .to_string()
            .contains("threadbare list")
    );
}

#[test]
fn a_file_is_named_after_its_stem_and_its_mistakes_are_usage_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    let (_, text) = scenario::shipped()[0];
    std::fs::write(&path, text).unwrap();
    assert_eq!(
        scenario::load(path.to_str().unwrap(), false)
            .unwrap()
            .scenario,
        "mine"
    );

    std::fs::write(&path, "title = 1\n").unwrap();
    let error = scenario::load(path.to_str().unwrap(), false).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("mine.toml:1:9"), "{error}");
    std::fs::write(&path, b"title = \"\xff\"\n").unwrap();
    let error = scenario::load(path.to_str().unwrap(), false).unwrap_err();
    assert!(error.to_string().contains("not UTF-8"), "{error}");
}

/// Every kind of mistake that the structure of a file can have.
const WRONG_STRUCTURE: &str = r#"titel = "Misspelt"
claim = 7
seed = -1
end = "150 parsecs"
warm_up = 5
interval = "0s"

[story]
starts = 16:00:00
scale = 0

[[target]]
fleet = {}

[target2.fleet]
wokers = 4

[load]
arrivals = "poison"
mix = [
  { weight = 0, request = "list tasks", role = "contributor" },
  { weight = 1.5, request = "list task", role = "contributer" },
  { request = "dance", rolle = "viewer" },
  "list tasks",
]

[load.client]
timeout = "500"
retries = 1000
backoff = "exponential"
retry_on = ["server_eror", 429]
respect_retry_after = "yes"
retry_budget = "20"
breaker = "five failures"

[[load.step]]
at = "20s"

[monitor]
name = "deep health"

[[alert]]
name = "users refused"
when = "error share >= 50 %"
for = "0s"

[[timeline]]
at = "16.30"
do = "push"
set = { "authorization.verifcation" = "detached", "authorization.unverified" = "shrug" }

[[timeline]]
at = "18s"
do = "waive"
check = "gravity"
share = "10 %"

[[timeline]]
at = "19s"
do = "admit"
share = "145 %"

[[timeline]]
at = "20s"
do = "rolback"

[[timeline]]
at = "21s"

[[expect]]
that = "goodput"
at_most = true
"#;

/// Every mistake that only the meaning of a file can show.
const WRONG_MEANING: &str = r#"title = "Wrong in what it says"
claim = "Every line of this file fits the schema."
end = "2min"
warm_up = "3min"
interval = "1500us"

[load]
rate = "2000000/s"
mix = [{ weight = 1, request = "create task", role = "contributor" }]
step = [{ at = "3min", rate = "10/s" }]
client = { timeout = "200ms", hedge_after = "200ms" }

[[monitor]]
name = "health"
probe = "/readyz"
every = "1s"

[[monitor]]
name = "health"
probe = "/livez"
every = "1s"

[[alert]]
name = "users refused"
when = "error share > 50 %"
for = "10s"

[[timeline]]
at = "16:30"
do = "monitors"
on = false

[[timeline]]
at = "10s"
do = "rollback"
phase = "baseline"

[[timeline]]
at = "11s"
do = "push"
set = { "authorization.verification" = "detached" }
phase = "broken"

[[timeline]]
at = "5min"
do = "admit"
share = "10 %"
phase = "broken"

[[timeline]]
after = "restarted"
do = "admit"
share = "50 %"

[[timeline]]
after = "alert users refusd"
delay = "1s"
do = "retries"
retries = 0

[[timeline]]
at = "20s"
after = "rollback applied"
do = "admit"
share = "50 %"

[[timeline]]
at = "21s"
delay = "1s"
do = "admit"
share = "50 %"

[[timeline]]
do = "restart"

[[expect]]
that = "recovery after rollback"
at_most = "50 %"

[[expect]]
that = "goodput share"
at_least = 0.5
at_most = "90 %"

[[expect]]
that = "rejected rollbacks"
in = "baseline"
at_least = 1

[[expect]]
that = "incident verdict"
is = "recovered_by_interventoin"

[[expect]]
that = "saturation"
in = "baseline"
is = "high"

[[expect]]
that = "time to detect"
"#;

/// What cannot be asked of a fleet.
const WRONG_FLEET: &str = r#"title = "A fleet that cannot be"
claim = "Every key of this fleet is wrong, the load is right."
end = "30s"

[target.fleet]
queue = "unbounded, silent"
contention = "10"
bulkhead = 0
monitor_workers = -1
propagate_deadline = "yes"
shed_above = 0
identity = { timeout = "0s" }

[load]
rate = "10/s"
mix = [{ weight = 1, request = "list tasks", role = "viewer" }]
"#;

#[test]
fn mistakes_about_a_fleet_are_told_all_at_once() {
    let diagnostics = scenario::parse("wrong", "wrong.toml", WRONG_FLEET).unwrap_err();
    insta::assert_snapshot!(diagnostics);
}

#[test]
fn mistakes_of_structure_are_told_all_at_once() {
    let diagnostics = scenario::parse("wrong", "wrong.toml", WRONG_STRUCTURE).unwrap_err();
    insta::assert_snapshot!(diagnostics);
}

#[test]
fn mistakes_of_meaning_are_told_all_at_once() {
    let diagnostics = scenario::parse("wrong", "wrong.toml", WRONG_MEANING).unwrap_err();
    insta::assert_snapshot!(diagnostics);
}

#[test]
fn mistakes_of_notation_are_told_with_the_others() {
    let text = "title = \"unclosed\nclaim = 7\nseed = = 1\nend = \"two minutes\"\nend = \"2min\"\n";
    let diagnostics = scenario::parse("wrong", "wrong.toml", text).unwrap_err();
    insta::assert_snapshot!(diagnostics);
}

/// One file, one change, one mistake: no mistake is told twice, or hides behind another.
#[test]
fn one_change_makes_one_mistake() {
    let (_, text) = scenario::shipped()[0];
    for (from, to, told) in [
        (
            "workers     = 4",
            "wokers     = 4",
            "did you mean `workers`?",
        ),
        ("\"350/s\"", "\"350\"", "rate"),
        (
            "\"350/s\"",
            "\"350/s\"\nswing = { amplitude = \"351/s\", period = \"30s\" }",
            "more than the rate of 350/s",
        ),
        ("weight = 1,", "weight = 0,", "too small"),
        (
            "queue       = \"unbounded\"",
            "queue       = \"bounded(35)\"\nshed_above  = 36",
            "no more than 35 jobs wait ever",
        ),
        (
            "do    = \"admit\"\nshare = \"45 %\"",
            "do    = \"admit\"\nshare = \"145 %\"",
            "0 % and 100 %",
        ),
        (
            "do     = \"push\"",
            "do     = \"pusch\"",
            "did you mean `push`?",
        ),
        (
            "at     = \"16:30\"",
            "at     = \"18:13\"",
            "nothing to roll back to",
        ),
        ("at     = \"16:30\"", "at     = \"15:30\"", "after the end"),
        ("at     = \"16:30\"", "at     = \"1630\"", "moment"),
        (
            "in       = \"push\"",
            "in       = \"psuh\"",
            "did you mean `push`?",
        ),
        ("for  = \"32s\"\n", "", "lacks the key `for`"),
        ("[story]", "[storey]", "did you mean `story`?"),
    ] {
        assert!(text.contains(from), "{from}");
        let wrong = text.replacen(from, to, 1);
        let diagnostics = scenario::parse("wrong", "wrong.toml", &wrong).unwrap_err();
        let rendered = diagnostics.to_string();
        assert!(rendered.contains(told), "{rendered}");
        assert_eq!(diagnostics.count(), 1, "{rendered}");
    }
}

proptest! {
    /// Whatever is done to a file, it is read or its mistakes are told; and
    /// what fits the schema can be read.
    #[test]
    fn no_damage_to_a_file_is_too_much(
        from in 0usize..4800,
        length in 0usize..40,
        filling in "[a-z0-9=\"\\[\\]{}.,% \n\u{1b}é-]{0,6}",
    ) {
        let (_, text) = scenario::shipped()[0];
        let mut damaged: Vec<char> = text.chars().collect();
        let from = from.min(damaged.len());
        let to = (from + length).min(damaged.len());
        damaged.splice(from..to, filling.chars());
        let damaged: String = damaged.into_iter().collect();
        if let Err(diagnostics) = scenario::parse("damaged", "damaged.toml", &damaged) {
            prop_assert!(diagnostics.count() > 0);
            let rendered = diagnostics.render(false);
            prop_assert!(!rendered.contains("cannot be read"), "{}", rendered);
            prop_assert!(!rendered.contains('\u{1b}'), "{}", rendered);
        }
    }
}

#[test]
fn a_swing_goes_around_the_rate_in_force() {
    let text = "title = 'a'\nclaim = 'b'\nend = '20s'\n[load]\nrate = '50/s'\n\
                swing = { amplitude = '20/s', period = '4s' }\nstep = [{ at = '10s', rate = '80/s' }]\n\
                mix = [{ weight = 1, request = 'list tasks', role = 'viewer' }]";
    let load = scenario::parse("a", "a.toml", text).unwrap().load;
    let shapes = load.rate.iter().map(|(at, shape)| format!("{at}: {shape}"));
    let shapes: Vec<String> = shapes.collect();
    assert_eq!(
        shapes,
        ["0s: 50/s ± 20/s every 4s", "10s: 80/s ± 20/s every 4s"]
    );
}

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
url = "https://127.0.0.1:9293/stats"

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

/// The examples of docs/SCENARIOS.md are right, and every key is named there or
/// on the pages that it leads to.
#[test]
fn the_guide_is_right_and_complete() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/SCENARIOS.md");
    let guide = std::fs::read_to_string(path).unwrap();
    let example = |holds: &str| {
        let examples = guide.split("```toml\n").skip(1);
        let mut examples = examples.map(|text| text.split("```").next().unwrap());
        examples.find(|text| text.contains(holds)).unwrap()
    };
    let smallest = example("title = ");
    scenario::parse("smallest", "SCENARIOS.md", smallest).unwrap();
    let careful = format!("{smallest}\n{}", example("[load.client]"));
    let client = scenario::parse("careful", "SCENARIOS.md", &careful)
        .unwrap()
        .load
        .client;
    assert!(client.respect_retry_after && client.hedge_after.is_some());
    let guarded = format!("{smallest}\n{}", example("[target.fleet]"));
    let fleet = scenario::parse("guarded", "SCENARIOS.md", &guarded)
        .unwrap()
        .fleet;
    let fleet = fleet.unwrap();
    assert!(fleet.queue.silent && fleet.identity.timeout.is_some());

    let page = |name: &str| {
        let path = format!("{}/docs/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    };
    let pages = ["TARGETS.md", "LOAD.md", "PROXY.md"].map(page).concat() + &guide;
    let schema: serde_json::Value = serde_json::from_str(&scenario::schema()).unwrap();
    let mut keys = Vec::new();
    properties(&schema, &mut keys);
    assert!(keys.len() > 50, "{keys:?}");
    for key in keys {
        let named = ["`", ".", ", ", "{ ", "[", "\"", "\n", "# "]
            .iter()
            .any(|before| pages.contains(&format!("{before}{key}")));
        assert!(named, "`{key}` is in none of the pages");
    }
}

/// The names of all keys and words anywhere in a schema.
fn properties(schema: &serde_json::Value, keys: &mut Vec<String>) {
    if let Some(serde_json::Value::Object(properties)) = schema.get("properties") {
        keys.extend(properties.keys().cloned());
    }
    let words = schema.get("enum").and_then(|words| words.as_array());
    let word = schema.get("const").into_iter();
    let words = word.chain(words.into_iter().flatten());
    keys.extend(words.filter_map(|word| word.as_str()).map(str::to_owned));
    match schema {
        serde_json::Value::Object(object) => {
            object.values().for_each(|value| properties(value, keys));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| properties(item, keys)),
        _ => {}
    }
}

#[test]
fn a_story_may_pass_midnight_and_entries_may_wait_for_events() {
    let text = r#"
title = "Night shift"
claim = "Nothing."
end = "00:30"
[story]
starts = "23:00"
scale = 60
[load]
rate = "10/s"
mix = [{ weight = 1, request = "list tasks", role = "viewer" }]
step = [{ at = "00:15", rate = "20/s" }, { at = "1min", rate = "0/s" }]
[[alert]]
name = "errors"
when = "error share > 5 %"
for = "2s"
[[timeline]]
at = "00:10"
do = "push"
set = { "authorization.unverified" = "allow" }
[[timeline]]
after = "alert errors"
delay = "3s"
do = "rollback"
"#;
    let plan = scenario::parse("night", "night.toml", text).unwrap();
    let seconds = |seconds| Nanos::from_secs(seconds);
    assert_eq!(plan.end, seconds(90));
    let steps: Vec<_> = plan.load.rate.iter().map(|(at, _)| *at).collect();
    assert_eq!(steps, [seconds(0), seconds(60), seconds(75)]); // in the order of time
    assert_eq!(plan.timeline[0].when, When::At(seconds(70)));
    assert_eq!(
        plan.timeline[1].when,
        When::After {
            event: Trigger::Alert("errors".into()),
            delay: seconds(3)
        }
    );
    assert_eq!(plan.story.unwrap().at(seconds(70)).to_string(), "00:10");
}

const SMALL: &str = "title = 'a'\nclaim = 'b'\nend = '40s'\n\
    [load]\nrate = '50/s'\nmix = [{ weight = 1, request = 'list tasks', role = 'viewer' }]\n";

fn told(more: &str) -> String {
    let text = format!("{SMALL}{more}");
    let mistakes = scenario::parse("a", "a.toml", &text).expect_err("it has mistakes");
    mistakes.render(false)
}

#[test]
fn a_spike_goes_back_to_the_rate_before_it_whatever_that_is() {
    let rates = |more: &str| {
        let text = format!("{SMALL}{more}");
        let scenario = scenario::parse("a", "a.toml", &text).unwrap();
        let pieces = scenario.load.rate.iter();
        let pieces: Vec<_> = pieces.map(|(at, rate)| format!("{at}: {rate}")).collect();
        pieces.join(", ")
    };
    let spike = "[[load.step]]\nat = '10s'\nrate = '150/s'\nfor = '5s'\n";
    assert_eq!(rates(spike), "0s: 50/s, 10s: 150/s, 15s: 50/s");
    let next = |at: &str| format!("{spike}[[load.step]]\nat = '{at}'\nrate = '80/s'\n");
    assert_eq!(
        rates(&next("20s")),
        "0s: 50/s, 10s: 150/s, 15s: 50/s, 20s: 80/s"
    );
    // The next step says what comes when it is over.
    assert_eq!(rates(&next("15s")), "0s: 50/s, 10s: 150/s, 15s: 80/s");
    assert!(told(&next("12s")).contains("another step begins at 12s, while this one lasts"));
}

#[test]
fn a_queue_can_be_written_as_its_bound() {
    for queue in ["150", "'150'", "'bounded(150)'"] {
        let text = format!("{SMALL}[target.fleet]\nqueue = {queue}\n");
        let scenario = scenario::parse("a", "a.toml", &text).unwrap();
        assert_eq!(scenario.fleet.unwrap().queue.to_string(), "bounded(150)");
    }
    for queue in ["0", "1.5", "true", "'many'"] {
        let text = told(&format!("[target.fleet]\nqueue = {queue}\n"));
        assert!(text.contains("queue"), "{text}");
    }
}

#[test]
fn mistakes_in_new_actions_are_told() {
    for (entry, part) in [
        ("do = 'slow'\npart = 'database'", "factor"),
        ("do = 'slow'\npart = 'kitchen'\nfactor = 2", "kitchen"),
        ("do = 'slow'\npart = 'database'\nfactor = 0.5", "least"),
        ("do = 'pause'\ninstances = 0", "least"),
        ("do = 'continue'\ninstances = 5", "there are 4"),
        (
            "do = 'push'\nset = {}\ncanary = '120 %'",
            "between 0 % and 100 %",
        ),
    ] {
        let text = told(&format!("[[timeline]]\nat = '10s'\n{entry}\n"));
        assert!(text.contains(part), "{entry}: {text}");
    }
    // A phase of a surge is a phase, and so is known.
    let surge = "[[load.step]]\nat = '10s'\nrate = '150/s'\n";
    let expect = "[[expect]]\nthat = 'error share'\nin = 'surge'\nat_least = '1 %'\n";
    assert!(scenario::parse("a", "a.toml", &format!("{SMALL}{surge}{expect}")).is_ok());
    assert!(told(expect).contains("there is no phase `surge`"));
}

/// A target of somebody else's with a proxy in front and one of a dependency.
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
        ("latency = \"2s\"", "rate = 5", "unknown field `rate`"),
        (
            "fault = \"latency\"",
            "fault = \"down\"",
            "has no attributes",
        ),
        (
            "fault = \"latency\"\nwith = { latency = \"2s\", jitter = \"100ms\" }",
            "fault = \"http_hold\"",
            "the proxy `database` reads bytes only",
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
    let fleet = told("[[proxy]]\nname = 'front'\n");
    assert!(
        fleet.contains("proxies are for a target of somebody else's"),
        "{fleet}"
    );
}
