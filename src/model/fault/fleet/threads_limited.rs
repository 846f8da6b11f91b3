//! Threads that the operating system refuses.

use serde::{Deserialize, Serialize};

use super::Attribute;
use super::catalogue::Fault;

/// A limit on the threads that an instance keeps for its peers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ThreadsLimited {
    /// How many such threads it can have.
    pub limit: u64,
    /// Instances that it reaches.
    pub instances: u64,
}

impl Default for ThreadsLimited {
    fn default() -> Self {
        Self {
            limit: 8,
            instances: 0,
        }
    }
}

impl Fault for ThreadsLimited {
    const ABOUT: &'static str = "The operating system refuses an instance any further thread for a \
         peer, once it has as many as the limit says. An instance that is refused one has no \
         whole map of its cluster, and answers 500 to what needs the database. Threads that there \
         are stay.";
    const CAUSE: &'static str = "limit on threads";
    const UNDO: &'static str = "Threads are granted as before. An instance that was refused one \
         tries again after `peers.again`, or else when it restarts.";
    const NEEDS: &'static str = "[target.fleet.peers]";

    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        let limit = "How many threads for peers an instance can have.";
        vec![
            Attribute::count("limit", &mut self.limit, limit),
            Attribute::instances(&mut self.instances),
        ]
    }

    fn instances(&self) -> u64 {
        self.instances
    }
}
