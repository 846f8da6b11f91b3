//! Frames: from samples that come late, from several threads, in any order.

use threadbare::console::{Frame, Frames};
use threadbare::model::SourceName;
use threadbare::plan::Plan;
use threadbare::record::{
    AttemptCounters, Counters, GeneratorCounters, Histogram, InstanceCounters, Measure,
    OperationCounters, Sample,
};
use threadbare::units::Nanos;

use crate::plan::ms;

fn plan(threads: u32) -> Plan {
    let mut plan = Plan {
        interval: ms(500),
        end: ms(2_200),
        ..Plan::default()
    };
    plan.load.drive.threads = threads;
    plan
}

fn sample(from: u64, to: u64, source: SourceName, counters: Counters) -> Sample {
    Sample {
        from: ms(from),
        to: ms(to),
        source,
        counters,
        histograms: Vec::new(),
    }
}

fn operations(from: u64, to: u64, scheduled: u64, succeeded: u64) -> Sample {
    let counters = OperationCounters {
        scheduled,
        succeeded,
        timed_out: scheduled - succeeded,
        ..OperationCounters::default()
    };
    let mut response = Histogram::new();
    response.record_times(ms(8), succeeded);
    let mut sample = sample(from, to, SourceName::User, Counters::Operations(counters));
    sample.histograms.push((Measure::Response, response));
    sample
}

fn users(from: u64, to: u64, first_tries: u64, ended_well: u64) -> Sample {
    let counters = AttemptCounters {
        first_tries,
        retries: 5,
        ended_well,
        ..AttemptCounters::default()
    };
    sample(from, to, SourceName::User, Counters::Attempts(counters))
}

fn generator(from: u64, to: u64, scheduled: u64) -> Sample {
    let counters = GeneratorCounters {
        threads: 1,
        cpu_ns: ms(50).0,
        scheduled,
        ..GeneratorCounters::default()
    };
    sample(
        from,
        to,
        SourceName::Generator,
        Counters::Generator(counters),
    )
}

/// The only frame of these, which ends at `to`.
fn only(frames: Vec<(Nanos, Frame)>, to: u64) -> Frame {
    let [(at, frame)] = <[_; 1]>::try_from(frames).unwrap();
    assert_eq!(at, ms(to));
    frame
}

#[test]
fn an_interval_is_estimated_first_and_then_known_by_the_intended_start() {
    let mut frames = Frames::new(&plan(2));
    for sample in [users(0, 500, 50, 40), generator(0, 500, 50)] {
        frames.take(&sample);
    }
    assert_eq!(frames.rested(), []); // one more may come
    let estimate = only(frames.rested(), 500);
    assert!(!estimate.settled);
    assert_eq!(
        (estimate.offered, estimate.goodput),
        (Some(100.0), Some(80.0))
    );
    assert_eq!((estimate.first, estimate.retries), (100.0, 10.0));
    assert_eq!(estimate.generator_busy, Some(0.1));
    assert_eq!(estimate.p99_ms, None);
    assert_eq!(frames.rested(), []); // nothing is new
    // One of two threads has told: it is no more known than before.
    frames.take(&operations(0, 500, 25, 25));
    frames.rested();
    assert!(!only(frames.rested(), 500).settled);
    frames.take(&operations(0, 500, 25, 20));
    frames.rested();
    let known = only(frames.rested(), 500);
    assert!(known.settled);
    assert_eq!((known.scheduled, known.succeeded), (50, 45));
    assert_eq!(known.error_share, Some(0.1));
    assert!((known.p99_ms.unwrap() - 8.0).abs() < 0.1);
    assert_eq!((known.first, known.width_s), (100.0, 0.5));
}

#[test]
fn the_last_interval_is_as_long_as_the_load() {
    let mut frames = Frames::new(&plan(1));
    frames.take(&operations(2_000, 2_200, 20, 20));
    frames.rested();
    let last = only(frames.rested(), 2_500);
    assert_eq!((last.width_s, last.offered), (0.2, Some(100.0)));
    // And one that was stopped within it is as long as was seen.
    let mut frames = Frames::new(&plan(1));
    frames.take(&operations(500, 750, 20, 10));
    let last = only(frames.last(), 1_000);
    assert_eq!((last.width_s, last.goodput), (0.25, Some(40.0)));
}

#[test]
fn what_held_the_workers_adds_up_to_the_busy_ones() {
    let mut frames = Frames::new(&plan(1));
    for (instance, cold) in [(1, 50), (2, 900)] {
        let counters = InstanceCounters {
            workers: 4,
            worker_ns: ms(2_000).0,
            busy_ns: ms(1_500).0,
            busy_zombie_ns: ms(400).0,
            busy_detached_ns: ms(200).0,
            busy_probe_ns: ms(100).0,
            busy_cold_ns: ms(cold).0,
            queue_depth_ns: ms(1_000).0,
            ..InstanceCounters::default()
        };
        let source = SourceName::Instance(instance);
        frames.take(&sample(0, 500, source, Counters::Instance(counters)));
    }
    frames.rested();
    let frame = only(frames.rested(), 500);
    let held = frame.held.unwrap();
    let all = held.live + held.gone + held.detached + held.cold + held.probes;
    assert!((all - 6.0).abs() < 0.01, "{held:?}"); // 3 of 4 busy in each of two
    assert!((held.gone - 1.6).abs() < 0.01 && (held.probes - 0.4).abs() < 0.01);
    // What a cold cache cost is a part of what is left, and no more than that.
    assert!(
        held.live >= 0.0 && (held.cold - 1.7).abs() < 0.01,
        "{held:?}"
    );
    assert_eq!((frame.workers, frame.busy_share), (Some(8.0), Some(0.75)));
    assert_eq!(frame.waiting, Some(4.0));
    let names: Vec<&str> = frame.instances.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["instance-1", "instance-2"]);
}

#[test]
fn what_is_known_for_good_is_let_go_and_never_begun_anew() {
    let mut plan = plan(1);
    plan.end = ms(500_000);
    let mut frames = Frames::new(&plan);
    for place in 0..100 {
        let from = place * 500;
        frames.take(&operations(from, from + 500, 10, 10));
        frames.rested();
    }
    frames.rested();
    // Long after: one reading more of an interval that nobody waits for.
    frames.take(&users(0, 500, 1, 1));
    frames.rested();
    assert_eq!(frames.rested(), []);
    assert_eq!(frames.last(), []);
}
