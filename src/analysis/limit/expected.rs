//! What is expected of the limits: `served >= 400/s`, `returns from >= 400/s`.

use std::fmt;
use std::str::FromStr;

use super::found::LimitVerdict;
use super::parts::{LimitExpectation, LimitReturns, LimitServed};
use super::rates::{same, told};
use super::returned::harmed;
use crate::units::Rate;

/// Which limit is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitKind {
    /// The highest rate that is served.
    Served,
    /// The highest rate from which service comes back.
    Returns,
}

/// A statement about a limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// Which limit.
    pub kind: LimitKind,
    /// The rate that it must reach.
    pub at_least: Rate,
}

/// How each is written.
const WORDS: [(&str, LimitKind); 2] = [
    ("served", LimitKind::Served),
    ("returns from", LimitKind::Returns),
];

impl FromStr for Expected {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let how = "write it like 'served >= 400/s' or 'returns from >= 300/s'";
        let (figure, rate) = text
            .split_once(">=")
            .or_else(|| text.split_once('≥'))
            .ok_or_else(|| format!("there is no `>=`; {how}"))?;
        let figure = figure.trim();
        let mut known = WORDS.iter().filter(|(word, _)| *word == figure);
        let (_, kind) = known
            .next()
            .ok_or_else(|| format!("there is no limit `{figure}`; {how}"))?;
        let at_least = rate.trim().parse().map_err(|error| format!("{error}"))?;
        Ok(Self {
            kind: *kind,
            at_least,
        })
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.kind {
            LimitKind::Served => WORDS[0].0,
            LimitKind::Returns => WORDS[1].0,
        };
        write!(f, "{word} >= {}", self.at_least)
    }
}

impl Expected {
    /// Before anything was tried.
    pub fn untold(&self) -> LimitExpectation {
        LimitExpectation {
            expectation: self.to_string(),
            at_least_per_s: self.at_least.as_per_second(),
            verdict: LimitVerdict::CannotTell,
            observed: "nothing was tried".to_owned(),
        }
    }
}

/// Holds what is expected against what was found. What cannot be told is no pass.
pub(super) fn hold(
    expectation: &mut LimitExpectation,
    served: &LimitServed,
    returns: Option<&LimitReturns>,
) {
    let kind = expectation.expectation.parse().map(|it: Expected| it.kind);
    let (low, high, sure) = match (kind, returns) {
        (Ok(LimitKind::Served), _) => (served.low_per_s, served.high_per_s, served.confirmed),
        (Ok(LimitKind::Returns), Some(returns)) => (
            returns.low_per_s,
            returns.high_per_s,
            nearly_always(returns),
        ),
        _ => (None, None, false),
    };
    let bound = expectation.at_least_per_s;
    let reached = low.is_some_and(|low| low >= bound);
    let missed = high.is_some_and(|high| high <= bound);
    expectation.verdict = match (reached && sure, missed) {
        (true, _) => LimitVerdict::Holds,
        (_, true) => LimitVerdict::DoesNot,
        _ => LimitVerdict::CannotTell,
    };
    expectation.observed = match (low, high) {
        (Some(low), Some(high)) => format!("{} to {}", told(low), told(high)),
        (Some(low), None) => format!("at least {}", told(low)),
        (None, Some(high)) => format!("less than {}", told(high)),
        (None, None) => "not known".to_owned(),
    };
}

/// Whether the trials at the lower end show that service comes back more often than not,
/// and the trigger took it away at all.
fn nearly_always(returns: &LimitReturns) -> bool {
    let low = returns.low_per_s.unwrap_or(f64::NAN);
    let mut rates = returns.rates.iter();
    harmed(&returns.rates) && rates.any(|it| same(it.rate_per_s, low) && it.low > 0.5)
}

#[cfg(test)]
mod tests {
    use super::super::parts::LimitStatus;
    use super::*;

    #[test]
    fn expectations_are_read_as_they_are_written() {
        for text in ["served >= 400/s", "returns from >= 12.5/s"] {
            let expected: Expected = text.parse().unwrap();
            assert_eq!(expected.to_string(), text);
        }
        let short: Expected = "served≥400/s".parse().unwrap();
        assert_eq!(short.kind, LimitKind::Served);
        for (text, told) in [
            ("served <= 400/s", "no `>=`"),
            ("p99 >= 400/s", "no limit `p99`"),
            ("served >= fast", "fast"),
        ] {
            let mistake = text.parse::<Expected>().unwrap_err();
            assert!(mistake.contains(told), "{text}: {mistake}");
        }
    }

    #[test]
    fn an_interval_decides_and_what_is_not_told_is_no_pass() {
        let served = |low, high, confirmed| LimitServed {
            status: LimitStatus::Found,
            low_per_s: low,
            high_per_s: high,
            confirmed,
            unsure_per_s: Vec::new(),
            broken: None,
            sentence: String::new(),
        };
        for (low, high, confirmed, verdict) in [
            (Some(400.0), Some(410.0), true, LimitVerdict::Holds),
            (Some(400.0), Some(410.0), false, LimitVerdict::CannotTell),
            (Some(390.0), Some(410.0), true, LimitVerdict::CannotTell),
            (Some(390.0), Some(400.0), true, LimitVerdict::DoesNot),
            (None, Some(100.0), false, LimitVerdict::DoesNot),
            (None, None, false, LimitVerdict::CannotTell),
        ] {
            let expected: Expected = "served >= 400/s".parse().unwrap();
            let mut seen = expected.untold();
            hold(&mut seen, &served(low, high, confirmed), None);
            assert_eq!(seen.verdict, verdict, "{low:?} {high:?}");
        }
        let expected: Expected = "returns from >= 400/s".parse().unwrap();
        let mut seen = expected.untold();
        hold(&mut seen, &served(Some(500.0), None, true), None);
        assert_eq!(seen.verdict, LimitVerdict::CannotTell);
    }
}
