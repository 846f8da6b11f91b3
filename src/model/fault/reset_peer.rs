//! A connection that is reset.

use super::attribute::Attribute;
use super::catalogue::Fault;
use super::stage::{Ending, Stage};
use crate::units::Nanos;

/// Resets the connection `timeout` after it began to act on it: at once for 0, also
/// where the connection is idle. Toxiproxy waits for a byte first; then connections
/// that are open would not break at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResetPeer {
    /// From the instant at which the fault came to act on the connection.
    pub timeout: Nanos,
}

impl Fault for ResetPeer {
    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        let about = "When the connection is reset; 0s: at once.";
        vec![Attribute::time("timeout", &mut self.timeout, about)]
    }

    fn at_work(&self, since: Nanos) -> Option<Box<dyn Stage>> {
        Some(Box::new(Doomed(since.saturating_add(self.timeout))))
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
        .at_work(since)
        .unwrap();
        assert_eq!(pieces(&mut *stage, &[(6, 3)]), [(6_000, 3)]);
        assert_eq!(
            stage.ending(),
            Some((Nanos::from_millis(15), Ending::Reset))
        );
        assert_eq!(
            ResetPeer {
                timeout: Nanos::ZERO
            }
            .at_work(since)
            .unwrap()
            .ending(),
            Some((since, Ending::Reset))
        );
    }
}
