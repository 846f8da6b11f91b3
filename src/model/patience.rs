//! How long somebody waits for a job, as far as an instance was told.
//!
//! A caller who tells the time left with each attempt lets the instance end what
//! nobody waits for any more (Dean and Barroso, "The Tail at Scale", 2013; gRPC
//! calls it deadline propagation). It is told as a duration, since clocks of two
//! machines do not agree, and counted from when it came. No clock is read here.

use crate::units::Nanos;

/// The header that tells how many milliseconds the caller still waits.
pub(crate) const TIME_LEFT_HEADER: &str = "x-deadline-ms";

/// The whole milliseconds that a caller who waits until then has left: rounded
/// up, so that nobody is told that they have gone while they are there.
pub(crate) const fn time_left_ms(now: Nanos, until: Nanos) -> u64 {
    until.saturating_sub(now).0.div_ceil(NANOS_PER_MILLI)
}

const NANOS_PER_MILLI: u64 = 1_000_000;

/// Until when somebody waits for a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience(Nanos);

impl Patience {
    /// Nobody said.
    pub(crate) const ENDLESS: Self = Self(Nanos::MAX);

    /// What a caller is told to have left at `now`; none where they did not say.
    pub(crate) const fn told(now: Nanos, left_ms: Option<u64>) -> Self {
        match left_ms {
            None => Self::ENDLESS,
            Some(left) => {
                let left = Nanos(left.saturating_mul(NANOS_PER_MILLI));
                Self(now.saturating_add(left))
            }
        }
    }

    /// Whether nobody waits any more. At the very instant somebody still does.
    pub(crate) fn over(self, now: Nanos) -> bool {
        now > self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_is_told_in_whole_milliseconds_and_never_too_short() {
        for (now, until, expected) in [
            (0, 500_000_000, 500),
            (0, 500_000_001, 501),
            (499_999_999, 500_000_000, 1),
            (500_000_000, 500_000_000, 0),
            (600_000_000, 500_000_000, 0), // too late to be made
        ] {
            assert_eq!(time_left_ms(Nanos(now), Nanos(until)), expected);
        }
    }

    #[test]
    fn patience_ends_after_its_instant() {
        let patience = Patience::told(Nanos::from_millis(3), Some(5));
        assert!(!patience.over(Nanos::from_millis(8)));
        assert!(patience.over(Nanos(8_000_001)));
        let endless = Patience::told(Nanos::ZERO, None);
        assert!(!endless.over(Nanos::MAX));
        let long = Patience::told(Nanos(1), Some(u64::MAX)); // a header may say anything
        assert_eq!(long, endless);
    }
}
