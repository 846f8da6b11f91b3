//! Quantities with their units: durations, rates, ratios and times of day.
//!
//! Scenario files write units as text (`"500ms"`, `"350/s"`, `"45 %"`,
//! `"16:25"`); code carries them as types, so that a bare number never has to
//! be guessed at. Parsing and printing are inverse: what `Display` prints,
//! `FromStr` reads back to the same value.

use std::fmt;
use std::ops::{Add, AddAssign, Div, Mul, Sub};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not a quantity: what was expected, with an example.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is not {expected}", self.subject())]
pub struct UnitError {
    /// None where it may hold a secret.
    text: Option<String>,
    expected: &'static str,
}

impl UnitError {
    /// An error that quotes `text` and says what was `expected` instead.
    pub fn new(text: &str, expected: &'static str) -> Self {
        Self {
            text: Some(text.to_owned()),
            expected,
        }
    }

    /// An error that quotes nothing, since the text may hold a secret.
    pub const fn unquoted(expected: &'static str) -> Self {
        Self {
            text: None,
            expected,
        }
    }

    fn subject(&self) -> String {
        let quoted = self.text.as_ref().map(|text| format!("`{text}`"));
        quoted.unwrap_or_else(|| "this".into())
    }

    /// What would have been right, with an example.
    pub fn expected(&self) -> &'static str {
        self.expected
    }
}

/// A count with its noun in the number that fits: `1 retry`, `2 retries`.
pub fn counted(count: u64, noun: &str) -> String {
    format!("{count} {}", numbered(count, noun))
}

/// The noun in the number that fits the count.
pub fn numbered(count: u64, noun: &str) -> String {
    match (count, noun.strip_suffix("ry")) {
        (1, _) => noun.to_owned(),
        (_, Some(stem)) => format!("{stem}ries"),
        _ => format!("{noun}s"),
    }
}

/// A duration, or an instant as the time since the run began, in nanoseconds.
///
/// One type serves both, because every instant of a run is measured from its
/// start: 0 is the run's first instant. 64 bits reach 584 years.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Nanos(pub u64);

impl Nanos {
    /// Whether it is none.
    pub const fn is_zero(&self) -> bool {
        self.0 == 0
    }

    /// No time at all; as an instant, the start of the run.
    pub const ZERO: Self = Self(0);
    /// The largest value: as an instant, "never".
    pub const MAX: Self = Self(u64::MAX);

    /// Whole microseconds.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros * 1_000)
    }

    /// Whole milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000_000)
    }

    /// Whole seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs * 1_000_000_000)
    }

    /// Seconds with a fraction, rounded to the nearest nanosecond; negative
    /// and non-finite values become zero, values past the range its end.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, which is the documented behaviour"
    )]
    pub fn from_secs_f64(secs: f64) -> Self {
        Self((secs * 1e9).round() as u64)
    }

    /// Seconds with a fraction.
    #[expect(
        clippy::cast_precision_loss,
        reason = "53 bits hold 104 days to the nanosecond"
    )]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// Milliseconds with a fraction.
    pub fn as_millis_f64(self) -> f64 {
        self.as_secs_f64() * 1e3
    }

    /// Whole microseconds, rounded down.
    pub const fn as_micros(self) -> u64 {
        self.0 / 1_000
    }

    /// `self - other`, or zero where `other` is later.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// `self + other`, or [`Nanos::MAX`] where the sum does not fit.
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The standard library's duration of the same length.
    pub const fn to_duration(self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.0)
    }
}

impl Add for Nanos {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Nanos {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sub for Nanos {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Mul<u64> for Nanos {
    type Output = Self;
    fn mul(self, factor: u64) -> Self {
        Self(self.0 * factor)
    }
}

impl Div<u64> for Nanos {
    type Output = Self;
    fn div(self, divisor: u64) -> Self {
        Self(self.0 / divisor)
    }
}

/// Unit names of durations, longest first, with their length in nanoseconds.
const DURATION_UNITS: [(&str, u64); 9] = [
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ns", 1),
];

const DURATION_EXPECTED: &str =
    "a duration with its unit (h, min, s, ms, us, ns), for example \"500ms\" or \"1min 30s\"";

impl FromStr for Nanos {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = || UnitError::new(text, DURATION_EXPECTED);
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(error());
        }
        let mut total: u64 = 0;
        while !rest.is_empty() {
            let digits = rest
                .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_'))
                .ok_or_else(error)?;
            let (number, tail) = rest.split_at(digits);
            let tail = tail.trim_start();
            let letters = tail
                .find(|c: char| !c.is_alphabetic())
                .unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(letters);
            let (_, nanos) = DURATION_UNITS
                .iter()
                .find(|(name, _)| *name == unit)
                .ok_or_else(error)?;
            let part = scaled_decimal(number, *nanos).ok_or_else(error)?;
            total = total.checked_add(part).ok_or_else(error)?;
            rest = tail.trim_start();
        }
        Ok(Self(total))
    }
}

/// `number`, a decimal text, times `scale`, rounded down; none where it is no
/// number or does not fit. Exact where a float would not be: `0.3s` is
/// 300,000,000 ns.
fn scaled_decimal(number: &str, scale: u64) -> Option<u64> {
    let number = number.replace('_', "");
    let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let mut value = whole.checked_mul(scale)?;
    let mut step = scale;
    for digit in fraction.chars() {
        step /= 10;
        value = value.checked_add(u64::from(digit.to_digit(10)?).checked_mul(step)?)?;
    }
    Some(value)
}

impl fmt::Display for Nanos {
    /// The largest unit that gives a short exact text: `1.5s`, `250ms`, `0s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, scale) = match self.0 {
            0 => return f.write_str("0s"),
            n if n % 3_600_000_000_000 == 0 => ("h", 3_600_000_000_000),
            n if n % 60_000_000_000 == 0 => ("min", 60_000_000_000),
            n if n >= 1_000_000_000 => ("s", 1_000_000_000),
            n if n >= 1_000_000 => ("ms", 1_000_000),
            n if n >= 1_000 => ("us", 1_000),
            _ => ("ns", 1),
        };
        let whole = self.0 / scale;
        let fraction = self.0 % scale;
        if fraction == 0 {
            return write!(f, "{whole}{unit}");
        }
        let digits = scale.ilog10() as usize;
        let text = format!("{fraction:0digits$}");
        write!(f, "{whole}.{}{unit}", text.trim_end_matches('0'))
    }
}

/// Events per second; never negative, always finite.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(f64);

/// Events per second at most: no machine sends a thousandth of it.
const RATE_MAX: f64 = 1e9;

impl Rate {
    /// So many events per second; none where the number is negative, not finite or more
    /// than a billion.
    pub fn per_second(value: f64) -> Option<Self> {
        (0.0..=RATE_MAX).contains(&value).then_some(Self(value))
    }

    /// Events per second.
    pub const fn as_per_second(self) -> f64 {
        self.0
    }
}

/// The whole part of a number: nought of a negative one, the most there is of a greater.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast of a float saturates"
)]
pub(crate) const fn whole(value: f64) -> u64 {
    value as u64
}

const RATE_EXPECTED: &str = "a rate with its unit (/s, /min, /h), for example \"350/s\"";

impl FromStr for Rate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = || UnitError::new(text, RATE_EXPECTED);
        let (number, unit) = text.split_once('/').ok_or_else(error)?;
        let number: f64 = number
            .trim()
            .replace(['_', ','], "")
            .parse()
            .map_err(|_| error())?;
        let per = match unit.trim() {
            "s" => 1.0,
            "min" => 60.0,
            "h" => 3600.0,
            _ => return Err(error()),
        };
        let rate = number / per;
        if rate > RATE_MAX {
            return Err(UnitError::new(text, "a rate of at most 1000000000/s"));
        }
        Self::per_second(rate).ok_or_else(error)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

/// A share, written in per cent; 1 is the whole. Never negative, always finite,
/// and above 1 only where a bound is meant ("at most 150 %").
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ratio(f64);

impl Ratio {
    /// The whole: 100 %.
    pub const WHOLE: Self = Self(1.0);

    /// A share as a fraction of 1; none where it is negative or not finite.
    pub fn new(value: f64) -> Option<Self> {
        (value.is_finite() && value >= 0.0).then_some(Self(value))
    }

    /// The share as a fraction of 1.
    pub const fn get(self) -> f64 {
        self.0
    }
}

const RATIO_EXPECTED: &str = "a share in per cent, for example \"45 %\"";

impl FromStr for Ratio {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = || UnitError::new(text, RATIO_EXPECTED);
        let number = text.trim().strip_suffix('%').ok_or_else(error)?;
        let number = number.trim();
        if !number.ends_with(|last: char| last.is_ascii_digit()) {
            return Err(error());
        }
        // Shifting the decimal point in the text is exact; dividing is not.
        let value: f64 = format!("{number}e-2").parse().map_err(|_| error())?;
        Self::new(value).ok_or_else(error)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Twelve digits hide the rounding of the division by 100.
        let percent = (self.0 * 100.0 * 1e10).round() / 1e10;
        write!(f, "{percent} %")
    }
}

/// A time of day of the incident's story, in seconds after midnight (0 to 86,399).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClockTime(u32);

impl ClockTime {
    /// Seconds after midnight, wrapped into one day.
    pub const fn from_seconds(seconds: u32) -> Self {
        Self(seconds % 86_400)
    }

    /// Seconds after midnight.
    pub const fn as_seconds(self) -> u32 {
        self.0
    }
}

const CLOCK_EXPECTED: &str = "a time of day, for example \"16:30\" or \"16:30:15\"";

impl FromStr for ClockTime {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = || UnitError::new(text, CLOCK_EXPECTED);
        let mut parts = text.trim().split(':');
        let mut next = |limit: u32| -> Option<u32> {
            let part = parts.next()?;
            let valid = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
            let value = part.parse().ok().filter(|_| valid)?;
            (value < limit).then_some(value)
        };
        let hours = next(24).ok_or_else(error)?;
        let minutes = next(60).ok_or_else(error)?;
        let seconds = if text.matches(':').count() == 2 {
            next(60).ok_or_else(error)?
        } else {
            0
        };
        if parts.next().is_some() {
            return Err(error());
        }
        Ok(Self(hours * 3600 + minutes * 60 + seconds))
    }
}

impl TryFrom<String> for ClockTime {
    type Error = UnitError;
    fn try_from(text: String) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl From<ClockTime> for String {
    fn from(time: ClockTime) -> Self {
        time.to_string()
    }
}

impl fmt::Display for ClockTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hours, minutes, seconds) = (self.0 / 3600, self.0 / 60 % 60, self.0 % 60);
        write!(f, "{hours:02}:{minutes:02}")?;
        if seconds != 0 {
            write!(f, ":{seconds:02}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_read_as_written() {
        for (text, nanos) in [
            ("500ms", 500_000_000),
            ("2s", 2_000_000_000),
            ("1.5 s", 1_500_000_000),
            ("0.3s", 300_000_000), // exact, where a float is not
            ("1min 30s", 90_000_000_000),
            ("2h", 7_200_000_000_000),
            ("250us", 250_000),
            ("250µs", 250_000),
            ("0s", 0),
        ] {
            assert_eq!(text.parse(), Ok(Nanos(nanos)), "{text}");
        }
        for text in [
            "",
            "5",
            "5 parsecs",
            "s",
            ".s",
            "1.2.3s",
            "-1s",
            "99999999h",
        ] {
            assert!(text.parse::<Nanos>().is_err(), "{text}");
        }
    }

    #[test]
    fn rates_ratios_and_clock_times_read_as_written() {
        assert_eq!("350/s".parse(), Ok(Rate(350.0)));
        assert_eq!("90 / min".parse(), Ok(Rate(1.5)));
        assert_eq!("1_000_000/s".parse(), Ok(Rate(1e6)));
        assert!("350".parse::<Rate>().is_err());
        assert!("-1/s".parse::<Rate>().is_err());
        assert_eq!("45 %".parse(), Ok(Ratio(0.45)));
        assert_eq!(
            "45%".parse::<Ratio>().map(|r| r.to_string()),
            Ok("45 %".into())
        );
        assert!("45".parse::<Ratio>().is_err());
        assert_eq!("16:30".parse(), Ok(ClockTime(59_400)));
        assert_eq!(
            "16:30:05".parse::<ClockTime>().map(|t| t.to_string()),
            Ok("16:30:05".into())
        );
        for text in [
            "24:00",
            "16:60",
            "1630",
            "16:30:",
            "16:3x",
            "16:30:05:01",
            "+6:30",
        ] {
            assert!(text.parse::<ClockTime>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn printing_and_parsing_are_inverse(nanos: u64, share in 0u32..100_000, second in 0u32..86_400) {
            let nanos = Nanos(nanos);
            prop_assert_eq!(nanos.to_string().parse(), Ok(nanos));
            let ratio = Ratio(f64::from(share) / 1000.0);
            prop_assert_eq!(ratio.to_string().parse(), Ok(ratio));
            let time = ClockTime(second);
            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }
    }
}
