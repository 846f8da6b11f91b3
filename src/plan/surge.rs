//! The plan's surges, with the phases that begin with them.

use super::{Plan, surge_phases};
use crate::model::surges;
use crate::units::Nanos;

/// A surge begins or is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurgeChange {
    /// When.
    pub at: Nanos,
    /// Whether it begins.
    pub begins: bool,
    /// The name of the phase that begins with it.
    pub phase: String,
}

impl Plan {
    /// When surges begin and are over, in the order of time.
    ///
    /// It is computed from the load and the timeline, so that a plan whose load
    /// was changed cannot disagree with itself. A run of one bucket, as
    /// `threadbare load` records it, has none: nothing in it is before or after.
    #[must_use]
    pub fn surge_changes(&self) -> Vec<SurgeChange> {
        if self.interval >= self.end {
            return Vec::new();
        }
        let surges = surges(&self.load, self.warm_up, self.end);
        let taken: Vec<&str> = self.timeline.iter().map(|it| it.phase.as_str()).collect();
        let phases = surge_phases(&surges, &taken);
        let changes = surges.iter().flat_map(|surge| {
            [Some((surge.from, true)), surge.to.map(|to| (to, false))]
                .into_iter()
                .flatten()
        });
        changes
            .zip(phases)
            .map(|((at, begins), phase)| SurgeChange { at, begins, phase })
            .collect()
    }
}
