//! A request or an answer comes late.

use std::iter;

use super::super::attribute::Attribute;
use super::super::catalogue::Fault;
use super::super::latency::delayed;
use super::HttpMatch;
use crate::units::Nanos;

/// Delays a request (upstream) or its answer (downstream).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpDelay {
    /// Which requests.
    pub matching: HttpMatch,
    /// How late it is.
    pub delay: Nanos,
    /// By how much the delay may be longer or shorter.
    pub jitter: Nanos,
}

impl Fault for HttpDelay {
    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        let delay = delayed(("delay", &mut self.delay), &mut self.jitter);
        iter::once(Attribute::matching(&mut self.matching))
            .chain(delay)
            .collect()
    }

    fn matching(&self) -> Option<&HttpMatch> {
        Some(&self.matching)
    }
}
