//! Connections, how attempts are carried on them, and the pools they are kept in.

use std::sync::Arc;

use bytes::BytesMut;

use super::engine::{Exchange, Step};
use super::stream::Stream;
use crate::clients::{AttemptId, Class};
use crate::model::Elsewhere;
use crate::slots::SlotQueue;
use crate::units::Nanos;

/// Whether the first byte of an answer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FirstByte {
    /// Not yet.
    Awaited,
    /// At this instant.
    Came(Nanos),
    /// While the generator was away, and nobody noted when.
    Unknown,
}

/// How an attempt under way is carried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Carried {
    pub(super) id: AttemptId,
    /// The slot of its connection.
    pub(super) connection: u32,
    /// Its stream on an HTTP/2 connection.
    pub(super) stream: u32,
    pub(super) sent: Nanos,
    /// When it times out, unless it is held up.
    pub(super) until: Nanos,
    /// For how long its connection had been held up before it.
    pub(super) held_before: Nanos,
    /// For how long it was held up, once it is carried no more.
    pub(super) held: Nanos,
    /// Whether the kernel has taken any byte of the request.
    pub(super) handed_over: bool,
    /// The first byte of its answer, where that came before the last.
    pub(super) first_byte: FirstByte,
}

impl Carried {
    /// In the place of an attempt that is not under way.
    pub(super) const NONE: Self = Self {
        id: AttemptId { slot: 0, serial: 0 },
        connection: u32::MAX,
        stream: 0,
        sent: Nanos::ZERO,
        until: Nanos::ZERO,
        held_before: Nanos::ZERO,
        held: Nanos::ZERO,
        handed_over: false,
        first_byte: FirstByte::Awaited,
    };

    /// How long the first byte of its answer took, which was whole at `ended`; none where
    /// that is not known.
    pub(super) fn waited(&self, ended: Option<Nanos>) -> Option<Nanos> {
        let first = match self.first_byte {
            FirstByte::Awaited => ended?,
            FirstByte::Came(at) => at,
            FirstByte::Unknown => return None,
        };
        Some(first.saturating_sub(self.sent.saturating_add(self.held)))
    }

    /// Whether an answer that was whole then comes too late.
    pub(super) fn too_late(&self, ended: Nanos) -> bool {
        ended >= self.until.saturating_add(self.held)
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

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: Stream,
    /// Tells it from others that had its slot: events of those are stale.
    pub(super) serial: u32,
    pub(super) class: Class,
    /// Where it leads, if a redirect has led there.
    pub(super) elsewhere: Option<Arc<Elsewhere>>,
    /// Whether the TCP handshake is over.
    pub(super) established: bool,
    /// How much of its beginning has been timed.
    pub(super) step: Step,
    /// When it was last looked at, while it is being made.
    pub(super) looked_at: Nanos,
    /// For how long its making was held up: it could go on, and nobody had looked.
    pub(super) held: Nanos,
    /// The same of the present look, which what ends now was not held up by.
    pub(super) held_now: Nanos,
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
        (class, elsewhere): (Class, Option<Arc<Elsewhere>>),
        exchange: Exchange,
        (unsent, begun): (BytesMut, Nanos),
    ) -> Self {
        Self {
            stream,
            serial,
            class,
            elsewhere,
            established: false,
            step: Step::Begun(begun),
            looked_at: begun,
            held: Nanos::ZERO,
            held_now: Nanos::ZERO,
            served: false,
            watched: Watched::No,
            exchange,
            unsent,
        }
    }

    /// Whether any attempt is under way on it.
    pub(super) fn busy(&self) -> bool {
        self.exchange.busy()
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
    /// The same of those that lead elsewhere.
    pub(super) idle_elsewhere: Vec<u32>,
}

impl Pool {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            limit,
            open: 0,
            idle: SlotQueue::new(),
            idle_elsewhere: Vec::new(),
        }
    }

    /// Whether another connection may be opened.
    pub(super) const fn may_open(&self) -> bool {
        self.open < self.limit
    }

    /// Whether an attempt would find a connection, kept or new: one that leads to another
    /// origin makes room for it.
    pub(super) const fn has_room(&self) -> bool {
        !self.idle.is_empty() || !self.idle_elsewhere.is_empty() || self.may_open()
    }

    /// The connection that is unused for longest, of those to elsewhere first.
    pub(super) fn longest_unused(&self) -> Option<u32> {
        let elsewhere = self.idle_elsewhere.first().copied();
        elsewhere.or_else(|| self.idle.front().map(|(_, slot)| slot))
    }

    /// A connection is unused no more, or gone.
    pub(super) fn forget(&mut self, slot: u32) {
        self.idle.remove(slot);
        self.idle_elsewhere.retain(|unused| *unused != slot);
    }
}
