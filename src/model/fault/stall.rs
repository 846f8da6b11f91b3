//! A stream that stands still, as a database does that is paused.

use super::attribute::Attribute;
use super::catalogue::Fault;
use super::stage::{Piece, Stage};
use crate::rng::StdRng;
use crate::units::Nanos;

/// After `delay` nothing more goes on `for` so long, the end of the stream included;
/// 0 is until it is undone. The connection stays open, and what was held is delivered
/// afterwards. A `timeout` loses what comes meanwhile, and may close the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stall {
    /// From the instant at which the fault came to act on the connection.
    pub delay: Nanos,
    /// How long it lasts.
    pub lasts: Nanos,
}

impl Fault for Stall {
    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        let lasts = "How long nothing goes on; 0s: until it is undone.";
        vec![
            Attribute::time("delay", &mut self.delay, "When it begins."),
            Attribute::time("for", &mut self.lasts, lasts),
        ]
    }

    fn at_work(&self, since: Nanos) -> Option<Box<dyn Stage>> {
        // What waits already when it begins at once is held too.
        let from = match self.delay {
            Nanos::ZERO => Nanos::ZERO,
            delay => since.saturating_add(delay),
        };
        let to = match self.lasts {
            Nanos::ZERO => Nanos::MAX,
            lasts => since.saturating_add(self.delay).saturating_add(lasts),
        };
        Some(Box::new(Still { from, to }))
    }
}

/// Nothing goes on between these instants.
struct Still {
    from: Nanos,
    to: Nanos,
}

impl Still {
    fn after(&self, due: Nanos) -> Nanos {
        if (self.from..self.to).contains(&due) {
            self.to
        } else {
            due
        }
    }
}

impl Stage for Still {
    fn due(&mut self, _piece: Piece, due: Nanos, _rng: &mut StdRng) -> Nanos {
        self.after(due)
    }

    fn closing(&self, due: Nanos) -> Nanos {
        self.after(due)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::stage::tests::pieces;
    use super::super::{Effect, Flow, Pipe};
    use super::*;
    use crate::rng;

    const MS: fn(u64) -> Nanos = Nanos::from_millis;

    #[test]
    fn what_comes_while_it_lasts_goes_on_afterwards() {
        let stall = Stall {
            delay: MS(10),
            lasts: MS(20),
        };
        let mut stage = stall.at_work(MS(5)).unwrap();
        assert_eq!(
            pieces(&mut *stage, &[(14, 1), (15, 2), (34, 3), (35, 4)]),
            [(14_000, 1), (35_000, 2), (35_000, 3), (35_000, 4)]
        );
        // So does an end; none of them is the connection's.
        assert_eq!(stage.closing(MS(20)), MS(35));
        assert_eq!(stage.ending(), None);
        assert!(!stage.swallows());
    }

    #[test]
    fn until_it_is_undone_nothing_goes_on_and_nothing_is_lost() {
        let mut pipe = Pipe::default();
        pipe.push(MS(0), Bytes::from_static(b"ab"));
        let stall = Effect::Stall(Stall::default());
        let stage = |_| (stall.stage(MS(1)).unwrap(), rng::stream(1, "stall"));
        pipe.act(&[7], stage);
        pipe.push(MS(2), Bytes::from_static(b"cd"));
        pipe.end(MS(3));
        assert_eq!(pipe.next(MS(3_600_000)), Flow::Idle);
        pipe.act(&[], stage);
        let mut gone = Vec::new();
        while pipe.next(MS(3_600_001)) == Flow::Ready {
            gone.extend_from_slice(pipe.ready());
            pipe.gone(pipe.ready().len());
        }
        assert_eq!(gone, b"abcd");
        assert_eq!(pipe.next(MS(3_600_001)), Flow::End);
        assert_eq!(pipe.swallowed(), 0);
    }
}
