//! Percentiles that are not the target's: said nowhere without their mark.

use threadbare::analysis::compare::{Digest, Options, compare};
use threadbare::analysis::{Findings, findings};
use threadbare::model::SourceName;
use threadbare::record::{Backend, Counters, Measure, Record, Sample};
use threadbare::units::Nanos;

use super::builder::{GOOD, Run, Second, values};

const NOT_MEASURED: &str =
    "p99 was not measured, since more than a tenth of it is the generator's own lag";

/// Every operation slow from 20 s to 60 s, while a push acted; sent so late in the baseline,
/// and so late in the incident.
fn slowed(calm_lag_us: u64, slow_lag_us: u64) -> Findings {
    let calm = Second {
        lag_us: calm_lag_us,
        ..GOOD
    };
    let slow = Second {
        response_ms: 100,
        lag_us: slow_lag_us,
        ..GOOD
    };
    let run = Run::pushed_and_rolled_back();
    findings(&run.is(0, 100, calm).is(20, 60, slow).record())
}

#[test]
fn an_incident_says_no_p99_that_is_the_generators() {
    for (calm_lag_us, slow_lag_us, baseline, harm) in [
        (40, 40, false, false),
        // up to two milliseconds, and up to a tenth
        (1_990, 9_900, false, false),
        (2_100, 40, true, false),
        (40, 15_000, false, true),
    ] {
        let found = slowed(calm_lag_us, slow_lag_us);
        let case = format!("{calm_lag_us} {slow_lag_us}: {:?}", found.sentences);
        let of_baseline = found.baseline.unwrap();
        let of_harm = found.incident.harm.unwrap();
        assert!(of_harm.latency_alone, "{case}");
        assert_eq!(of_baseline.response_p99_marked, baseline, "{case}");
        assert_eq!(of_harm.response_p99_marked, harm, "{case}");
        let told = found.sentences.join("\n");
        assert_eq!(told.contains(NOT_MEASURED), baseline || harm, "{case}");
        assert_eq!(
            told.contains("p99 went from"),
            !(baseline || harm),
            "{case}"
        );
        let json = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<Findings>(&json).unwrap(), found);
    }
}

#[test]
fn a_calm_run_says_no_p99_that_is_the_generators() {
    for (lag_us, measured) in [(40, true), (2_100, false)] {
        let run = Run::steady().is(0, 100, Second { lag_us, ..GOOD });
        let told = findings(&run.record()).sentences.join("\n");
        assert_eq!(told.contains("99 % of them within"), measured, "{told}");
        assert_eq!(told.contains(NOT_MEASURED), !measured, "{told}");
    }
}

/// Of so few operations the largest may well be faster than one in a hundred is.
#[test]
fn a_p99_is_told_where_there_are_values_enough() {
    // In the 95 seconds after the warm-up: 285, and 380.
    for (offered, told) in [(3, false), (4, true)] {
        let mut run = Run::steady().is(0, 100, Second { offered, ..GOOD });
        run.plan.recovery.operations_min = 1;
        let mut record = run.record();
        // A simulation has no send lag of its own.
        record.header.backend = Backend::Live;
        let found = findings(&record);
        let sentences = found.sentences.join("\n");
        assert_eq!(sentences.contains("99 % of them"), told, "{sentences}");
        assert_eq!(found.measurement.send_lag_us.p99.is_some(), told);
        assert!(found.measurement.send_lag_us.p90.is_some());
        assert!(found.baseline.unwrap().response_p99_ms > 0.0);
    }
}

/// A steady run of one kind of operation, in which the generator had this part in 10 of each
/// 350 response times, and none in the others.
fn with_a_part_of_the_generators(own_us: u64) -> Record {
    let mut record = Run::steady().record();
    record.header.plan.kinds = vec!["look".into()];
    record.samples.edit(|samples| {
        let mut of_the_kind = Vec::new();
        for sample in &mut *samples {
            if sample.source == SourceName::User
                && matches!(sample.counters, Counters::Operations(_))
            {
                let own = values(10, Nanos::from_micros(own_us));
                sample.histograms.push((Measure::Own, own));
                let source = SourceName::of_kind(0);
                of_the_kind.push(Sample {
                    source,
                    ..sample.clone()
                });
            }
        }
        samples.extend(of_the_kind);
    });
    record
}

/// In a closed loop what the generator adds comes after the send.
#[test]
fn all_of_the_generators_part_marks_a_percentile() {
    for (own_us, marked) in [(0, false), (1_900, false), (2_100, true)] {
        let record = with_a_part_of_the_generators(own_us);
        let found = findings(&record);
        let kind = found.kinds[0].figures.response_ms.marked;
        assert_eq!((kind.p50, kind.p99), (false, marked), "{own_us}");
        let run = [Digest::of("run", &record, &found)];
        let comparison = compare(&run, &run, &Options::default());
        let mut rows = comparison.figures.iter();
        let p99 = rows.find(|it| it.figure == "response p99" && it.phase.is_none());
        let why = &p99.unwrap().why;
        assert_eq!(why.contains("the generator's own lag"), marked, "{why}");
        let marks = found.phases[0].response_ms.marked;
        assert_eq!((marks.p50, marks.p99), (false, marked), "{own_us}");
        assert_eq!(found.baseline.unwrap().response_p99_marked, marked);
    }
}
