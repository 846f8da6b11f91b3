//! A request or an answer does not come.

use super::super::attribute::Attribute;
use super::super::catalogue::Fault;
use super::HttpMatch;

/// Holds the request (upstream) or its answer (downstream) back until it is undone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpHold {
    /// Which requests.
    pub matching: HttpMatch,
}

impl Fault for HttpHold {
    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        vec![Attribute::matching(&mut self.matching)]
    }

    fn matching(&self) -> Option<&HttpMatch> {
        Some(&self.matching)
    }
}
