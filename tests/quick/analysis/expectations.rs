//! Expectations, held and failed.

use threadbare::analysis::{Validity, Verdict, findings};
use threadbare::model::{
    FailureCause, FailuresOf, IncidentVerdict, SourceName, SustainingEffect, Word,
};
use threadbare::plan::{Bound, Expectation, Figure};
use threadbare::record::{Counters, FailureCounters, Sample};
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
/// So many failures in the second that begins then.
fn failed(second: u64, source: SourceName, causes: &[(FailureCause, u64)]) -> Sample {
    let mut counters = FailureCounters::default();
    for (cause, count) in causes {
        (0..*count).for_each(|_| counters.count(*cause));
    }
    Sample {
        from: Nanos::from_secs(second),
        to: Nanos::from_secs(second + 1),
        source,
        counters: Counters::Failures(counters),
        histograms: Vec::new(),
    }
}

#[test]
fn expectations_speak_of_failures_by_cause_source_and_phase() {
    use Bound::{AtLeast, AtMost};
    use FailureCause::{NoAnswer, Refused, ServerError};

    let of = |cause, source| FailuresOf { cause, source };
    let monitor = || Some(SourceName::Monitor);
    let rows = [
        (of(None, None), None, AtMost(9.0), "failures", "10", false),
        (
            of(Some(NoAnswer), None),
            None,
            AtMost(7.0),
            "failures by `no_answer`",
            "7",
            true,
        ),
        (
            of(Some(Refused), monitor()),
            None,
            AtLeast(5.0),
            "failures of `monitor` by `refused`",
            "4",
            false,
        ),
        // Not one: a count all the same.
        (
            of(Some(Refused), None),
            None,
            AtMost(0.0),
            "failures by `refused`",
            "0",
            true,
        ),
        // Those of the bucket before the push, and of none after it.
        (
            of(Some(ServerError), None),
            Some("baseline"),
            AtLeast(3.0),
            "failures by `server_error` in the phase `baseline`",
            "2",
            false,
        ),
        (
            of(None, None),
            Some("push"),
            AtLeast(8.0),
            "failures in the phase `push`",
            "8",
            true,
        ),
        (
            of(None, monitor()),
            Some("nap"),
            AtMost(0.0),
            "failures of `monitor` in the phase `nap`",
            "the phase was not seen",
            false,
        ),
    ];
    let mut run = founding();
    run.seconds.extend(vec![GOOD; 20]);
    run.plan.end = Nanos::from_secs(120);
    let expectations = rows.iter().map(|(of, phase, bound, ..)| Expectation {
        of: of.clone(),
        ..expect(Figure::Failures, *phase, bound.clone())
    });
    run.plan.expectations = expectations.collect();
    // As it is written and read again.
    let written = serde_json::to_string(&run.plan).unwrap();
    run.plan = serde_json::from_str(&written).unwrap();
    let mut record = run.record();
    record.samples.extend([
        failed(19, SourceName::User, &[(ServerError, 2)]),
        failed(21, SourceName::User, &[(ServerError, 1), (NoAnswer, 7)]),
        failed(30, SourceName::Monitor, &[(Refused, 4)]),
    ]);
    let found = findings(&record);
    for ((_, _, _, that, observed, passed), result) in rows.iter().zip(&found.expectations) {
        assert_eq!(result.that, *that);
        assert_eq!(result.observed, *observed, "{that}");
        assert_eq!(result.passed, Some(*passed), "{that}");
    }
    assert_eq!(found.expectations.len(), rows.len());
}
