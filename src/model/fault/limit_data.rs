//! A connection that breaks after so many bytes.

use super::attribute::Attribute;
use super::catalogue::Fault;
use super::stage::{Ending, Stage};
use crate::rng::StdRng;
use crate::units::Nanos;

/// Closes the connection once so many bytes have gone this way, counted from the
/// instant at which the fault came to act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LimitData {
    /// Bytes.
    pub bytes: u64,
}

impl Fault for LimitData {
    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        let about = "Bytes that pass before the connection is closed.";
        vec![Attribute::count("bytes", &mut self.bytes, about)]
    }

    fn at_work(&self, _since: Nanos) -> Option<Box<dyn Stage>> {
        Some(Box::new(BytesLeft(self.bytes)))
    }
}

/// Bytes that may still go on.
struct BytesLeft(u64);

impl Stage for BytesLeft {
    fn length(&mut self, length: usize, _rng: &mut StdRng) -> usize {
        // Nothing is asked once none is left: the connection has ended.
        length.min(usize::try_from(self.0).unwrap_or(usize::MAX).max(1))
    }

    fn sent(&mut self, length: usize) {
        self.0 = self.0.saturating_sub(length as u64);
    }

    fn ending(&self) -> Option<(Nanos, Ending)> {
        (self.0 == 0).then_some((Nanos::ZERO, Ending::Close))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connection_ends_with_its_last_byte() {
        let mut stage = LimitData { bytes: 25 }.at_work(Nanos::ZERO).unwrap();
        let mut rng = crate::rng::stream(1, "limit");
        for (offered, passed) in [(10, 10), (10, 10), (10, 5)] {
            assert_eq!(stage.ending(), None);
            assert_eq!(stage.length(offered, &mut rng), passed);
            stage.sent(passed);
        }
        assert_eq!(stage.ending(), Some((Nanos::ZERO, Ending::Close)));
    }

    #[test]
    fn no_bytes_at_all_end_it_at_once() {
        let stage = LimitData { bytes: 0 }.at_work(Nanos::ZERO).unwrap();
        assert_eq!(stage.ending(), Some((Nanos::ZERO, Ending::Close)));
    }
}
