//! Requests that never arrive from the balancer at an instance.

use serde::{Deserialize, Serialize};

use super::Attribute;
use super::catalogue::{Fault, FaultPlace};
use crate::units::Ratio;

/// A loss between the balancer and instances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BalancerLinkLost {
    /// The share of the requests that are lost.
    pub share: Ratio,
    /// Instances that it reaches.
    pub instances: u64,
}

impl Default for BalancerLinkLost {
    fn default() -> Self {
        Self {
            share: Ratio::WHOLE,
            instances: 0,
        }
    }
}

impl Fault for BalancerLinkLost {
    const ABOUT: &'static str = "A share of the requests never arrive at the instance that the \
         balancer chose, and nobody answers them: their callers wait as long as they can.";
    const CAUSE: &'static str = "loss behind the balancer";
    const UNDO: &'static str = "Requests arrive again; those that were lost stay lost.";
    const PLACE: FaultPlace = FaultPlace::Balancer;

    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        let share = "The share of the requests that are lost.";
        vec![
            Attribute::share("share", &mut self.share, share),
            Attribute::instances(&mut self.instances),
        ]
    }

    fn instances(&self) -> u64 {
        self.instances
    }
}

impl super::FaultSet {
    /// The share of the requests that are lost on the way to the instance at this place.
    pub(crate) fn lost_to(&self, index: usize) -> Option<f64> {
        let lost = self.balancer_link_lost.as_ref()?;
        super::catalogue::reaches(lost.instances, index).then(|| lost.share.get())
    }
}
