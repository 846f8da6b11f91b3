//! Recorded times, to be offered again as they came.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::bounds::REPLAY;
use crate::units::Nanos;

/// The latest time that a recording may hold: longer loads are none of a tester's.
const LATEST: Nanos = Nanos::from_secs(24 * 3600);

/// Instants at which operations are due, in order, from the start of the load.
///
/// Cloning shares them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Nanos>", into = "Vec<Nanos>")]
pub struct Replay(Arc<[Nanos]>);

/// Why a text is no recording.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// A line is no time within a day.
    #[error(
        "line {line}, `{text}`, is not a time: write the seconds since the start of the load, \
         at most a day, such as 12.345"
    )]
    Line {
        /// Which line, from 1 on.
        line: usize,
        /// What stands there, shortened.
        text: String,
    },
    /// There is no time in it.
    #[error("it has no times: write one for each operation, in seconds, each on a line")]
    Empty,
    /// There are more than are held in memory.
    #[error("{}", REPLAY.too_many())]
    TooMany,
}

impl Replay {
    /// Reads one time a line: seconds with decimals, in any order. Empty lines
    /// and those that begin with `#` say nothing.
    ///
    /// # Errors
    ///
    /// Where a line is something else, no line is a time, or there are too many.
    pub fn parse(text: &str) -> Result<Self, ReplayError> {
        let mut times = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let time = seconds(line).ok_or_else(|| ReplayError::Line {
                line: index + 1,
                text: line.chars().take(40).flat_map(char::escape_debug).collect(),
            })?;
            times.push(time);
            if times.len() as u64 > REPLAY.entries_max() {
                return Err(ReplayError::TooMany);
            }
        }
        if times.is_empty() {
            return Err(ReplayError::Empty);
        }
        Ok(times.into())
    }

    /// When the operation of this index is due, from 0 on; none after the last.
    pub fn get(&self, index: u64) -> Option<Nanos> {
        self.0.get(usize::try_from(index).ok()?).copied()
    }

    /// When the last operation is due.
    pub fn last(&self) -> Option<Nanos> {
        self.0.last().copied()
    }
}

/// A decimal number of seconds within a day.
fn seconds(text: &str) -> Option<Nanos> {
    let number = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let time = number.then(|| format!("{text}s").parse::<Nanos>().ok())??;
    (time <= LATEST).then_some(time)
}

impl From<Vec<Nanos>> for Replay {
    fn from(mut times: Vec<Nanos>) -> Self {
        times.sort_unstable();
        Self(times.into())
    }
}

impl From<Replay> for Vec<Nanos> {
    fn from(replay: Replay) -> Self {
        replay.0.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_exactly_and_put_in_order() {
        let replay =
            Replay::parse("# recorded on a Monday\n\n 0.3\n2\n0.000000001\r\n.5\n").unwrap();
        let times: Vec<Nanos> = replay.clone().into();
        assert_eq!(
            times.iter().map(|time| time.0).collect::<Vec<_>>(),
            [1, 300_000_000, 500_000_000, 2_000_000_000]
        );
        assert_eq!((replay.get(3), replay.get(4)), (replay.last(), None));
        let json = serde_json::to_string(&replay).unwrap();
        assert_eq!(serde_json::from_str::<Replay>(&json).unwrap(), replay);
    }

    #[test]
    fn what_is_no_time_is_told_with_its_line() {
        for (text, line) in [
            ("1\n2\nthree", 3),
            ("# fine\n-1", 2),
            ("1 2", 1),
            ("1e3", 1),
            ("1s", 1),
            (".", 1),
            ("1.2.3", 1),
            ("1764000000.25", 1), // seconds since 1970: not since the start
            ("99999999999999999999", 1),
        ] {
            let error = Replay::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("line {line},")), "{error}");
        }
        assert_eq!(Replay::parse("\n# nothing\n"), Err(ReplayError::Empty));
    }
}
