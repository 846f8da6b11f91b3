//! Exhaustion: when an instance had no free worker and jobs waiting.
//!
//! Saturation is a time integral over a bucket, so a window is known to within
//! one bucket at each end. The queue is asked as well, since workers that are
//! all busy with nobody waiting are well used, not exhausted.

use super::findings::ExhaustionWindow;
use super::observation::Observation;
use super::series::{InstanceBucket, Series};
use crate::units::Nanos;

/// Worker-time this busy counts as all of it: the hundredth left is the time a
/// worker takes from one job to the next.
const EXHAUSTED_SATURATION: f64 = 0.99;

/// The exhaustion windows of every instance, from the earliest.
pub(super) fn windows(series: &Series, observation: Observation) -> Vec<ExhaustionWindow> {
    let mut windows: Vec<(Nanos, usize, Nanos)> = Vec::new();
    for place in 0..series.instances.len() {
        let mut open: Option<(Nanos, Nanos)> = None;
        for bucket in series.between(observation.from, observation.to) {
            let read = bucket.instances.get(place).and_then(Option::as_ref);
            let exhausted = read.is_some_and(is_exhausted);
            open = match open {
                Some((from, to)) if exhausted && to == bucket.from => Some((from, bucket.to)),
                before => {
                    windows.extend(before.map(|(from, to)| (from, place, to)));
                    exhausted.then_some((bucket.from, bucket.to))
                }
            };
        }
        windows.extend(open.map(|(from, to)| (from, place, to)));
    }
    windows.sort_unstable();
    windows
        .into_iter()
        .map(|(from, place, to)| ExhaustionWindow {
            instance: series.instances.get(place).cloned().unwrap_or_default(),
            from_s: from.as_secs_f64(),
            to_s: to.as_secs_f64(),
        })
        .collect()
}

fn is_exhausted(instance: &InstanceBucket) -> bool {
    instance.counters.queue_depth_ns > 0
        && instance
            .saturation()
            .is_some_and(|saturation| saturation >= EXHAUSTED_SATURATION)
}
