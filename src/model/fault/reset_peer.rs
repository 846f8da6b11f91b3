//! A connection that is reset.

use serde::{Deserialize, Serialize};

use super::catalogue::Fault;
use super::stage::{Ending, Stage};
use super::units::{milliseconds, time_mistake};
use crate::units::Nanos;

/// Resets the connection `timeout` after it began to act on it: at once for 0, also
/// where the connection is idle. Toxiproxy waits for a byte first; then connections
/// that are open would not break at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResetPeer {
    /// From the instant at which the fault came to act on the connection.
    #[serde(with = "milliseconds")]
    pub timeout: Nanos,
}

impl ResetPeer {
    /// This fault on one direction of one connection, on which it acts since `since`.
    #[must_use]
    pub fn stage(self, since: Nanos) -> impl Stage {
        Doomed(since.saturating_add(self.timeout))
    }
}

impl Fault for ResetPeer {
    fn mistake(&self) -> Option<String> {
        time_mistake(self.timeout)
    }

    fn told(&self) -> Vec<String> {
        vec![format!("timeout {}", self.timeout)]
    }

    fn at_work(&self, since: Nanos) -> Option<Box<dyn Stage>> {
        Some(Box::new(self.stage(since)))
    }
}

struct Doomed(Nanos);

impl Stage for Doomed {
    fn ending(&self) -> Option<(Nanos, Ending)> {
        Some((self.0, Ending::Reset))
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::tests::pieces;
    use super::*;

    #[test]
    fn bytes_pass_until_it_breaks() {
        let since = Nanos::from_millis(5);
        let mut stage = ResetPeer {
            timeout: Nanos::from_millis(10),
        }
        .stage(since);
        assert_eq!(pieces(&mut stage, &[(6, 3)]), [(6_000, 3)]);
        assert_eq!(
            stage.ending(),
            Some((Nanos::from_millis(15), Ending::Reset))
        );
        assert_eq!(
            ResetPeer {
                timeout: Nanos::ZERO
            }
            .stage(since)
            .ending(),
            Some((since, Ending::Reset))
        );
    }
}
