//! One direction of a connection: bytes in, bytes out when they are due.

use std::collections::VecDeque;

use bytes::{Buf as _, Bytes};

use super::stage::{Ending, Piece, Stage};
use crate::rng::StdRng;
use crate::units::Nanos;

/// Bytes that a direction holds at most; past them nothing more is read. With a
/// latency of a second it is also what a connection carries in a second at most:
/// the size of a usual window of TCP.
pub(crate) const PIPE_MAX: usize = 1 << 20;

/// What a direction does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// The bytes of [`Pipe::ready`] go on now.
    Ready,
    /// Nothing happens before this instant.
    Wait(Nanos),
    /// Nothing happens before something arrives.
    Idle,
    /// The source has ended and everything has gone on: the end goes on now.
    End,
    /// A fault ends the connection now.
    Ended(Ending),
}

/// A fault that acts on this direction.
struct Acting {
    id: u64,
    stage: Box<dyn Stage>,
    rng: StdRng,
}

/// One direction of one connection.
#[derive(Default)]
pub(crate) struct Pipe {
    waiting: VecDeque<(Nanos, Bytes)>,
    held: usize,
    /// Whether a part of the oldest bytes has gone on.
    begun: bool,
    /// Of the oldest bytes, those that were found due.
    cleared: usize,
    /// The next piece, and when it is due.
    decided: Option<(Piece, Nanos)>,
    /// When the source ended.
    ended: Option<Nanos>,
    acting: Vec<Acting>,
    /// Bytes that vanished and have not been told.
    swallowed: u64,
    /// Whether any vanished that have been told.
    holed: bool,
    /// Whether the fault that left a hole in the stream has gone.
    broken: bool,
}

impl Pipe {
    /// Bytes that may be pushed; none once the source has ended.
    pub(crate) fn room(&self) -> usize {
        if self.ended.is_some() {
            return 0;
        }
        PIPE_MAX.saturating_sub(self.held)
    }

    /// Whether nothing waits here.
    pub(crate) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Bytes that faults have made vanish since this was last asked.
    pub(crate) fn swallowed(&mut self) -> u64 {
        self.holed |= self.swallowed > 0;
        std::mem::take(&mut self.swallowed)
    }

    /// Bytes have arrived.
    pub(crate) fn push(&mut self, now: Nanos, bytes: Bytes) {
        if self.acting.iter().any(|acting| acting.stage.swallows()) {
            self.swallowed += bytes.len() as u64;
        } else if !bytes.is_empty() {
            self.held += bytes.len();
            self.waiting.push_back((now, bytes));
        }
    }

    /// The source has ended.
    pub(crate) fn end(&mut self, now: Nanos) {
        self.ended.get_or_insert(now);
    }

    /// Which faults act from now on, by number; `start` begins one that did not act
    /// before, and the others go on where they were. What waits is decided on again.
    pub(crate) fn act(
        &mut self,
        faults: &[u64],
        mut start: impl FnMut(u64) -> (Box<dyn Stage>, StdRng),
    ) {
        let mut before = std::mem::take(&mut self.acting);
        for id in faults.iter().copied() {
            let own = before.iter().position(|acting| acting.id == id);
            self.acting.push(if let Some(index) = own {
                before.swap_remove(index)
            } else {
                let (stage, rng) = start(id);
                Acting { id, stage, rng }
            });
        }
        let hole_gone = before.iter().any(|acting| acting.stage.swallows());
        self.broken |= hole_gone && (self.holed || self.swallowed > 0);
        self.decided = None;
        if self.acting.iter().any(|acting| acting.stage.swallows()) {
            self.swallowed += self.held as u64;
            self.waiting.clear();
            self.held = 0;
            self.cleared = 0;
        }
    }

    /// What this direction does at `now`.
    pub(crate) fn next(&mut self, now: Nanos) -> Flow {
        let ending = self.ending();
        if let Some((_, ending)) = ending.filter(|(at, _)| *at <= now) {
            return Flow::Ended(ending);
        }
        let wait = |at: Nanos| match ending {
            Some((ends, _)) => Flow::Wait(at.min(ends)),
            None if at == Nanos::MAX => Flow::Idle,
            None => Flow::Wait(at),
        };
        if self.cleared > 0 {
            return Flow::Ready;
        }
        let Some((arrived, bytes)) = self.waiting.front() else {
            return match self.closes() {
                Some(at) if at <= now => Flow::End,
                Some(at) => wait(at),
                None => wait(Nanos::MAX),
            };
        };
        let (arrived, length) = (*arrived, bytes.len());
        let (piece, due) = match self.decided {
            Some(decided) => decided,
            None => *self.decided.insert(decide(
                &mut self.acting,
                arrived,
                Piece {
                    length,
                    first: !self.begun,
                },
            )),
        };
        if due > now {
            return wait(due);
        }
        self.decided = None;
        self.cleared = piece.length;
        for acting in &mut self.acting {
            acting.stage.sent(piece.length);
        }
        Flow::Ready
    }

    /// The bytes that go on now, after [`Flow::Ready`].
    pub(crate) fn ready(&self) -> &[u8] {
        let front = self.waiting.front();
        front.map_or(&[], |(_, bytes)| &bytes[..self.cleared])
    }

    /// So many of the ready bytes have gone on.
    pub(crate) fn gone(&mut self, length: usize) {
        let Some((_, bytes)) = self.waiting.front_mut() else {
            return;
        };
        bytes.advance(length);
        self.cleared -= length;
        self.held -= length;
        self.begun = true;
        if bytes.is_empty() {
            self.waiting.pop_front();
            self.begun = false;
        }
    }

    /// The first end that a fault brings. One that has let its last byte through
    /// waits until that byte has gone.
    fn ending(&self) -> Option<(Nanos, Ending)> {
        if self.broken {
            return Some((Nanos::ZERO, Ending::Close));
        }
        let endings = self
            .acting
            .iter()
            .filter_map(|acting| acting.stage.ending());
        let first = endings.min()?;
        (self.cleared == 0 || first.1 == Ending::Reset).then_some(first)
    }

    /// When the end of the source goes on.
    fn closes(&self) -> Option<Nanos> {
        let stages = self.acting.iter();
        let ended = self.ended?;
        Some(stages.fold(ended, |due, acting| acting.stage.closing(due)))
    }
}

/// How much goes on next, and when: lengths first, since a time may depend on them.
fn decide(acting: &mut [Acting], arrived: Nanos, mut piece: Piece) -> (Piece, Nanos) {
    for Acting { stage, rng, .. } in acting.iter_mut() {
        piece.length = stage.length(piece.length, rng);
    }
    let mut due = arrived;
    for Acting { stage, rng, .. } in acting {
        due = stage.due(piece, due, rng);
    }
    (piece, due)
}

#[cfg(test)]
mod tests {
    use super::super::{
        Bandwidth, Effect, Latency, LimitData, ResetPeer, Slicer, SlowClose, Timeout,
    };
    use super::*;
    use crate::rng;
    use proptest::prelude::*;

    fn ms(millis: u64) -> Nanos {
        Nanos::from_millis(millis)
    }

    /// Lets these effects act from `since` on, numbered by their places.
    fn act(pipe: &mut Pipe, since: Nanos, effects: &[(u64, Effect)]) {
        let ids: Vec<u64> = effects.iter().map(|(id, _)| *id).collect();
        pipe.act(&ids, |id| {
            let (_, effect) = effects.iter().find(|(own, _)| *own == id).unwrap();
            (effect.stage(since).unwrap(), rng::stream(id, "pipe"))
        });
    }

    /// Everything that goes on up to `now`, and what comes next.
    fn drain(pipe: &mut Pipe, now: Nanos) -> (Vec<u8>, Flow) {
        let mut gone = Vec::new();
        loop {
            match pipe.next(now) {
                Flow::Ready => {
                    gone.extend_from_slice(pipe.ready());
                    pipe.gone(pipe.ready().len());
                }
                flow => return (gone, flow),
            }
        }
    }

    const LATE: Effect = Effect::Latency(Latency {
        latency: Nanos::from_millis(100),
        jitter: Nanos::ZERO,
    });
    const HOLE: Effect = Effect::Timeout(Timeout {
        timeout: Nanos::ZERO,
    });

    #[test]
    fn without_faults_bytes_pass_and_then_the_end() {
        let mut pipe = Pipe::default();
        assert_eq!(pipe.next(ms(0)), Flow::Idle);
        pipe.push(ms(1), Bytes::from_static(b"ab"));
        pipe.push(ms(1), Bytes::from_static(b"c"));
        pipe.end(ms(2));
        assert_eq!((pipe.room(), pipe.is_empty()), (0, false));
        assert_eq!(drain(&mut pipe, ms(2)), (b"abc".to_vec(), Flow::End));
    }

    #[test]
    fn a_fault_that_goes_holds_nothing_back_and_one_that_comes_meets_what_waits() {
        let mut pipe = Pipe::default();
        act(&mut pipe, ms(0), &[(1, LATE)]);
        pipe.push(ms(10), Bytes::from_static(b"ab"));
        assert_eq!(drain(&mut pipe, ms(20)), (vec![], Flow::Wait(ms(110))));
        // Twice as late, counted from the arrival.
        act(&mut pipe, ms(20), &[(1, LATE), (2, LATE)]);
        assert_eq!(drain(&mut pipe, ms(20)), (vec![], Flow::Wait(ms(210))));
        act(&mut pipe, ms(30), &[]);
        assert_eq!(drain(&mut pipe, ms(30)), (b"ab".to_vec(), Flow::Idle));
    }

    #[test]
    fn faults_in_a_row_add_up() {
        let mut pipe = Pipe::default();
        let narrow = Effect::Bandwidth(Bandwidth { bytes_per_s: 1_000 });
        let slow_close = Effect::SlowClose(SlowClose { delay: ms(40) });
        act(&mut pipe, ms(0), &[(1, LATE), (2, narrow), (3, slow_close)]);
        pipe.push(ms(0), Bytes::from_static(b"0123456789abcde"));
        pipe.end(ms(5));
        // Ten bytes take ten milliseconds, after the hundred.
        assert_eq!(pipe.next(ms(109)), Flow::Wait(ms(110)));
        assert_eq!(drain(&mut pipe, ms(110)).0, b"0123456789");
        assert_eq!(drain(&mut pipe, ms(115)), (b"abcde".to_vec(), Flow::End));
        // An end that came later is held back itself.
        let mut pipe = Pipe::default();
        act(
            &mut pipe,
            ms(0),
            &[(3, Effect::SlowClose(SlowClose { delay: ms(40) }))],
        );
        pipe.end(ms(5));
        assert_eq!(pipe.next(ms(44)), Flow::Wait(ms(45)));
        assert_eq!(pipe.next(ms(45)), Flow::End);
    }

    #[test]
    fn a_black_hole_swallows_what_waits_and_what_comes() {
        let mut pipe = Pipe::default();
        pipe.push(ms(0), Bytes::from_static(b"ab"));
        act(&mut pipe, ms(1), &[(1, HOLE)]);
        pipe.push(ms(2), Bytes::from_static(b"cd"));
        assert_eq!(drain(&mut pipe, ms(9)), (vec![], Flow::Idle));
        assert_eq!(pipe.swallowed(), 4);
        // A stream with a hole in it does not go on.
        act(&mut pipe, ms(10), &[]);
        assert_eq!(pipe.next(ms(10)), Flow::Ended(Ending::Close));
    }

    #[test]
    fn a_black_hole_that_lost_nothing_leaves_no_trace() {
        let mut pipe = Pipe::default();
        act(&mut pipe, ms(1), &[(1, HOLE)]);
        act(&mut pipe, ms(10), &[]);
        pipe.push(ms(11), Bytes::from_static(b"ab"));
        assert_eq!(drain(&mut pipe, ms(11)), (b"ab".to_vec(), Flow::Idle));
    }

    #[test]
    fn ends_come_at_their_time_also_while_nothing_flows() {
        for (effect, ending) in [
            (Effect::Timeout(Timeout { timeout: ms(50) }), Ending::Close),
            (
                Effect::ResetPeer(ResetPeer { timeout: ms(50) }),
                Ending::Reset,
            ),
        ] {
            let mut pipe = Pipe::default();
            act(&mut pipe, ms(10), &[(1, effect)]);
            assert_eq!(pipe.next(ms(59)), Flow::Wait(ms(60)));
            assert_eq!(pipe.next(ms(60)), Flow::Ended(ending));
        }
    }

    #[test]
    fn a_limit_is_exact_and_counts_across_changes() {
        let mut pipe = Pipe::default();
        let limit = Effect::LimitData(LimitData { bytes: 5 });
        act(&mut pipe, ms(0), &[(1, limit.clone())]);
        pipe.push(ms(0), Bytes::from_static(b"abc"));
        assert_eq!(drain(&mut pipe, ms(0)), (b"abc".to_vec(), Flow::Idle));
        act(&mut pipe, ms(1), &[(1, limit), (2, LATE)]);
        pipe.push(ms(1), Bytes::from_static(b"defg"));
        assert_eq!(
            drain(&mut pipe, ms(101)),
            (b"de".to_vec(), Flow::Ended(Ending::Close))
        );
    }

    fn harmless() -> impl Strategy<Value = Effect> {
        prop_oneof![
            (0u64..50, 0u64..80).prop_map(|(latency, jitter)| Effect::Latency(Latency {
                latency: ms(latency),
                jitter: ms(jitter)
            })),
            (0u64..2_000).prop_map(|rate| Effect::Bandwidth(Bandwidth {
                bytes_per_s: 1_000 * rate
            })),
            (1u64..100, 0u64..100, 0u64..5_000).prop_map(|(size, variation, delay)| {
                Effect::Slicer(Slicer {
                    average_size: size,
                    size_variation: variation % size,
                    delay: Nanos::from_micros(delay),
                })
            }),
            (0u64..50).prop_map(|delay| Effect::SlowClose(SlowClose { delay: ms(delay) })),
        ]
    }

    proptest! {
        /// Whatever comes, goes, and is written in part: the same bytes in the same
        /// order, none before its arrival, and then the end.
        #[test]
        fn faults_that_change_no_bytes_change_none(
            effects in prop::collection::vec(harmless(), 1..5),
            steps in prop::collection::vec((0u64..30, 0usize..4_000, any::<u8>(), 0usize..5_000), 1..40),
        ) {
            let mut pipe = Pipe::default();
            let (mut now, mut given, mut got) = (Nanos::ZERO, Vec::new(), Vec::new());
            for (pause, length, which, most) in steps {
                now += ms(pause);
                let chosen: Vec<_> = effects.iter().cloned().enumerate()
                    .filter(|(index, _)| which & (1 << index) != 0)
                    .map(|(index, effect)| (index as u64, effect))
                    .collect();
                act(&mut pipe, now, &chosen);
                let bytes: Vec<u8> = (0..length)
                    .map(|n| u8::try_from((given.len() + n) % 256).unwrap())
                    .collect();
                given.extend_from_slice(&bytes);
                pipe.push(now, bytes.into());
                if pipe.next(now) == Flow::Ready {
                    let part = pipe.ready().len().min(most);
                    got.extend_from_slice(&pipe.ready()[..part]);
                    pipe.gone(part);
                }
                prop_assert!(got.len() <= given.len());
            }
            pipe.end(now);
            loop {
                let (bytes, flow) = drain(&mut pipe, now);
                got.extend(bytes);
                match flow {
                    Flow::Wait(at) => { prop_assert!(at > now); now = at; }
                    flow => { prop_assert_eq!(flow, Flow::End); break; }
                }
            }
            prop_assert!(got == given);
        }
    }
}
