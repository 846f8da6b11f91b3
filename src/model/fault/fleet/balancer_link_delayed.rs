//! Requests that take long from the balancer to an instance.

use serde::{Deserialize, Serialize};

use super::Attribute;
use super::catalogue::{Fault, FaultPlace};
use crate::model::Distribution;
use crate::units::Nanos;

/// A delay between the balancer and instances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BalancerLinkDelayed {
    /// How long a request is on its way.
    pub delay: Distribution,
    /// Instances that it reaches.
    pub instances: u64,
}

impl Default for BalancerLinkDelayed {
    fn default() -> Self {
        Self {
            delay: Distribution::Constant(Nanos::from_millis(100)),
            instances: 0,
        }
    }
}

impl Fault for BalancerLinkDelayed {
    const ABOUT: &'static str = "Requests take so long from the balancer to an instance; the answer \
         comes back as usual.";
    const CAUSE: &'static str = "delay behind the balancer";
    const UNDO: &'static str = "Requests that leave the balancer are not delayed; those under way \
         arrive when they would have.";
    const PLACE: FaultPlace = FaultPlace::Balancer;

    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        let delay = "How long a request is on its way.";
        vec![
            Attribute::durations("delay", &mut self.delay, delay),
            Attribute::instances(&mut self.instances),
        ]
    }

    fn instances(&self) -> u64 {
        self.instances
    }
}

impl super::FaultSet {
    /// How long requests take from the balancer to the instance at this place, where
    /// they are delayed.
    pub(crate) fn delay_to(&self, index: usize) -> Option<Distribution> {
        let delayed = self.balancer_link_delayed.as_ref()?;
        super::catalogue::reaches(delayed.instances, index).then_some(delayed.delay)
    }
}
