//! What a run may do at most, and when it must stop.

use serde::{Deserialize, Serialize};

use super::AlertRule;
use crate::units::{Nanos, Rate, Ratio};

/// The bounds of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Safety {
    /// Hosts other than this machine that may be sent to, exactly as URLs name
    /// them; each has to be allowed on the command line too.
    pub hosts: Vec<String>,
    /// Operations per second that such a host is sent at most.
    pub rate_max: Option<Rate>,
    /// Limit on how long such a host is loaded.
    pub duration_max: Nanos,
    /// The run stops, and all is undone, when one of these holds.
    pub abort_if: Vec<AlertRule>,
    /// The error share above which a baseline is not healthy: nothing is
    /// injected into what is broken already.
    pub baseline_errors: Ratio,
}

impl Safety {
    /// What a host that is not this machine is sent per second unless the user
    /// raises it: what a small service bears. Ours.
    pub const RATE_MAX_PER_SECOND: f64 = 50.0;

    /// The rate that such a host is sent at most.
    pub(crate) fn rate_max_per_second(&self) -> f64 {
        self.rate_max
            .map_or(Self::RATE_MAX_PER_SECOND, Rate::as_per_second)
    }
}

impl Default for Safety {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            rate_max: None,
            // A minute is enough to see whether a scenario works. Ours.
            duration_max: Nanos::from_secs(60),
            abort_if: Vec::new(),
            // A service of which one operation in twenty fails has an incident already. Ours.
            baseline_errors: Ratio::new(0.05).unwrap_or(Ratio::WHOLE),
        }
    }
}
