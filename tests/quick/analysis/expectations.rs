//! Expectations, held and failed.

use threadbare::analysis::{Validity, Verdict, findings};
use threadbare::model::{IncidentVerdict, SustainingEffect, Word};
use threadbare::plan::{Bound, Expectation, Figure};
use threadbare::units::Nanos;

use super::builder::{GOOD, OUT, Run, Second, expect, founding};

/// An expectation with its result, what was seen and what was required.
type Row = (Expectation, bool, &'static str, &'static str);

fn rows() -> Vec<Row> {
    use Bound::{AtLeast, AtMost, Is};
    vec![
        (
            expect(Figure::RecoveryAfterRollback, None, AtMost(30.0)),
            true,
            "22.7 s",
            "at most 30 s",
        ),
        (
            expect(Figure::RecoveryAfterRollback, None, AtMost(20.0)),
            false,
            "22.7 s",
            "at most 20 s",
        ),
        (
            expect(Figure::TimeToDetect, None, AtLeast(4.0)),
            true,
            "4.5 s",
            "at least 4 s",
        ),
        (
            expect(
                Figure::IncidentVerdict,
                None,
                Is(Word::Verdict(IncidentVerdict::RecoveredByIntervention)),
            ),
            true,
            "recovered_by_intervention",
            "recovered_by_intervention",
        ),
        (
            expect(
                Figure::Sustaining,
                None,
                Is(Word::Sustaining(SustainingEffect::ZombieWork)),
            ),
            false,
            "retries",
            "zombie_work",
        ),
        (
            expect(Figure::RejectedRollbacks, None, AtLeast(1.0)),
            true,
            "1",
            "at least 1",
        ),
        (
            expect(Figure::GoodputShare, Some("45 %"), AtMost(0.5)),
            true,
            "45.71 %",
            "at most 50 %",
        ),
        (
            expect(Figure::ErrorShare, Some("push"), AtLeast(0.99)),
            true,
            "100 %",
            "at least 99 %",
        ),
        (
            expect(Figure::Saturation, Some("baseline"), AtMost(0.5)),
            true,
            "30 %",
            "at most 50 %",
        ),
        (
            expect(Figure::AttemptsPerOperation, Some("push"), AtLeast(3.0)),
            true,
            "3.9",
            "at least 3",
        ),
        (
            expect(Figure::QueueDepthMax, Some("push"), AtLeast(100.0)),
            true,
            "4000",
            "at least 100",
        ),
        (
            expect(Figure::ResponseP99, Some("push"), AtMost(1.0)),
            false,
            "no value",
            "at most 1 s",
        ),
        (
            expect(Figure::ExhaustedInstances, Some("push"), AtLeast(4.0)),
            true,
            "4",
            "at least 4",
        ),
        (
            expect(Figure::Saturation, Some("nap"), AtMost(1.0)),
            false,
            "the phase was not seen",
            "at most 100 %",
        ),
    ]
}

#[test]
fn expectations_are_held_against_what_was_seen() {
    let rows = rows();
    let mut run = founding();
    run.seconds.extend(vec![GOOD; 20]);
    run.plan.end = Nanos::from_secs(120);
    run.plan.expectations = rows
        .iter()
        .map(|(expectation, ..)| expectation.clone())
        .collect();
    let found = findings(&run.record());
    for (result, (_, passed, observed, required)) in found.expectations.iter().zip(rows) {
        assert_eq!(result.passed, Some(passed), "{result:?}");
        assert!(result.observed.starts_with(observed), "{result:?}");
        assert_eq!(result.required, required);
    }
    assert_eq!(found.verdict, Verdict::Failed);
    assert_eq!(
        found.expectations[8].that,
        "saturation in the phase `baseline`"
    );
}

#[test]
fn a_censored_figure_passes_only_a_lower_bound() {
    let mut run = Run::pushed_and_rolled_back().is(60, 100, OUT);
    run.plan.expectations = vec![
        expect(Figure::RecoveryAfterRollback, None, Bound::AtMost(60.0)),
        expect(Figure::RecoveryAfterRollback, None, Bound::AtLeast(39.0)),
        expect(Figure::RecoveryAfterRollback, None, Bound::AtLeast(41.0)),
    ];
    let found = findings(&run.record());
    let passed: Vec<_> = found
        .expectations
        .iter()
        .map(|result| result.passed)
        .collect();
    assert_eq!(passed, [Some(false), Some(true), Some(false)]);
    assert_eq!(found.expectations[0].observed, "> 39.996 s");
}

/// A p99 of 12 ms with a lag of 15 ms in it says nothing of the target, however small it is.
#[test]
fn an_expectation_on_a_figure_that_is_the_generators_is_not_judged() {
    for (lag_us, passed, verdict) in [
        (15_000, None, Verdict::Failed),
        (1_000, Some(true), Verdict::Passed),
    ] {
        let second = Second { lag_us, ..GOOD };
        let mut run = Run::steady().is(5, 100, second);
        let phase = Some("baseline");
        run.plan.expectations = vec![expect(Figure::ResponseP99, phase, Bound::AtMost(1.0))];
        let found = findings(&run.record());
        assert_eq!(found.measurement.validity, Validity::Valid);
        let result = &found.expectations[0];
        assert_eq!((result.passed, found.verdict), (passed, verdict));
        assert_eq!(
            result.observed.starts_with("not measured"),
            passed.is_none()
        );
        assert_eq!(found.phases[0].response_ms.marked.p99, passed.is_none());
    }
}
