//! How far a simulation may go, and what a plan needs at least.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::plan::Plan;

/// Where a simulation stops by itself, so that a plan that explodes ends with
/// what was reached instead of with the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Events at most; an attempt costs some six.
    pub events: u64,
    /// Bytes that what is under way may take, roughly.
    pub memory: u64,
}

impl Default for Bounds {
    /// A hundred billion events (hours) and 4 GiB.
    fn default() -> Self {
        Self {
            events: 100_000_000_000,
            memory: 4 << 30,
        }
    }
}

/// What an instance takes besides its workers and roles: streams, histograms.
const INSTANCE_BYTES: u64 = 64 * 1024;
/// What a worker takes.
const WORKER_BYTES: u64 = 64;
/// What a waiting or running job takes, its place in the queue included.
pub(super) const JOB_BYTES: u64 = 64;

impl Bounds {
    /// Finds the plan small enough to begin with.
    ///
    /// # Errors
    ///
    /// Wrong usage, with the estimate, where it is not.
    pub(super) fn admit(&self, plan: &Plan) -> Result<()> {
        let Some(spec) = &plan.fleet else {
            return Err(Error::usage(
                "the plan names no fleet, and a target of your own cannot be simulated",
            ));
        };
        let workers = u64::from(spec.workers) + u64::from(spec.monitor_workers);
        let each =
            INSTANCE_BYTES + workers * WORKER_BYTES + u64::from(spec.users.saturating_add(1));
        let needed = u64::from(spec.places()).saturating_mul(each);
        if needed <= self.memory {
            return Ok(());
        }
        let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
        Err(Error::usage(format!(
            "{} instances of {} workers and {} users need about {:.1} GiB, and a simulation is \
             given {:.1}; raise it with --memory, or make the fleet smaller",
            spec.places(),
            spec.workers,
            spec.users,
            gib(needed),
            gib(self.memory)
        )))
    }
}
