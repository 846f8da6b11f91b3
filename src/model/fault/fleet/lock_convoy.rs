//! One lock that every request takes.

use serde::{Deserialize, Serialize};

use super::Attribute;
use super::catalogue::Fault;
use crate::model::Distribution;
use crate::units::Nanos;

/// A lock of each instance that a worker takes before the application's own part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LockConvoy {
    /// How long a worker holds it.
    pub holds: Distribution,
    /// Instances that it reaches.
    pub instances: u64,
}

impl Default for LockConvoy {
    fn default() -> Self {
        Self {
            holds: Distribution::Constant(Nanos::from_millis(10)),
            instances: 0,
        }
    }
}

impl Fault for LockConvoy {
    const ABOUT: &'static str = "Each request first takes a lock that its instance has once, and \
         holds it for a while: workers line up behind it, and an instance serves one after the \
         other, however many workers it has.";
    const CAUSE: &'static str = "lock convoy";
    const UNDO: &'static str = "Requests that begin take no lock; those that wait for it still do.";

    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        let holds = "How long a worker holds the lock.";
        vec![
            Attribute::durations("holds", &mut self.holds, holds),
            Attribute::instances(&mut self.instances),
        ]
    }

    fn instances(&self) -> u64 {
        self.instances
    }
}
