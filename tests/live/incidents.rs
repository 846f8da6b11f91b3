//! It must emerge: the founding incident on the live fleet, judged by orders
//! and ratios. No scenario here says what is to come of it.

use threadbare::record::{Counters, Record};
use threadbare::units::Nanos;

use crate::founding::{at, founding};
use crate::run::{Run, alone, run, run_directory, threadbare};

/// A push of the founding bug, untested, in a new schema.
const PUSH: &str = r#"do = "push"
set = { "authorization.verification" = "detached" }
schema = 2
tested = false
phase = "push""#;

const MONITORS_OFF: &str = r#"do = "monitors"
on = false
phase = "monitors off""#;

/// An entry that changes nothing and only begins a phase.
fn mark(phase: &str) -> String {
    format!("do = \"admit\"\nshare = \"100 %\"\nphase = \"{phase}\"")
}

fn entries(entries: &[(&str, &str)]) -> String {
    let entries = entries
        .iter()
        .map(|(at, entry)| format!("[[timeline]]\nat = \"{at}\"\n{entry}\n"));
    entries.collect::<Vec<_>>().concat()
}

fn instances_exhausted(run: &Run) -> usize {
    let mut names: Vec<_> = run.summary["exhaustion"]
        .as_array()
        .unwrap()
        .iter()
        .map(|window| window["instance"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    names.dedup();
    names.len()
}

#[test]
fn without_retries_and_monitors_everyone_is_refused_and_nothing_is_exhausted() {
    let _alone = alone();
    let timeline = entries(&[("7s", PUSH)]);
    let mut scenario = founding(&format!("warm_up = \"2s\"\nend = \"14s\"\n{timeline}"));
    scenario.remove("monitor");
    at(&mut scenario, "load.client").insert("retries".into(), 0.into());
    let run = run(&scenario);
    run.assert_sound();
    assert!(run.goodput_share("baseline") >= 0.99);
    assert!(run.figure("baseline", "saturation") < 0.6);
    assert!(run.figure("push", "error_share") > 0.99);
    assert!(run.figure("push", "saturation") < 0.6);
    assert_eq!(instances_exhausted(&run), 0);
}

#[test]
fn retries_alone_keep_most_workers_busy_and_the_queue_short() {
    let _alone = alone();
    let timeline = entries(&[("7s", PUSH)]);
    let mut scenario = founding(&format!("warm_up = \"2s\"\nend = \"18s\"\n{timeline}"));
    scenario.remove("monitor");
    let run = run(&scenario);
    run.assert_sound();
    assert!(run.figure("push", "error_share") > 0.99);
    assert!(run.figure("push", "attempts_per_operation") > 3.5);
    assert!(run.figure("push", "saturation") > 0.6);
    // Short: what waits is less than what a second brings.
    assert!(run.figure("push", "queue_depth.mean") < run.figure("push", "offered_per_s"));
}

#[test]
#[ignore = "a minute: ./test --long"]
fn monitors_exhaust_it_and_rollback_alone_does_not_bring_it_back() {
    let _alone = alone();
    let timeline = entries(&[
        ("5s", PUSH),
        ("9s", &mark("push, later")),
        ("23s", MONITORS_OFF),
        ("25s", &mark("monitors off, later")),
        ("27s", "do = \"rollback\"\nphase = \"refused\""),
        // What begins before this has met its deadline of 2 s before the next rollback.
        ("28s", &mark("refused, later")),
        ("30s", "do = \"waive\"\ncheck = \"schema current\""),
        ("30s", "do = \"rollback\"\nphase = \"rollback\""),
        ("34s", &mark("rollback, later")),
        (
            "39s",
            "do = \"retries\"\nretries = 0\nphase = \"retries off\"",
        ),
        ("54s", &mark("at the end")),
    ]);
    let scenario = founding(&format!("warm_up = \"2s\"\nend = \"60s\"\n{timeline}"));
    let run = run(&scenario);
    run.assert_sound();

    // Monitors and retries together exhaust every instance, and the queue grows.
    assert!(run.figure("push", "error_share") > 0.99);
    assert!(run.figure("push, later", "saturation") > 0.98);
    assert!(run.figure("push, later", "probes_per_operation") > 0.5);
    assert_eq!(instances_exhausted(&run), 4);
    assert!(
        run.figure("push, later", "queue_depth.mean")
            > 1.5 * run.figure("push", "queue_depth.mean")
    );
    // Monitors off: less load, a shorter queue.
    let load = |phase: &str| {
        run.figure(phase, "attempts_per_operation") + run.figure(phase, "probes_per_operation")
    };
    assert!(load("monitors off, later") < 0.95 * load("push, later"));
    assert!(
        run.figure("monitors off, later", "queue_depth.mean")
            < run.figure("monitors off", "queue_depth.mean")
    );

    // The first rollback is refused for a reason and changes nothing.
    let incident = &run.summary["incident"];
    assert!(incident["rollback_rejected_s"].as_f64().unwrap() >= 27.0);
    let because = incident["rollback_rejected_because"].as_str().unwrap();
    assert!(because.contains("schema"), "{because}");
    assert!(run.figure("refused", "error_share") > 0.99);
    assert!(incident["rollback_applied_s"].as_f64().unwrap() >= 30.0);

    // The second is applied, and service does not come back …
    for phase in ["rollback", "rollback, later"] {
        assert!(run.goodput_share(phase) < 0.5, "{phase}");
    }
    assert!(run.figure("rollback, later", "zombie_share") > 0.5);
    // … until the retries stop.
    assert!(run.goodput_share("at the end") > 0.95);
}

/// Push, rollback, monitors off, stuck; then a restart at 33 s.
///
/// The push lasts long enough that the backlog, which grows by 130 to 270/s, is
/// far past what drains by itself: (services - retried load) × timeout, near
/// 1,000 here.
fn restart(end: &str, rest: &[(&str, &str)]) -> Run {
    let stuck = [
        ("6s", PUSH),
        (
            "26s",
            "do = \"monitors\"\non = false\nphase = \"monitors off\"",
        ),
        ("26s", "do = \"waive\"\ncheck = \"schema current\""),
        ("26s", "do = \"rollback\"\nphase = \"rollback\""),
    ];
    let timeline = entries(&[&stuck, rest].concat());
    let run = run(&founding(&format!(
        "warm_up = \"2s\"\nend = \"{end}\"\n{timeline}"
    )));
    run.assert_sound();
    assert!(run.goodput_share("rollback") < 0.5);
    run
}

#[test]
#[ignore = "two minutes; `./test --long` runs it, and each change runs the shipped scenario"]
fn a_gradual_restart_recovers_and_a_wide_one_does_worse() {
    let _alone = alone();
    let raised = (
        "45.6s",
        "do = \"admit\"\nshare = \"100 %\"\nphase = \"all traffic\"",
    );
    // A machine that hesitates for a tenth of a second spoils the p99 of ten seconds: there
    // are twice as many to be back in.
    let gradual = restart(
        "71s",
        &[
            ("33s", "do = \"admit\"\nshare = \"10 %\""),
            (
                "33s",
                "do = \"restart\"\npause = \"1s\"\nphase = \"restart\"",
            ),
            (
                "43.8s",
                "do = \"admit\"\nshare = \"45 %\"\nphase = \"45 %\"",
            ),
            raised,
        ],
    );
    let wide = restart(
        "61s",
        &[("33s", "do = \"restart\"\nphase = \"restart\""), raised],
    );
    assert!(gradual.goodput_share("all traffic") > 0.95);
    assert!(wide.goodput_share("all traffic") < 0.8 * gradual.goodput_share("all traffic"));
    assert!(gradual.summary["incident"]["recovered_s"].is_f64());
    assert!(wide.summary["incident"]["recovered_s"].is_null());
}

/// As a build server runs it; `./test --long` runs it at its full length, with five seeds.
#[test]
fn the_shipped_scenario_meets_its_expectations_from_any_folder() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let output = threadbare()
        .args(["run", "missing-await", "--profile", "ci", "--out", "run"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let run = Run::read(folder, output);
    run.assert_sound();
    let incident = &run.summary["incident"];
    assert_eq!(incident["verdict"], "recovered_by_intervention");
    assert_eq!(incident["sustaining"], "retries");
    for instant in [
        "trigger_s",
        "impact_s",
        "detected_s",
        "rollback_rejected_s",
        "rollback_applied_s",
        "recovered_s",
        "recovery_after_rollback_s",
    ] {
        assert!(incident[instant].is_f64(), "{instant}");
    }
}

/// A fleet that stands still for four seconds: everyone waits, and it is seen.
#[test]
fn a_frozen_fleet_is_seen_and_comes_back_with_the_trigger() {
    let _alone = alone();
    let timeline = entries(&[
        ("7s", "do = \"pause\""),
        ("11s", "do = \"continue\""),
        ("15s", &mark("continue, later")),
    ]);
    let mut scenario = founding(&format!("warm_up = \"2s\"\nend = \"20s\"\n{timeline}"));
    // Nothing that amplifies: what is left is the freeze.
    scenario.remove("monitor");
    at(&mut scenario, "load.client").insert("retries".into(), 0.into());
    let run = run(&scenario);
    run.assert_sound();
    let incident = &run.summary["incident"];
    assert_eq!(incident["trigger"], "pause");
    assert!(incident["trigger_off_s"].as_f64().unwrap() >= 11.0);
    // Frozen instances tell nothing, and nothing is made up for them. Near the ends of
    // the pause one may have been read just before it froze, or just after.
    let (from, to) = (Nanos::from_millis(7_500), Nanos::from_millis(10_500));
    let record = Record::open(&run_directory(&run.folder)).unwrap();
    let mut frozen = record
        .samples
        .iter()
        .filter(|it| it.from >= from && it.to <= to);
    assert!(
        frozen
            .clone()
            .any(|it| matches!(it.counters, Counters::Machine(_)))
    );
    assert!(!frozen.any(|it| matches!(it.counters, Counters::Instance(_))));
    assert!(run.figure("pause", "error_share") > 0.5);
    assert!(run.goodput_share("continue, later") > 0.95);
    let failures = run.summary["scrape_failures"].as_array().unwrap();
    let paused = failures.iter().filter(|it| it["cause"] == "it is paused");
    assert_eq!(paused.count(), 4);
}
