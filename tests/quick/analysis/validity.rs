//! Measurements that are invalid, records that are not whole.

use threadbare::analysis::{Conservation, Validity, Verdict, findings};
use threadbare::model::SourceName;
use threadbare::plan::{Bound, Figure};
use threadbare::record::{Backend, Counters, Event, InstanceCounters, Measure, Record, StopCause};
use threadbare::units::Nanos;

use super::builder::{GOOD, Run, SECOND, Second, at, close, expect, founding};

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
            "short of CPU: 97 %",
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
fn what_the_breaker_shed_is_the_clients_doing_and_no_fault_of_the_generator() {
    // In one bucket five were shed, so many of them by the breaker.
    let found = |by_breaker: u64| {
        let mut record = Run::steady()
            .is(50, 51, Second { shed: 5, ..GOOD })
            .record();
        record.samples.edit(|samples| {
            for sample in samples {
                if let Counters::Operations(counters) = &mut sample.counters {
                    counters.shed_by_breaker = counters.shed.min(by_breaker);
                }
            }
        });
        findings(&record)
    };
    let all = found(5);
    assert_eq!(all.measurement.validity, Validity::Valid);
    assert_eq!(
        (all.conservation.shed, all.conservation.shed_by_breaker),
        (5, 5)
    );
    let some = found(3).measurement;
    assert_eq!(some.validity, Validity::Invalid);
    assert!(
        some.reasons[0].contains("shed 2 operations"),
        "{:?}",
        some.reasons
    );
    // More by the breaker than in all is no record of ours.
    let mut record = Run::steady().record();
    record.samples.edit(|samples| {
        for sample in samples {
            if let Counters::Operations(counters) = &mut sample.counters {
                counters.shed_by_breaker = 1;
            }
        }
    });
    let reasons = findings(&record).measurement.reasons;
    assert!(reasons[0].contains("bug of threadbare"), "{reasons:?}");
}

#[test]
fn a_record_that_does_not_add_up_is_invalid() {
    let mut record = founding().record();
    assert_eq!(findings(&record).measurement.validity, Validity::Valid);
    record.samples.edit(|samples| {
        let lost = samples.iter_mut().find_map(|s| match &mut s.counters {
            Counters::Operations(counters) => Some(&mut counters.scheduled),
            _ => None,
        });
        *lost.unwrap() += 1;
    });
    let found = findings(&record);
    assert_eq!(found.verdict, Verdict::Invalid);
    assert!(found.measurement.reasons[0].contains("bug of threadbare"));
    let mut record = founding().record();
    record.samples.edit(|samples| {
        for sample in samples {
            if let Counters::Attempts(counters) = &mut sample.counters
                && sample.from == Nanos(40 * SECOND)
            {
                counters.cancelled += 1;
            }
        }
    });
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
    assert_eq!(found.incident.verdict.word(), "undetermined"); // 8.7 s are no hold window
    assert!(found.sentences.iter().any(|s| s.contains("incomplete")));
    assert!(found.sentences.iter().any(|s| s.contains("nearly full")));
    let mut interrupted = founding();
    interrupted.stop = Some(StopCause::Interrupted { signal: 2 });
    let found = findings(&interrupted.record());
    assert_eq!((found.complete, found.verdict), (false, Verdict::Failed));
    assert!(found.warnings[0].contains("SIGINT"));
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

#[test]
fn what_was_not_measured_is_no_zero_and_not_valid() {
    let live = || {
        let mut record = Run::steady().record();
        record.header.backend = Backend::Live;
        record
    };
    let found = findings(&live());
    assert_eq!(found.measurement.validity, Validity::Valid);
    close(found.measurement.generator_busy, 0.1);
    close(found.measurement.machine_steal, 0.0);
    let mut record = live();
    record.samples.edit(|samples| {
        for sample in samples {
            let histograms = &mut sample.histograms;
            histograms.retain(|(measure, _)| *measure != Measure::SendLag);
        }
    });
    let reasons = findings(&record).measurement.reasons;
    assert!(reasons[0].contains("lacks the send lag after"));
    for (source, what) in [
        ("generator", "the generator's threads"),
        ("machine", "the machine"),
    ] {
        let mut record = live();
        record
            .samples
            .retain(|sample| sample.source != source.into());
        let found = findings(&record);
        assert_eq!(found.verdict, Verdict::Invalid, "{source}");
        assert!(found.measurement.reasons[0].contains(&format!("the use of {what} after")));
        let measurement = &found.measurement;
        assert_eq!(measurement.generator_busy.is_none(), source == "generator");
        assert_eq!(measurement.machine_busy_max.is_none(), source == "machine");
        assert_eq!(measurement.machine_steal.is_none(), source == "machine");
        // A simulation has neither.
        record.header.backend = Backend::Sim;
        assert_eq!(findings(&record).measurement.validity, Validity::Valid);
    }
}

/// Changes the counters of `instance-2` in one second.
fn second_instance(record: &mut Record, second: u64, change: impl FnOnce(&mut InstanceCounters)) {
    record.samples.edit(|samples| {
        let sample = samples
            .iter_mut()
            .find(|s| s.source == SourceName::Instance(2) && s.from == Nanos(second * SECOND));
        match &mut sample.unwrap().counters {
            Counters::Instance(counters) => change(counters),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn jobs_that_do_not_add_up_are_invalid_unless_an_instance_was_killed() {
    let balanced = || {
        let mut record = Run::steady().record();
        second_instance(&mut record, 40, |counters| {
            (counters.enqueued, counters.finished, counters.lost) = (100, 60, 7);
            (counters.waiting, counters.running) = (30, 3); // a level: only the last counts
        });
        second_instance(&mut record, 99, |counters| {
            (counters.expired, counters.waiting, counters.running) = (28, 4, 1);
        });
        record
    };
    assert_eq!(findings(&balanced()).measurement.validity, Validity::Valid);
    let mut record = balanced();
    second_instance(&mut record, 40, |counters| counters.finished -= 1);
    let found = findings(&record);
    assert_eq!(found.verdict, Verdict::Invalid);
    let reason = &found.measurement.reasons[0];
    assert!(
        reason.contains("`instance-2` 100 were enqueued and 99 are accounted for"),
        "{reason}"
    );
    for (event, tolerated) in [
        (
            warning("instance-2 gave no final counters: broken pipe"),
            true,
        ),
        (died("instance-2"), true),
        (
            warning("instance-20 gave no final counters: broken pipe"),
            false,
        ),
        (died("instance-1"), false),
    ] {
        let mut record = record.clone();
        record.events.insert(1, (at(41.0), event));
        let found = findings(&record);
        let valid = found.measurement.validity == Validity::Valid;
        assert_eq!(valid, tolerated);
        let told = |warning: &String| warning.starts_with("The jobs of instance-2 do not add up");
        assert_eq!(found.warnings.iter().any(told), tolerated);
    }
    // A run that was interrupted is not asked.
    record.events.pop();
    let cause = StopCause::Interrupted { signal: 2 };
    record.events.push((at(103.0), Event::RunEnded { cause }));
    assert_eq!(findings(&record).measurement.validity, Validity::Valid);
}

fn warning(text: &str) -> Event {
    Event::Warning { text: text.into() }
}

fn died(source: &str) -> Event {
    Event::Died {
        source: source.into(),
        status: "signal 9".into(),
    }
}

#[test]
fn a_drain_that_was_too_short_leaves_the_last_buckets_out() {
    let mut run = Run::steady();
    let pending = Second {
        unfinished: 20,
        ..GOOD
    };
    run = run.is(97, 100, pending);
    run.plan.drain = Nanos::from_secs(1);
    let found = findings(&run.clone().record());
    assert!(found.complete);
    // Deadlines of 2 s have passed at 101 s for what was scheduled before 99 s.
    assert_eq!(found.phases.last().map(|p| p.to_s), Some(99.0));
    assert!(found.warnings[0].contains("figures cover 99.0 s of 100.0 s"));
    run.plan.drain = Nanos::from_secs(3);
    let found = findings(&run.record());
    assert_eq!(found.phases.last().map(|p| p.to_s), Some(100.0));
    assert_eq!(found.warnings.len(), 0);
}

#[test]
fn a_record_cut_off_ends_at_the_first_bucket_that_is_missing() {
    let mut record = Run::steady().record();
    record.events.pop();
    assert_eq!(findings(&record).phases.last().map(|p| p.to_s), Some(100.0));
    record.samples.retain(|sample| {
        let operations = matches!(sample.counters, Counters::Operations(_));
        !(operations && sample.from == Nanos(70 * SECOND))
    });
    assert_eq!(findings(&record).phases.last().map(|p| p.to_s), Some(70.0));
}
