//! How often something may be asked for: so many at once, and so many a second.
//!
//! A bucket of tokens that is told the time. One for the whole room: a game has few people,
//! and what is bounded is what the run can be made to do.

use crate::units::Nanos;

/// A bound on a rate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    per_second: f64,
    tokens: f64,
    at: Nanos,
}

impl Pace {
    /// So many a second, and as many at once.
    pub(super) const fn per_second(per_second: f64) -> Self {
        Self {
            per_second,
            tokens: per_second,
            at: Nanos::ZERO,
        }
    }

    /// Whether one more is within the bound at `now`; then it is counted.
    pub(super) fn admits(&mut self, now: Nanos) -> bool {
        let since = now.saturating_sub(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.tokens = (self.tokens + since * self.per_second).min(self.per_second);
        let admitted = self.tokens >= 1.0;
        if admitted {
            self.tokens -= 1.0;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_has_more_than_twice_the_bound_and_no_minute_more_than_it() {
        let mut pace = Pace::per_second(10.0);
        let mut admitted = Vec::new();
        for ms in 0..60_000 {
            if pace.admits(Nanos::from_millis(ms)) {
                admitted.push(ms);
            }
        }
        assert!((600..=611).contains(&admitted.len()), "{}", admitted.len());
        for second in 0..60 {
            let within = admitted.iter().filter(|ms| **ms / 1_000 == second).count();
            assert!((9..=20).contains(&within), "{within} in second {second}");
        }
        // Time that goes back admits nothing for it.
        assert!(!pace.admits(Nanos::ZERO));
    }
}
