//! What is to come, in the order of time; what is due together, in the order in
//! which it was entered.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use crate::units::Nanos;

/// A worker of a certain launch of an instance: an instance that was restarted
/// is another one to whatever was under way in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) instance: u32,
    pub(super) launch: u32,
    pub(super) worker: u32,
}

/// A verification that a worker waits for. Its number tells it from every other
/// of its instance, those of earlier launches too: who has given it up, or is no
/// more, waits for another or for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Awaited {
    pub(super) instance: u32,
    pub(super) worker: u32,
    pub(super) number: u32,
}

/// A thread of an instance that collects telemetry, by its place, while the number of
/// the plan by which it does is still the instance's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Collector {
    pub(super) instance: u32,
    pub(super) plan: u32,
    pub(super) place: u32,
}

/// Something that will happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// The stage that the worker is in is over.
    Stage(Place),
    /// The identity service has verified.
    Verified(Awaited),
    /// Whoever still waits for the verification gives it up.
    GivenUp(Awaited),
    /// The instances being restarted listen.
    Booted,
    /// The next instances are restarted.
    NextGroup,
    /// The request in this slot reaches its instance.
    Arrives(u32),
    /// Everything in the instance stops, if this is still its plan: the number of the
    /// plan stands in the place of a worker's.
    WorldStops(Place),
    /// Everything in the instance goes on.
    WorldGoes(Place),
    /// The process of the instance crashes, if this is still its plan: the number of the
    /// plan stands in the place of a worker's.
    Crashes(Place),
    /// An instance that has crashed serves again.
    StartsAgain(Place),
    /// An instance that was refused a thread for a peer tries again.
    TriesAgain(Place),
    /// A call for telemetry is due.
    Telemetry(Collector),
    /// The balancer checks the health of this instance.
    HealthCheck(u32),
    /// The check of this number had its time.
    HealthOver { instance: u32, number: u32 },
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    at: Nanos,
    sequence: u64,
    event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.sequence == other.sequence
    }
}

impl Eq for Entry {}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Events to come. What has one length for all (timeouts, deadlines) is not in
/// here: the clients keep it without a heap.
#[derive(Debug, Default)]
pub(super) struct Calendar {
    heap: BinaryHeap<Reverse<Entry>>,
    entered: u64,
}

impl Calendar {
    /// Enters an event.
    pub(super) fn enter(&mut self, at: Nanos, event: Event) {
        self.entered += 1;
        self.heap.push(Reverse(Entry {
            at,
            sequence: self.entered,
            event,
        }));
    }

    /// When the next event is due.
    pub(super) fn next(&self) -> Nanos {
        self.heap
            .peek()
            .map_or(Nanos::MAX, |Reverse(entry)| entry.at)
    }

    /// Takes the next event.
    pub(super) fn take(&mut self) -> Option<Event> {
        self.heap.pop().map(|Reverse(entry)| entry.event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_together_keeps_its_order() {
        let mut calendar = Calendar::default();
        let stage = |worker| {
            Event::Stage(Place {
                instance: 0,
                launch: 0,
                worker,
            })
        };
        for (at, worker) in [(5, 1), (3, 2), (5, 3), (3, 4)] {
            calendar.enter(Nanos(at), stage(worker));
        }
        assert_eq!(calendar.next(), Nanos(3));
        let order: Vec<_> = std::iter::from_fn(|| calendar.take()).collect();
        assert_eq!(order, [stage(2), stage(4), stage(1), stage(3)]);
        assert_eq!(calendar.next(), Nanos::MAX);
    }
}
