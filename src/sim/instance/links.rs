//! The connections from the balancer to an instance, where their number matters: while
//! descriptors are limited.
//!
//! The balancer keeps a connection that carried an answer, and takes it for the next
//! request; one whose caller has gone it closes. What cannot be accepted waits in the
//! kernel, and is not served by a connection that comes free: only by one that closes.

use std::collections::VecDeque;

use super::super::fleet::Arrival;
use crate::model::fault::ACCEPT_PAUSE;
use crate::units::Nanos;

/// Connections that the kernel makes for a listener that accepts none: the backlog of a
/// live instance.
const BACKLOG: usize = 1024;

/// The connections of one instance.
#[derive(Debug, Default)]
pub(in crate::sim) struct Links {
    /// Those that carry a request.
    under_way: u64,
    /// Those that are kept for the next.
    idle: u64,
    /// How many there may be.
    limit: Option<u64>,
    /// Requests on connections that have yet to be accepted.
    waiting: VecDeque<Arrival>,
    /// Since when a try to accept is due, while some wait.
    tried: Nanos,
    /// Tries that failed since they were last taken.
    failed: u64,
}

/// What becomes of a request that reaches an instance.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::sim) enum Link {
    /// It has a connection.
    Made,
    /// It waits for one.
    Waits,
    /// It waits for a place to wait, and nobody comes to see it.
    Dropped,
}

impl Links {
    /// So many more can be made from now on; none: as many as are wanted.
    pub(in crate::sim) fn limit(&mut self, spare: Option<u64>) {
        let open = self.under_way + self.idle;
        self.limit = spare.map(|spare| open.saturating_add(spare));
    }

    fn has_room(&self) -> bool {
        self.limit
            .is_none_or(|limit| self.under_way + self.idle < limit)
    }

    /// A request comes; one that is `fresh` comes on a connection of its own.
    pub(in crate::sim) fn enter(&mut self, now: Nanos, fresh: bool, arrival: Arrival) -> Link {
        if self.idle > 0 && !fresh {
            self.idle -= 1;
            self.under_way += 1;
            return Link::Made;
        }
        if self.has_room() && self.waiting.is_empty() {
            self.under_way += 1;
            return Link::Made;
        }
        if self.waiting.len() == BACKLOG {
            return Link::Dropped;
        }
        if self.waiting.is_empty() {
            (self.tried, self.failed) = (now, self.failed + 1);
        }
        self.waiting.push_back(arrival);
        Link::Waits
    }

    /// A connection carries nothing any more: it is kept, or closed.
    pub(in crate::sim) fn leave(&mut self, kept: bool) {
        self.under_way = self.under_way.saturating_sub(1);
        self.idle += u64::from(kept);
    }

    /// The next that waits, where it can be accepted.
    pub(in crate::sim) fn accept(&mut self, now: Nanos) -> Option<Arrival> {
        if !self.has_room() {
            return None;
        }
        self.note(now);
        let arrival = self.waiting.pop_front()?;
        self.under_way += 1;
        Some(arrival)
    }

    /// Tries to accept that failed since they were last taken.
    pub(in crate::sim) fn take_failed(&mut self, now: Nanos) -> u64 {
        self.note(now);
        std::mem::take(&mut self.failed)
    }

    /// All that are there are closed; what waited.
    pub(in crate::sim) fn close(&mut self) -> VecDeque<Arrival> {
        std::mem::take(self).waiting
    }

    fn note(&mut self, now: Nanos) {
        if !self.waiting.is_empty() {
            let tries = now.saturating_sub(self.tried).0 / ACCEPT_PAUSE.0;
            self.tried = self.tried.saturating_add(ACCEPT_PAUSE * tries);
            self.failed += tries;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_accepted_when_a_connection_closes_and_not_when_one_is_kept() {
        let arrival = Arrival::of_job;
        let at = Nanos::from_millis;
        let mut links = Links::default();
        assert_eq!(links.enter(at(0), false, arrival(1)), Link::Made);
        links.limit(Some(1));
        assert_eq!(links.enter(at(0), false, arrival(2)), Link::Made);
        assert_eq!(links.enter(at(0), false, arrival(3)), Link::Waits);
        links.leave(true);
        assert!(links.accept(at(5)).is_none());
        // A check has a connection of its own; another takes the one that is kept.
        assert_eq!(links.enter(at(5), true, arrival(4)), Link::Waits);
        assert_eq!(links.enter(at(5), false, arrival(5)), Link::Made);
        links.leave(false);
        assert_eq!(links.accept(at(35)).map(|it| it.job()), Some(3));
        assert!(links.accept(at(35)).is_none());
        // At once, and three times since.
        assert_eq!(links.take_failed(at(35)), 4);
        links.limit(None);
        assert_eq!(links.accept(at(35)).map(|it| it.job()), Some(4));
    }
}
