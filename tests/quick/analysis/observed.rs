//! The user's target: its gauges, its process, and what is inferred
//! where it publishes nothing, from records whose answers are known.

use threadbare::analysis::{Findings, findings};
use threadbare::plan::{Bound, Figure};
use threadbare::record::{
    AttemptCounters, Counters, Event, GaugeCounters, GeneratorCounters, MachineCounters, Measure,
    OperationCounters, ProcessCounters, Record,
};
use threadbare::units::Nanos;

use super::builder::{Run, SECOND, admit, applied, close, expect, sample, values};

/// What one second of a load on the user's target was.
#[derive(Debug, Clone, Copy)]
pub(super) struct Second {
    /// Asked for.
    pub(super) asked: u64,
    /// Answered.
    pub(super) answered: u64,
    /// Requests in flight at its end.
    pub(super) in_flight: u64,
    /// Service time of what was answered.
    pub(super) service_ms: u64,
}

/// A record of a load on the user's target.
pub(super) fn record(run: Run, seconds: &[Second]) -> Record {
    let mut record = run.record();
    record.samples.clear();
    record.header.plan.fleet = None;
    record.header.plan.warm_up = Nanos::ZERO;
    record.header.plan.end = Nanos(seconds.len() as u64 * SECOND);
    let mut before = 0;
    for (index, second) in seconds.iter().enumerate() {
        // What is in flight follows from what began and what ended: where the
        // figures of a second leave something over, it timed out or began too.
        let (come, gone) = (before + second.asked, second.answered + second.in_flight);
        before = second.in_flight;
        let mut add = |source: &str, counters, histograms| {
            record
                .samples
                .push(sample(index as u64, source, counters, histograms));
        };
        let service = values(second.answered, Nanos::from_millis(second.service_ms));
        let users = AttemptCounters {
            first_tries: second.asked + gone.saturating_sub(come),
            timeouts: come.saturating_sub(gone),
            responses: second.answered,
            status_2xx: second.answered,
            in_flight: second.in_flight,
            ..AttemptCounters::default()
        };
        let operations = OperationCounters {
            scheduled: second.asked,
            succeeded: second.asked,
            ..OperationCounters::default()
        };
        let generator = GeneratorCounters {
            threads: 1,
            cpu_ns: SECOND / 10,
            scheduled: second.asked,
            ..GeneratorCounters::default()
        };
        let machine = MachineCounters {
            total_ns: 2 * SECOND,
            busy_ns: SECOND / 2,
            ..MachineCounters::default()
        };
        let lag = values(second.asked, Nanos::from_micros(40));
        add("user", Counters::Operations(operations), Vec::new());
        add(
            "user",
            Counters::Attempts(users),
            vec![(Measure::Service, service), (Measure::SendLag, lag)],
        );
        add("generator", Counters::Generator(generator), Vec::new());
        add("machine", Counters::Machine(machine), Vec::new());
    }
    record
}

/// Two readings of a server with four workers.
pub(super) fn gauges(busy: u64, queue: u64) -> GaugeCounters {
    GaugeCounters {
        readings: 2,
        busy_readings: 2,
        busy_milli: 2000 * busy,
        busy_milli_max: 1000 * busy,
        workers_readings: 2,
        workers_milli: 8000,
        queue_readings: 2,
        queue_milli: 2000 * queue,
        queue_milli_max: 1000 * queue,
        ..GaugeCounters::default()
    }
}

pub(super) const CALM: Second = Second {
    asked: 6,
    answered: 6,
    in_flight: 2,
    service_ms: 300,
};

pub(super) fn with(
    mut record: Record,
    source: &str,
    each: impl Fn(u64) -> Option<Counters>,
) -> Record {
    for index in 0..record.header.plan.end.0 / SECOND {
        if let Some(counters) = each(index) {
            record
                .samples
                .push(sample(index, source, counters, Vec::new()));
        }
    }
    record
}

#[test]
fn gauges_are_told_by_phase_and_source_and_exhaustion_is_marked_as_known_from_points() {
    let run = Run::steady().act(10.0, 10.001, admit("100 %"), "more", applied());
    let mut record = record(run, &[CALM; 30]);
    let expectations = [
        expect(Figure::Saturation, Some("more"), Bound::AtLeast(0.99)),
        expect(Figure::QueueDepthMax, Some("more"), Bound::AtMost(7.0)),
        expect(
            Figure::ExhaustedInstances,
            Some("more"),
            Bound::AtLeast(1.0),
        ),
        expect(Figure::Saturation, Some("baseline"), Bound::AtMost(0.5)),
    ];
    record.header.plan.expectations = expectations.to_vec();
    // Busy from 10 s on, with a second in which nothing could be read.
    let record = with(record, "puma", |index| match index {
        20 => Some(Counters::Gauges(GaugeCounters {
            failed: 2,
            ..GaugeCounters::default()
        })),
        10.. => Some(Counters::Gauges(gauges(4, 7))),
        _ => Some(Counters::Gauges(gauges(2, 0))),
    });
    // Another source that tells no queue: full, and not known to be exhausted.
    let record = with(record, "tomcat", |_| {
        Some(Counters::Gauges(GaugeCounters {
            queue_readings: 0,
            workers_stated: 2,
            ..gauges(4, 0)
        }))
    });
    let found = findings(&record);
    let [baseline, more] = &found.phases[..] else {
        panic!("{:?}", found.phases);
    };
    assert_eq!(baseline.saturation, None); // the fleet's, which there is none of
    let puma = &more.gauges[0];
    assert_eq!(
        (puma.source.to_string().as_str(), puma.readings, puma.failed),
        ("puma", 38, 2)
    );
    close(puma.busy, 4.0);
    close(puma.workers, 4.0);
    close(puma.saturation, 1.0);
    close(puma.queue, 7.0);
    assert!(!puma.workers_stated);
    close(baseline.gauges[0].saturation, 0.5);
    let tomcat = &more.gauges[1];
    assert!(tomcat.workers_stated && tomcat.queue.is_none() && tomcat.queue_max.is_none());
    let windows: Vec<_> = found
        .exhaustion
        .iter()
        .map(|it| {
            (
                it.instance.to_string(),
                it.from_s,
                it.to_s,
                it.point_samples,
            )
        })
        .collect();
    assert_eq!(
        windows,
        [
            ("puma".into(), 10.0, 20.0, true),
            ("puma".into(), 21.0, 30.0, true)
        ]
    );
    // Tomcat tells no queue, so whether it was exhausted is not known.
    assert_eq!(found.instances, 1);
    let passed: Vec<_> = found.expectations.iter().map(|it| it.passed).collect();
    // The highest saturation counts, and tomcat was full in the baseline too.
    assert_eq!(passed, [Some(true), Some(true), Some(true), Some(false)]);
    let back: Findings = serde_json::from_str(&serde_json::to_string(&found).unwrap()).unwrap();
    assert_eq!(back, found);
}

#[test]
fn a_process_is_told_by_phase_and_its_listen_queue_stands_in_for_a_queue() {
    let mut base = record(Run::steady(), &[CALM; 20]);
    base.header.plan.expectations = vec![expect(
        Figure::QueueDepthMax,
        Some("baseline"),
        Bound::AtMost(35.0),
    )];
    let record = with(base, "gunicorn", |index| {
        Some(Counters::Process(ProcessCounters {
            readings: 2,
            covered_ns: SECOND,
            cpu_ns: SECOND / 4,
            processes: 10,
            threads: 12,
            threads_max: 6 + index / 19,
            files_readings: 1,
            files: 40,
            files_max: 40,
            listen_readings: 2,
            listen_queue: 72,
            listen_queue_max: 36,
            ..ProcessCounters::default()
        }))
    });
    let found = findings(&record);
    let process = &found.phases[0].processes[0];
    close(process.processes, 5.0);
    close(process.threads, 6.0);
    assert_eq!(
        (process.threads_max, process.files_max),
        (Some(7), Some(40))
    );
    close(process.processors, 0.25);
    close(process.files, 40.0);
    close(process.listen_queue, 36.0);
    assert_eq!(found.expectations[0].passed, Some(false));
    assert_eq!(found.expectations[0].observed, "36");
    assert!(found.exhaustion.is_empty()); // nobody knows how many workers were busy
}

/// Seconds of an overload: more in flight each second, completions stay.
fn overload(capacity: u64, service_ms: u64) -> Vec<Second> {
    let mut seconds = vec![CALM; 20];
    seconds.extend((1..=20).map(|index| Second {
        asked: 3 * capacity,
        answered: capacity,
        in_flight: 2 * capacity * index,
        service_ms: service_ms * (1 + index),
    }));
    seconds
}

#[test]
fn capacity_and_workers_are_inferred_from_a_plateau() {
    // Four workers of 300 ms each, asked for three times what they can do.
    let record = record(Run::steady(), &overload(40, 100));
    let found = findings(&record);
    let capacity = found.inferred_capacity.clone().unwrap();
    close(Some(capacity.per_s.value), 40.0);
    assert!((capacity.per_s.low, capacity.per_s.high) == (40.0, 40.0));
    close(
        capacity.service_ms.map(|ms| (ms * 10.0).round() / 10.0),
        300.0,
    );
    let workers = capacity.workers.unwrap();
    assert!((workers.value - 12.0).abs() < 0.05, "{workers:?}"); // 40/s × 0.3 s
    assert_eq!(capacity.buckets, 20);
    close(
        found.phases[0].saturation_inferred,
        (20.0 * 6.0 + 20.0 * 40.0) / 40.0 / 40.0,
    );
    assert!(
        found
            .sentences
            .iter()
            .any(|it| it.starts_with("Inferred, not measured"))
    );
    assert_eq!(findings(&record), found); // the same record, the same interval
}

#[test]
fn an_inferred_capacity_carries_its_uncertainty() {
    let mut seconds = overload(400, 30);
    for (index, second) in seconds.iter_mut().enumerate().skip(20) {
        // 5 % to either side, by a rule that has no trend.
        second.answered = if index % 2 == 0 { 380 } else { 420 };
    }
    let found = findings(&record(Run::steady(), &seconds));
    let per_s = found.inferred_capacity.unwrap().per_s;
    assert!(per_s.low <= 400.0 && 400.0 <= per_s.high, "{per_s:?}");
    assert!(
        per_s.low < per_s.high && per_s.high - per_s.low < 40.0,
        "{per_s:?}"
    );
}

#[test]
fn nothing_is_inferred_where_no_plateau_was_seen() {
    // A target that became ten times slower and still answers all that is asked.
    let slower = Second {
        in_flight: 180,
        service_ms: 3000,
        asked: 60,
        answered: 60,
    };
    let calm = Second {
        in_flight: 18,
        service_ms: 300,
        ..slower
    };
    let mut seconds = vec![calm; 20];
    seconds.extend([slower; 20]);
    // One that froze for ten seconds.
    let mut frozen = vec![calm; 40];
    for (index, second) in frozen.iter_mut().enumerate().skip(20).take(10) {
        second.answered = 0;
        second.in_flight = 18 + 60 * (index as u64 - 19);
    }
    // An overload of which only one level in flight was seen.
    let mut narrow = overload(40, 100);
    for second in &mut narrow[20..] {
        second.in_flight = 400;
    }
    narrow.drain(..20);
    for (name, seconds) in [
        ("slower", seconds),
        ("frozen", frozen),
        ("narrow", narrow),
        ("calm", vec![CALM; 40]),
        ("empty", Vec::new()),
    ] {
        let found = findings(&record(Run::steady(), &seconds));
        assert_eq!(found.inferred_capacity, None, "{name}");
    }
    // The built-in fleet is measured: nothing is inferred beside it.
    let measured = findings(&Run::steady().record());
    assert_eq!(measured.inferred_capacity, None);
}

#[test]
fn a_failed_reading_is_counted_by_its_cause() {
    let failed = Event::ScrapeFailed {
        source: "puma".into(),
        cause: "failed to read the page: no answer in time".into(),
    };
    let run = Run::steady().event(3.0, failed.clone()).event(4.0, failed);
    let found = findings(&record(run, &[CALM; 20]));
    let [failures] = &found.scrape_failures[..] else {
        panic!("{:?}", found.scrape_failures);
    };
    assert_eq!(
        (failures.source.to_string().as_str(), failures.count),
        ("puma", 2)
    );
}
