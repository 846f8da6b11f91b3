//! A record that was added up: one bucket, and the plan as it was.

use threadbare::analysis::{Bucket, findings, series};
use threadbare::model::Shape;
use threadbare::record::{Backend, Event, Header, MemoryRecorder, StopCause, Tally};
use threadbare::sim::{Bounds, simulate};
use threadbare::units::Rate;

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
        both.1.into_record(header.clone()),
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
