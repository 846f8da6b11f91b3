//! Pauses in which nothing of an instance runs, as a garbage collector makes them.

use serde::{Deserialize, Serialize};

use super::Attribute;
use super::catalogue::Fault;
use crate::model::Distribution;
use crate::units::Nanos;

/// Pauses of whole instances, again and again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StopTheWorld {
    /// From the end of a pause to the next.
    pub every: Distribution,
    /// How long one lasts.
    pub lasts: Distribution,
    /// Instances that it reaches.
    pub instances: u64,
}

impl Default for StopTheWorld {
    fn default() -> Self {
        Self {
            every: Distribution::Exponential {
                mean: Nanos::from_secs(2),
            },
            lasts: Distribution::Constant(Nanos::from_millis(200)),
            instances: 0,
        }
    }
}

impl Fault for StopTheWorld {
    const ABOUT: &'static str = "Again and again everything in an instance stands still for a \
         while, as in the pauses of a garbage collector: it takes no request, and no worker goes \
         on. Its gauges can still be read.";
    const CAUSE: &'static str = "stop-the-world pauses";
    const UNDO: &'static str = "No further pause begins; one that lasts still ends by itself.";

    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        let every = "From the end of a pause to the next; each instance draws its own.";
        vec![
            Attribute::durations("every", &mut self.every, every),
            Attribute::durations("lasts", &mut self.lasts, "How long a pause lasts."),
            Attribute::instances(&mut self.instances),
        ]
    }

    fn mistake(&self) -> Option<(&'static str, String)> {
        let least = Nanos::from_millis(1);
        let short = |it: &Distribution| it.mean() < least;
        let sentence = |it: &Distribution| format!("{it} is less than 1 ms in the mean");
        if short(&self.every) {
            Some(("every", sentence(&self.every)))
        } else {
            short(&self.lasts).then(|| ("lasts", sentence(&self.lasts)))
        }
    }

    fn instances(&self) -> u64 {
        self.instances
    }
}
