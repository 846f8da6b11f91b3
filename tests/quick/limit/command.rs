//! `threadbare limit` as its user meets it, in virtual time.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use threadbare::analysis::limit::{LimitEnded, LimitFound, LimitVerdict, schema};

/// A search of some seconds: the shipped scenario, whose one worker serves 10 a second.
const SEARCH: [&str; 15] = [
    "limit",
    "retry-collapse",
    "--simulate",
    "--from",
    "2/s",
    "--max-rate",
    "40/s",
    "--operations",
    "2000",
    "--tolerance",
    "5 %",
    "--trigger",
    "surge 3x for 60s",
    "--seed",
    "4",
];

fn threadbare(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_threadbare"));
    command.args(arguments).stdin(Stdio::null());
    command.output().unwrap()
}

fn told(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn found(directory: &Path) -> LimitFound {
    let bytes = fs::read(directory.join("limit.json")).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// The same with the time that it took left out, which no two searches share, and without
/// the last digits, which reading and writing may change.
fn untimed(mut found: LimitFound) -> Value {
    found.started_wall_ms = 0;
    found.command.clear();
    found.spent_s = 0.0;
    for step in &mut found.steps {
        step.took_s = 0.0;
    }
    rounded(serde_json::to_value(found).unwrap())
}

fn rounded(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::from(format!("{:.9e}", number.as_f64().unwrap())),
        Value::Array(items) => items.into_iter().map(rounded).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter();
            fields.map(|(key, value)| (key, rounded(value))).collect()
        }
        other => other,
    }
}

#[test]
fn a_search_is_told_written_and_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    let out = whole.to_string_lossy().into_owned();
    let expected = [
        "--expect",
        "served >= 5/s",
        "--expect",
        "returns from >= 9/s",
        "--at",
        "2/s",
        "--out",
        &out,
    ];
    let arguments: Vec<&str> = SEARCH.into_iter().chain(expected).collect();
    let output = threadbare(&arguments);
    let (said, beside) = (told(&output.stdout), told(&output.stderr));
    println!("{said}{beside}");
    // It serves what is expected, and does not come back from there.
    assert_eq!(output.status.code(), Some(99), "{beside}");
    for part in [
        "Steps",
        "What limits it\n  Its workers were",
        "`served >= 5/s` holds",
        "`returns from >= 9/s` does not hold",
        "At 2/s there is room for",
        "Advice",
    ] {
        assert!(said.contains(part), "`{part}` in {said}");
    }
    assert!(beside.contains("step 1, served: 2/s"), "{beside}");
    let result = found(&whole);
    assert_eq!(result.ended, LimitEnded::Complete);
    assert_eq!(result.expectations[0].verdict, LimitVerdict::Holds);
    assert!(said.contains(&result.sentence), "{}", result.sentence);
    let none = result
        .advice
        .iter()
        .find(|it| it.name == "no retries")
        .unwrap();
    assert!(none.returns_from_per_s.is_some(), "{none:?}");
    // One that was interrupted finds the same.
    let cut = folder.path().join("cut");
    fs::create_dir(&cut).unwrap();
    let mut early = result.clone();
    early.steps.truncate(5);
    early.ended = LimitEnded::Interrupted;
    fs::write(cut.join("limit.json"), serde_json::to_vec(&early).unwrap()).unwrap();
    let again = cut.to_string_lossy().into_owned();
    let output = threadbare(&["limit", "--resume", &again, "--json", "--quiet"]);
    assert_eq!(output.status.code(), Some(99), "{}", told(&output.stderr));
    let resumed: LimitFound = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(untimed(resumed), untimed(result.clone()));
    assert_eq!(untimed(found(&cut)), untimed(result));
    // Nothing is overwritten.
    let output = threadbare(&arguments);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        told(&output.stderr).contains("--resume"),
        "{}",
        told(&output.stderr)
    );
}

#[test]
fn a_dry_run_states_the_bounds_and_does_nothing() {
    let arguments: Vec<&str> = SEARCH.into_iter().chain(["--dry-run"]).collect();
    let output = threadbare(&arguments);
    let said = told(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output.stderr));
    for part in [
        "Nothing is sent, started or changed",
        "`error share <= 1 %` holds",
        "begin at 2/s, double it up to 40/s at most",
        "`surge 3x for 60s`",
        "measures of the clients or the fleet",
        "steps and 900 s at most",
        "requests a second",
    ] {
        assert!(said.contains(part), "`{part}` in {said}");
    }
}

/// What is known of a low rate: its baseline is long, and what is in flight is waited for.
#[test]
fn a_dry_run_states_the_longest_trial_and_what_is_done_between_steps() {
    let output = threadbare(&[
        "limit",
        "http://127.0.0.1:9/",
        "--trigger",
        "surge 3x for 10s",
        "--client",
        "timeout 1s, retries 0",
        "--from",
        "5/s",
        "--max-rate",
        "50/s",
        "--dry-run",
    ]);
    let said = told(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output.stderr));
    // 2 s of warm-up, 80 s of baseline, the surge, 60 s, a hold window of 10 s, a margin of
    // 2 s, and 2 s for what is in flight.
    assert!(
        said.contains("take up to 166 s for each such trial"),
        "{said}"
    );
    assert!(
        said.contains("for up to 60 s; such loads are no steps"),
        "{said}"
    );
}

/// Steps of two workloads are no search.
#[test]
fn a_search_does_not_go_on_with_other_operations() {
    let folder = tempfile::tempdir().unwrap();
    let operations = folder.path().join("operations.toml");
    let one = |method: &str| {
        format!("[[operation]]\nname = \"one\"\nstep = [{{ request = \"{method} /\" }}]\n")
    };
    fs::write(&operations, one("GET")).unwrap();
    let out = folder.path().join("search").to_string_lossy().into_owned();
    let file = operations.to_string_lossy().into_owned();
    // Nothing is sent: there is no time for a step.
    let url = "http://127.0.0.1:9/";
    let begun = threadbare(&[
        "limit", url, "--file", &file, "--within", "1ns", "--out", &out,
    ]);
    assert_eq!(begun.status.code(), Some(97), "{}", told(&begun.stderr));
    let again = || threadbare(&["limit", "--resume", &out, "--within", "1ns"]);
    assert_eq!(again().status.code(), Some(97), "{}", told(&again().stderr));
    fs::write(&operations, one("POST")).unwrap();
    let refused = again();
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        told(&refused.stderr).contains("not what it was"),
        "{}",
        told(&refused.stderr)
    );
}

#[test]
fn a_search_that_may_take_no_time_ends_at_its_bound() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("short").to_string_lossy().into_owned();
    let bounded = [
        "--within",
        "1ns",
        "--out",
        &out,
        "--expect",
        "served >= 1/s",
    ];
    let arguments: Vec<&str> = SEARCH.into_iter().chain(bounded).collect();
    let output = threadbare(&arguments);
    // What was not tried is no pass.
    assert_eq!(output.status.code(), Some(99), "{}", told(&output.stderr));
    let result = found(Path::new(&out));
    assert_eq!(result.ended, LimitEnded::Bound);
    assert!(result.steps.len() <= 1, "{:?}", result.steps);
    assert!(told(&output.stdout).contains("--resume and a longer --within"));
}

#[test]
fn mistakes_are_told_before_anything_is_done() {
    for (arguments, part) in [
        (
            &["--trigger", "surge 3x"][..],
            "it is not said for how long",
        ),
        (&["--trigger", "fault db latency 2s for 1s"], "proxy"),
        (&["--client", "patience 3"], "begin with one of `timeout`"),
        (&["--client", "retries many"], "retries"),
        (&["--slo", "p99 < 3"], "is no bound"),
        (
            &["--slo", "incident verdict is metastable"],
            "is not an objective",
        ),
        (
            &["--slo", "p99 in the 10 s before trigger <= 1s"],
            "is not an objective",
        ),
        (&["--expect", "served <= 3/s"], "no `>=`"),
        (
            &["--from", "50/s", "--max-rate", "40/s"],
            "above the highest",
        ),
        (&["--tolerance", "0.1 %"], "0.5 % at least"),
        (&["--window", "1s"], "2s at least"),
        (&["--command", "true"], "belong to a URL"),
        (&["--http2"], "belong to a URL"),
        (&["--streams", "8"], "--http2"),
        (&["--set", "load.rate"], "is not a setting"),
    ] {
        let all: Vec<&str> = ["limit", "surge", "--simulate", "--dry-run"]
            .into_iter()
            .chain(arguments.iter().copied())
            .collect();
        let output = threadbare(&all);
        let said = told(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(part), "{arguments:?}: `{part}` in {said}");
    }
    let output = threadbare(&["limit", "--resume", "/nowhere"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output.stderr).contains("name the directory of a search"));
}

/// The committed schema is what the code gives. To renew it after a change:
/// `THREADBARE_UPDATE=1 cargo test --test quick limit`.
#[test]
fn the_committed_schema_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/limit.schema.json");
    let current = schema();
    if std::env::var_os("THREADBARE_UPDATE").is_some() {
        fs::write(path, &current).unwrap();
    }
    let committed = fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == current,
        "docs/limit.schema.json is not current: run THREADBARE_UPDATE=1 cargo test --test quick limit"
    );
}
