//! Keys of `[safety]`: what a run may do at most, and when it must stop.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PlacedText;
use crate::model;
use crate::scenario::leaf::Text;
use crate::scenario::quantities::{Positive, Share, StopCondition};
use crate::units::Rate;

/// Limits on what a run may do, and when it must stop.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::scenario) struct Safety {
    /// Hosts other than this machine that may be sent to, exactly as URLs name
    /// them. Each must be allowed on the command line too: `--allow-host`.
    pub(in crate::scenario) hosts: Vec<String>,
    /// Limit on requests per second to such a host; 50/s unless raised here.
    pub(in crate::scenario) rate_max: Option<Text<Rate>>,
    /// Limit on how long such a host is loaded.
    pub(in crate::scenario) duration_max: Text<Positive>,
    /// When the run stops and everything is undone at once, such as
    /// "error share > 50 % for 30s".
    pub(in crate::scenario) abort_if: Vec<PlacedText<StopCondition>>,
    /// The error share above which the baseline is not healthy, and nothing is injected.
    pub(in crate::scenario) baseline_errors: Text<Share>,
}

impl Default for Safety {
    fn default() -> Self {
        let bounds = model::Safety::default();
        Self {
            hosts: bounds.hosts,
            rate_max: bounds.rate_max.map(Text),
            duration_max: Text(Positive(bounds.duration_max)),
            abort_if: Vec::new(),
            baseline_errors: Text(Share(bounds.baseline_errors)),
        }
    }
}

impl Safety {
    /// The bounds that this says.
    pub(in crate::scenario) fn bounds(&self) -> model::Safety {
        let rules = self
            .abort_if
            .iter()
            .map(|condition| condition.value.0.rule());
        model::Safety {
            hosts: self.hosts.clone(),
            rate_max: self.rate_max.map(|rate| rate.0),
            duration_max: self.duration_max.0.0,
            abort_if: rules.collect(),
            baseline_errors: self.baseline_errors.0.0,
        }
    }
}
