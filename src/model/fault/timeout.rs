//! A black hole.

use serde::{Deserialize, Serialize};

use super::stage::{Ending, Stage};
use crate::units::Nanos;

/// Lets nothing through, and closes the connection after `timeout`; 0 is never.
///
/// Bytes that came meanwhile are lost. So a connection that lost some is closed
/// when the fault is undone: a stream with a hole in it would be a corruption, and
/// no network makes one. One that lost none goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeout {
    /// Milliseconds from the instant at which the fault came to act on the connection.
    pub timeout: u64,
}

impl Timeout {
    /// This fault on one direction of one connection, on which it acts since `since`.
    #[must_use]
    pub fn stage(self, since: Nanos) -> impl Stage {
        Hole {
            closes: (self.timeout > 0)
                .then(|| since.saturating_add(Nanos::from_millis(self.timeout))),
        }
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
        let stage = Timeout { timeout: 100 }.stage(since);
        assert!(stage.swallows());
        assert_eq!(
            stage.ending(),
            Some((Nanos::from_millis(130), Ending::Close))
        );
        assert_eq!(Timeout { timeout: 0 }.stage(since).ending(), None);
    }
}
