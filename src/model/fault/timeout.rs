//! A black hole.

use serde::{Deserialize, Serialize};

use super::catalogue::Fault;
use super::stage::{Ending, Stage};
use super::units::{milliseconds, time_mistake};
use crate::units::Nanos;

/// Lets nothing through, and closes the connection after `timeout`; 0 is never.
///
/// Bytes that came meanwhile are lost. So a connection that lost some is closed
/// when the fault is undone: a stream with a hole in it would be a corruption, and
/// no network makes one. One that lost none goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeout {
    /// From the instant at which the fault came to act on the connection.
    #[serde(with = "milliseconds")]
    pub timeout: Nanos,
}

impl Timeout {
    /// This fault on one direction of one connection, on which it acts since `since`.
    #[must_use]
    pub fn stage(self, since: Nanos) -> impl Stage {
        Hole {
            closes: (self.timeout > Nanos::ZERO).then(|| since.saturating_add(self.timeout)),
        }
    }
}

impl Fault for Timeout {
    fn mistake(&self) -> Option<String> {
        time_mistake(self.timeout)
    }

    fn told(&self) -> Vec<String> {
        vec![self.timeout.to_string()]
    }

    fn at_work(&self, since: Nanos) -> Option<Box<dyn Stage>> {
        Some(Box::new(self.stage(since)))
    }
}

struct Hole {
    closes: Option<Nanos>,
}

impl Stage for Hole {
    fn swallows(&self) -> bool {
        true
    }

    fn ending(&self) -> Option<(Nanos, Ending)> {
        self.closes.map(|at| (at, Ending::Close))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_closes_after_its_time_or_never() {
        let since = Nanos::from_millis(30);
        let stage = Timeout {
            timeout: Nanos::from_millis(100),
        }
        .stage(since);
        assert!(stage.swallows());
        assert_eq!(
            stage.ending(),
            Some((Nanos::from_millis(130), Ending::Close))
        );
        assert_eq!(
            Timeout {
                timeout: Nanos::ZERO
            }
            .stage(since)
            .ending(),
            None
        );
    }
}
