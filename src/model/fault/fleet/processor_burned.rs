//! Processors that are kept busy for nobody.

use serde::{Deserialize, Serialize};

use super::Attribute;
use super::catalogue::{Fault, FaultPlace};
use crate::units::Ratio;

/// Threads that compute for nobody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessorBurned {
    /// The share of all processors of the machine.
    pub share: Ratio,
}

impl Default for ProcessorBurned {
    fn default() -> Self {
        Self {
            share: Ratio::new(0.5).unwrap_or(Ratio::WHOLE),
        }
    }
}

impl Fault for ProcessorBurned {
    const ABOUT: &'static str = "A share of every processor of the machine is burned by threads of \
         the fleet's own priority, which is below that of the load generator. A run that lacks \
         processor time is marked invalid, so take half or less.";
    const CAUSE: &'static str = "load on the processors";
    const UNDO: &'static str = "The threads end within 10 ms.";
    const PLACE: FaultPlace = FaultPlace::Identity;
    const SIMULATED: bool = false;

    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        let about = "The share of each processor that is burned.";
        vec![Attribute::share("share", &mut self.share, about)]
    }
}
