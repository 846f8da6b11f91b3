//! What is held for nothing, in virtual time: a leak is named, and an overload, a long job
//! or a probe is not taken for one.

use threadbare::analysis::{Findings, findings};
use threadbare::model::SustainingEffect;
use threadbare::record::{Counters, InstanceCounters, Record};
use threadbare::scenario::{self, Changes};

use crate::simulated::simulated;

fn counted(record: &Record) -> InstanceCounters {
    let mut sum = InstanceCounters::default();
    for sample in &record.samples {
        if let Counters::Instance(counters) = &sample.counters {
            sum.merge(counters);
        }
    }
    sum
}

fn found(text: &str) -> (Record, Findings) {
    let plan = scenario::parse("a", "a.toml", text);
    let record = simulated(plan.unwrap_or_else(|it| panic!("{}", it.render(false))));
    let found = findings(&record);
    (record, found)
}

/// A shipped scenario with these changes.
fn shipped(name: &str, changes: &Changes<'_>) -> (Record, Findings) {
    let plan = scenario::load_changed(name, changes, false).unwrap();
    let record = simulated(plan);
    let found = findings(&record);
    (record, found)
}

#[test]
fn threads_that_starve_a_pool_are_in_a_deadlock() {
    let (record, found) = shipped("pool-starvation", &Changes::default());
    assert_eq!(found.incident.sustaining, Some(SustainingEffect::Deadlock));
    let all = counted(&record);
    assert!(2 * all.busy_connection_ns > all.busy_ns, "{all:?}");
    assert!(all.busy_connection_ns <= all.busy_ns, "{all:?}");
}

#[test]
fn an_overload_of_a_pool_is_no_leak() {
    let changes = Changes {
        variant: Some("pool timeout"),
        ..Changes::default()
    };
    let (_, found) = shipped("pool-starvation", &changes);
    assert_ne!(found.incident.sustaining, Some(SustainingEffect::Leak));
    assert_ne!(found.incident.sustaining, Some(SustainingEffect::Deadlock));
}

/// One instance of two workers, whose jobs take 8 ms, and `MORE` of the target.
const SMALL: &str = r#"
title = "a"
claim = "b"
end = "60s"
warm_up = "2s"
interval = "500ms"
MONITOR

[target.fleet]
instances = 1
workers = 2
queue = "bounded(20)"
application = "constant(1ms)"
database = "constant(8ms)"
identity = { latency = "constant(1ms)" }
MORE

[load]
arrivals = "constant"
rate = "50/s"
mix = [{ weight = 1, request = "list tasks", role = "viewer" }]
client = { timeout = "1s" }

[recovery]
hold = "2s"
"#;

/// Both workers begin a job of 3.2 s at once, again and again; and the database is quick
/// again while they are in one.
#[test]
fn jobs_that_are_longer_than_the_hold_window_are_no_deadlock() {
    let slow = "[[timeline]]\nat = '10s'\ndo = 'slow'\npart = 'database'\nfactor = 400\n\
                [[timeline]]\nat = '23100ms'\ndo = 'slow'\npart = 'database'\nfactor = 1\n\
                [[timeline]]\nat = '25900ms'\ndo = 'restart'\n";
    let text = SMALL.replace("MORE", "").replace("MONITOR", "");
    let (_, found) = found(&format!("{text}{slow}"));
    assert_eq!(found.incident.held, None, "{:?}", found.incident.sustaining);
}

/// Probes have workers of their own: their jobs are not what the busy time is of.
#[test]
fn what_a_job_needs_is_told_without_the_jobs_of_monitors() {
    let text = SMALL.replace("MORE", "monitor_workers = 1").replace(
        "MONITOR",
        "monitor = [{ name = 'm', probe = '/readyz', every = '10ms', count = 5 }]",
    );
    let (record, _) = found(&text);
    let all = counted(&record);
    assert!(
        all.finished_for_monitors > 5 * all.finished_serving(),
        "{all:?}"
    );
    // A job takes some 11 ms of a serving worker; probes finish ten times as many.
    let each = all.busy_ns as f64 / all.finished_serving() as f64 / 1e6;
    assert!((10.0..11.5).contains(&each), "{each} ms");
}
