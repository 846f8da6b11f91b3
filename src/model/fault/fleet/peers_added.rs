//! Capacity that is added to the cluster, of which each instance hears.

use serde::{Deserialize, Serialize};

use super::Attribute;
use super::catalogue::Fault;
use crate::model::PEERS_MAX;

/// More members of the cluster that the instances belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PeersAdded {
    /// How many more.
    pub members: u64,
    /// Instances that hear of them.
    pub instances: u64,
}

impl Default for PeersAdded {
    fn default() -> Self {
        Self {
            members: 8,
            instances: 0,
        }
    }
}

impl Fault for PeersAdded {
    const ABOUT: &'static str = "Members are added to the cluster that the instances belong to, \
         and each instance starts a thread for each of them. That does no harm where the \
         operating system grants the threads. The members serve others, and take no load from the \
         instances.";
    const CAUSE: &'static str = "added capacity";
    const UNDO: &'static str = "The members are gone, and the threads for them end. An instance that \
         was refused a thread has no whole map until it tries again.";
    const NEEDS: &'static str = "[target.fleet.peers]";

    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        vec![
            Attribute::count("members", &mut self.members, "How many members are added."),
            Attribute::instances(&mut self.instances),
        ]
    }

    fn mistake(&self) -> Option<(&'static str, String)> {
        let most = u64::from(PEERS_MAX);
        (!(1..=most).contains(&self.members)).then(|| {
            let sentence = format!("{} is not from 1 to {most}", self.members);
            ("members", sentence)
        })
    }

    fn instances(&self) -> u64 {
        self.instances
    }
}
