//! The pause between an attempt's failure and the next attempt.
//!
//! Without jitter, clients that failed together come back together; the two
//! kinds here are those of Brooker, *Exponential Backoff and Jitter* (AWS
//! Architecture Blog, 2015). Decorrelated jitter is left out: it needs a memory
//! for each operation and was measured there to be no better than full jitter.

use std::fmt;
use std::str::FromStr;

use rand::RngExt as _;
use serde::{Deserialize, Serialize};

use super::clause;
use crate::rng::StdRng;
use crate::units::{Nanos, UnitError};

/// The growth from one pause to the next where a text names none.
const FACTOR: f64 = 2.0;
/// A larger growth reaches any maximum at the second retry: surely a slip of the pen.
const FACTOR_MAX: f64 = 100.0;

/// Pause between an attempt's failure and the next attempt. As text: `"none"`,
/// `"100ms"`, or `"exponential 50ms..2s"` with `", factor 3"` and
/// `", full jitter"` or `", equal jitter"` added after commas.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// At once.
    #[default]
    None,
    /// Always the same.
    Fixed(Nanos),
    /// The n-th is base × factorⁿ⁻¹, at most `max`, less what the jitter takes.
    Exponential {
        /// Before the first retry.
        base: Nanos,
        /// From one to the next.
        factor: f64,
        /// The longest.
        max: Nanos,
        /// What chance makes of it.
        jitter: Jitter,
    },
}

/// What chance makes of a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// Nothing.
    #[default]
    None,
    /// Evenly between nothing and the whole pause.
    Full,
    /// Evenly between half of the pause and the whole.
    Equal,
}

impl Backoff {
    /// The pause before the `retry`-th retry, counted from 1. A number is drawn
    /// only where there is jitter.
    pub fn pause(&self, retry: u32, rng: &mut StdRng) -> Nanos {
        match *self {
            Self::None => Nanos::ZERO,
            Self::Fixed(pause) => pause,
            Self::Exponential {
                base,
                factor,
                max,
                jitter,
            } => jitter.of(exponential(base, factor, max, retry), rng),
        }
    }

    /// The longest pause there is.
    pub const fn longest(&self) -> Nanos {
        match *self {
            Self::None => Nanos::ZERO,
            Self::Fixed(pause) => pause,
            Self::Exponential { max, .. } => max,
        }
    }
}

/// base × factorⁿ⁻¹, at most `max`: multiplied step by step, since the result
/// of a power function is not the same on every machine.
fn exponential(base: Nanos, factor: f64, max: Nanos, retry: u32) -> Nanos {
    let mut pause = base.0 as f64;
    for _ in 1..retry {
        pause *= factor;
        if pause >= max.0 as f64 {
            return max;
        }
    }
    Nanos::from_secs_f64(pause / 1e9).min(max)
}

impl Jitter {
    fn of(self, pause: Nanos, rng: &mut StdRng) -> Nanos {
        let least = match self {
            Self::None => return pause,
            Self::Full => 0,
            Self::Equal => pause.0.div_ceil(2),
        };
        Nanos(rng.random_range(least..=pause.0))
    }
}

const EXPECTED: &str = "a back-off: \"none\", \"100ms\" or \"exponential 50ms..2s\", the last also \
     with \", factor 3\" and \", full jitter\" or \", equal jitter\"";

impl FromStr for Backoff {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        parse(text).ok_or_else(|| UnitError::new(text, EXPECTED))
    }
}

fn parse(text: &str) -> Option<Backoff> {
    let mut clauses = text.split(',').map(str::trim);
    let first = clauses.next()?;
    let Some(bounds) = first.strip_prefix("exponential ") else {
        let only = clauses.next().is_none();
        return match first {
            "none" => only.then_some(Backoff::None),
            pause => Some(Backoff::Fixed(pause.parse().ok().filter(|_| only)?)),
        };
    };
    let (base, max) = bounds.split_once("..")?;
    let (base, max): (Nanos, Nanos) = (base.parse().ok()?, max.parse().ok()?);
    let (mut factor, mut jitter) = (FACTOR, Jitter::None);
    for part in clauses {
        match part {
            "full jitter" => jitter = Jitter::Full,
            "equal jitter" => jitter = Jitter::Equal,
            other => factor = clause(other, "factor")?,
        }
    }
    let sound = Nanos::ZERO < base && base <= max && (1.0..=FACTOR_MAX).contains(&factor);
    sound.then_some(Backoff::Exponential {
        base,
        factor,
        max,
        jitter,
    })
}

impl fmt::Display for Backoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::None => f.write_str("none"),
            Self::Fixed(pause) => pause.fmt(f),
            Self::Exponential {
                base,
                factor,
                max,
                jitter,
            } => {
                write!(f, "exponential {base}..{max}")?;
                if factor != FACTOR {
                    write!(f, ", factor {factor}")?;
                }
                f.write_str(match jitter {
                    Jitter::None => "",
                    Jitter::Full => ", full jitter",
                    Jitter::Equal => ", equal jitter",
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;
    use proptest::prelude::*;

    const MS: fn(u64) -> Nanos = Nanos::from_millis;

    fn pauses(text: &str, retries: u32) -> Vec<Nanos> {
        let backoff: Backoff = text.parse().unwrap();
        let mut rng = rng::stream(1, "jitter");
        (1..=retries).map(|n| backoff.pause(n, &mut rng)).collect()
    }

    #[test]
    fn pauses_grow_to_the_maximum_and_stay_there() {
        assert_eq!(pauses("none", 2), [MS(0), MS(0)]);
        assert_eq!(pauses("100ms", 2), [MS(100), MS(100)]);
        let doubled = [50, 100, 200, 300, 300].map(MS);
        assert_eq!(pauses("exponential 50ms..300ms", 5), doubled);
        let tripled = [50, 150, 450, 1_000].map(MS);
        assert_eq!(pauses("exponential 50ms..1s, factor 3", 4), tripled);
        assert_eq!(pauses("exponential 1s..1s", 2), [MS(1_000), MS(1_000)]);
        // However many retries there were, the pause is the longest.
        let last = pauses("exponential 1ns..24h, factor 1.5", 200);
        assert_eq!(last.last(), Some(&Nanos::from_secs(24 * 3600)));
    }

    #[test]
    fn a_number_is_drawn_only_for_jitter() {
        let drawn = |text: &str| {
            let mut rng = rng::stream(1, "jitter");
            text.parse::<Backoff>().unwrap().pause(1, &mut rng);
            rng != rng::stream(1, "jitter")
        };
        assert!(!drawn("none") && !drawn("1s") && !drawn("exponential 1s..2s"));
        assert!(drawn("exponential 1s..2s, full jitter"));
        assert!(drawn("exponential 1s..2s, equal jitter"));
    }

    /// Means of 10,000 draws: c/2 and 3c/4 with standard errors of c/√12/100 and half of it.
    #[test]
    fn jitter_is_even_between_its_bounds() {
        for (text, least, mean) in [("full", 0.0, 0.5), ("equal", 0.5, 0.75)] {
            let backoff: Backoff = format!("exponential 1s..1s, {text} jitter")
                .parse()
                .unwrap();
            let mut rng = rng::stream(1, "jitter");
            let drawn: Vec<f64> = (0..10_000)
                .map(|_| backoff.pause(1, &mut rng).as_secs_f64())
                .collect();
            assert!(drawn.iter().all(|pause| (least..=1.0).contains(pause)));
            let found = drawn.iter().sum::<f64>() / 1e4;
            assert!((found - mean).abs() < 0.015, "{text}: {found}");
        }
    }

    #[test]
    fn what_is_no_backoff_is_told() {
        for text in [
            "",
            "exponential",
            "exponential 50ms",
            "exponential 2s..50ms",
            "exponential 0s..1s",
            "exponential 1s..2s, factor 0.5",
            "exponential 1s..2s, factor nan",
            "exponential 1s..2s, some jitter",
            "none, full jitter",
            "100ms, full jitter",
        ] {
            assert!(text.parse::<Backoff>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn texts_are_read_back_and_pauses_keep_their_bounds(
            base in 1u64..1 << 50,
            more in 0u64..1 << 50,
            tenths in 10u32..1_000,
            jitter in prop::sample::select(vec![Jitter::None, Jitter::Full, Jitter::Equal]),
            retry in 1u32..=101,
        ) {
            let (base, max) = (Nanos(base), Nanos(base + more));
            let factor = f64::from(tenths) / 10.0;
            let backoff = Backoff::Exponential { base, factor, max, jitter };
            prop_assert_eq!(backoff.to_string().parse(), Ok(backoff));
            let pause = backoff.pause(retry, &mut rng::stream(1, "jitter"));
            let least = match jitter {
                Jitter::None => base,
                Jitter::Full => Nanos::ZERO,
                Jitter::Equal => base / 2,
            };
            prop_assert!(least <= pause && pause <= max, "{}", pause);
        }
    }
}
