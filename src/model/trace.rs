//! The trace that a request belongs to, as it tells it: W3C's Trace Context, level 1
//! (<https://www.w3.org/TR/trace-context/>).
//!
//! An operation is one trace, whatever it takes: its steps, retries and hedges are requests
//! with parents of their own. All of it follows from the operation's number, so nothing is
//! kept for each, and the report finds the same id again. Formatted without allocating: it is
//! written into every request.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::units::{Nanos, Ratio};

/// The length of a `traceparent`: version, trace, parent and flags, with dashes between.
const LENGTH: usize = 2 + 1 + 32 + 1 + 16 + 1 + 2;

/// What requests say of their traces.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tracing {
    /// The share of operations whose trace is to be recorded: their flag says so.
    pub share: Ratio,
    /// What tells the traces of this run from those of another.
    pub salt: u64,
}

/// The id of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(u128);

impl fmt::Display for TraceId {
    /// 32 hexadecimal digits, as tools ask for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Tracing {
    /// The trace of the operation of this number.
    pub fn id(self, number: u64) -> TraceId {
        let high = mixed(self.salt ^ mixed(number));
        let low = mixed(high ^ self.salt.rotate_left(17));
        // All zeros are no trace.
        TraceId(((u128::from(high) << 64) | u128::from(low)).max(1))
    }

    /// Whether that trace is to be recorded.
    pub fn is_sampled(self, number: u64) -> bool {
        let drawn = mixed(self.salt.rotate_left(32) ^ mixed(number ^ self.salt));
        // 53 bits are what a share of 1 is exact with.
        let drawn = (drawn >> 11) as f64 / (1_u64 << 53) as f64;
        drawn < self.share.get()
    }

    /// The `traceparent` of a request of the operation of this number, for its step that is
    /// sent at this instant.
    pub fn parent(self, number: u64, step: usize, sent: Nanos) -> [u8; LENGTH] {
        let mut text = [b'-'; LENGTH];
        let TraceId(trace) = self.id(number);
        let [high, low] = [trace >> 64, trace & u128::from(u64::MAX)].map(low_bits);
        let parent = mixed(low ^ mixed(sent.0) ^ mixed(step as u64 ^ self.salt)).max(1);
        write_digits(0, &mut text[..2]);
        write_digits(high, &mut text[3..19]);
        write_digits(low, &mut text[19..35]);
        write_digits(parent, &mut text[36..52]);
        write_digits(self.is_sampled(number).into(), &mut text[53..]);
        text
    }
}

fn low_bits(value: u128) -> u64 {
    u64::try_from(value & u128::from(u64::MAX)).unwrap_or(u64::MAX)
}

/// The lowest bits of a number in hexadecimal digits, as many as fit.
fn write_digits(number: u64, digits: &mut [u8]) {
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        let place = usize::try_from(rest % 16).unwrap_or_default();
        *digit = b"0123456789abcdef"[place];
        rest /= 16;
    }
}

/// The bits of a number, mixed so that neighbours have nothing in common: the finalizer of
/// `SplitMix64` (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators",
/// 2014), with the increment that keeps zero from being mapped to itself.
const fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn tracing(percent: &str) -> Tracing {
        Tracing {
            share: percent.parse().unwrap(),
            salt: 7,
        }
    }

    #[test]
    fn a_parent_is_what_the_standard_writes() {
        let all = tracing("100 %");
        let text = String::from_utf8(all.parent(3, 0, Nanos(9)).to_vec()).unwrap();
        let parts: Vec<_> = text.split('-').collect();
        let lengths: Vec<_> = parts.iter().map(|part| part.len()).collect();
        assert_eq!(lengths, [2, 32, 16, 2], "{text}");
        assert_eq!((parts[0], parts[3]), ("00", "01"));
        assert_eq!(parts[1], all.id(3).to_string());
        let digits = |part: &str| part.bytes().all(|it| b"0123456789abcdef".contains(&it));
        assert!(parts.iter().all(|part| digits(part)), "{text}");
        let none = tracing("0 %").parent(3, 0, Nanos(9));
        assert!(none.ends_with(b"-00"));
        // Another request of the same operation has another parent in the same trace.
        let again = all.parent(3, 0, Nanos(10));
        assert_eq!(again[..36], text.as_bytes()[..36]);
        assert_ne!(again[36..52], text.as_bytes()[36..52]);
    }

    #[test]
    fn traces_differ_and_their_share_is_the_one_that_was_asked_for() {
        let tracing = tracing("10 %");
        let ids: HashSet<_> = (0..100_000).map(|number| tracing.id(number)).collect();
        assert_eq!(ids.len(), 100_000);
        let sampled = (0..100_000).filter(|number| tracing.is_sampled(*number));
        let sampled = sampled.count();
        // Five standard deviations of a binomial: √(100,000 × 0.1 × 0.9) = 95.
        assert!(sampled.abs_diff(10_000) < 475, "{sampled}");
        let other = Tracing { salt: 8, ..tracing };
        assert_ne!(other.id(1), tracing.id(1));
    }
}
