//! A deadlock and a leak of the fleet, and an overload that is neither, from records whose
//! answers are known.

use threadbare::analysis::{Findings, findings};
use threadbare::model::{ServiceAction, SustainingEffect};
use threadbare::plan::Action;
use threadbare::record::Counters;

use super::builder::{OUT, Run, SECOND, Second, applied, push};

/// Pushed at 20 s and rolled back at 30 s, and down until the end: each instance finishes so
/// many jobs a second from then on, with this share of its workers held.
fn down(finished: u64, saturation: f64) -> Findings {
    let stuck = Second { saturation, ..OUT };
    let run = Run::steady()
        .is(20, 100, stuck)
        .act(20.0003, 20.002, push(), "push", applied())
        .act(
            30.0002,
            30.004,
            Action::Service(ServiceAction::Rollback),
            "rollback",
            applied(),
        );
    let mut record = run.record();
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
