//! Threads that an instance keeps, one for each member of its cluster, and the map that
//! it has by them.
//!
//! The map says where a request is to go, and it is of use only when it is whole: while
//! a thread is missing, nothing can be routed. It is made when an instance starts and
//! anew when members come or go. Where the operating system refuses a thread, what makes
//! the map ends; so the map stays broken, also when there would be threads enough, until
//! the instance restarts or is told to try again.

use serde::{Deserialize, Serialize};

use crate::model::fault::FaultSet;
use crate::units::Nanos;

/// The most members of a cluster, and the most that are added to it: a live instance
/// reserves half a gigabyte of addresses for each.
pub(crate) const PEERS_MAX: u32 = 128;

/// The cluster that the instances belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeersSpec {
    /// Members beside the instance itself; it keeps a thread for each.
    pub members: u32,
    /// How many such threads the operating system grants an instance. None: all.
    pub limit: Option<u32>,
    /// How long after a refused thread an instance makes its map anew. None: it does not.
    pub again: Option<Nanos>,
}

/// How many threads for peers an instance wants now, and how many it can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PeerThreads {
    pub(crate) wanted: u64,
    /// None: as many as it wants.
    pub(crate) limit: Option<u64>,
}

impl PeersSpec {
    /// What holds under these faults of an instance.
    pub(crate) fn threads(&self, faults: &FaultSet) -> PeerThreads {
        let added = faults.peers_added.as_ref().map_or(0, |it| it.members);
        let limits = [
            self.limit.map(u64::from),
            faults.threads_limited.as_ref().map(|it| it.limit),
        ];
        PeerThreads {
            wanted: u64::from(self.members) + added,
            limit: limits.into_iter().flatten().min(),
        }
    }
}

/// The map of an instance: the threads that it has, and whether it is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct PeerMap {
    pub(crate) threads: u64,
    /// Whether a thread was refused, so that it is not made anew.
    pub(crate) broken: bool,
}

impl PeerMap {
    /// Whether there is something to do: members have come or gone.
    pub(crate) const fn differs(&self, wanted: u64) -> bool {
        !self.broken && self.threads != wanted
    }

    /// Makes it anew, where a limit refuses threads; whether one was refused.
    pub(crate) fn make(&mut self, threads: PeerThreads) -> bool {
        let granted = threads.limit.unwrap_or(u64::MAX).max(self.threads);
        self.threads = threads.wanted.min(granted);
        self.broken = self.threads < threads.wanted;
        self.broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fault::FleetFaultKind;

    #[test]
    fn the_least_of_the_limits_holds_and_members_are_added() {
        let peers = PeersSpec {
            members: 20,
            limit: Some(24),
            again: None,
        };
        let mut faults = FaultSet::default();
        let threads = |faults: &FaultSet| {
            let threads = peers.threads(faults);
            (threads.wanted, threads.limit)
        };
        assert_eq!(threads(&faults), (20, Some(24)));
        faults.put(FleetFaultKind::PeersAdded.usual());
        assert_eq!(threads(&faults), (28, Some(24)));
        faults.put(FleetFaultKind::ThreadsLimited.usual());
        assert_eq!(threads(&faults), (28, Some(8)));
        let endless = PeersSpec {
            limit: None,
            ..peers
        };
        assert_eq!(endless.threads(&FaultSet::default()).limit, None);
    }

    #[test]
    fn a_map_that_was_refused_a_thread_stays_broken_and_threads_stay() {
        let threads = |wanted, limit| PeerThreads { wanted, limit };
        let mut map = PeerMap::default();
        assert!(map.differs(20) && !map.make(threads(20, Some(24))));
        assert!(!map.differs(20));
        // More than it may have: it has as many as it gets.
        assert!(map.make(threads(28, Some(24))));
        assert_eq!((map.threads, map.broken), (24, true));
        // Members go, and nothing makes the map anew.
        assert!(!map.differs(20));
        assert!(!map.make(threads(20, Some(24))));
        assert_eq!((map.threads, map.broken), (20, false));
        // A limit below what there is ends none of them.
        assert!(!map.differs(20) && !map.make(threads(20, Some(4))));
        assert!(map.make(threads(21, Some(4))));
        assert_eq!(map.threads, 20);
    }
}
