//! A request is answered with another status.

use super::super::attribute::{Attribute, Field};
use super::super::catalogue::Fault;
use super::HttpMatch;

/// Answers in the target's place (upstream: the target never sees the request), or
/// replaces the status of what it answered (downstream: the work was done).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpStatus {
    /// Which requests.
    pub matching: HttpMatch,
    /// 200 to 599.
    pub status: u16,
}

impl Fault for HttpStatus {
    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        let status = Field::Status(&mut self.status);
        vec![
            Attribute::matching(&mut self.matching),
            Attribute::new("status", status, "The status."),
        ]
    }

    fn matching(&self) -> Option<&HttpMatch> {
        Some(&self.matching)
    }
}
