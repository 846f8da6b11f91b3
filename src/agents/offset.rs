//! How far another machine's clock is ahead of this one's.
//!
//! A round trip gives two instants here and one there in between. So the other clock was
//! ahead by no more than `there − sent` and by no less than `there − received`: bounds that
//! hold however unlike the two ways are, where half of a round trip would be a guess
//! (F. Cristian, "Probabilistic clock synchronization", 1989; the intersection of intervals:
//! K. Marzullo, 1984). The bounds of many round trips are intersected. Those at other
//! instants are widened by what clocks drift meanwhile, so that drift is followed and not
//! averaged away.

use crate::units::Nanos;

/// Clocks drift apart by no more than this, in parts of a million: what the kernel slews a
/// clock by at most when it is being set (adjtimex(2)), each of the two in its own direction.
const DRIFT_MOST_PPM: i128 = 1_000;
/// Of the round trips of one such stretch the shortest is kept.
const STRETCH: Nanos = Nanos::from_millis(500);
/// Round trips that are kept at most: of a long run each then stands for a longer stretch.
const KEPT_MAX: usize = 4096;
/// A clock must be watched for this long before its drift is told.
const DRIFT_AFTER: Nanos = Nanos::from_secs(10);

/// What is known of another clock.
#[derive(Debug, Clone)]
pub(super) struct ClockOffset {
    kept: Vec<RoundTrip>,
    /// How long each of them stands for.
    stretch: Nanos,
    round_trips: u64,
}

/// A round trip, by this clock, and what the other said.
#[derive(Debug, Clone, Copy)]
struct RoundTrip {
    sent: Nanos,
    received: Nanos,
    there: Nanos,
}

/// How far the other clock is ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// By so many nanoseconds; negative: it is behind.
    pub offset_ns: i64,
    /// And no more than this beside it.
    pub bound_ns: u64,
}

impl RoundTrip {
    const fn length(&self) -> Nanos {
        self.received.saturating_sub(self.sent)
    }

    /// Between which offsets it leaves the other clock, at an instant of this one. The other
    /// was read at some instant between the two: at the latest for the one bound, and at the
    /// earliest for the other.
    fn bounds(&self, at: Nanos) -> (i128, i128) {
        let slack = |read: Nanos| i128::from(at.0.abs_diff(read.0)) * DRIFT_MOST_PPM / 1_000_000;
        let there = i128::from(self.there.0);
        (
            there - i128::from(self.received.0) - slack(self.received),
            there - i128::from(self.sent.0) + slack(self.sent),
        )
    }
}

impl Default for ClockOffset {
    fn default() -> Self {
        Self {
            kept: Vec::new(),
            stretch: STRETCH,
            round_trips: 0,
        }
    }
}

impl ClockOffset {
    /// Takes a round trip: sent and received by this clock, and what the other showed in
    /// between. One that cannot be is left out.
    pub(super) fn round_trip(&mut self, sent: Nanos, there: Nanos, received: Nanos) {
        if received < sent {
            return;
        }
        self.round_trips += 1;
        let new = RoundTrip {
            sent,
            received,
            there,
        };
        let stretch = |trip: &RoundTrip| trip.sent.0 / self.stretch.0;
        match self.kept.last_mut() {
            Some(last) if stretch(last) == stretch(&new) => {
                if new.length() < last.length() {
                    *last = new;
                }
            }
            _ => self.kept.push(new),
        }
        if self.kept.len() > KEPT_MAX {
            self.stretch = self.stretch * 2;
            let pairs = self.kept.chunks(2);
            let better = pairs.filter_map(|pair| pair.iter().min_by_key(|trip| trip.length()));
            self.kept = better.copied().collect();
        }
    }

    /// How far the other clock is ahead at an instant of this one; none before the first
    /// round trip.
    pub(super) fn at(&self, at: Nanos) -> Option<Estimate> {
        let bounds = self.kept.iter().map(|trip| trip.bounds(at));
        let both = bounds.reduce(|one, other| (one.0.max(other.0), one.1.min(other.1)))?;
        let (low, high) = if both.0 <= both.1 {
            both
        } else {
            // One of the machines stood still, or its clock was set: what is nearest counts.
            let nearest = self.kept.iter().min_by_key(|trip| {
                let away = at
                    .saturating_sub(trip.received)
                    .max(trip.sent.saturating_sub(at));
                (away, trip.length())
            })?;
            nearest.bounds(at)
        };
        let middle = (low + high).div_euclid(2);
        Some(Estimate {
            offset_ns: i64::try_from(middle).ok()?,
            bound_ns: u64::try_from(high - middle).ok()?,
        })
    }

    /// How fast the other clock goes against this one, in parts of a billion; none where it
    /// was not watched for long enough.
    pub(super) fn drift_ppb(&self) -> Option<i64> {
        let (first, last) = (self.kept.first()?, self.kept.last()?);
        let watched = last.sent.saturating_sub(first.sent);
        if watched < DRIFT_AFTER {
            return None;
        }
        let middle = |trip: &RoundTrip| {
            i128::from(trip.there.0)
                - i128::midpoint(i128::from(trip.sent.0), i128::from(trip.received.0))
        };
        // The shortest round trips of the first tenth and of the last.
        let tenth = (self.kept.len() / 10).max(1);
        let best = |trips: &[RoundTrip]| trips.iter().min_by_key(|it| it.length()).copied();
        let first = best(&self.kept[..tenth])?;
        let last = best(&self.kept[self.kept.len() - tenth..])?;
        let between = last.sent.saturating_sub(first.sent);
        if between.is_zero() {
            return None;
        }
        let moved = middle(&last) - middle(&first);
        i64::try_from(moved * 1_000_000_000 / i128::from(between.0)).ok()
    }

    /// Round trips that were taken.
    pub(super) const fn round_trips(&self) -> u64 {
        self.round_trips
    }

    /// The shortest that was kept.
    pub(super) fn round_trip_min(&self) -> Option<Nanos> {
        self.kept.iter().map(RoundTrip::length).min()
    }
}

/// By how much an instant of this clock, as it was told the other, was missed: what was
/// taken for the offset, against what is known of it later.
pub(super) fn skew_ns(taken: i64, known: Estimate) -> i64 {
    taken.saturating_sub(known.offset_ns)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The other clock at an instant of this one: ahead by this, and drifting.
    fn there(at: u64, offset: i64, ppm: i64) -> Nanos {
        let at = i128::from(at);
        let there = at + i128::from(offset) + at * i128::from(ppm) / 1_000_000;
        Nanos(u64::try_from(there).unwrap())
    }

    proptest! {
        /// However long either way takes, and however the clocks drift within what clocks
        /// do: the true offset lies within the bound.
        #[test]
        fn the_true_offset_lies_within_the_bound(
            offset in -900_000_000_000i64..900_000_000_000,
            ppm in -990i64..990,
            trips in prop::collection::vec((0u64..300_000_000, 0u64..50_000_000, 0u64..50_000_000), 1..60),
            at in 0u64..20_000_000_000,
        ) {
            let mut known = ClockOffset::default();
            let mut now = 1_000_000_000_000u64;
            let start = now;
            for (pause, way, back) in trips {
                let sent = now + pause;
                now = sent + way + back;
                known.round_trip(Nanos(sent), there(sent + way, offset, ppm), Nanos(now));
            }
            let at = start + at;
            let estimate = known.at(Nanos(at)).unwrap();
            let truth = i128::from(there(at, offset, ppm).0) - i128::from(at);
            let off = (i128::from(estimate.offset_ns) - truth).unsigned_abs();
            // Two nanoseconds for what is rounded.
            prop_assert!(off <= u128::from(estimate.bound_ns) + 2, "{off} {estimate:?}");
        }
    }

    #[test]
    fn the_best_of_many_counts_and_drift_is_followed() {
        let mut known = ClockOffset::default();
        assert_eq!(known.at(Nanos::ZERO), None);
        let second = 1_000_000_000;
        for turn in 0..600u64 {
            let sent = 5_000 * second + turn * second / 10;
            // One in ten is quick.
            let way = if turn % 10 == 3 { 50_000 } else { 4_000_000 };
            let at = there(sent + way, 7 * 1_000_000, 40);
            known.round_trip(Nanos(sent), at, Nanos(sent + 2 * way));
        }
        assert_eq!(known.round_trips(), 600);
        assert_eq!(known.round_trip_min(), Some(Nanos::from_micros(100)));
        let end = 5_060 * second;
        let estimate = known.at(Nanos(end)).unwrap();
        let truth = i64::try_from(there(end, 7_000_000, 40).0 - end).unwrap();
        // Half of a quick round trip, and 0.7 s of drift since the last one.
        assert!(estimate.bound_ns < 800_000, "{estimate:?}");
        assert!((estimate.offset_ns - truth).unsigned_abs() <= estimate.bound_ns);
        let drift = known.drift_ppb().unwrap();
        assert!((drift - 40_000).abs() < 3_000, "{drift}");
    }

    #[test]
    fn a_machine_that_stood_still_is_found_again() {
        let mut known = ClockOffset::default();
        known.round_trip(Nanos(0), Nanos(1_000), Nanos(100));
        // Its clock stood still for a second.
        known.round_trip(
            Nanos(2_000_000_000),
            Nanos(1_000_001_000),
            Nanos(2_000_000_100),
        );
        let estimate = known.at(Nanos(2_000_000_100)).unwrap();
        assert!(
            (estimate.offset_ns + 999_999_000).abs() <= 100,
            "{estimate:?}"
        );
        // What cannot be is left out.
        known.round_trip(Nanos(10), Nanos(0), Nanos(9));
        assert_eq!(known.round_trips(), 2);
    }

    #[test]
    fn a_day_is_kept_in_little() {
        let mut known = ClockOffset::default();
        for turn in 0..100_000u64 {
            let sent = turn * 900_000_000;
            known.round_trip(Nanos(sent), Nanos(sent + 5_050), Nanos(sent + 100));
        }
        assert!(known.kept.len() <= KEPT_MAX);
        assert_eq!(
            known.at(Nanos(50_000 * 900_000_000)).unwrap().offset_ns,
            5_000
        );
    }
}
