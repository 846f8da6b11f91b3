//! Failures by cause: counted in the record, found by analysis, written in every report.

use std::fmt::Write as _;

use threadbare::analysis::findings;
use threadbare::model::{FailureCause, SourceName, Unanswered};
use threadbare::plan::Plan;
use threadbare::record::{
    AcceptQueueCounters, Backend, Counters, Event, FailureCounters, FirstFailure, Header,
    MemoryRecorder, Observer as _, Sample,
};
use threadbare::units::Nanos;

use crate::documented::documented;

const SECOND: Nanos = Nanos::from_secs(1);

#[test]
fn the_terms_have_every_cause() {
    let mut table = String::from("| cause | counted as | what happened |\n|---|---|---|\n");
    for cause in FailureCause::ALL {
        let counted = match cause.counted() {
            Some(Unanswered::TimedOut) => "timed out",
            Some(Unanswered::Connection) => "connection failed",
            Some(Unanswered::Protocol) => "not HTTP",
            None => "by the answer",
        };
        let _ = writeln!(
            table,
            "| `{}` | {counted} | {} |",
            cause.word(),
            cause.clause()
        );
    }
    documented(
        "docs/TERMS.md",
        "causes",
        &table,
        "cargo nextest run --test quick failures",
    );
}

fn sample(second: u64, source: SourceName, causes: &[(FailureCause, u64)]) -> Sample {
    let mut counters = FailureCounters::default();
    for (cause, count) in causes {
        for _ in 0..*count {
            counters.count(*cause);
        }
    }
    Sample {
        from: Nanos::from_secs(second),
        to: Nanos::from_secs(second) + SECOND,
        source,
        counters: Counters::Failures(counters),
        histograms: Vec::new(),
    }
}

fn first(at: Nanos, cause: FailureCause, status: Option<u16>, example: &str) -> Event {
    Event::FirstFailure(FirstFailure {
        at,
        source: SourceName::User,
        cause,
        status,
        example: example.into(),
    })
}

#[test]
fn counts_add_up_and_the_first_of_each_is_kept() {
    use FailureCause::{NoAnswer, NoPort, Refused, ServerError};

    let mut recorder = MemoryRecorder::default();
    recorder.event(Nanos::ZERO, &Event::LoadStarted);
    for (at, event) in [
        (
            3,
            first(Nanos::from_millis(2_900), ServerError, Some(503), "busy"),
        ),
        (
            4,
            first(Nanos::from_millis(3_100), ServerError, Some(500), ""),
        ),
        (4, first(Nanos::from_millis(3_200), NoAnswer, None, "")),
    ] {
        recorder.event(Nanos::from_secs(at), &event);
    }
    for taken in [
        sample(2, SourceName::User, &[(ServerError, 2)]),
        sample(3, SourceName::User, &[(ServerError, 1), (NoAnswer, 7)]),
        sample(3, SourceName::Monitor, &[(Refused, 4)]),
        sample(5, SourceName::User, &[(NoPort, 1)]),
    ] {
        recorder.sample(&taken);
    }
    let record = recorder.into_record(Header::new(Plan::default(), Backend::Live));
    let found = findings(&record);
    let told: Vec<_> = found
        .failures
        .iter()
        .map(|it| (it.source.as_str(), it.cause, it.count, it.first_s))
        .collect();
    assert_eq!(
        told,
        [
            ("user", NoAnswer, 7, 3.2),
            ("user", ServerError, 3, 2.9),
            // The journal has none: the end of the interval that counts it.
            ("user", NoPort, 1, 6.0),
            ("monitor", Refused, 4, 4.0),
        ]
    );
    let examples: Vec<_> = found.failures[1]
        .examples
        .iter()
        .map(|it| (it.status, it.seen.as_str()))
        .collect();
    assert_eq!(examples, [(Some(503), "busy"), (Some(500), "")]);
    // What this machine lacked is no failure of the target.
    assert!(
        found
            .measurement
            .reasons
            .iter()
            .any(|reason| reason.contains("1 with no local port free on this machine")),
        "{:?}",
        found.measurement.reasons
    );
}

/// The kernel counts those that it turns away for all ports of the machine together.
#[test]
fn a_queue_is_full_where_somebody_waited_in_it() {
    use FailureCause::{ConnectTimedOut, NoAnswer};

    for (late, unanswered, waiting_max, overflows, told) in [
        (
            2,
            3,
            8,
            57,
            "2 attempts could not connect in time: the accept queue was full for up to 1.0 s (at \
             most 8 waiting when read, 57 turned away by the kernel); 3 connected and were not \
             answered in time.",
        ),
        (
            1,
            1,
            8,
            0,
            "1 attempt could not connect in time (accept queue: at most 8 waiting when read); 1 \
             connected and was not answered in time.",
        ),
        (
            1,
            0,
            0,
            57,
            "1 attempt could not connect in time; 0 connected and were not answered in time.",
        ),
    ] {
        let mut recorder = MemoryRecorder::default();
        recorder.event(Nanos::ZERO, &Event::LoadStarted);
        let failed = [(ConnectTimedOut, late), (NoAnswer, unanswered)];
        recorder.sample(&sample(2, SourceName::User, &failed));
        let counters = AcceptQueueCounters {
            readings: 1,
            waiting: waiting_max,
            waiting_max,
            overflows,
            drops: overflows,
            full_ns: if overflows > 0 { SECOND.0 } else { 0 },
        };
        recorder.sample(&Sample {
            counters: Counters::AcceptQueue(counters),
            ..sample(2, SourceName::Machine, &[])
        });
        let record = recorder.into_record(Header::new(Plan::default(), Backend::Live));
        assert_eq!(findings(&record).not_taken().as_deref(), Some(told));
    }
}
