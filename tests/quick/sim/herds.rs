//! What comes again together, and what is asked for beside requests: lost instances, cold
//! starts, sessions, telemetry, releases that are verified, and the autoscaler.

use threadbare::analysis::{ActionOutcome, Findings, findings};
use threadbare::model::{Cause, SourceName, SustainingEffect};
use threadbare::plan::Plan;
use threadbare::record::{Counters, Event, Record};
use threadbare::scenario;

use crate::simulated::simulated;

/// Two instances of two workers, at a quarter of what they carry.
const FLEET: &str = r#"
title = "a"
claim = "b"
end = "30s"
warm_up = "4s"
drain = "3s"

[target.fleet]
instances = 2
workers = 2
queue = "bounded(50)"
application = "constant(1ms)"
database = "constant(8ms)"
boot = "1s"
identity = { latency = "constant(1ms)", capacity = 2, cold_factor = 20 }

[load]
arrivals = "constant"
rate = "100/s"
mix = [{ weight = 1, request = "list tasks", role = "viewer" }]

[recovery]
hold = "5s"
"#;

fn plan(more: &str) -> Plan {
    scenario::parse("a", "a.toml", &format!("{FLEET}{more}"))
        .unwrap_or_else(|it| panic!("{}", it.render(false)))
}

fn run(more: &str) -> (Record, Findings) {
    let record = simulated(plan(more));
    let found = findings(&record);
    (record, found)
}

fn mistakes(more: &str) -> String {
    let text = format!("{FLEET}{more}");
    scenario::parse("a", "a.toml", &text)
        .unwrap_err()
        .render(false)
}

/// When instances stopped and served again, in tenths of a second.
fn changes(record: &Record) -> Vec<(u64, String)> {
    let events = record.events.iter().filter(|(at, _)| at.0 > 0);
    let events = events.filter_map(|(at, event)| match event {
        Event::Stopped { source, .. } => Some((*at, format!("stopped {source}"))),
        Event::Serving { source, .. } => Some((*at, format!("serving {source}"))),
        _ => None,
    });
    let mut events: Vec<_> = events.map(|(at, it)| (at.0 / 100_000_000, it)).collect();
    // Whoever is up is stopped at the end.
    events.retain(|(at, _)| *at < 300);
    events
}

/// Calls that the identity service answered, by second.
fn verified(record: &Record) -> Vec<u64> {
    let samples = record.samples.iter();
    let counts = samples.filter_map(|sample| match &sample.counters {
        Counters::Identity(counters) if sample.source == SourceName::Identity => {
            Some(counters.verifications)
        }
        _ => None,
    });
    counts.collect()
}

#[test]
fn what_is_lost_comes_back_after_its_boot_and_was_a_cause() {
    let (record, found) =
        run("[[timeline]]\nat = '10s'\ndo = 'lose'\ninstances = 1\nphase = 'lost'\n");
    assert_eq!(
        changes(&record),
        [
            (100, "stopped instance-1".to_owned()),
            (110, "serving instance-1".to_owned())
        ]
    );
    assert_eq!(
        found.actions[0].detail,
        "1 of 2 instances lost, and replaced"
    );
    assert_eq!(
        found.incident.trigger.map(Cause::name),
        Some("loss of instances")
    );
    let few = mistakes("[[timeline]]\nat = '10s'\ndo = 'lose'\ninstances = 3\n");
    assert!(few.contains("there are 2"), "{few}");
}

#[test]
fn a_cold_start_stops_all_and_starts_one_after_the_other() {
    let (record, found) =
        run("[[timeline]]\nat = '10s'\ndo = 'cold_start'\npause = '2s'\nphase = 'cold'\n");
    assert_eq!(
        changes(&record),
        [
            (100, "stopped instance-1".to_owned()),
            (100, "stopped instance-2".to_owned()),
            (110, "serving instance-1".to_owned()),
            (140, "serving instance-2".to_owned())
        ]
    );
    let said = "2 instances stopped, and started one after the other, 2s apart";
    assert_eq!(found.actions[0].detail, said);
}

#[test]
fn sessions_are_held_without_a_worker_and_come_again_when_their_instance_goes() {
    let sessions = "[load.sessions]\ncount = 40\nreconnect = '100ms'\n";
    let (record, found) = run(&format!(
        "{sessions}[[timeline]]\nat = '10s'\ndo = 'lose'\ninstances = 1\n"
    ));
    let verified = verified(&record);
    // 100/s of the load; 40 sessions within two seconds, and then none.
    assert_eq!(verified[0] + verified[1], 2 * 100 + 40, "{verified:?}");
    assert_eq!(verified[5..9], [100; 4], "{verified:?}");
    // All of them were on the instance that is lost: five requests come between two of
    // them, so whoever takes turns meets the same one.
    let again: u64 = verified[10..14].iter().sum();
    // An operation more or less where one was under way at an edge.
    assert!((438..=441).contains(&again), "{verified:?}");
    assert_eq!(verified[20..24], [100; 4], "{verified:?}");
    // They hold no worker: the saturation is that of the load.
    let saturation = found.phases[0].saturation.unwrap();
    assert!(saturation < 0.35, "{saturation}");
    let none = mistakes("[load.sessions]\ncount = 40\nreconnect = 'none'\n");
    assert!(none.contains("no pause at all"), "{none}");
}

/// A herd that is too large for the identity service, and gives up too soon.
#[test]
fn what_keeps_a_herd_alive_is_its_reconnections() {
    let plan = scenario::load_changed(
        "reconnect-herd",
        &scenario::Changes {
            variant: Some("nobody limits them"),
            ..scenario::Changes::default()
        },
        false,
    );
    let found = findings(&simulated(plan.unwrap()));
    let effect = found.incident.sustaining.map(SustainingEffect::word);
    assert_eq!(effect, Some("reconnections"));
    let told = found.sentences.join(" ");
    assert!(
        told.contains("Clients that had lost their sessions added"),
        "{told}"
    );
    let none = mistakes(
        "[[timeline]]\nat = '10s'\ndo = 'lose'\ninstances = 1\n\
         [[expect]]\nthat = 'sustaining effect'\nis = 'reconnections'\n",
    );
    assert!(none.contains("no clients hold sessions"), "{none}");
}

const TELEMETRY: &str = "[target.fleet.telemetry]\ncalls = 2\nevery = '180ms'\n";

#[test]
fn telemetry_asks_while_the_setting_says_so() {
    let switched = "[[timeline]]\nat = '10s'\ndo = 'push'\nset = { telemetry = 'on' }\n\
                    [[timeline]]\nat = '20s'\ndo = 'rollback'\n";
    let (record, _) = run(&format!("{TELEMETRY}{switched}"));
    let verified = verified(&record);
    assert_eq!(verified[5..9], [100; 4], "{verified:?}");
    // Four callers, each every 200 ms: 180 ms and a call of 20 ms, and what it waits.
    for second in 12..19 {
        let calls = verified[second] - 100;
        assert!((17..=21).contains(&calls), "{verified:?}");
    }
    assert_eq!(verified[22..26], [100; 4], "{verified:?}");
    let none = mistakes(switched);
    assert!(none.contains("no telemetry"), "{none}");
    let off = "[[timeline]]\nat = '10s'\ndo = 'push'\nset = { telemetry = 'off' }\n";
    for never in ["", off] {
        let found = mistakes(&format!("{TELEMETRY}{never}"));
        assert!(found.contains("no push switches it on"), "{found}");
        // At its key, in the line of the table.
        assert!(found.contains("[target.fleet.telemetry]"), "{found}");
    }
}

#[test]
fn a_release_waits_for_the_identity_service_and_is_refused_without_it() {
    use ActionOutcome::{Applied, Rejected};
    let policy = "[release]\nverified_within = '500ms'\n";
    let push = |at: &str| {
        format!(
            "[[timeline]]\nat = '{at}'\ndo = 'push'\n\
             set = {{ 'authorization.unverified' = 'allow' }}\n"
        )
    };
    let slow = "[[timeline]]\nat = '12s'\ndo = 'slow'\npart = 'identity'\nfactor = 900\n";
    let waive = "[[timeline]]\nat = '15s'\ndo = 'waive'\ncheck = 'releaser verified'\n";
    let pushes = [
        push("10s"),
        slow.into(),
        push("14s"),
        waive.into(),
        push("16s"),
    ];
    let (_, found) = run(&format!("{policy}{}", pushes.concat()));
    let outcomes: Vec<_> = found.actions.iter().map(|it| it.outcome).collect();
    assert_eq!(
        outcomes,
        [Applied, Applied, Rejected, Applied, Applied].map(Some)
    );
    let refused = &found.actions[2].detail;
    assert!(refused.starts_with("`releaser verified`: "), "{refused}");
}

/// The number of instances by the decisions of the autoscaler, with the seconds.
fn scaled(record: &Record) -> Vec<(u64, u32, u32)> {
    let events = record.events.iter().filter_map(|(at, event)| match event {
        Event::Scaled { from, to, reason } => {
            assert!(reason.contains("of the workers were busy"), "{reason}");
            Some((at.0 / 1_000_000_000, *from, *to))
        }
        _ => None,
    });
    events.collect()
}

#[test]
fn an_autoscaler_follows_the_load_within_its_bounds() {
    let scaler = "[target.fleet.autoscaler]\nleast = 2\nmost = 3\nadd_above = '60 %'\n\
                  remove_below = '40 %'\ndelay = '2s'\n";
    let surge = "[[load.step]]\nat = '10s'\nrate = '300/s'\nfor = '8s'\n";
    let (record, _) = run(&format!("{scaler}{surge}"));
    // 300/s × 10 ms are three of four workers, and 100/s one of six.
    assert_eq!(scaled(&record), [(12, 2, 3), (20, 3, 2)]);
    assert_eq!(
        changes(&record),
        [
            (130, "serving instance-3".to_owned()),
            (210, "stopped instance-3".to_owned())
        ]
    );
    let at_rest = run(scaler).0;
    assert_eq!(scaled(&at_rest), []);
    let wide = mistakes("[target.fleet.autoscaler]\nleast = 3\nmost = 4\n");
    assert!(wide.contains("2 instances at the start"), "{wide}");
    let same = mistakes("[target.fleet.autoscaler]\nadd_above = '50 %'\nremove_below = '50 %'\n");
    assert!(same.contains("without end"), "{same}");
}
