//! Calls to the identity service that never return.

use serde::{Deserialize, Serialize};

use super::Attribute;
use super::catalogue::Fault;

/// Verifications that block in the instance that asks, with the worker that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IdentityBlocks {
    /// Whether those that block stay blocked after the mend.
    pub stay: bool,
    /// Instances that it reaches.
    pub instances: u64,
}

impl Default for IdentityBlocks {
    fn default() -> Self {
        Self {
            stay: true,
            instances: 0,
        }
    }
}

impl Fault for IdentityBlocks {
    const ABOUT: &'static str = "Calls to the identity service block for ever, as in a library \
         that tries an address at which nobody answers; each holds its worker, until \
         `identity.timeout` where there is one.";
    const CAUSE: &'static str = "block in calls to the identity service";
    const UNDO: &'static str = "New calls return again. Those that block stay blocked until their \
         instance restarts, or with `stay = false` fail at once.";

    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        let stay = "Whether calls that block stay blocked after the mend, until a restart.";
        vec![
            Attribute::flag("stay", &mut self.stay, stay),
            Attribute::instances(&mut self.instances),
        ]
    }

    fn instances(&self) -> u64 {
        self.instances
    }
}
