//! A request ends with a reset.

use super::super::attribute::Attribute;
use super::super::catalogue::Fault;
use super::HttpMatch;

/// Resets the connection in place of the request (upstream) or of its answer (downstream).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpAbort {
    /// Which requests.
    pub matching: HttpMatch,
}

impl Fault for HttpAbort {
    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        vec![Attribute::matching(&mut self.matching)]
    }

    fn matching(&self) -> Option<&HttpMatch> {
        Some(&self.matching)
    }
}
