//! Caches that have lost what they held.

use serde::{Deserialize, Serialize};

use super::Attribute;
use super::catalogue::Fault;

/// Instances forget the roles that they hold; they learn them again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RoleCacheCleared {
    /// Instances that it reaches.
    pub instances: u64,
}

impl Fault for RoleCacheCleared {
    const ABOUT: &'static str = "Instances forget the roles that they hold, and have to verify \
         every user anew, which takes `identity.cold_factor` times as long.";
    const CAUSE: &'static str = "loss of the role caches";
    const UNDO: &'static str = "Nothing: it is over at once, and the caches fill as users come.";
    const MOMENTARY: bool = true;

    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        vec![Attribute::instances(&mut self.instances)]
    }

    fn instances(&self) -> u64 {
        self.instances
    }
}
