//! Connections, how attempts are carried on them, and the pools they are kept in.

use bytes::BytesMut;

use super::codec::ResponseReader;
use super::engine::Step;
use super::http2::Session;
use super::stream::Stream;
use crate::clients::{AttemptId, Class};
use crate::slots::SlotQueue;
use crate::units::Nanos;

/// How an attempt under way is carried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Carried {
    pub(super) id: AttemptId,
    /// The slot of its connection.
    pub(super) connection: u32,
    /// Its stream on an HTTP/2 connection.
    pub(super) stream: u32,
    pub(super) sent: Nanos,
    /// When it times out.
    pub(super) until: Nanos,
    /// Whether the kernel has taken any byte of the request.
    pub(super) handed_over: bool,
    /// When the first byte of its answer came, where that was before the last.
    pub(super) first_byte: Option<Nanos>,
}

impl Carried {
    /// In the place of an attempt that is not under way.
    pub(super) const NONE: Self = Self {
        id: AttemptId { slot: 0, serial: 0 },
        connection: u32::MAX,
        stream: 0,
        sent: Nanos::ZERO,
        until: Nanos::ZERO,
        handed_over: false,
        first_byte: None,
    };

    /// How long the first byte of its answer took, which was whole at `ended`.
    pub(super) fn waited(&self, ended: Nanos) -> Nanos {
        let first = self.first_byte.unwrap_or(ended);
        first.saturating_sub(self.sent)
    }

    pub(super) const fn is_some(&self) -> bool {
        self.connection != u32::MAX
    }
}

/// What the poller watches a connection for; it never watches for less again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Watched {
    No,
    Reading,
    /// For bytes, and for room to write.
    Writing,
}

/// What goes on on a connection.
#[derive(Debug)]
pub(super) enum Exchange {
    /// HTTP/1.1: one attempt at a time, in this slot, or none.
    One {
        attempt: Option<u32>,
        reader: ResponseReader,
    },
    /// HTTP/2: many at a time.
    Two(Box<Session>),
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: Stream,
    /// Tells it from others that had its slot: events of those are stale.
    pub(super) serial: u32,
    pub(super) class: Class,
    /// Whether the TCP handshake is over.
    pub(super) established: bool,
    /// How much of its beginning has been timed.
    pub(super) step: Step,
    /// Whether it has carried a response: only then can it be a kept one gone stale.
    pub(super) served: bool,
    pub(super) watched: Watched,
    pub(super) exchange: Exchange,
    /// What has not been handed over yet.
    pub(super) unsent: BytesMut,
}

impl Connection {
    pub(super) fn new(
        stream: Stream,
        serial: u32,
        class: Class,
        exchange: Exchange,
        (unsent, begun): (BytesMut, Nanos),
    ) -> Self {
        Self {
            stream,
            serial,
            class,
            established: false,
            step: Step::Begun(begun),
            served: false,
            watched: Watched::No,
            exchange,
            unsent,
        }
    }

    /// Whether any attempt is under way on it.
    pub(super) fn busy(&self) -> bool {
        match &self.exchange {
            Exchange::One { attempt, .. } => attempt.is_some(),
            Exchange::Two(session) => session.under_way() > 0,
        }
    }
}

/// The poller's token of a connection.
pub(super) const fn token(slot: u32, serial: u32) -> u64 {
    (serial as u64) << 32 | slot as u64
}

/// The slot and serial of a token.
pub(super) const fn slot_and_serial(token: u64) -> (u32, u32) {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the two halves, taken apart"
    )]
    (token as u32, (token >> 32) as u32)
}

/// The connections of one traffic class.
#[derive(Debug)]
pub(super) struct Pool {
    /// Connections at most.
    limit: usize,
    pub(super) open: usize,
    /// Those that take another request, the longest unused first.
    pub(super) idle: SlotQueue,
}

impl Pool {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            limit,
            open: 0,
            idle: SlotQueue::new(),
        }
    }

    /// Whether another connection may be opened.
    pub(super) const fn may_open(&self) -> bool {
        self.open < self.limit
    }

    /// Whether an attempt would find a connection, kept or new.
    pub(super) const fn has_room(&self) -> bool {
        !self.idle.is_empty() || self.may_open()
    }
}
