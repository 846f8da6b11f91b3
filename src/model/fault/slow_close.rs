//! A connection that is closed late.

use serde::{Deserialize, Serialize};

use super::catalogue::Fault;
use super::stage::Stage;
use super::units::{milliseconds, time_mistake};
use crate::units::Nanos;

/// Holds the end of the stream back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SlowClose {
    /// How late the end is.
    #[serde(with = "milliseconds")]
    pub delay: Nanos,
}

impl SlowClose {
    /// This fault on one direction of one connection.
    #[must_use]
    pub fn stage(self) -> impl Stage {
        LateEnd(self.delay)
    }
}

impl Fault for SlowClose {
    fn mistake(&self) -> Option<String> {
        time_mistake(self.delay)
    }

    fn told(&self) -> Vec<String> {
        vec![format!("delay {}", self.delay)]
    }

    fn at_work(&self, _since: Nanos) -> Option<Box<dyn Stage>> {
        Some(Box::new(self.stage()))
    }
}

struct LateEnd(Nanos);

impl Stage for LateEnd {
    fn closing(&self, due: Nanos) -> Nanos {
        due.saturating_add(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::tests::pieces;
    use super::*;

    #[test]
    fn the_end_is_late_and_bytes_are_not() {
        let mut stage = SlowClose {
            delay: Nanos::from_millis(250),
        }
        .stage();
        assert_eq!(pieces(&mut stage, &[(1, 9)]), [(1_000, 9)]);
        assert_eq!(
            stage.closing(Nanos::from_millis(2)),
            Nanos::from_millis(252)
        );
    }
}
