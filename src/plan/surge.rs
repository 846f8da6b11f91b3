//! The plan's surges, with the phases that begin with them.

use super::{Plan, surge_phases};
use crate::model::surges;
use crate::units::Nanos;

/// A surge begins or is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SurgeChange {
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
    /// was changed cannot disagree with itself.
    pub(crate) fn surge_changes(&self) -> Vec<SurgeChange> {
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
