//! A connection that is closed late.

use super::attribute::Attribute;
use super::catalogue::Fault;
use super::stage::Stage;
use crate::units::Nanos;

/// Holds the end of the stream back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SlowClose {
    /// How late the end is.
    pub delay: Nanos,
}

impl Fault for SlowClose {
    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        vec![Attribute::time(
            "delay",
            &mut self.delay,
            "How late the end is.",
        )]
    }

    fn at_work(&self, _since: Nanos) -> Option<Box<dyn Stage>> {
        Some(Box::new(LateEnd(self.delay)))
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
        .at_work(Nanos::ZERO)
        .unwrap();
        assert_eq!(pieces(&mut *stage, &[(1, 9)]), [(1_000, 9)]);
        assert_eq!(
            stage.closing(Nanos::from_millis(2)),
            Nanos::from_millis(252)
        );
    }
}
