//! Workers that are lost, one after the other.

use serde::{Deserialize, Serialize};

use super::Attribute;
use super::catalogue::Fault;
use crate::units::Ratio;

/// Workers that never come back from a job which they have answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkersLeaked {
    /// The share of the jobs that cost their worker.
    pub share: Ratio,
    /// Instances that it reaches.
    pub instances: u64,
}

impl Default for WorkersLeaked {
    fn default() -> Self {
        Self {
            share: Ratio::new(0.01).unwrap_or(Ratio::WHOLE),
            instances: 0,
        }
    }
}

impl Fault for WorkersLeaked {
    const ABOUT: &'static str = "A share of the jobs cost their worker: the answer is sent, and the \
         worker never takes another job. It counts as busy for a caller who has gone.";
    const CAUSE: &'static str = "leak of workers";
    const UNDO: &'static str = "No further worker is lost. Those that are lost come back when their \
         instance restarts.";

    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        let share = "The share of the jobs that cost their worker.";
        vec![
            Attribute::share("share", &mut self.share, share),
            Attribute::instances(&mut self.instances),
        ]
    }

    fn instances(&self) -> u64 {
        self.instances
    }
}
