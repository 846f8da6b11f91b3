//! A database whose disk is full.

use serde::{Deserialize, Serialize};

use super::Attribute;
use super::catalogue::Fault;

/// Every statement that writes fails at once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DatabaseFull {
    /// Instances that it reaches.
    pub instances: u64,
}

impl Fault for DatabaseFull {
    const ABOUT: &'static str = "The database's disk is full: requests that write are answered 500 \
         at once, and those that read go on.";
    const CAUSE: &'static str = "full disk of the database";
    const UNDO: &'static str = "There is room on the disk again.";

    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        vec![Attribute::instances(&mut self.instances)]
    }

    fn instances(&self) -> u64 {
        self.instances
    }
}
