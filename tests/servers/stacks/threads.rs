//! Threads: a pool that slow and fast requests share, one that is held by clients who say
//! nothing, one that grows slowly, and one event loop.

use serde_json::Value;

use super::{gauge, gauges, run, says, short};
use crate::run::{Run, alone};

fn p50(run: &Run, phase: &str) -> f64 {
    run.figure(phase, "response_ms.p50")
}

/// Probes of a monitor that ended in a phase, and those that failed.
fn probes(run: &Run, phase: &str, monitor: &str) -> (u64, u64) {
    let all = run.phase(phase)["probes"].as_array().unwrap();
    let own = all.iter().find(|it| it["monitor"] == monitor).unwrap();
    let count = |key: &str| own[key].as_u64().unwrap();
    (count("probes"), count("failed"))
}

#[test]
#[ignore = "half a minute each; `./test --long` runs it"]
fn forty_threads_are_a_cliff_for_whoever_shares_them_with_slow_requests() {
    let _alone = alone();
    let run = short("fastapi-cliff");
    let flat = p50(&run, "39 reports") / p50(&run, "baseline");
    assert!(flat < 5.0, "{flat} times as long with a thread left");
    let cliff = p50(&run, "45 reports") / p50(&run, "39 reports");
    assert!(cliff > 10.0, "{cliff} times as long without");
    assert!(p50(&run, "60 reports") > 2.0 * p50(&run, "45 reports"));
    // The probe that needs a thread dies, and the one that does not stays green.
    let (ready, failed) = probes(&run, "100 reports", "ready");
    assert!(2 * failed > ready, "{failed} of {ready}");
    for phase in run.summary["phases"].as_array().unwrap() {
        let phase = phase["name"].as_str().unwrap();
        assert_eq!(probes(&run, phase, "live").1, 0, "{phase}");
    }
    assert!(says(&run, &["monitors disagree", "`ready`", "`live`"]));
    assert_eq!(probes(&run, "39 reports", "ready").1, 0);
}

/// How long nobody was served while the silent clients were there, and whether that was all
/// the time.
fn outage(run: &Run) -> (f64, bool) {
    let incident = &run.summary["incident"];
    if incident["verdict"] == "no_impact" {
        return (0.0, false);
    }
    let phase = run.phase("silent clients");
    let silent = phase["to_s"].as_f64().unwrap() - phase["from_s"].as_f64().unwrap();
    let outage = silent * (1.0 - run.goodput_share("silent clients"));
    (outage, outage > 0.85 * silent)
}

#[test]
#[ignore = "half a minute each; `./test --long` runs it"]
fn silent_clients_hold_the_threads_of_some_versions_of_gunicorn() {
    let _alone = alone();
    let held = |version: &str| {
        let setting = format!("target.env.GUNICORN=\"{version}\"");
        let run = run("gunicorn-silent", true, &[&setting]);
        assert!(run.goodput_share("baseline") > 0.99, "{version}");
        let (outage, all_along) = outage(&run);
        println!("gunicorn {version}: {outage:.1} s without service");
        // Nobody is at work while nobody is served: what its own gauge says.
        let busy = gauge(&run, "silent clients", "gunicorn", "busy_max");
        assert!(outage == 0.0 || busy < 4.0, "{version}: {busy} busy");
        (outage, all_along)
    };
    let (before, _) = held("23.0.0");
    assert!(before < 0.5, "{before}");
    let (for_ever, all_along) = held("25.0.3");
    assert!(all_along, "{for_ever}");
    // Eight seconds: five held, two until they are closed, one held again.
    let (mended, all_along) = held("27.0.1");
    assert!(
        !all_along && mended < 0.9 * for_ever,
        "{mended} and {for_ever}"
    );
    assert!(mended > 3.0, "{mended}");
}

#[test]
#[ignore = "half a minute each; `./test --long` runs it"]
fn a_pool_that_grows_by_a_thread_a_second_drains_slowly() {
    let _alone = alone();
    let run = short("growing-pool");
    let incident = &run.summary["incident"];
    assert_eq!(incident["verdict"], "slow_drain");
    let (before, after) = ("baseline", "surge over");
    let threads = |phase| gauge(&run, phase, "threads", "workers");
    assert!(threads(after) > 1.2 * threads(before));
    // What it completes is no capacity: the plateau moves.
    let inferred = &run.summary["inferred_capacity"];
    assert!(inferred.is_null(), "{inferred}");
}

#[test]
#[ignore = "half a minute each; `./test --long` runs it"]
fn a_blocked_event_loop_serves_nobody_and_its_gauge_is_silent() {
    let _alone = alone();
    let run = short("node-blocked");
    let incident = &run.summary["incident"];
    assert_eq!(incident["verdict"], "recovered_with_the_trigger");
    let node = gauges(&run, "reports", "node");
    let count = |key: &str| node[key].as_u64().unwrap();
    assert!(count("failed") > count("readings"), "{node}");
    let gaps = run.summary["gauge_gaps"].as_array().unwrap();
    assert!(gaps.iter().any(|gap| gap["source"] == "node"), "{gaps:?}");
    assert!(says(&run, &["`node`"]), "{}", run.summary["sentences"]);
    // It waits and does not compute.
    let used = super::processors(&run, "reports");
    assert!(used < 0.5, "{used} processors");
    let health = run.phase("reports")["failures"].as_array().unwrap().iter();
    let mut health = health.filter(|it: &&Value| it["source"] == "monitor");
    assert!(health.next().is_some());
}
