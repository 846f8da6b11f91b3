//! A record that was added up: one bucket, and the plan as it was.

use threadbare::analysis::{Bucket, findings, series};
use threadbare::model::{Shape, SourceName};
use threadbare::record::{
    AttemptCounters, Backend, Counters, Event, Header, MemoryRecorder, Observer as _, Sample,
    StopCause, Tally,
};
use threadbare::sim::{Bounds, simulate};
use threadbare::units::{Nanos, Rate};

use crate::plan::{ms, plan};

#[test]
fn what_was_added_up_is_one_bucket_and_the_plan_stays() {
    let mut plan = plan(50.0, ms(1_000));
    let surge = Shape::Constant(Rate::per_second(500.0).unwrap());
    plan.load.rate.push((ms(500), surge));
    let header = Header::new(plan, Backend::Sim);
    let mut both = (MemoryRecorder::default(), Tally::new(&header.plan));
    let bounds = Bounds::default();
    simulate(&header.plan, bounds, &mut both, &mut |_, _| None).unwrap();
    let (whole, merged) = (
        both.0.into_record(header.clone()),
        both.1.into_records(header.clone()).whole,
    );
    assert_eq!((&whole.header, &merged.header), (&header, &header));
    assert_eq!(
        (whole.interval(), whole.load_end()),
        (ms(100), header.plan.end)
    );
    let ended = Event::RunEnded {
        cause: StopCause::Completed,
    };
    assert_eq!(merged.events.last().map(|it| &it.1), Some(&ended));
    let table = series(&merged);
    assert_eq!(table.buckets.len(), 1);
    assert_eq!(table.interval, merged.load_end());
    assert_eq!(table.buckets[0].to, merged.load_end());
    let scheduled: u64 = series(&whole).buckets.iter().map(Bucket::scheduled).sum();
    assert_eq!(table.buckets[0].scheduled(), scheduled);
    // The load surges, and in one bucket nothing is before or after.
    let phases = |record| findings(record).phases.len();
    assert_eq!((phases(&whole), phases(&merged)), (2, 1));
}

#[test]
fn a_load_that_was_ended_early_is_final_where_it_had_its_drain() {
    let header = Header::new(plan(50.0, ms(1_000)), Backend::Sim);
    let mut memory = MemoryRecorder::default();
    simulate(&header.plan, Bounds::default(), &mut memory, &mut |_, _| {
        None
    })
    .unwrap();
    let record = memory.into_record(header.clone());
    // It was to last for ten seconds, and was ended after one.
    let mut planned = header;
    planned.plan.end = ms(10_000);
    for (stopped, had_its_drain) in [(3_000, true), (2_999, false)] {
        let mut tally = Tally::new(&planned.plan);
        tally.event(Nanos::ZERO, &Event::LoadStarted);
        for mut sample in &record.samples {
            if let Counters::Operations(operations) = &mut sample.counters
                && sample.from == ms(900)
            {
                // One never ends.
                operations.succeeded -= 1;
                operations.unfinished += 1;
            }
            tally.sample(&sample);
        }
        tally.event(ms(1_000), &Event::LoadEnded);
        let cause = StopCause::Aborted {
            because: "it is lost".into(),
            expectation: true,
        };
        tally.event(ms(stopped), &Event::RunEnded { cause });
        let whole = tally.into_records(planned.clone()).whole;
        assert_eq!(whole.load_end(), ms(1_000));
        let to = findings(&whole).phases.last().map(|phase| phase.to_s);
        assert_eq!(to == Some(1.0), had_its_drain, "{to:?}");
    }
}

/// The load ended in the middle of a bucket, of which an operation never ended.
#[test]
fn the_last_bucket_of_an_early_end_had_its_drain_too() {
    let header = Header::new(plan(50.0, ms(1_000)), Backend::Sim);
    let mut memory = MemoryRecorder::default();
    simulate(&header.plan, Bounds::default(), &mut memory, &mut |_, _| {
        None
    })
    .unwrap();
    let told = memory.into_record(header.clone());
    for (drained, to) in [(2_950, "0.95"), (2_949, "0.90")] {
        let mut planned = header.clone();
        planned.plan.end = ms(10_000);
        planned.plan.load.client.deadline = None;
        let mut memory = MemoryRecorder::default();
        memory.event(Nanos::ZERO, &Event::LoadStarted);
        for mut sample in &told.samples {
            if let Counters::Operations(operations) = &mut sample.counters
                && sample.from == ms(900)
            {
                operations.succeeded -= 1;
                operations.unfinished += 1;
            }
            memory.sample(&sample);
        }
        // Until then the clients waited for it.
        memory.sample(&Sample {
            from: ms(2_900),
            to: ms(drained),
            source: SourceName::User,
            counters: Counters::Attempts(AttemptCounters::default()),
            histograms: Vec::new(),
        });
        memory.event(ms(950), &Event::LoadEnded);
        let cause = StopCause::Interrupted { signal: 2 };
        memory.event(ms(drained), &Event::RunEnded { cause });
        let found = findings(&memory.into_record(planned));
        let until = found.phases.last().map(|phase| phase.to_s).unwrap();
        assert_eq!(format!("{until:.2}"), to, "{drained}");
    }
}

#[test]
fn a_ramp_is_told_in_parts_and_a_step_by_itself() {
    let mut plan = plan(40.0, ms(12_000));
    let rate = |per_second| Rate::per_second(per_second).unwrap();
    let ramp = Shape::Ramp {
        from: rate(40.0),
        to: rate(80.0),
    };
    plan.load.rate = vec![(ms(0), Shape::Constant(rate(20.0))), (ms(4_000), ramp)];
    let header = Header::new(plan, Backend::Sim);
    let mut tally = Tally::new(&header.plan);
    simulate(&header.plan, Bounds::default(), &mut tally, &mut |_, _| {
        None
    })
    .unwrap();
    let tallied = tally.into_records(header);
    let steps = findings(&tallied.slices).steps;
    let rates: Vec<&str> = steps.iter().map(|step| step.rate.as_str()).collect();
    assert_eq!(rates.len(), 11, "{rates:?}");
    assert_eq!(
        (rates[0], rates[1], rates[10]),
        ("20/s", "40/s to 44/s", "76/s to 80/s")
    );
    // The rows are the whole: nothing counts twice, and no time is left out.
    let scheduled: f64 = steps
        .iter()
        .map(|step| step.offered_per_s * (step.to_s - step.from_s))
        .sum();
    let whole: u64 = series(&tallied.whole)
        .buckets
        .iter()
        .map(Bucket::scheduled)
        .sum();
    assert!(
        (scheduled - whole as f64).abs() < 1e-6,
        "{scheduled} {whole}"
    );
    for pair in steps.windows(2) {
        assert!((pair[0].to_s - pair[1].from_s).abs() < 1e-9);
    }
}
