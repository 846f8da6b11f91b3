//! Measurements that are invalid, records that are not whole.

use threadbare::analysis::{Conservation, Validity, Verdict, findings};
use threadbare::plan::{Bound, Figure};
use threadbare::record::{Counters, Event, StopCause};
use threadbare::units::Nanos;

use crate::builder::{GOOD, Run, SECOND, Second, at, close, expect, founding};

#[test]
fn a_generator_that_was_the_limit_makes_the_measurement_invalid() {
    let rows: [(&str, Second); 5] = [
        (
            "sent late",
            Second {
                lag_us: 30_000,
                ..GOOD
            },
        ),
        ("shed 95 operations", Second { shed: 1, ..GOOD }),
        (
            "threads were 95 % busy",
            Second {
                generator: 0.95,
                ..GOOD
            },
        ),
        (
            "short of processor: 97 %",
            Second {
                machine: 0.8,
                steal: 0.17,
                ..GOOD
            },
        ),
        (
            "",
            Second {
                lag_us: 19_000,
                generator: 0.85,
                machine: 0.9,
                ..GOOD
            },
        ),
    ];
    for (reason, second) in rows {
        let mut run = Run::steady().is(5, 100, second);
        run.plan.expectations = vec![expect(Figure::RejectedRollbacks, None, Bound::AtMost(0.0))];
        let found = findings(&run.record());
        let reasons = found.measurement.reasons.join(" ");
        if reason.is_empty() {
            assert_eq!(found.measurement.validity, Validity::Valid, "{reasons}");
            assert_eq!(found.verdict, Verdict::Passed);
            assert!(
                found
                    .sentences
                    .iter()
                    .any(|s| s.starts_with("The machine was 90 % busy"))
            );
            continue;
        }
        assert_eq!(found.measurement.validity, Validity::Invalid, "{reason}");
        assert!(reasons.contains(reason), "{reasons}");
        assert_eq!(found.verdict, Verdict::Invalid);
        assert_eq!(found.expectations[0].passed, None);
    }
}

#[test]
fn a_record_that_does_not_add_up_is_invalid() {
    let mut record = founding().record();
    assert_eq!(findings(&record).measurement.validity, Validity::Valid);
    let lost = record
        .samples
        .iter_mut()
        .find_map(|s| match &mut s.counters {
            Counters::Operations(counters) => Some(&mut counters.scheduled),
            _ => None,
        });
    *lost.unwrap() += 1;
    let found = findings(&record);
    assert_eq!(found.verdict, Verdict::Invalid);
    assert!(found.measurement.reasons[0].contains("bug of threadbare"));
    let mut record = founding().record();
    for sample in &mut record.samples {
        if let Counters::Attempts(counters) = &mut sample.counters
            && sample.from == Nanos(40 * SECOND)
        {
            counters.cancelled += 1;
        }
    }
    assert!(findings(&record).measurement.reasons[0].contains("`user`"));
}

#[test]
fn a_record_cut_off_is_analysed_as_far_as_it_is_final() {
    let mut run = founding();
    run.stop = None;
    run.seconds.truncate(81);
    run.seconds[79].unfinished = 300;
    run.seconds[79].failed = 0;
    run.seconds[80] = run.seconds[79];
    run.events.retain(|(when, _)| *when < at(81.0));
    run.events.push((
        at(80.5),
        Event::Warning {
            text: "The disk is nearly full.".into(),
        },
    ));
    let found = findings(&run.record());
    assert!(!found.complete);
    assert_eq!(found.verdict, Verdict::Failed);
    assert_eq!(found.phases.last().map(|p| p.to_s), Some(79.0));
    close(found.incident.recovered_censored_after_s, 8.7);
    assert_eq!(found.incident.verdict, "undetermined"); // 8.7 s are no hold window
    assert!(found.sentences.iter().any(|s| s.contains("incomplete")));
    assert!(found.sentences.iter().any(|s| s.contains("nearly full")));
    let mut interrupted = founding();
    interrupted.stop = Some(StopCause::Interrupted { signal: 2 });
    let found = findings(&interrupted.record());
    assert_eq!((found.complete, found.verdict), (false, Verdict::Failed));
    assert!(found.warnings[0].contains("signal 2"));
}

#[test]
fn an_empty_record_has_empty_findings() {
    let mut record = Run::steady().record();
    record.samples.clear();
    record.events.clear();
    let found = findings(&record);
    assert_eq!(found.phases.len(), 0);
    assert_eq!(found.conservation, Conservation::default());
    assert_eq!(found.verdict, Verdict::Failed);
}
