//! What a proxy has counted.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde::Serialize;

use crate::model::fault::Stream;
use crate::proxy::http::ExchangeCounters;
use crate::record::DependencyCounters;
use crate::sync::lock;
use crate::units::Nanos;

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
pub(super) struct Counts(Mutex<ProxyCounters>, Mutex<Waiting>);

/// Exchanges in progress: a client has sent something, and nothing has come back to it. What
/// faults add to an answer is in it, as it is for the client.
#[derive(Debug, Default)]
struct Waiting {
    now: u64,
    /// Up to when it is integrated.
    since: Nanos,
    counted: DependencyCounters,
}

impl Waiting {
    /// Integrates up to now.
    fn pass(&mut self, now: Nanos) {
        let passed = now.saturating_sub(self.since).0;
        self.counted.waiting_ns += self.now * passed;
        self.counted.covered_ns += passed;
        self.since = self.since.max(now);
    }
}

impl Counts {
    /// Something was counted.
    pub(super) fn add<T>(&self, count: impl FnOnce(&mut ProxyCounters) -> T) -> T {
        count(&mut lock(&self.0))
    }

    /// An exchange has begun.
    pub(super) fn asked(&self, now: Nanos) {
        let mut waiting = lock(&self.1);
        waiting.pass(now);
        waiting.now += 1;
        waiting.counted.begun += 1;
        waiting.counted.waiting_max = waiting.counted.waiting_max.max(waiting.now);
    }

    /// An exchange is over, with an answer or without.
    pub(super) fn over(&self, now: Nanos, answered: bool) {
        let mut waiting = lock(&self.1);
        waiting.pass(now);
        waiting.now -= 1;
        waiting.counted.answered += u64::from(answered);
    }

    /// What was counted of exchanges since this was asked last.
    pub(super) fn exchanges(&self, now: Nanos) -> DependencyCounters {
        let mut waiting = lock(&self.1);
        waiting.pass(now);
        let next = DependencyCounters {
            waiting_max: waiting.now,
            ..DependencyCounters::default()
        };
        std::mem::replace(&mut waiting.counted, next)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchanges_in_progress_are_integrated_over_time() {
        let counts = Counts::default();
        counts.asked(Nanos(10));
        counts.asked(Nanos(20));
        counts.over(Nanos(30), true);
        let first = DependencyCounters {
            begun: 2,
            answered: 1,
            waiting_ns: 10 + 20 + 10,
            covered_ns: 40,
            waiting_max: 2,
        };
        assert_eq!(counts.exchanges(Nanos(40)), first);
        // One that goes on is in the next interval too; one that ends without an answer has
        // none.
        counts.over(Nanos(50), false);
        let second = DependencyCounters {
            waiting_ns: 10,
            covered_ns: 60,
            waiting_max: 1,
            ..DependencyCounters::default()
        };
        assert_eq!(counts.exchanges(Nanos(100)), second);
    }
}
