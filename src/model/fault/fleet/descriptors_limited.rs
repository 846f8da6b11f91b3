//! Descriptors that the operating system refuses.

use serde::{Deserialize, Serialize};

use super::Attribute;
use super::catalogue::Fault;
use crate::units::Nanos;

/// A limit on the descriptors of an instance, near what it has open.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DescriptorsLimited {
    /// How many more it can open.
    pub spare: u64,
    /// Instances that it reaches.
    pub instances: u64,
}

/// How long a listener that is refused a descriptor waits until it tries again: one may
/// be free in a moment, and it must not burn a processor until then.
pub(crate) const ACCEPT_PAUSE: Nanos = Nanos::from_millis(10);

impl Fault for DescriptorsLimited {
    const ABOUT: &'static str = "The operating system lets an instance open so many more \
         descriptors than it has when the fault begins, or when it begins to serve, and no more. \
         Connections that there are go on. A new one is made by the kernel and not accepted: its \
         request waits until another connection closes. The instance tries 100 times a second, \
         which it counts as `accepts_failed`.";
    const CAUSE: &'static str = "limit on descriptors";
    const UNDO: &'static str = "The limit is what it was, and connections that wait are accepted.";

    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        let spare = "How many more descriptors an instance can open.";
        vec![
            Attribute::count("spare", &mut self.spare, spare),
            Attribute::instances(&mut self.instances),
        ]
    }

    fn instances(&self) -> u64 {
        self.instances
    }
}
