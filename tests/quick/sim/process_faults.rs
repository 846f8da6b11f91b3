//! The faults that end processes or limit what the operating system grants them, in
//! virtual time: each is seen in an answer or a gauge, and is over once it is mended.

use threadbare::analysis::{Findings, findings};
use threadbare::model::{IncidentVerdict, SourceName};
use threadbare::record::{Counters, Event, Record};
use threadbare::scenario;

use super::fleet_faults::{FLEET, counted, incident};
use crate::simulated::simulated;

/// The fleet of the other faults with these keys besides, and what is done to it.
fn run_with(keys: &str, more: &str) -> (Record, Findings) {
    let fleet = FLEET.replace("users = 30", &format!("users = 30\n{keys}"));
    let plan = scenario::parse("a", "a.toml", &format!("{fleet}{more}"));
    let record = simulated(plan.unwrap_or_else(|it| panic!("{}", it.render(false))));
    let found = findings(&record);
    (record, found)
}

fn errors(found: &Findings, phase: &str) -> f64 {
    // While all are down there is no saturation.
    let phase = found.phases.iter().find(|it| it.name == phase);
    phase.unwrap().error_share.unwrap()
}

/// How often an instance began to serve after its first time.
fn starts(record: &Record, instance: u32) -> usize {
    let own = SourceName::Instance(instance);
    let events = record.events.iter();
    let serving = events
        .filter(|(_, event)| matches!(event, Event::Serving { source, .. } if *source == own));
    serving.count() - 1
}

fn accepts_failed(record: &Record) -> u64 {
    let failed = record.samples.iter().map(|sample| match &sample.counters {
        Counters::Instance(counters) => counters.accepts_failed,
        _ => 0,
    });
    failed.sum()
}

fn assert_adds_up(record: &Record) {
    let all = counted(record);
    let gone = all.finished + all.expired + all.lost;
    assert!(all.enqueued >= gone, "{all:?}");
    let levels = record.samples.iter().filter_map(|it| match &it.counters {
        Counters::Instance(counters) => Some(counters.waiting + counters.running),
        _ => None,
    });
    let levels: Vec<u64> = levels.collect();
    let held: u64 = levels.iter().rev().take(2).sum();
    assert_eq!(all.enqueued, gone + held, "{all:?}");
}

const RESTART: &str = "[[timeline]]\nat = '12s'\ndo = 'restart'\nphase = 'restarted'\n";

#[test]
fn an_instance_that_crashes_is_started_again_until_the_loop_is_mended() {
    // Serves for half a second, and boots for as long.
    let crashes = "{ after = 'constant(500ms)' }";
    let (record, found) = run_with("boot = '500ms'", &incident("crash_loop", crashes));
    assert!(errors(&found, "baseline") < 0.001);
    let broken = errors(&found, "broken");
    assert!((0.4..0.75).contains(&broken), "{broken}");
    assert!(errors(&found, "mended") < 0.1);
    for instance in 1..=2 {
        let starts = starts(&record, instance);
        assert!((7..=8).contains(&starts), "{starts}");
    }
    assert_adds_up(&record);
    assert!(counted(&record).lost > 0);
    assert_eq!(
        found.incident.verdict,
        IncidentVerdict::RecoveredWithTheTrigger
    );
    // One of two, and the other serves all that it gets.
    let one = "{ after = 'constant(500ms)', instances = 1 }";
    let (record, found) = run_with("boot = '500ms'", &incident("crash_loop", one));
    let broken = errors(&found, "broken");
    assert!((0.2..0.4).contains(&broken), "{broken}");
    assert_eq!(starts(&record, 2), 0);
}

#[test]
fn a_back_off_makes_crashes_fewer_and_each_longer() {
    let crashes = "{ after = 'constant(600ms)', back_off = '1s', most = '3s' }";
    let (record, found) = run_with("boot = '0s'", &incident("crash_loop", crashes));
    // Down from 0.6 s for 1 s, from 2.2 s for 2 s, from 4.8 s for 3 s; then it is mended.
    assert_eq!((starts(&record, 1), starts(&record, 2)), (3, 3));
    let broken = errors(&found, "broken");
    assert!((0.7..0.85).contains(&broken), "{broken}");
    assert!(errors(&found, "mended") < 0.05);
    assert_adds_up(&record);
}

#[test]
fn a_restart_starts_what_is_down_since_a_crash_and_the_supervisor_leaves_it_alone() {
    let crashes = "{ after = 'constant(1s)', back_off = '12s', most = '12s' }";
    let restart = "[[timeline]]\nat = '20s'\ndo = 'restart'\nphase = 'restarted'\n";
    let loops = incident("crash_loop", crashes);
    let (record, found) = run_with("boot = '100ms'", &format!("{loops}{restart}"));
    assert!(errors(&found, "mended") > 0.99);
    assert!(errors(&found, "restarted") < 0.1);
    assert_eq!((starts(&record, 1), starts(&record, 2)), (1, 1));
    assert_adds_up(&record);
}

#[test]
fn threads_for_added_peers_are_refused_past_the_limit_and_the_map_stays_broken() {
    let added = incident("peers_added", "{ members = 8 }");
    for (peers, broken, mended) in [
        // Within the limit, or without one.
        ("{ members = 20, limit = 28 }", false, false),
        ("{ members = 20 }", false, false),
        ("{ members = 20, limit = 27 }", true, true),
        ("{ members = 20, limit = 27, again = '500ms' }", true, false),
    ] {
        let (_, found) = run_with(&format!("peers = {peers}"), &added);
        assert!(errors(&found, "baseline") < 0.001, "{peers}");
        for (phase, fails) in [("broken", broken), ("mended", mended)] {
            let share = errors(&found, phase);
            let expected = if fails { share > 0.99 } else { share < 0.1 };
            assert!(expected, "{peers}, {phase}: {share}");
        }
    }
    // One instance of two hears of them.
    let one = incident("peers_added", "{ instances = 1 }");
    let (_, found) = run_with("peers = { members = 4, limit = 4 }", &one);
    let share = errors(&found, "broken");
    assert!((0.45..0.55).contains(&share), "{share}");
}

#[test]
fn a_limit_on_threads_is_seen_when_one_is_needed() {
    let limited = incident("threads_limited", "{ limit = 7 }");
    let peers = "peers = { members = 8 }";
    // Threads that there are stay.
    let (_, found) = run_with(peers, &limited);
    assert!(errors(&found, "broken") < 0.001);
    // A new process needs all of them.
    let again = "[[timeline]]\nat = '20s'\ndo = 'restart'\nphase = 'restarted again'\n";
    let (_, found) = run_with(peers, &format!("{limited}{RESTART}{again}"));
    let restarted = errors(&found, "restarted");
    assert!(restarted > 0.99, "{restarted}");
    let mended = errors(&found, "mended");
    assert!(mended > 0.99, "{mended}");
    assert!(errors(&found, "restarted again") < 0.3);
    let again = "peers = { members = 8, again = '1s' }";
    let (_, found) = run_with(again, &format!("{limited}{RESTART}"));
    assert!(errors(&found, "mended") < 0.3);
}

#[test]
fn connections_past_the_limit_on_descriptors_wait_until_another_closes() {
    let limited = incident("descriptors_limited", "{}");
    // As many as before: the balancer keeps its connections.
    let (_, found) = run_with("", &limited);
    assert!(errors(&found, "broken") < 0.05);
    assert!(errors(&found, "mended") < 0.001);
    // A new process has none, and accepts none.
    let (record, found) = run_with("", &format!("{limited}{RESTART}"));
    // Who comes in the last second is answered when it is mended.
    let restarted = errors(&found, "restarted");
    assert!(restarted > 0.75, "{restarted}");
    let mended = errors(&found, "mended");
    assert!(mended < 0.15, "{mended}");
    let failed = accepts_failed(&record);
    // Two instances for less than six seconds, a hundred times a second.
    assert!((900..=1_200).contains(&failed), "{failed}");
    assert_adds_up(&record);
    // With some to spare, what fits is served.
    let spare = incident("descriptors_limited", "{ spare = 50 }");
    let (record, found) = run_with("", &format!("{spare}{RESTART}"));
    assert!(errors(&found, "restarted") < 0.3);
    assert_eq!(accepts_failed(&record), 0);
    // What nobody ever answers stays open until its caller, who waits for a second, closes it:
    // a hundred on each instance.
    let hangs = "[[timeline]]\nat = '12s'\ndo = 'push'\n\
                 set = { 'authorization.verification' = 'detached', \
                 'authorization.unverified' = 'hang' }\n";
    let (record, _) = run_with("", &format!("{spare}{hangs}"));
    let failed = accepts_failed(&record);
    assert!(failed > 100, "{failed}");
    assert_adds_up(&record);
}

#[test]
fn what_these_faults_need_and_cannot_be_is_refused_at_its_key() {
    for (entry, place, label) in [
        ("fault = 'threads_limited'", "fault", "[target.fleet.peers]"),
        ("fault = 'peers_added'", "fault", "[target.fleet.peers]"),
        (
            "fault = 'crash_loop'\nwith = { factor = 0 }",
            "factor",
            "not from 1 to 100",
        ),
        (
            "fault = 'crash_loop'\nwith = { after = 'constant(1ms)' }",
            "after",
            "less than 10 ms",
        ),
        (
            "fault = 'crash_loop'\nwith = { back_off = '20s' }",
            "most",
            "less than the first pause",
        ),
        (
            "fault = 'connections_dripped'\nwith = { bytes = 0 }",
            "bytes",
            "never arrive",
        ),
        (
            "fault = 'connections_dripped'\nwith = { every = '0s' }",
            "every",
            "less than 1 ms",
        ),
        (
            "fault = 'descriptors_limited'\nwith = { spare = '2' }",
            "spare",
            "spare",
        ),
    ] {
        let text = format!("{FLEET}[[timeline]]\nat = '10s'\ndo = 'break'\n{entry}\n");
        let mistakes = scenario::parse("a", "a.toml", &text).unwrap_err();
        let shown = mistakes.render(false);
        assert!(
            shown.contains(place) && shown.contains(label),
            "{entry}: {shown}"
        );
    }
}
