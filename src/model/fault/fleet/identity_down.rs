//! An identity service that is down.

use serde::{Deserialize, Serialize};

use super::Attribute;
use super::catalogue::{Fault, FaultPlace};
use crate::units::Ratio;

/// Verifications that the identity service refuses at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct IdentityDown {
    /// The share of the verifications that it refuses.
    pub share: Ratio,
}

impl Default for IdentityDown {
    fn default() -> Self {
        let share = Ratio::WHOLE;
        Self { share }
    }
}

impl Fault for IdentityDown {
    const ABOUT: &'static str =
        "The identity service refuses verifications at once; their requests are answered 503.";
    const CAUSE: &'static str = "outage of the identity service";
    const UNDO: &'static str = "The identity service verifies again.";
    const PLACE: FaultPlace = FaultPlace::Identity;

    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        let about = "The share of the verifications that it refuses.";
        vec![Attribute::share("share", &mut self.share, about)]
    }
}
