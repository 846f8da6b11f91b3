//! A database that is locked for writing.

use serde::{Deserialize, Serialize};

use super::Attribute;
use super::catalogue::Fault;
use crate::units::Nanos;

/// Whoever writes waits for the lock, and gives up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DatabaseLocked {
    /// How long a statement waits for the lock.
    pub waits: Nanos,
    /// Instances that it reaches.
    pub instances: u64,
}

impl Default for DatabaseLocked {
    fn default() -> Self {
        Self {
            waits: Nanos::from_secs(5),
            instances: 0,
        }
    }
}

impl Fault for DatabaseLocked {
    const ABOUT: &'static str = "Somebody holds the database's lock for writing: requests that write \
         wait for it with their worker, and are answered 500 if it does not come free in time; \
         those that read go on.";
    const CAUSE: &'static str = "lock on the database";
    const UNDO: &'static str = "The lock is free, and those that wait for it go on.";

    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        let waits = "How long a request waits for the lock.";
        vec![
            Attribute::time("waits", &mut self.waits, waits),
            Attribute::instances(&mut self.instances),
        ]
    }

    fn instances(&self) -> u64 {
        self.instances
    }
}
