//! Database connections that are not given back.

use serde::{Deserialize, Serialize};

use super::Attribute;
use super::catalogue::Fault;

/// A request whose caller has gone does not give its connections back.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ConnectionsLeaked {
    /// Instances that it reaches.
    pub instances: u64,
}

impl Fault for ConnectionsLeaked {
    const ABOUT: &'static str = "A request whose caller has gone when it ends does not give its \
         database connections back, as where a timeout interrupts the code that would.";
    const CAUSE: &'static str = "leak of database connections";
    const UNDO: &'static str = "No further connection is lost. Those that are lost come back when \
         their instance restarts.";
    const NEEDS: &'static str = "[target.fleet.pool]";

    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        vec![Attribute::instances(&mut self.instances)]
    }

    fn instances(&self) -> u64 {
        self.instances
    }
}
