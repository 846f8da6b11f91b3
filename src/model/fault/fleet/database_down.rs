//! A database that is down.

use serde::{Deserialize, Serialize};

use super::Attribute;
use super::catalogue::Fault;

/// Every statement fails at once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DatabaseDown {
    /// Instances that it reaches.
    pub instances: u64,
}

impl Fault for DatabaseDown {
    const ABOUT: &'static str = "Every statement of the database fails at once; requests are \
         answered 500.";
    const CAUSE: &'static str = "outage of the database";
    const UNDO: &'static str = "The database answers again.";

    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        vec![Attribute::instances(&mut self.instances)]
    }

    fn instances(&self) -> u64 {
        self.instances
    }
}
