//! What a proxy has counted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use crate::model::fault::Stream;
use crate::proxy::http::ExchangeCounters;

/// What a proxy has done so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ProxyCounters {
    /// Connections accepted.
    pub accepted: u64,
    /// Connections closed at once, since as many as may be were open.
    pub refused: u64,
    /// Connections open now.
    pub open: u64,
    /// Connections for which the target could not be reached.
    pub unreachable: u64,
    /// Connections that a fault, or taking the proxy down, closed.
    pub closed: u64,
    /// Connections that were reset: by a fault, or because either side did.
    pub reset: u64,
    /// Bytes that went on to the target.
    pub bytes_upstream: u64,
    /// Bytes that went on to clients.
    pub bytes_downstream: u64,
    /// Bytes that a black hole swallowed.
    pub bytes_swallowed: u64,
    /// HTTP requests whose head was read.
    pub requests: u64,
    /// HTTP requests that the proxy answered itself.
    pub own_answers: u64,
    /// Heads and bodies that were no HTTP, or too long.
    pub malformed: u64,
    /// Connections that the target closed with a request unanswered.
    pub unanswered: u64,
    /// By the names of the faults in force.
    pub faults: BTreeMap<String, FaultCounters>,
}

/// What a fault has met since it was injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct FaultCounters {
    /// Connections (for a fault of requests: requests) that it met.
    pub met: u64,
    /// Those that it might have met: of a share or a count, the whole.
    pub seen: u64,
}

/// The counters as connections add to them.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub accepted: AtomicU64,
    pub refused: AtomicU64,
    pub open: AtomicU64,
    pub unreachable: AtomicU64,
    pub closed: AtomicU64,
    pub reset: AtomicU64,
    pub swallowed: AtomicU64,
    upstream: AtomicU64,
    downstream: AtomicU64,
    requests: AtomicU64,
    own_answers: AtomicU64,
    malformed: AtomicU64,
    unanswered: AtomicU64,
}

/// Adds one.
pub(super) fn count(counter: &AtomicU64) {
    add(counter, 1);
}

/// Adds so many; only sums are of interest, so no order is kept.
pub(super) fn add(counter: &AtomicU64, number: u64) {
    if number > 0 {
        counter.fetch_add(number, Ordering::Relaxed);
    }
}

impl Counts {
    pub(super) fn bytes(&self, stream: Stream, number: u64) {
        add(
            match stream {
                Stream::Upstream => &self.upstream,
                Stream::Downstream => &self.downstream,
            },
            number,
        );
    }

    pub(super) fn http(&self, counted: ExchangeCounters) {
        add(&self.requests, counted.requests);
        add(&self.own_answers, counted.own_answers);
        add(&self.malformed, counted.malformed);
        add(&self.unanswered, counted.unanswered);
    }

    pub(super) fn read(&self) -> ProxyCounters {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ProxyCounters {
            accepted: of(&self.accepted),
            refused: of(&self.refused),
            open: of(&self.open),
            unreachable: of(&self.unreachable),
            closed: of(&self.closed),
            reset: of(&self.reset),
            bytes_upstream: of(&self.upstream),
            bytes_downstream: of(&self.downstream),
            bytes_swallowed: of(&self.swallowed),
            requests: of(&self.requests),
            own_answers: of(&self.own_answers),
            malformed: of(&self.malformed),
            unanswered: of(&self.unanswered),
            faults: BTreeMap::new(),
        }
    }
}
