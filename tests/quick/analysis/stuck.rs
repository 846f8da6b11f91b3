//! A deadlock and a leak, of the fleet and of a user's target, and overloads that are
//! neither, from records whose answers are known.

use threadbare::analysis::{Findings, findings};
use threadbare::model::{ServiceAction, SourceName, SustainingEffect};
use threadbare::plan::Action;
use threadbare::record::{Counters, GaugeCounters, ProcessCounters, Record};

use super::builder::{OUT, Run, SECOND, Second, applied, push, sample};
use super::observed::with;

/// Pushed at 20 s and rolled back at 30 s, and down until the end.
fn pushed(stuck: Second) -> Run {
    Run::steady()
        .is(20, 100, stuck)
        .act(20.0003, 20.002, push(), "push", applied())
        .act(
            30.0002,
            30.004,
            Action::Service(ServiceAction::Rollback),
            "rollback",
            applied(),
        )
}

/// Each instance finishes so many jobs a second from 20 s on, with this share of its workers
/// held.
fn down(finished: u64, saturation: f64) -> Findings {
    let mut record = pushed(Second { saturation, ..OUT }).record();
    record.samples.edit(|samples| {
        for sample in samples {
            let calm = sample.from.0 < 20 * SECOND;
            if let Counters::Instance(counters) = &mut sample.counters {
                // 0.3 of 4 workers are busy in the baseline: 13 ms a job.
                counters.finished = if calm { 90 } else { finished };
                counters.enqueued = counters.finished;
            }
        }
    });
    findings(&record)
}

#[test]
fn workers_that_finish_nothing_are_a_deadlock_and_the_report_says_from_what() {
    let found = down(0, 1.0);
    assert_eq!(found.incident.sustaining, Some(SustainingEffect::Deadlock));
    let held = found.incident.held.as_ref().unwrap();
    assert!((held.held - 16.0).abs() < 1e-6, "{held:?}");
    assert!(held.completed_per_s <= 0.0, "{held:?}");
    let told = found.sentences.join(" ");
    assert!(told.contains("sustained by a deadlock"), "{told}");
    assert!(
        told.contains("16.0 of 16 workers of the fleet were held"),
        "{told}"
    );
}

#[test]
fn workers_held_beyond_what_is_finished_are_a_leak() {
    // 90 a second need 1.2 of 4 workers, and 3 are held.
    let found = down(90, 0.75);
    assert_eq!(found.incident.sustaining, Some(SustainingEffect::Leak));
    let told = found.sentences.join(" ");
    assert!(told.contains("capacity that was lost"), "{told}");
}

#[test]
fn an_overload_that_finishes_what_its_workers_can_is_neither() {
    let found = down(300, 1.0);
    assert_eq!(found.incident.sustaining, Some(SustainingEffect::Retries));
    assert_eq!(found.incident.held, None);
}

/// In each second after the trigger: busy of 40 workers, requests that the target completed,
/// and its processors in thousandths. None: the gauges were not read.
type Bucketed = Option<(u64, Option<u64>, u64)>;

fn read(busy: u64, completed: Option<u64>) -> Counters {
    Counters::Gauges(GaugeCounters {
        readings: 2,
        busy_readings: 2,
        busy_milli: 2_000 * busy,
        busy_milli_max: 1_000 * busy,
        workers_readings: 2,
        workers_milli: 80_000,
        completed_milli: completed.map_or(0, |it| 1_000 * it),
        completed_covered_ns: completed.map_or(0, |_| SECOND),
        ..GaugeCounters::default()
    })
}

/// The same incident of a user's target, whose users get no answer in time from 20 s on.
fn target(run: Run, after: impl Fn(u64) -> Bucketed) -> Findings {
    let mut record = run.record();
    record.header.plan.fleet = None;
    record.samples.edit(|samples| {
        samples.retain(|it| !matches!(it.counters, Counters::Instance(_)));
        for sample in samples {
            if let Counters::Attempts(users) = &mut sample.counters
                && sample.source == SourceName::User
                && sample.from.0 >= 20 * SECOND
            {
                (users.timeouts, users.responses) = (users.responses, 0);
            }
        }
    });
    // 350/s of 50 ms each.
    let calm = Some((17, Some(350), 400));
    let told = |second| if second < 20 { calm } else { after(second) };
    let record = with(record, "threads", |second| {
        told(second).map(|(busy, completed, _)| read(busy, completed))
    });
    findings(&processors(record, |second| {
        told(second).map_or(0, |it| it.2)
    }))
}

fn processors(mut record: Record, milli: impl Fn(u64) -> u64) -> Record {
    for second in 0..100 {
        let counters = Counters::Process(ProcessCounters {
            readings: 1,
            covered_ns: SECOND,
            cpu_ns: milli(second) * SECOND / 1_000,
            ..ProcessCounters::default()
        });
        record
            .samples
            .push(sample(second, "target", counters, Vec::new()));
    }
    record
}

fn sustained(after: Bucketed) -> Option<SustainingEffect> {
    target(pushed(OUT), |_| after).incident.sustaining
}

#[test]
fn a_target_that_completes_nothing_and_uses_no_processor_is_in_a_deadlock() {
    let found = target(pushed(OUT), |_| Some((40, Some(0), 10)));
    assert_eq!(found.incident.sustaining, Some(SustainingEffect::Deadlock));
    let held = found.incident.held.as_ref().unwrap();
    assert_eq!(held.source, Some("threads".into()));
    let told = found.sentences.join(" ");
    assert!(told.contains("40.0 of 40 of `threads` were held"), "{told}");
    // It computes: whatever it does, it does something.
    assert_eq!(
        sustained(Some((40, Some(0), 500))),
        Some(SustainingEffect::Retries)
    );
}

#[test]
fn workers_of_a_target_held_beyond_what_it_completes_are_a_leak() {
    assert_eq!(
        sustained(Some((30, Some(350), 400))),
        Some(SustainingEffect::Leak)
    );
    // Threads that share a processor wait for it, and each job takes longer.
    assert_eq!(
        sustained(Some((30, Some(350), 990))),
        Some(SustainingEffect::Retries)
    );
}

#[test]
fn a_storm_of_retries_whose_server_works_for_callers_who_have_gone_is_neither() {
    // At the limit of its forty threads, and nobody is answered in time.
    for processors in [10, 400] {
        let effect = sustained(Some((40, Some(800), processors)));
        assert_eq!(effect, Some(SustainingEffect::Retries));
    }
}

#[test]
fn a_target_that_does_not_count_what_it_completes_is_in_no_deadlock_and_has_no_leak() {
    for busy in [30, 40] {
        let effect = sustained(Some((busy, None, 10)));
        assert_eq!(effect, Some(SustainingEffect::Retries), "{busy}");
    }
}

#[test]
fn what_was_read_too_seldom_or_for_too_short_a_time_tells_nothing() {
    let stuck = Some((40, Some(0), 10));
    let seldom = |every: u64| {
        let read = |second: u64| {
            if second.is_multiple_of(every) {
                None
            } else {
                stuck
            }
        };
        target(pushed(OUT), read).incident.sustaining
    };
    assert_eq!(seldom(5), Some(SustainingEffect::Deadlock));
    assert_eq!(seldom(2), Some(SustainingEffect::Retries));
    // Restarted after 6 s, and service counts as back after 10.
    let restart = Action::Service(ServiceAction::Restart { pause: None });
    let run = pushed(OUT).act(36.0, 37.0, restart, "restart", applied());
    let found = target(run, |_| stuck);
    assert_eq!(found.incident.sustaining, Some(SustainingEffect::Retries));
}
