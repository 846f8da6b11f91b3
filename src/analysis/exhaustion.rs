//! Exhaustion: when an instance had no free worker and jobs waiting.
//!
//! Saturation is a time integral over a bucket, so a window is known to within
//! one bucket at each end. The queue is asked as well, since workers that are
//! all busy with nobody waiting are well used, not exhausted. The user's target
//! is known at its readings only, and its windows are marked so; one that publishes
//! no queue has none.

use super::findings::ExhaustionWindow;
use super::observation::Observation;
use super::series::{Bucket, InstanceBucket, Series};
use crate::model::SourceName;
use crate::record::GaugeCounters;
use crate::units::Nanos;

/// Worker-time this busy counts as all of it: the hundredth left is the time a
/// worker takes from one job to the next.
const EXHAUSTED_SATURATION: f64 = 0.99;

/// The exhaustion windows of every instance, and of every target whose gauges
/// tell busy workers, workers and queue, from the earliest.
pub(super) fn windows(series: &Series, observation: Observation) -> Vec<ExhaustionWindow> {
    let buckets = series.between(observation.from, observation.to);
    let instances = series.instances.iter().enumerate().map(|(place, name)| {
        let exhausted = |bucket: &Bucket| {
            let read = bucket.instances.get(place).and_then(Option::as_ref);
            read.is_some_and(is_exhausted)
        };
        (name, false, unbroken(buckets, exhausted))
    });
    let gauges = series.gauges.iter().enumerate().map(|(place, name)| {
        let exhausted = |bucket: &Bucket| {
            let read = bucket.gauges.get(place).and_then(Option::as_ref);
            read.is_some_and(was_exhausted)
        };
        (name, true, unbroken(buckets, exhausted))
    });
    let mut windows: Vec<(Nanos, &SourceName, Nanos, bool)> = instances
        .chain(gauges)
        .flat_map(|(name, point_samples, windows)| {
            let windows = windows.into_iter();
            windows.map(move |(from, to)| (from, name, to, point_samples))
        })
        .collect();
    windows.sort_by_key(|(from, ..)| *from);
    windows
        .into_iter()
        .map(|(from, name, to, point_samples)| ExhaustionWindow {
            instance: name.clone(),
            from_s: from.as_secs_f64(),
            to_s: to.as_secs_f64(),
            point_samples,
        })
        .collect()
}

/// The runs of buckets that follow each other without a hole and all are so.
fn unbroken(buckets: &[Bucket], so: impl Fn(&Bucket) -> bool) -> Vec<(Nanos, Nanos)> {
    let mut windows: Vec<(Nanos, Nanos)> = Vec::new();
    for bucket in buckets.iter().filter(|bucket| so(bucket)) {
        match windows.last_mut() {
            Some((_, to)) if *to == bucket.from => *to = bucket.to,
            _ => windows.push((bucket.from, bucket.to)),
        }
    }
    windows
}

/// How many sources of gauges tell enough to know whether they were exhausted:
/// busy workers, workers and a queue.
pub(super) fn known(series: &Series) -> usize {
    let tells = |place: usize| {
        let mut gauges = series
            .buckets
            .iter()
            .filter_map(|bucket| bucket.gauges.get(place)?.as_ref());
        gauges.any(|it| it.saturation().is_some() && it.queue().is_some())
    };
    (0..series.gauges.len())
        .filter(|place| tells(*place))
        .count()
}

fn is_exhausted(instance: &InstanceBucket) -> bool {
    instance.counters.queue_depth_ns > 0
        && instance
            .saturation()
            .is_some_and(|saturation| saturation >= EXHAUSTED_SATURATION)
}

/// The same of point samples: at the readings, and what was between is unknown.
fn was_exhausted(gauges: &GaugeCounters) -> bool {
    gauges.queue_milli > 0
        && gauges
            .saturation()
            .is_some_and(|saturation| saturation >= EXHAUSTED_SATURATION)
}
