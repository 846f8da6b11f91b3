//! What holds for every record: totality, conservation, the recovery instant.

use proptest::prelude::*;
use threadbare::analysis::{Validity, findings};
use threadbare::model::ServiceAction;
use threadbare::plan::Action;
use threadbare::record::{Counters, Event, Outcome, Record, Sample, StopCause};
use threadbare::units::Nanos;

use super::builder::{GOOD, OUT, Run, SECOND, Second, admit, applied, push, rejected};

const KINDS: [&str; 9] = [
    "operations",
    "attempts",
    "generator",
    "instance",
    "balancer",
    "identity",
    "machine",
    "gauges",
    "process",
];

fn any_sample() -> impl Strategy<Value = Sample> {
    let value = || prop_oneof![0..1000u64, 0..200 * SECOND, any::<u64>()];
    (
        prop::sample::select(&KINDS[..]),
        prop::sample::select(&["user", "monitor", "instance-1", "instance-2"][..]),
        value(),
        value(),
        prop::collection::vec(value(), 16),
    )
        .prop_map(|(kind, source, from, to, values)| {
            let mut counters = Counters::of_kind(kind).unwrap();
            for ((name, _), value) in counters.rows().into_iter().zip(values) {
                counters.merge_row(name, value);
            }
            Sample {
                from: Nanos(from),
                to: Nanos(to),
                source: source.into(),
                counters,
                histograms: Vec::new(),
            }
        })
}

fn any_event() -> impl Strategy<Value = Event> {
    let action = prop::sample::select(vec![
        push(),
        Action::Service(ServiceAction::Rollback),
        admit("45 %"),
        Action::Service(ServiceAction::Restart { pause: None }),
    ]);
    let outcome = prop::sample::select(vec![
        applied(),
        rejected(),
        Outcome::Failed {
            reason: "no".into(),
        },
    ]);
    prop_oneof![
        (0..20usize, action).prop_map(|(entry, action)| Event::ActionStarted { entry, action }),
        (0..20usize, outcome).prop_map(|(entry, outcome)| Event::ActionEnded { entry, outcome }),
        Just(Event::AlertFired { alert: "a".into() }),
        Just(Event::RunEnded {
            cause: StopCause::Completed
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Whatever a record holds, analysis ends with findings that can be written.
    #[test]
    fn analysis_is_total(
        samples in prop::collection::vec(any_sample(), 0..60),
        events in prop::collection::vec((prop_oneof![0..200 * SECOND, any::<u64>()], any_event()), 0..30),
        interval in prop_oneof![Just(0), Just(SECOND), any::<u64>()],
        end in prop_oneof![Just(100 * SECOND), any::<u64>()],
        warm_up in prop_oneof![Just(5 * SECOND), any::<u64>()],
    ) {
        let mut record: Record = Run::steady().record();
        record.samples.extend(samples);
        record.events = events.into_iter().map(|(at, event)| (Nanos(at), event)).collect();
        record.header.plan.interval = Nanos(interval);
        record.header.plan.end = Nanos(end);
        record.header.plan.warm_up = Nanos(warm_up);
        let found = findings(&record);
        prop_assert!(serde_json::to_string(&found).is_ok());
        prop_assert!(found.sentences.iter().all(|sentence| !sentence.contains("NaN")));
    }

    /// Conservation is exact, and phases hold every operation after the warm-up once.
    #[test]
    fn nothing_is_lost_between_record_and_findings(
        seconds in prop::collection::vec((0..400u64, 0..100u64, 0..100u64), 100),
        actions in prop::collection::vec(0.0..110.0f64, 0..10),
    ) {
        let mut run = Run::steady();
        run.seconds = seconds
            .iter()
            .map(|(good, failed, unfinished)| Second {
                offered: good + failed + unfinished,
                failed: *failed,
                unfinished: *unfinished,
                ..GOOD
            })
            .collect();
        for when in actions {
            run = run.act(when, when, admit("50 %"), "phase", applied());
        }
        let found = findings(&run.clone().record());
        let all: u64 = run.seconds.iter().map(|s| s.offered).sum();
        prop_assert_eq!(found.conservation.scheduled, all);
        prop_assert_eq!(found.measurement.validity, Validity::Valid);
        let after_warm_up: u64 = run.seconds[5..].iter().map(|s| s.offered).sum();
        let in_phases: f64 = found.phases.iter().map(|p| p.offered_per_s * (p.to_s - p.from_s)).sum();
        prop_assert!((in_phases - after_warm_up as f64).abs() < 0.01);
    }

    /// The recovery instant of a target that recovers at a known one: one bucket at most.
    #[test]
    fn recovery_is_found_to_within_one_bucket(instant in 60.5..89.0f64) {
        let last = instant as usize;
        let part = ((instant.fract()) * 350.0).round() as u64;
        let run = Run::pushed_and_rolled_back()
            .is(60, last, OUT)
            .is(last, last + 1, Second { failed: part, ..GOOD });
        let found = findings(&run.record());
        let recovered = found.incident.recovered_s.unwrap();
        prop_assert!((recovered - instant).abs() <= 1.0, "{} for {}", recovered, instant);
    }
}
