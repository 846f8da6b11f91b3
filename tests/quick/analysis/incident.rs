//! The incident's clock and verdicts, where the answer is built in.

use threadbare::analysis::{Findings, Verdict, findings};
use threadbare::model::{
    Cause, ClientsAction, FleetAction, ServiceAction, Shape, SlowPart, SustainingEffect,
};
use threadbare::plan::Action;
use threadbare::record::{Counters, Event, OperationCounters, Outcome};
use threadbare::units::Nanos;

use super::builder::{
    GOOD, OUT, Run, Second, admit, applied, at, close, founding_findings, push, rejected,
};

#[test]
fn the_founding_incident_has_the_clock_that_was_built_in() {
    let found = founding_findings();
    let incident = &found.incident;
    close(incident.trigger_s, 20.0004);
    close(incident.impact_s, 20.0004);
    close(incident.detected_s, 24.5);
    close(incident.rollback_rejected_s, 60.21);
    close(incident.rollback_applied_s, 70.3);
    close(incident.mitigated_s, 93.0); // 160 of 350 is less than half
    close(incident.recovered_s, 93.0);
    close(incident.last_action_s, 93.0);
    close(incident.recovery_after_rollback_s, 22.7);
    close(incident.recovery_after_last_action_s, 0.0);
    close(incident.time_to_detect_s, 4.4996);
    assert_eq!(incident.recovered_censored_after_s, None);
    assert_eq!(incident.verdict.word(), "recovered_by_intervention");
    assert_eq!(
        incident.sustaining.map(SustainingEffect::word),
        Some("retries")
    );
    let shares = incident.sustaining_shares.unwrap();
    close(Some(shares.retries), 1015.0 / 1365.0);
    close(shares.zombie_work, 0.7);
    assert_eq!((found.complete, found.verdict), (true, Verdict::Passed));
}

#[test]
fn the_impact_is_the_intended_start_of_the_first_operation_that_failed() {
    let mut record = Run::pushed_and_rolled_back().record();
    let failed = |counters: &OperationCounters| counters.failed() > 0;
    let early = record.samples.edit(|samples| {
        let first = samples.iter_mut().find_map(|sample| {
            let from = sample.from;
            match &mut sample.counters {
                Counters::Operations(counters) if failed(counters) => Some((from, counters)),
                _ => None,
            }
        });
        let (from, counters) = first.unwrap();
        let (early, late) = (
            from + Nanos::from_micros(123_456),
            from + Nanos::from_millis(900),
        );
        counters.note_failed(late);
        counters.note_failed(early);
        early
    });
    close(findings(&record).incident.impact_s, early.as_secs_f64());
}

const RESTART: Action = Action::Service(ServiceAction::Restart { pause: None });
const MONITORS_ON: Action = Action::Clients(ClientsAction::Monitors { on: true });
const NO_RETRIES: Action = Action::Clients(ClientsAction::Retries { retries: 0 });

/// A verdict's word with a run that deserves it.
fn verdicts() -> Vec<(&'static str, Run)> {
    let slow = Second {
        response_ms: 400,
        ..GOOD
    };
    let bad = Second {
        failed: 100,
        ..GOOD
    };
    let pushed = Run::pushed_and_rolled_back;
    let lasting = || pushed().is(60, 80, OUT);
    let heavier = Second {
        offered: 450,
        failed: 0,
        ..GOOD
    };
    vec![
        ("recovered_with_the_trigger", pushed()),
        ("recovered_with_the_trigger", pushed().is(60, 70, OUT)), // one hold window exactly
        ("slow_drain", pushed().is(60, 71, OUT)),
        ("slow_drain", pushed().is(60, 85, slow)), // p99 alone holds it back
        (
            "recovered_by_intervention",
            lasting().act(79.0, 79.1, NO_RETRIES, "", applied()),
        ),
        // What was refused or failed did nothing; what is under way may have.
        (
            "slow_drain",
            lasting().act(
                79.0,
                79.1,
                RESTART,
                "",
                Outcome::Failed {
                    reason: "another restart is in progress".into(),
                },
            ),
        ),
        (
            "slow_drain",
            lasting().act(79.0, 79.1, admit("45 %"), "", rejected()),
        ),
        (
            "recovered_by_intervention",
            lasting().event(
                79.0,
                Event::ActionStarted {
                    entry: 9,
                    action: RESTART,
                },
            ),
        ),
        // Switching monitors *on* is no way out.
        (
            "slow_drain",
            lasting().act(79.0, 79.1, MONITORS_ON, "", applied()),
        ),
        ("relapsed", pushed().is(75, 85, OUT)),
        ("relapsed", pushed().is(75, 84, OUT)), // less than a hold window
        ("metastable", pushed().is(60, 100, OUT)),
        ("not_recovered", pushed().is(60, 100, bad)),
        ("no_impact", pushed().is(20, 60, GOOD)),
        // Nobody was refused, but somebody got in.
        (
            "recovered_with_the_trigger",
            pushed().is(
                20,
                60,
                Second {
                    wrongly_allowed: 1,
                    ..GOOD
                },
            ),
        ),
        // The trigger never off; no push; load never back; no baseline; cut short.
        (
            "undetermined",
            Run::steady()
                .is(20, 100, OUT)
                .act(20.0, 20.1, push(), "", applied()),
        ),
        (
            "undetermined",
            Run::steady().act(20.0, 20.1, push(), "", rejected()),
        ),
        ("undetermined", Run::steady()),
        ("undetermined", pushed().is(60, 100, heavier)),
        (
            "undetermined",
            pushed().is(
                5,
                20,
                Second {
                    offered: 10,
                    ..GOOD
                },
            ),
        ),
        (
            "undetermined",
            pushed().is(30, 31, Second { shed: 1, ..GOOD }),
        ),
    ]
}

#[test]
fn every_verdict_has_a_run_that_deserves_it() {
    for (index, (word, run)) in verdicts().into_iter().enumerate() {
        let found = findings(&run.record());
        assert_eq!(
            found.incident.verdict.word(),
            word,
            "row {index}: {:?}",
            found.sentences
        );
        assert_eq!(
            found.incident.undetermined_because.is_some(),
            word == "undetermined",
            "row {index}"
        );
    }
}

#[test]
fn what_was_not_seen_is_censored() {
    let mut run = Run::pushed_and_rolled_back().is(60, 91, OUT);
    let found = findings(&run.clone().record());
    // Recovered at 91 s, but its hold window would reach past the end.
    assert_eq!(found.incident.recovered_s, None);
    close(found.incident.recovered_censored_after_s, 39.996);
    close(
        found.incident.recovery_after_rollback_censored_after_s,
        39.996,
    );
    close(found.incident.time_to_recover_censored_after_s, 79.9997);
    close(found.incident.detected_censored_after_s, 79.9997);
    let json = serde_json::to_value(&found).unwrap();
    assert!(json["incident"]["recovery_after_rollback_s"].is_null());
    run.seconds[90] = GOOD;
    close(findings(&run.record()).incident.recovered_s, 90.0);
}

#[test]
fn few_operations_make_the_window_longer() {
    let few = |second: Second| Second {
        offered: 15,
        failed: second.failed.min(15),
        ..second
    };
    let mut run = Run::pushed_and_rolled_back();
    run.seconds = run.seconds.into_iter().map(few).collect();
    // 200 operations take 14 s, so the last window that fits begins at 86 s.
    let recovers = |from: usize| findings(&run.clone().is(60, from, few(OUT)).record());
    close(recovers(86).incident.recovered_s, 86.0);
    assert_eq!(recovers(87).incident.recovered_s, None);
}

#[test]
fn the_largest_amplifier_is_named_and_zombie_work_only_without_one() {
    let rows = [
        (
            Second {
                retries: 0,
                probes: 900,
                ..OUT
            },
            Some("monitor_probes"),
        ),
        (
            Second {
                retries: 0,
                probes: 0,
                cold: 0.5,
                ..OUT
            },
            Some("cold_start"),
        ),
        (
            Second {
                retries: 0,
                probes: 0,
                detached: 0.3,
                cold: 0.2,
                ..OUT
            },
            Some("detached_tasks"),
        ),
        (
            Second {
                retries: 0,
                probes: 0,
                ..OUT
            },
            Some("zombie_work"),
        ),
        (
            Second {
                retries: 0,
                probes: 0,
                zombie: 0.05,
                ..OUT
            },
            None,
        ),
    ];
    for (second, effect) in rows {
        let found = findings(&Run::pushed_and_rolled_back().is(60, 100, second).record());
        assert_eq!(found.incident.verdict.word(), "metastable");
        assert_eq!(
            found.incident.sustaining.map(SustainingEffect::word),
            effect
        );
    }
}

#[test]
fn the_sentences_tell_the_incident() {
    insta::assert_snapshot!(founding_findings().sentences.join("\n"), @r"
    The push authorization.verification = detached at 20.0 s (16:30) caused an outage: goodput went from 350/s to 0/s, and 100 % of the operations ended without success.
    All 4 instances were exhausted between 20.0 s (16:30) and 90.0 s (18:15); the longest unbroken stretch was 70 s.
    Retries led to 3.9 attempts per operation, and monitors added 1.4 probes per operation, in the phase `push`.
    The incident was detected 4.5 s after the impact began.
    The rollback at 60.2 s (17:30) was refused by the check `schema current`: version 1 is written in schema 1.
    The rollback applied at 70.3 s (17:45) did not restore service at once: in the phase `rollback` goodput was 0 % of the baseline's, sustained by retries.
    Service recovered at 93.0 s (18:20): 22.7 s after the rollback and 0.0 s after `admit 100 %` began, to within 1 s.
    ");
}

fn slow(factor: f64) -> Action {
    Action::Fleet(FleetAction::Slow {
        part: SlowPart::Database,
        factor,
    })
}

/// Slow from 20 s to 60 s, and as good as this from then on.
fn slowed() -> Run {
    Run::steady()
        .is(20, 60, OUT)
        .act(20.001, 20.002, slow(5.0), "slow", applied())
        .act(60.001, 60.004, slow(1.0), "usual", applied())
}

/// A load that rises at 20 s to three times its rate and is back at 60 s.
fn surged() -> Run {
    let mut run = Run::steady().is(20, 60, OUT);
    let rate = |per_second: &str| Shape::Constant(per_second.parse().unwrap());
    run.plan.load.rate = vec![
        (Nanos::ZERO, rate("350/s")),
        (at(20.0), rate("1050/s")),
        (at(60.0), rate("350/s")),
    ];
    run
}

fn clock(found: &Findings) -> (Option<&str>, Option<f64>, Option<f64>) {
    let incident = &found.incident;
    (
        incident.trigger.map(Cause::name),
        incident.trigger_s,
        incident.trigger_off_s,
    )
}

#[test]
#[expect(clippy::large_stack_arrays, reason = "a table of cases")]
fn whatever_began_it_is_the_trigger_until_the_last_cause_has_ceased() {
    let pause = |instances| Action::Fleet(FleetAction::Pause { instances });
    let go_on = |instances| Action::Fleet(FleetAction::Continue { instances });
    let paused = Run::steady()
        .is(20, 60, OUT)
        .act(20.0, 20.1, pause(None), "pause", applied());
    let one = std::num::NonZeroU32::new(1);
    for (run, expected) in [
        (
            slowed(),
            (Some("slowdown of the database"), Some(20.001), Some(60.004)),
        ),
        // Slower, less slow, and only then as usual.
        (
            slowed().act(30.0, 30.1, slow(9.0), "", applied()).act(
                50.0,
                50.1,
                slow(2.0),
                "",
                applied(),
            ),
            (Some("slowdown of the database"), Some(20.001), Some(60.004)),
        ),
        (surged(), (Some("surge"), Some(20.0), Some(60.0))),
        // Two causes: off when the later of both is over, whichever began first.
        (
            surged().act(40.0, 40.1, slow(5.0), "", applied()).act(
                70.0,
                70.5,
                slow(1.0),
                "",
                applied(),
            ),
            (Some("surge"), Some(20.0), Some(70.5)),
        ),
        (
            paused.clone().act(60.0, 60.2, go_on(None), "", applied()),
            (Some("pause"), Some(20.0), Some(60.2)),
        ),
        (
            paused.clone().act(60.0, 60.2, go_on(one), "", applied()),
            (Some("pause"), Some(20.0), None),
        ),
        (
            paused.clone().act(60.0, 63.0, RESTART, "", applied()),
            (Some("pause"), Some(20.0), Some(63.0)),
        ),
        // What came first hurt nobody, and was over when users were hurt.
        (
            paused
                .clone()
                .act(12.0, 12.1, slow(2.0), "", applied())
                .act(15.0, 15.1, slow(1.0), "", applied())
                .act(60.0, 60.2, go_on(None), "", applied()),
            (Some("pause"), Some(20.0), Some(60.2)),
        ),
        // What failed began nothing.
        (
            Run::steady().act(20.0, 20.1, slow(5.0), "", rejected()),
            (None, None, None),
        ),
        // A push after the rollback may as well be the cure.
        (
            Run::pushed_and_rolled_back().act(70.0, 70.1, push(), "", applied()),
            (Some("push"), Some(20.0003), Some(60.004)),
        ),
    ] {
        let found = findings(&run.record());
        assert_eq!(clock(&found), expected, "{:?}", found.sentences);
    }
}

#[test]
fn verdicts_are_judged_from_the_end_of_the_trigger() {
    let lasting = |run: Run| run.is(60, 80, OUT);
    for (word, run) in [
        ("recovered_with_the_trigger", slowed()),
        ("recovered_with_the_trigger", surged()),
        ("slow_drain", lasting(slowed())),
        ("slow_drain", lasting(surged())),
        (
            "recovered_by_intervention",
            lasting(surged()).act(79.0, 79.1, NO_RETRIES, "", applied()),
        ),
        ("metastable", surged().is(60, 100, OUT)),
        ("relapsed", slowed().is(75, 85, OUT)),
        ("no_impact", slowed().is(20, 60, GOOD)),
    ] {
        let found = findings(&run.record());
        assert_eq!(found.incident.verdict.word(), word, "{:?}", found.sentences);
        assert_eq!(found.incident.rollback_applied_s, None);
        assert_eq!(found.incident.recovery_after_rollback_s, None);
    }
    let found = findings(&lasting(surged()).record());
    close(found.incident.recovery_after_trigger_off_s, 20.0);
    let stuck = findings(&surged().is(60, 100, OUT).record());
    close(
        stuck.incident.recovery_after_trigger_off_censored_after_s,
        40.0,
    );
    let mut endless = surged();
    endless.plan.load.rate.pop();
    let because = findings(&endless.record()).incident.undetermined_because;
    assert!(because.unwrap().contains("the surge did not end"));
    // Of a rollback both figures speak.
    let found = founding_findings();
    close(found.incident.recovery_after_trigger_off_s, 22.7);
    close(found.incident.trigger_off_s, 70.3);
}

#[test]
fn the_sentences_call_the_trigger_by_its_name() {
    let stuck = findings(&surged().is(60, 80, OUT).record());
    insta::assert_snapshot!(stuck.sentences.join("\n"), @r"
    The surge at 20.0 s (16:30) caused an outage: goodput went from 350/s to 0/s, and 100 % of the operations ended without success.
    All 4 instances were exhausted between 20.0 s (16:30) and 80.0 s (18:00); the longest unbroken stretch was 60 s.
    Retries led to 3.9 attempts per operation, and monitors added 1.4 probes per operation, in the phase `surge`.
    The incident was undetected: no alert fired in the 80.0 s after the impact began.
    The end of the surge at 60.0 s (17:30) did not restore service at once: in the phase `surge over` goodput was 50 % of the baseline's, sustained by retries.
    Service recovered at 80.0 s (18:00): 20.0 s after the trigger ended, to within 1 s.
    ");
    let back = findings(&slowed().record());
    insta::assert_snapshot!(back.sentences.join("\n"), @r"
    The slowdown of the database at 20.0 s (16:30) caused an outage: goodput went from 350/s to 0/s, and 100 % of the operations ended without success.
    All 4 instances were exhausted between 20.0 s (16:30) and 60.0 s (17:30); the longest unbroken stretch was 40 s.
    Retries led to 3.9 attempts per operation, and monitors added 1.4 probes per operation, in the phase `slow`.
    The incident was undetected: no alert fired in the 80.0 s after the impact began.
    The end of the slowdown of the database at 60.0 s (17:30) restored service by itself.
    Service recovered at 61.0 s (17:32): 1.0 s after the trigger ended, to within 1 s.
    ");
}

#[test]
fn a_load_is_back_where_chance_explains_the_difference_of_both_counts() {
    // A baseline of 15 s tells its own rate no better than its count: with three standard
    // deviations of the difference a window of 3,500 may follow 330 a second, not 320.
    for (rate, word) in [(330, "recovered_with_the_trigger"), (320, "undetermined")] {
        let offered = Second {
            offered: rate,
            ..GOOD
        };
        let run = Run::pushed_and_rolled_back().is(0, 20, offered);
        let found = findings(&run.record());
        assert_eq!(found.incident.verdict.word(), word, "{rate}");
    }
}

#[test]
fn a_hold_window_that_is_no_whole_number_of_buckets_has_no_more_load_than_it_has_time() {
    // 7.3 s are eight buckets of a second: 2,800 operations, not more than 7.3 s may have.
    let mut run = Run::pushed_and_rolled_back();
    run.plan.recovery.hold = at(7.3);
    let found = findings(&run.record());
    let verdict = found.incident.verdict.word();
    assert_eq!(
        verdict, "recovered_with_the_trigger",
        "{:?}",
        found.incident
    );
}
