//! Messages that arrive once and in their order, over something that loses, repeats and
//! reorders what it is given.
//!
//! One side numbers the pieces of its messages and keeps each until the other has it; what
//! is not acknowledged in time is sent again. The other takes each number once. So nothing
//! counts twice and nothing is lost by a repeat, and what is missing is known by its number.
//! A stream of the message system itself (`JetStream`) would be the obvious way; it keeps what
//! it is given on disks of the server, and a measurement has no use for what comes after its
//! lease.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::bounds::{AGENT_MESSAGE, AGENT_OUTBOX_MAX};
use crate::units::Nanos;

/// Bytes of a piece at most: far below the mebibyte that a NATS server takes.
const PIECE: usize = 64 * 1024;
/// Pieces that are under way at a time.
const WINDOW: usize = 64;
/// After so long without an acknowledgement a piece is sent again.
const RESEND: Nanos = Nanos::from_millis(500);
/// Each time it is, it is waited for twice as long, up to this many times as long: on a slow
/// line a window of pieces takes seconds, and repeats of it would fill the line.
const RESEND_TIMES_MAX: u64 = 4;

/// What one side sends, until the other has it.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    last_number: u64,
    pieces: VecDeque<Waiting>,
    bytes: usize,
}

/// A piece that is not acknowledged.
#[derive(Debug)]
struct Waiting {
    piece: Piece,
    sent: Option<Nanos>,
    /// For how many [`RESEND`] its acknowledgement is waited for.
    times: u64,
}

/// A piece of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// Its number, from one on.
    pub number: u64,
    /// Whether the message ends with it.
    pub last: bool,
    /// What it holds.
    pub payload: Bytes,
}

/// More is waiting than is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

impl Outbox {
    /// Takes a message.
    ///
    /// # Errors
    ///
    /// Where too much waits already for an acknowledgement: the message is not taken.
    pub(super) fn push(&mut self, message: impl Into<Bytes>) -> Result<(), Full> {
        let message: Bytes = message.into();
        // The last that is taken may be as long as any message.
        if self.bytes >= AGENT_OUTBOX_MAX {
            return Err(Full);
        }
        self.bytes += message.len();
        let mut rest = message;
        loop {
            let payload = rest.split_to(rest.len().min(PIECE));
            self.last_number += 1;
            let piece = Piece {
                number: self.last_number,
                last: rest.is_empty(),
                payload,
            };
            self.pieces.push_back(Waiting {
                piece,
                sent: None,
                times: 1,
            });
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    /// The other side has everything up to this number.
    pub(super) fn acknowledged(&mut self, through: u64) {
        while let Some(first) = self.pieces.front()
            && first.piece.number <= through
        {
            self.bytes -= first.piece.payload.len();
            self.pieces.pop_front();
        }
    }

    /// What is to be sent now: what was not yet, and what has waited for too long.
    pub(super) fn due(&mut self, now: Nanos) -> Vec<Piece> {
        let window = self.pieces.iter_mut().take(WINDOW);
        let due = window.filter(|waiting| {
            let wait = RESEND * waiting.times;
            waiting
                .sent
                .is_none_or(|sent| now.saturating_sub(sent) >= wait)
        });
        due.map(|waiting| {
            if waiting.sent.replace(now).is_some() {
                waiting.times = (2 * waiting.times).min(RESEND_TIMES_MAX);
            }
            waiting.piece.clone()
        })
        .collect()
    }

    /// Whether the other side has everything.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }
}

/// What one side has of the other's.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// Every piece up to this number is here.
    through: u64,
    /// Those that came before others.
    early: BTreeMap<u64, Piece>,
    /// The message that is not complete.
    partial: Vec<u8>,
    messages: u64,
    repeated: u64,
}

impl Inbox {
    /// Takes a piece: the messages that are complete with it, in their order.
    ///
    /// # Errors
    ///
    /// Where a message is longer than any may be.
    pub(super) fn take(&mut self, piece: Piece) -> Result<Vec<Vec<u8>>, String> {
        let number = piece.number;
        if number <= self.through || self.early.contains_key(&number) {
            self.repeated += 1;
            return Ok(Vec::new());
        }
        // Who sends more than a window ahead is told nothing of it, and sends it again.
        if number > self.through.saturating_add(2 * WINDOW as u64) {
            return Ok(Vec::new());
        }
        self.early.insert(number, piece);
        let mut complete = Vec::new();
        while let Some(piece) = self.early.remove(&(self.through + 1)) {
            self.through += 1;
            if self.partial.len() + piece.payload.len() > AGENT_MESSAGE.length_max() {
                return Err(AGENT_MESSAGE.too_long());
            }
            self.partial.extend_from_slice(&piece.payload);
            if piece.last {
                self.messages += 1;
                complete.push(std::mem::take(&mut self.partial));
            }
        }
        Ok(complete)
    }

    /// The number up to which everything is here.
    pub(super) const fn through(&self) -> u64 {
        self.through
    }

    /// Messages that were complete.
    pub(super) const fn messages(&self) -> u64 {
        self.messages
    }

    /// Pieces that came once more.
    pub(super) const fn repeated(&self) -> u64 {
        self.repeated
    }

    /// Pieces that are known to have been sent and are not here.
    pub(super) fn missing(&self) -> u64 {
        let known = self.early.last_key_value().map_or(self.through, |it| *it.0);
        (known - self.through).saturating_sub(self.early.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a network does with the next piece.
    #[derive(Debug, Clone, Copy)]
    enum Fate {
        Arrives,
        IsLost,
        Doubles,
        WaitsForTheNext,
    }

    fn fates() -> impl Strategy<Value = Vec<Fate>> {
        let fate = prop_oneof![
            Just(Fate::Arrives),
            Just(Fate::IsLost),
            Just(Fate::Doubles),
            Just(Fate::WaitsForTheNext)
        ];
        prop::collection::vec(fate, 1..200)
    }

    fn lengths() -> impl Strategy<Value = Vec<usize>> {
        prop::collection::vec(prop_oneof![0usize..40, PIECE - 2..3 * PIECE], 0..12)
    }

    proptest! {
        /// Whatever is lost, doubled or overtaken on the way, and whichever
        /// acknowledgements are: every message arrives once, and in its order.
        #[test]
        fn what_is_sent_arrives_once_and_in_order(
            lengths in lengths(),
            fates in fates(),
            acks in prop::collection::vec(any::<bool>(), 1..50),
        ) {
            let sent: Vec<Vec<u8>> = lengths
                .iter()
                .zip(0u8..)
                .map(|(length, letter)| vec![letter; *length])
                .collect();
            let (mut out, mut inbox, mut arrived) = (Outbox::default(), Inbox::default(), Vec::new());
            for message in &sent {
                out.push(message.clone()).unwrap();
            }
            let (mut fates, mut acks) = (fates.iter().cycle(), acks.iter().cycle());
            let mut late: Vec<Piece> = Vec::new();
            let mut turn = 0u64;
            while !out.is_empty() {
                // Nobody is unlucky for ever.
                let lucky = turn > 2_000;
                for piece in out.due(RESEND * turn) {
                    let overtaken = late.pop();
                    let fate = if lucky { Fate::Arrives } else { *fates.next().unwrap() };
                    let arrives = match fate {
                        Fate::Arrives => vec![piece],
                        Fate::IsLost => Vec::new(),
                        Fate::Doubles => vec![piece.clone(), piece],
                        Fate::WaitsForTheNext => {
                            late.push(piece);
                            Vec::new()
                        }
                    };
                    for piece in arrives.into_iter().chain(overtaken) {
                        arrived.extend(inbox.take(piece).unwrap());
                    }
                }
                if lucky || *acks.next().unwrap() {
                    out.acknowledged(inbox.through());
                }
                turn += 1;
                prop_assert!(turn < 4_000);
            }
            prop_assert_eq!(arrived, sent);
            prop_assert_eq!(inbox.messages(), lengths.len() as u64);
            prop_assert_eq!(inbox.missing(), 0);
            prop_assert_eq!(out.bytes, 0);
        }
    }

    #[test]
    fn gaps_are_known_and_repeats_are_counted() {
        let mut out = Outbox::default();
        for _ in 0..5 {
            out.push(b"x".to_vec()).unwrap();
        }
        let pieces = out.due(Nanos::ZERO);
        let mut inbox = Inbox::default();
        for place in [0, 3, 0, 3, 4] {
            inbox.take(pieces[place].clone()).unwrap();
        }
        assert_eq!(
            (inbox.through(), inbox.missing(), inbox.repeated()),
            (1, 2, 2)
        );
        // Nothing is sent again before its time.
        assert!(out.due(RESEND - Nanos(1)).is_empty());
        assert_eq!(out.due(RESEND).len(), 5);
        // The next time it is waited for twice as long.
        assert!(out.due(RESEND * 3 - Nanos(1)).is_empty());
        assert_eq!(out.due(RESEND * 3).len(), 5);
        // Far ahead of what is here: nobody sends so, and nothing is kept.
        let far = Piece {
            number: u64::MAX,
            ..pieces[4].clone()
        };
        assert!(inbox.take(far).unwrap().is_empty());
        assert_eq!(inbox.missing(), 2);
    }

    #[test]
    fn an_outbox_holds_so_much_and_no_more() {
        let mut out = Outbox::default();
        out.push(b"x".to_vec()).unwrap();
        // The last may be longer, as a plan with its values is.
        out.push(vec![0_u8; AGENT_OUTBOX_MAX]).unwrap();
        assert_eq!(out.push(b"x".to_vec()), Err(Full));
        out.acknowledged(u64::MAX);
        assert!(out.push(b"x".to_vec()).is_ok());
    }
}
