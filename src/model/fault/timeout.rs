//! A black hole.

use super::attribute::Attribute;
use super::catalogue::Fault;
use super::stage::{Ending, Stage};
use crate::units::Nanos;

/// Lets nothing through, and closes the connection after `timeout`; 0 is never.
///
/// Bytes that came meanwhile are lost. So a connection that lost some is closed
/// when the fault is undone: a stream with a hole in it would be a corruption, and
/// no network makes one. One that lost none goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timeout {
    /// From the instant at which the fault came to act on the connection.
    pub timeout: Nanos,
}

impl Fault for Timeout {
    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        let about = "When the connection is closed; 0s: never.";
        vec![Attribute::time("timeout", &mut self.timeout, about)]
    }

    fn at_work(&self, since: Nanos) -> Option<Box<dyn Stage>> {
        let closes = (self.timeout > Nanos::ZERO).then(|| since.saturating_add(self.timeout));
        Some(Box::new(Hole { closes }))
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
        .at_work(since)
        .unwrap();
        assert!(stage.swallows());
        assert_eq!(
            stage.ending(),
            Some((Nanos::from_millis(130), Ending::Close))
        );
        assert_eq!(
            Timeout {
                timeout: Nanos::ZERO
            }
            .at_work(since)
            .unwrap()
            .ending(),
            None
        );
    }
}
