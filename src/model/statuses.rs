//! Which statuses of an answer are a success, as users write them.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::named::as_text;
use crate::units::UnitError;

/// Statuses as ranges, such as `200,302` or `200..399`; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statuses(Vec<RangeInclusive<u16>>);

impl Statuses {
    /// Its ranges.
    pub fn ranges(&self) -> &[RangeInclusive<u16>] {
        &self.0
    }

    /// Whether a status is one of these.
    pub fn allow(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

impl FromStr for Statuses {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let status = |text: &str| -> Option<u16> {
            let status = text.trim().parse().ok();
            status.filter(|status| (100..=599).contains(status))
        };
        let ranges = text.split(',').map(|range| {
            let (first, last) = range.split_once("..").unwrap_or((range, range));
            let (first, last) = (status(first)?, status(last)?);
            (first <= last).then_some(first..=last)
        });
        let ranges: Option<Vec<_>> = ranges.collect();
        ranges.map(Self).ok_or_else(|| {
            UnitError::new(
                text,
                "statuses from 100 to 599, for example \"200,302\" or \"200..399\"",
            )
        })
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            let before = if index == 0 { "" } else { "," };
            write!(f, "{before}{}", range.start())?;
            if range.start() < range.end() {
                write!(f, "..{}", range.end())?;
            }
        }
        Ok(())
    }
}

as_text!(Statuses);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_read_and_printed_again() {
        for text in ["200", "200,302", "200..399", "100..199,599"] {
            let statuses: Statuses = text.parse().unwrap();
            assert_eq!(statuses.to_string(), text);
        }
        let spaced: Statuses = "200, 302 .. 304".parse().unwrap();
        assert_eq!(spaced.to_string(), "200,302..304");
        assert!(spaced.allow(303) && !spaced.allow(301) && !spaced.allow(201));
        for text in ["", "20", "600", "302..200", "200,", "2xx"] {
            assert!(text.parse::<Statuses>().is_err(), "{text}");
        }
    }
}
