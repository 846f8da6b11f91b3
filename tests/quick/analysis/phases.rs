//! Phases, exhaustion windows and the series, where the edges are known.

use threadbare::analysis::{findings, series};
use threadbare::model::{Shape, SourceName};
use threadbare::record::{Counters, Sample};
use threadbare::units::Nanos;

use super::builder::{
    GOOD, OUT, Run, SECOND, Second, admit, applied, close, founding_findings, instance_counters,
    push,
};

#[test]
fn phases_begin_where_actions_began_on_edges_of_the_buckets() {
    let found = founding_findings();
    let edges: Vec<(&str, f64, f64)> = found
        .phases
        .iter()
        .map(|phase| (phase.name.as_str(), phase.from_s, phase.to_s))
        .collect();
    assert_eq!(
        edges,
        [
            ("baseline", 5.0, 20.0),
            ("push", 20.0, 61.0), // the straddling bucket stays with the earlier phase
            ("rollback refused", 61.0, 66.0),
            ("monitors off", 66.0, 70.0),
            ("rollback", 70.0, 86.0), // 20 ms behind an edge is on it
            ("restart", 86.0, 90.0),
            ("45 %", 90.0, 93.0),
            ("100 %", 93.0, 120.0),
        ]
    );
    let [baseline, push, ..] = &found.phases[..] else {
        panic!("two phases")
    };
    assert_eq!(
        (baseline.offered_per_s, baseline.goodput_per_s),
        (350.0, 350.0)
    );
    close(baseline.saturation, 0.3);
    close(baseline.attempts_per_operation, 1.0);
    close(baseline.probes_per_operation, 10.0 / 350.0);
    close(baseline.response_ms.p99.map(f64::round), 12.0);
    assert_eq!(push.goodput_per_s, 0.0);
    close(push.error_share, 1.0);
    close(push.attempts_per_operation, 1365.0 / 350.0);
    close(push.queue_depth.mean, 4000.0);
    assert_eq!(push.queue_depth.max, Some(4000));
    assert_eq!(push.response_ms.p99, None);
    close(push.zombie_share, 0.7);
}

#[test]
fn actions_in_one_bucket_make_one_phase_and_an_early_first_action_no_baseline() {
    let found = findings(
        &Run::steady()
            .act(30.5, 30.6, push(), "push", applied())
            .act(30.7, 30.8, admit("45 %"), "less", applied())
            .act(30.9, 30.9, admit("40 %"), "still less", applied())
            .record(),
    );
    let edges: Vec<_> = found
        .phases
        .iter()
        .map(|p| (p.name.as_str(), p.to_s))
        .collect();
    assert_eq!(edges, [("baseline", 30.0), ("still less", 100.0)]);
    let early = findings(
        &Run::steady()
            .act(3.0, 3.1, push(), "push", applied())
            .record(),
    );
    assert_eq!(early.phases.len(), 1);
    assert_eq!(
        (early.phases[0].name.as_str(), early.phases[0].from_s),
        ("push", 5.0)
    );
    assert_eq!(early.baseline, None);
    assert_eq!(early.incident.verdict.word(), "undetermined");
}

#[test]
fn exhaustion_needs_busy_workers_and_a_queue() {
    let busy_only = Second {
        saturation: 1.0,
        ..GOOD
    };
    let queue_only = Second {
        saturation: 0.98,
        depth: 3,
        ..GOOD
    };
    let mut run = Run::steady()
        .is(30, 40, OUT)
        .is(35, 36, queue_only)
        .is(50, 60, busy_only);
    run.seconds[2] = OUT; // warm-up counts in no figure
    let found = findings(&run.record());
    let windows: Vec<_> = found
        .exhaustion
        .iter()
        .map(|w| (w.instance.to_string(), w.from_s, w.to_s))
        .collect();
    assert_eq!(windows.len(), 8);
    assert_eq!(windows[0], ("instance-1".into(), 30.0, 35.0));
    assert_eq!(windows[7], ("instance-4".into(), 36.0, 40.0));
}

#[test]
fn two_processes_of_an_instance_share_a_bucket() {
    let mut record = Run::steady().record();
    let place = record
        .samples
        .iter()
        .position(|s| s.source == SourceName::Instance(2) && s.from == Nanos(50 * SECOND))
        .unwrap();
    let whole = record.samples.iter().nth(place).unwrap();
    let half = |from: u64, to: u64, saturation: f64| Sample {
        from: Nanos(50 * SECOND + from * SECOND / 10),
        to: Nanos(50 * SECOND + to * SECOND / 10),
        counters: Counters::Instance(instance_counters(
            &Second { saturation, ..GOOD },
            (to - from) * SECOND / 10,
        )),
        ..whole.clone()
    };
    record
        .samples
        .edit(|samples| samples[place] = half(0, 3, 1.0));
    record.samples.push(half(8, 10, 0.5)); // the new process, read last
    let table = series(&record);
    let bucket = &table.buckets[50];
    let instance = bucket.instances[1].unwrap();
    assert_eq!(table.instances[1], SourceName::Instance(2));
    assert_eq!(instance.covered_ns, SECOND / 2);
    close(instance.saturation(), (0.3 + 0.1) / 0.5);
}

#[test]
fn phases_are_cut_where_the_load_surges() {
    let rate = |per_second: &str| Shape::Constant(per_second.parse().unwrap());
    let mut run = Run::steady().act(30.0, 30.1, admit("45 %"), "surge", applied());
    run = run.act(50.4, 50.5, admit("100 %"), "more", applied());
    run.plan.load.rate = vec![
        (Nanos::ZERO, rate("350/s")),
        (Nanos::from_millis(20_500), rate("500/s")),
        (Nanos::from_millis(50_100), rate("350/s")),
    ];
    let edges: Vec<_> = findings(&run.record())
        .phases
        .iter()
        .map(|phase| (phase.name.clone(), phase.from_s))
        .collect();
    let expected = [
        ("baseline", 5.0),
        ("surge 2", 20.0), // the first change takes its bucket, and its name is taken
        ("surge", 30.0),
        // A tenth behind an edge is on it; the action in the same bucket names it.
        ("more", 50.0),
    ];
    let expected = expected.map(|(name, from)| (name.to_owned(), from));
    assert_eq!(edges, expected);
}
