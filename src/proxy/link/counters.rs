//! What a proxy has counted.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde::Serialize;

use crate::model::fault::Stream;
use crate::proxy::http::ExchangeCounters;
use crate::sync::lock;

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

/// The counters as the proxy's thread adds to them. Its owner reads them now and then, so
/// the lock is free.
#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<ProxyCounters>);

impl Counts {
    /// Something was counted.
    pub(super) fn add<T>(&self, count: impl FnOnce(&mut ProxyCounters) -> T) -> T {
        count(&mut lock(&self.0))
    }

    pub(super) fn bytes(&self, stream: Stream, number: u64) {
        self.add(|counted| match stream {
            Stream::Upstream => counted.bytes_upstream += number,
            Stream::Downstream => counted.bytes_downstream += number,
        });
    }

    pub(super) fn http(&self, counted: ExchangeCounters) {
        self.add(|all| {
            all.requests += counted.requests;
            all.own_answers += counted.own_answers;
            all.malformed += counted.malformed;
            all.unanswered += counted.unanswered;
        });
    }
}
