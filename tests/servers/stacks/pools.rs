//! Pools of connections: two that wait for each other, one that leaks, one that is smaller
//! than the threads before it.

use serde_json::Value;

use super::{exhausted_from, gauge, gauges, processors, says, short};
use crate::run::{Run, alone, threadbare};
use crate::server::Example;

/// What is so of every service that stands still until it is restarted.
fn stands_still(run: &Run, phase: &str) {
    let incident = &run.summary["incident"];
    assert_eq!(incident["verdict"], "recovered_by_intervention");
    assert!(run.goodput_share("baseline") > 0.99);
    assert!(run.goodput_share(phase) < 0.15, "{phase}");
    // Nothing is at work.
    let used = processors(run, phase);
    assert!(used < 0.5, "{used} processors");
    assert!(run.figure(phase, "attempts_per_operation") < 1.01);
}

#[test]
#[ignore = "half a minute each; `./test --long` runs it"]
fn a_spike_leaves_two_pools_waiting_for_each_other() {
    let _alone = alone();
    let run = short("fastapi-deadlock");
    let after = "surge over";
    stands_still(&run, after);
    assert_eq!(run.summary["incident"]["sustaining"], "deadlock");
    assert!(run.figure(after, "completed_per_s") <= 0.0);
    for source in ["threads", "connections"] {
        let all = gauges(&run, after, source);
        assert_eq!(all["busy"], all["workers"], "{source}");
        assert!(gauge(&run, after, source, "queue") > 0.0, "{source}");
    }
    // Every thread there is waits for a connection.
    let waiting = &gauges(&run, after, "connections")["queue_max"];
    assert_eq!(*waiting, gauges(&run, after, "threads")["workers"]);
    // The health check needs no thread.
    let failed = run.phase(after)["failures"].as_array().unwrap().iter();
    assert_eq!(failed.filter(|it| it["source"] == "monitor").count(), 0);
}

/// Users one after the other, so many at a time on a fresh server: how many operations
/// succeeded, and how many did not.
fn closed_loop(users: u32) -> (u64, u64) {
    let example = Example::start("fastapi-deadlock", 8411, &[]);
    let url = format!("http://{}/orders", example.address());
    let output = threadbare()
        .args(["load", &url, "-d", "4s"])
        .args(["--timeout", "2s", "--json", "-c", &users.to_string()])
        .output()
        .unwrap();
    let summary: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let count = |key: &str| summary["conservation"][key].as_u64().unwrap();
    (count("succeeded"), count("scheduled") - count("succeeded"))
}

#[test]
#[ignore = "half a minute each; `./test --long` runs it"]
fn as_many_users_as_threads_never_stop_them_and_half_as_many_more_do() {
    let _alone = alone();
    for users in [30, 40] {
        let (served, lost) = closed_loop(users);
        assert!(served > 2 * u64::from(users), "{users} users: {served}");
        // Now and then one waits for too long: nothing serves threads in turn.
        assert!(20 * lost < served, "{users} users: {served} and {lost}");
    }
    let (served, lost) = closed_loop(60);
    // A few, and then nobody: four connections at a time, before the threads were taken.
    assert!(served < 60 && lost >= 60, "{served} served, {lost} not");
}

#[test]
#[ignore = "half a minute each; `./test --long` runs it"]
fn a_pool_whose_timeouts_leak_is_empty_for_ever_without_a_retry() {
    let _alone = alone();
    let run = short("pool-leak");
    let after = "database as usual";
    stands_still(&run, after);
    assert_eq!(run.summary["incident"]["sustaining"], "leak");
    let pool = gauges(&run, after, "connections");
    assert_eq!(pool["busy"], pool["workers"]);
    // All are taken, and none is in use.
    let database = &run.phase(after)["dependencies"][0];
    assert!(database["waiting"].as_f64() < Some(1.0), "{database}");
    assert!(database["begun_per_s"].as_f64() < Some(1.0), "{database}");
    // A process that has just begun has lost nothing.
    let size = gauge(&run, "restart", "connections", "workers");
    assert!(gauge(&run, "restart", "connections", "busy") < size / 2.0);
}

#[test]
#[ignore = "half a minute each; `./test --long` runs it"]
fn the_pool_behind_the_threads_is_exhausted_first() {
    let _alone = alone();
    let run = short("puma-pool");
    let pool = exhausted_from(&run, "connections").unwrap();
    let threads = exhausted_from(&run, "puma").unwrap_or(f64::INFINITY);
    assert!(pool < threads, "{pool} and {threads}");
    // All but those who have one wait for one.
    let waiting = gauge(&run, "surge", "connections", "queue_max");
    let size = gauge(&run, "surge", "connections", "workers");
    assert!(waiting > 4.0 * size, "{waiting} wait for {size}");
    let busy = gauge(&run, "surge", "puma", "busy_max");
    assert!((waiting + size - busy).abs() <= 2.0, "{busy} busy threads");
    let told = ["of `puma` waited for one of the 4 of `connections`"];
    assert!(says(&run, &told), "{:?}", run.summary["sentences"]);
    let incident = &run.summary["incident"];
    assert_eq!(incident["verdict"], "recovered_with_the_trigger");
}
