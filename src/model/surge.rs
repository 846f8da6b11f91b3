//! Surges: when the load rises above that of the baseline, and falls back.
//!
//! A surge is no action: the load does it. It is read off the rates of the plan
//! and not off the arrivals, since it is what was *done*; what arrived by chance
//! is the result.

use super::{Load, Shape};
use crate::units::Nanos;

/// A time in which the load is above its rate in the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Surge {
    /// When it rises above.
    pub from: Nanos,
    /// When it falls back to it or below; none where the run ends first.
    pub to: Option<Nanos>,
}

/// The surges of a load, in the order of time. The baseline's rate is the one in
/// force at the end of the warm-up.
///
/// A swing counts with its mean, a ramp with its higher end from its beginning
/// on. Where no rate is in force, in a closed loop or a replay, there is none.
pub(crate) fn surges(load: &Load, warm_up: Nanos, end: Nanos) -> Vec<Surge> {
    if load.drive.closed.is_some() || load.replay.is_some() {
        return Vec::new();
    }
    let begun = load.rate.partition_point(|(from, _)| *from <= warm_up);
    let (before, after) = load.rate.split_at(begun);
    let baseline = before.last().map_or(0.0, |(_, shape)| level(*shape));
    let mut surges: Vec<Surge> = Vec::new();
    for (at, shape) in after.iter().filter(|(at, _)| *at < end) {
        let above = level(*shape) > baseline;
        match surges.last_mut().filter(|last| last.to.is_none()) {
            Some(last) if !above => last.to = Some(*at),
            None if above => surges.push(Surge {
                from: *at,
                to: None,
            }),
            _ => {}
        }
    }
    surges
}

fn level(shape: Shape) -> f64 {
    match shape {
        Shape::Constant(rate) => rate.as_per_second(),
        Shape::Ramp { from, to } => from.as_per_second().max(to.as_per_second()),
        Shape::Sine { mean, .. } => mean.as_per_second(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ArrivalProcess, ClientPolicy, Drive};
    use crate::units::Rate;

    /// The surges of rates per second that begin at these seconds.
    fn found(rates: &[(u64, f64)]) -> Vec<(u64, Option<u64>)> {
        let mut load = Load {
            process: ArrivalProcess::Constant,
            rate: Vec::new(),
            replay: None,
            mix: Vec::new(),
            client: ClientPolicy::default(),
            connections: 1,
            backlog: 1,
            drive: Drive::default(),
            trace: None,
        };
        let piece = |(at, rate): &(u64, f64)| {
            let rate = Rate::per_second(*rate).unwrap();
            (Nanos::from_secs(*at), Shape::Constant(rate))
        };
        load.rate = rates.iter().map(piece).collect();
        let seconds = |at: Nanos| at.0 / 1_000_000_000;
        surges(&load, Nanos::from_secs(5), Nanos::from_secs(100))
            .iter()
            .map(|surge| (seconds(surge.from), surge.to.map(seconds)))
            .collect()
    }

    #[test]
    fn a_load_surges_while_it_is_above_its_rate_in_the_baseline() {
        for (rates, expected) in [
            (&[(0, 5.0)][..], &[][..]),
            (&[(0, 5.0), (20, 15.0), (30, 5.0)], &[(20, Some(30))]),
            (&[(0, 5.0), (20, 15.0), (30, 4.0)], &[(20, Some(30))]), // below is over too
            (&[(0, 5.0), (20, 15.0), (30, 6.0)], &[(20, None)]),
            (
                &[(0, 5.0), (20, 15.0), (25, 30.0), (30, 5.0)],
                &[(20, Some(30))],
            ), // higher still is the same surge
            (
                &[(0, 5.0), (20, 9.0), (30, 5.0), (40, 9.0), (50, 5.0)],
                &[(20, Some(30)), (40, Some(50))],
            ),
            (&[(0, 1.0), (4, 5.0), (20, 5.0)], &[]), // the warm-up ramps up
            (&[(0, 5.0), (5, 9.0)], &[]),            // from the first instant that counts on
            (&[(0, 5.0), (20, 2.0), (30, 5.0)], &[]),
            (&[(0, 5.0), (100, 9.0)], &[]), // the load has ended
        ] {
            assert_eq!(found(rates), expected, "{rates:?}");
        }
    }
}
