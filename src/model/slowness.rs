//! Parts of the fleet that are slower than usual.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::named::named;
use crate::units::Nanos;

named! {
    /// A part of the fleet that can be made slow.
    pub enum SlowPart {
        /// The application's own part of a request.
        Application = "application",
        /// The way to the database and back.
        Database = "database",
        /// The identity service.
        Identity = "identity",
    }
}

impl fmt::Display for SlowPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Application => "application",
            Self::Database => "database",
            Self::Identity => "identity service",
        })
    }
}

/// How many times as long as usual each part takes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Slowness {
    application: f64,
    database: f64,
    identity: f64,
}

impl Default for Slowness {
    /// All parts are as fast as usual.
    fn default() -> Self {
        Self {
            application: 1.0,
            database: 1.0,
            identity: 1.0,
        }
    }
}

impl Slowness {
    /// From now on the part takes this many times as long.
    pub(crate) const fn set(&mut self, part: SlowPart, factor: f64) {
        match part {
            SlowPart::Application => self.application = factor,
            SlowPart::Database => self.database = factor,
            SlowPart::Identity => self.identity = factor,
        }
    }

    /// What a duration that was drawn for the part comes to.
    pub(crate) fn stretch(&self, part: SlowPart, drawn: Nanos) -> Nanos {
        let factor = match part {
            SlowPart::Application => self.application,
            SlowPart::Database => self.database,
            SlowPart::Identity => self.identity,
        };
        // To the nanosecond what was drawn, where nothing is slow.
        if factor > 1.0 {
            Nanos::from_secs_f64(drawn.as_secs_f64() * factor)
        } else {
            drawn
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_slow_on_its_own() {
        let mut slow = Slowness::default();
        let drawn = Nanos::from_millis(3);
        slow.set(SlowPart::Database, 5.0);
        assert_eq!(slow.stretch(SlowPart::Database, drawn), drawn * 5);
        assert_eq!(slow.stretch(SlowPart::Identity, drawn), drawn);
        slow.set(SlowPart::Database, 1.0);
        assert_eq!(slow, Slowness::default());
    }
}
