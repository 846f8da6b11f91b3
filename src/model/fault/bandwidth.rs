//! A narrow line.

use super::attribute::{Attribute, Field};
use super::catalogue::Fault;
use super::stage::{Piece, Stage};
use crate::rng::StdRng;
use crate::units::Nanos;

/// A piece is what the line carries in so many milliseconds: short enough that a
/// reader sees a trickle, long enough that a fast line is not all timers.
const PIECE_MS: u64 = 10;
/// Bytes of a kilobyte: 1,000, as rates of lines are given (Toxiproxy likewise).
const KILOBYTE: u64 = 1_000;

/// Lets so many bytes a second through; 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bandwidth {
    /// Bytes a second; written in kilobytes.
    pub bytes_per_s: u64,
}

impl Fault for Bandwidth {
    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        let rate = Field::Count(KILOBYTE, &mut self.bytes_per_s);
        let about = "Kilobytes (1,000 bytes) a second; 0: no limit.";
        vec![Attribute::new("rate", rate, about)]
    }

    fn at_work(&self, _since: Nanos) -> Option<Box<dyn Stage>> {
        Some(Box::new(Line {
            bytes_per_s: self.bytes_per_s,
            free: Nanos::ZERO,
            decided: Nanos::ZERO,
        }))
    }
}

struct Line {
    bytes_per_s: u64,
    /// When the line has carried all that went on.
    free: Nanos,
    /// When it would have carried the piece that was last decided on.
    decided: Nanos,
}

impl Stage for Line {
    fn length(&mut self, length: usize, _rng: &mut StdRng) -> usize {
        if self.bytes_per_s == 0 {
            return length;
        }
        let most = usize::try_from(self.bytes_per_s * PIECE_MS / 1_000).unwrap_or(usize::MAX);
        length.min(most.max(1))
    }

    fn due(&mut self, piece: Piece, due: Nanos, _rng: &mut StdRng) -> Nanos {
        if self.bytes_per_s == 0 {
            return due;
        }
        let nanos = piece.length as u128 * 1_000_000_000 / u128::from(self.bytes_per_s);
        let takes = Nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        // Counted from the line's own schedule, so that a late wake-up of the
        // proxy does not make it narrower.
        self.decided = due.max(self.free).saturating_add(takes);
        self.decided
    }

    fn sent(&mut self, _length: usize) {
        self.free = self.decided;
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::tests::pieces;
    use super::*;

    #[test]
    fn a_line_carries_its_rate_and_no_more() {
        // 10 KB/s: 100 bytes in 10 ms.
        let mut stage = Bandwidth {
            bytes_per_s: 10_000,
        }
        .at_work(Nanos::ZERO)
        .unwrap();
        assert_eq!(
            pieces(&mut *stage, &[(0, 250), (5, 10), (100, 50)]),
            // The second arrival waits for the first; the third finds the line free.
            [
                (10_000, 100),
                (20_000, 100),
                (25_000, 50),
                (26_000, 10),
                (105_000, 50)
            ]
        );
    }

    #[test]
    fn no_rate_is_no_limit_and_a_slow_line_still_moves() {
        let mut free = Bandwidth { bytes_per_s: 0 }.at_work(Nanos::ZERO).unwrap();
        assert_eq!(pieces(&mut *free, &[(3, 1_000_000)]), [(3_000, 1_000_000)]);
        let mut slow = Bandwidth { bytes_per_s: 1_000 }
            .at_work(Nanos::ZERO)
            .unwrap();
        let gone = pieces(&mut *slow, &[(0, 1_000)]);
        assert_eq!(gone.last(), Some(&(1_000_000, 10)));
    }

    #[test]
    fn a_piece_that_was_decided_on_twice_is_carried_once() {
        let mut stage = Bandwidth {
            bytes_per_s: 10_000,
        }
        .at_work(Nanos::ZERO)
        .unwrap();
        let mut rng = crate::rng::stream(1, "line");
        let piece = Piece {
            length: 100,
            first: true,
        };
        for _ in 0..2 {
            let due = stage.due(piece, Nanos::ZERO, &mut rng);
            assert_eq!(due, Nanos::from_millis(10));
        }
    }
}
