//! What a fault of a connection decides about the bytes of one direction.

use crate::rng::StdRng;
use crate::units::Nanos;

/// A part of the oldest bytes that wait, which may go on as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Its bytes.
    pub length: usize,
    /// Whether it begins what was read at once; the rest of that is no new arrival.
    pub first: bool,
}

/// How a fault ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// Both sides are closed.
    Close,
    /// Both sides are reset: the other end sees `ECONNRESET`.
    Reset,
}

/// A fault at work on one direction of one connection. Lengths are decided by all
/// stages before times are, and a piece that was decided on and did not go (a
/// fault came or went meanwhile) is decided on again: only [`Stage::sent`] counts.
pub trait Stage: Send {
    /// How many of these `length` bytes may go on together; at least 1, at most `length`.
    fn length(&mut self, length: usize, _rng: &mut StdRng) -> usize {
        length
    }

    /// When the piece goes on, which without this fault would be at `due`.
    fn due(&mut self, _piece: Piece, due: Nanos, _rng: &mut StdRng) -> Nanos {
        due
    }

    /// The piece that was last decided on has gone on.
    fn sent(&mut self, _length: usize) {}

    /// When the end of the stream goes on, which without this fault would be at `due`.
    fn closing(&self, due: Nanos) -> Nanos {
        due
    }

    /// Whether bytes vanish here.
    fn swallows(&self) -> bool {
        false
    }

    /// When this fault ends the connection, and how.
    fn ending(&self) -> Option<(Nanos, Ending)> {
        None
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::rng;

    /// Sends `lengths`, each an arrival at its instant in milliseconds, through
    /// one stage, and gives each piece with the instant in microseconds at which it went.
    pub(crate) fn pieces(stage: &mut dyn Stage, arrivals: &[(u64, usize)]) -> Vec<(u64, usize)> {
        let mut rng = rng::stream(1, "stage");
        let mut gone = Vec::new();
        let mut free = Nanos::ZERO;
        for (at, length) in arrivals {
            let (mut left, mut first) = (*length, true);
            while left > 0 {
                let length = stage.length(left, &mut rng);
                assert!((1..=left).contains(&length));
                let piece = Piece { length, first };
                let due = stage.due(piece, Nanos::from_millis(*at), &mut rng);
                free = free.max(due);
                stage.sent(length);
                gone.push((free.as_micros(), length));
                left -= length;
                first = false;
            }
        }
        gone
    }
}
