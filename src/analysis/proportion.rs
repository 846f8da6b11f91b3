//! A share of a few trials, and how far it can be off.
//!
//! The interval is Wilson's (E. B. Wilson, "Probable Inference, the Law of Succession, and
//! Statistical Inference", 1927). The usual one, the share plus and minus two standard
//! errors, has no width at 0 of 64: as if nobody could ever see the first.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::student;

/// Degrees of freedom from which on Student's t is the normal distribution to four digits.
const NORMAL: usize = 10_001;

/// So many of so many trials, as a share with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Proportion {
    /// How many.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// The share, 0 to 1.
    pub share: f64,
    /// The lower end of its interval: Wilson's, 95 % unless it is said otherwise.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Proportion {
    /// So many of so many, with a 95 % interval; of none everything is possible.
    pub fn of(count: u64, of: u64) -> Self {
        Self::at(count, of, student::CONFIDENCE)
    }

    /// The same with an interval of another confidence, 0 to 1.
    pub(super) fn at(count: u64, of: u64, confidence: f64) -> Self {
        let count = count.min(of);
        if of == 0 {
            return Self {
                count,
                of,
                share: 0.0,
                low: 0.0,
                high: 1.0,
            };
        }
        let (trials, share) = (of as f64, count as f64 / of as f64);
        let squared = student::reach(confidence, NORMAL).powi(2);
        let middle = share + squared / (2.0 * trials);
        let variance = share * (1.0 - share) / trials + squared / (4.0 * trials * trials);
        let half = (squared * variance).sqrt();
        let scale = 1.0 + squared / trials;
        Self {
            count,
            of,
            share,
            // At the ends rounding would leave a trace of the interval outside.
            low: if count == 0 {
                0.0
            } else {
                (middle - half) / scale
            },
            high: if count == of {
                1.0
            } else {
                (middle + half) / scale
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(value: f64, expected: f64) {
        assert!((value - expected).abs() < 5e-5, "{value} is not {expected}");
    }

    #[test]
    fn intervals_are_wilsons() {
        // Computed by hand from the formula, z = 1.959964.
        for (count, of, low, high) in [
            (0, 64, 0.0, 0.056_62),
            (31, 64, 0.366_34, 0.604_18),
            (64, 64, 0.943_38, 1.0),
            (97, 100, 0.915_48, 0.989_75),
            (1, 1, 0.206_55, 1.0),
        ] {
            let found = Proportion::of(count, of);
            close(found.low, low);
            close(found.high, high);
            close(found.share, count as f64 / of as f64);
        }
    }

    #[test]
    fn of_nothing_everything_is_possible_and_no_share_lies_outside() {
        let none = Proportion::of(0, 0);
        assert!(none.low <= 0.0 && none.high >= 1.0 && !none.share.is_nan());
        for of in 1..200 {
            for count in 0..=of {
                let it = Proportion::of(count, of);
                assert!(0.0 <= it.low && it.low <= it.share, "{it:?}");
                assert!(it.share <= it.high && it.high <= 1.0, "{it:?}");
            }
        }
    }
}
