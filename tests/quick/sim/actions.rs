//! What each action does in virtual time, judged by order and by exact sums.
use threadbare::analysis::{ActionOutcome, Findings, Phase, Validity, findings};
use threadbare::model::{Cause, Shape};
use threadbare::plan::Plan;
use threadbare::record::{Counters, Event, InstanceCounters, Measure, PAUSED, Record};
use threadbare::scenario;

use crate::simulated::simulated;

/// Four instances of two workers at a tenth of what they carry, for 30 s.
const FLEET: &str = r#"
title = "a"
claim = "b"
end = "30s"
warm_up = "2s"
drain = "3s"

[target.fleet]
instances = 4
workers = 2
application = "constant(1ms)"
database = "constant(8ms)"
identity = { latency = "constant(1ms)" }

[load]
arrivals = "constant"
rate = "80/s"
mix = [{ weight = 1, request = "list tasks", role = "viewer" }]
client = { timeout = "20s" }

[recovery]
hold = "5s"
"#;

fn planned(more: &str) -> Plan {
    plan_of(&format!("{FLEET}{more}"))
}

fn plan_of(text: &str) -> Plan {
    scenario::parse("a", "a.toml", text).unwrap_or_else(|it| {
        panic!("{}", it.render(false));
    })
}

fn run(more: &str) -> (Record, Findings) {
    let record = simulated(planned(more));
    let found = findings(&record);
    assert_eq!(found.measurement.validity, Validity::Valid, "{found:?}");
    (record, found)
}

fn phase<'a>(found: &'a Findings, name: &str) -> &'a Phase {
    let mut phases = found.phases.iter();
    phases.find(|phase| phase.name == name).unwrap()
}

/// What an instance counted, all its samples added up.
fn counted(record: &Record, name: &str) -> InstanceCounters {
    let mut sum = InstanceCounters::default();
    for sample in record.samples.iter().filter(|it| it.source == name.into()) {
        if let Counters::Instance(counters) = &sample.counters {
            sum.merge(counters);
        }
    }
    sum
}

#[test]
fn what_is_slow_takes_so_many_times_as_long_until_it_is_as_usual() {
    for (part, slow_ms) in [
        ("application", 14.0),
        ("database", 42.0),
        ("identity", 14.0),
    ] {
        let (_, found) = run(&format!(
            "[[timeline]]\nat = '10s'\ndo = 'slow'\npart = '{part}'\nfactor = 5\nphase = 'slow'\n\
             [[timeline]]\nat = '20s'\ndo = 'slow'\npart = '{part}'\nfactor = 1\nphase = 'usual'\n"
        ));
        for (name, expected) in [("baseline", 10.0), ("slow", slow_ms), ("usual", 10.0)] {
            let median = phase(&found, name).service_ms.p50.unwrap();
            // The precision of the histogram.
            assert!(
                (median / expected - 1.0).abs() < 0.01,
                "{part} {name}: {median}"
            );
        }
        let incident = &found.incident;
        assert_eq!(
            (incident.trigger_s, incident.trigger_off_s),
            (Some(10.0), Some(20.0))
        );
        assert!(incident.trigger.map(Cause::name).unwrap().contains(part));
    }
}

#[test]
fn a_freeze_has_its_closed_form_and_costs_no_operation() {
    let (record, found) =
        run("[[timeline]]\nat = '10s'\ndo = 'pause'\n[[timeline]]\nat = '14s'\ndo = 'continue'\n");
    let frozen = phase(&found, "pause");
    // 80/s for 4 s wait between 4 s and nothing, and then for each other.
    assert_eq!(
        (frozen.response_ms.count, frozen.error_share),
        (320, Some(0.0))
    );
    let (median, most) = (
        frozen.response_ms.p50.unwrap(),
        frozen.response_ms.max.unwrap(),
    );
    assert!((2_000.0..2_500.0).contains(&median), "{median}");
    assert!((4_000.0..4_500.0).contains(&most), "{most}");
    // No gauge of a paused instance is read, and that is no death.
    assert_eq!(frozen.saturation, None);
    let failed = record.events.iter().filter_map(|(at, event)| match event {
        Event::ScrapeFailed { cause, .. } => Some((*at, cause.as_str())),
        _ => None,
    });
    let failed: Vec<_> = failed.collect();
    assert_eq!(failed.len(), 4 * 4); // at 11, 12, 13 and 14 s: the edge comes before the action
    assert!(failed.iter().all(|(_, cause)| *cause == PAUSED));
    // Worker-time goes on: nothing of the run is missing once they were read again.
    for name in ["instance-1", "instance-4"] {
        let counters = counted(&record, name);
        let own = record
            .samples
            .iter()
            .filter(|sample| sample.source == name.into());
        let until = own.map(|sample| sample.to).max().unwrap();
        assert_eq!(counters.worker_ns, 2 * until.0);
        assert_eq!((counters.enqueued, counters.lost), (counters.finished, 0));
    }
    let incident = &found.incident;
    assert_eq!(incident.trigger.map(Cause::name), Some("pause"));
    assert_eq!(incident.trigger_off_s, Some(14.0));
    // Everyone waited, and nobody in vain: latency alone is an incident.
    assert_eq!(incident.verdict.word(), "recovered_with_the_trigger");
    assert!(incident.harm.unwrap().latency_alone);
}

#[test]
fn what_a_worker_sleeps_on_goes_on_and_ends_at_the_latest_when_it_goes_on() {
    let took = |until: &str| {
        let mut plan = planned(&format!(
            "[[timeline]]\nat = '2s'\ndo = 'pause'\n\
             [[timeline]]\nat = '{until}'\ndo = 'continue'\n"
        ));
        // One request, which sleeps for 3 s from its first second on.
        plan.fleet.as_mut().unwrap().database = "constant(3s)".parse().unwrap();
        plan.load.drive.operations = Some(1);
        plan.load.rate[0].1 = Shape::Constant("1/s".parse().unwrap());
        let record = simulated(plan);
        let response = record
            .samples
            .iter()
            .filter_map(|it| it.histogram(Measure::Response).cloned());
        let took = response.filter_map(|it| it.quantile(1.0)).max().unwrap();
        took.as_secs_f64()
    };
    let undisturbed = took("2500ms");
    assert!((undisturbed - 3.002).abs() < 0.01, "{undisturbed}");
    let (held, longer) = (took("8s"), took("9s"));
    assert!((6.9..8.1).contains(&held), "{held}");
    assert!((longer - held - 1.0).abs() < 0.02, "{held} {longer}");
}

#[test]
fn only_so_many_instances_are_paused_and_a_restart_ends_it() {
    let (record, found) = run("[[timeline]]\nat = '10s'\ndo = 'pause'\ninstances = 2\n\
         [[timeline]]\nat = '15s'\ndo = 'restart'\n");
    let frozen = phase(&found, "pause");
    // The other half goes on as usual.
    assert!(
        (2.0 * frozen.saturation.unwrap() / phase(&found, "baseline").saturation.unwrap() - 2.0)
            .abs()
            < 0.1
    );
    let unread = |name: &str| {
        let events = record.events.iter();
        events
            .filter(
                |(_, event)| matches!(event, Event::ScrapeFailed { source, .. } if *source == name.into()),
            )
            .count()
    };
    assert_eq!(
        [1, 2, 3, 4].map(|it| unread(&format!("instance-{it}"))),
        [5, 5, 0, 0]
    );
    // What was under way and what had arrived is lost with the instance, and told.
    let first = counted(&record, "instance-1");
    assert!(first.lost > 0, "{first:?}");
    assert_eq!(found.incident.trigger.map(Cause::name), Some("pause"));
    // Off once the restart had ended, and no intervention after it.
    assert_eq!(found.incident.trigger_off_s, Some(15.5));
    assert_eq!(found.incident.verdict.word(), "recovered_with_the_trigger");
}

#[test]
fn a_run_that_ends_while_paused_adds_up() {
    let (record, found) = run("[[timeline]]\nat = '20s'\ndo = 'pause'\n");
    assert!(
        found
            .incident
            .undetermined_because
            .unwrap()
            .contains("the pause did not end")
    );
    for (_, event) in &record.events {
        if let Event::Stopped { counters, .. } = event {
            let ended = counters.finished + counters.expired + counters.lost;
            assert_eq!(counters.enqueued, ended);
            assert!(counters.lost > 0);
        }
    }
}

const CANARY: &str = "[[timeline]]\nat = '10s'\ndo = 'push'\ncanary = '25 %'\ntested = false\n\
                      set = { 'authorization.verification' = 'detached' }\n";

#[test]
fn a_canary_reaches_its_share_and_a_rollback_all() {
    let (_, found) = run(&format!(
        "{CANARY}[[timeline]]\nat = '20s'\ndo = 'rollback'\n"
    ));
    assert_eq!(phase(&found, "push").error_share, Some(0.25));
    assert_eq!(phase(&found, "rollback").error_share, Some(0.0));
    assert_eq!(found.actions[0].detail, "version 2, on 1 of 4 instances");
    assert_eq!(
        found.actions[1].detail,
        "version 3, which restores version 1"
    );
    assert_eq!(found.incident.verdict.word(), "recovered_with_the_trigger");
}

#[test]
fn what_restarts_meanwhile_starts_with_what_is_in_force_on_it() {
    let (_, found) = run(&format!(
        "{CANARY}[[timeline]]\nat = '14s'\ndo = 'slow'\npart = 'database'\nfactor = 2\nphase = 'slow'\n\
         [[timeline]]\nat = '15s'\ndo = 'restart'\nphase = 'restart'\n\
         [[timeline]]\nat = '20s'\ndo = 'waive'\ncheck = 'tests run'\nphase = 'later'\n"
    ));
    let later = phase(&found, "later");
    assert_eq!(later.error_share, Some(0.25));
    assert!(later.service_ms.p50.unwrap() > 17.0);
}

#[test]
fn an_untested_push_is_refused_where_tests_are_required_until_that_is_waived() {
    let gate = "[release]\nrequire_tests = true\n";
    let push = CANARY.replace("canary = '25 %'", "canary = '100 %'");
    let waive = "[[timeline]]\nat = '15s'\ndo = 'waive'\ncheck = 'tests run'\nphase = 'waived'\n";
    let again = push
        .replace("10s", "20s")
        .replace("do =", "phase = 'again'\ndo =");
    let (_, found) = run(&format!("{gate}{push}{waive}{again}"));
    let refused = &found.actions[0];
    assert_eq!(refused.outcome, Some(ActionOutcome::Rejected));
    assert!(
        refused.detail.starts_with("`tests run`: "),
        "{}",
        refused.detail
    );
    assert_eq!(phase(&found, "push").error_share, Some(0.0));
    assert_eq!(phase(&found, "again").error_share, Some(1.0));
    let (_, found) = run(&push);
    assert_eq!(found.actions[0].outcome, Some(ActionOutcome::Applied));
}

#[test]
fn a_load_that_surges_cuts_phases_and_is_a_trigger() {
    let steps = "[[load.step]]\nat = '10s'\nrate = '1200/s'\nfor = '5s'\n";
    // Whoever waits for half a second has gone.
    let text = format!("{FLEET}{steps}").replace("20s", "500ms");
    let found = findings(&simulated(plan_of(&text)));
    let edges: Vec<_> = found
        .phases
        .iter()
        .map(|it| (it.name.as_str(), it.from_s))
        .collect();
    assert_eq!(
        edges,
        [("baseline", 2.0), ("surge", 10.0), ("surge over", 15.0)]
    );
    let incident = &found.incident;
    assert_eq!(incident.trigger.map(Cause::name), Some("surge"));
    assert_eq!(
        (incident.trigger_s, incident.trigger_off_s),
        (Some(10.0), Some(15.0))
    );
    assert_eq!(incident.rollback_applied_s, None);
    assert_eq!(incident.recovery_after_rollback_s, None);
    // 1,200/s on 800/s for 5 s is a backlog of 2.5 s of work: it drains in 2.8 s.
    let after = incident.recovery_after_trigger_off_s.unwrap();
    assert!((1.0..5.0).contains(&after), "{after}");
}
