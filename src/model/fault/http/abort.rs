//! A request ends with a reset.

use serde::{Deserialize, Serialize};

use super::super::catalogue::Fault;
use super::HttpMatch;

/// Resets the connection in place of the request (upstream) or of its answer (downstream).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpAbort {
    /// Which requests.
    #[serde(rename = "match")]
    pub matching: HttpMatch,
}

impl Fault for HttpAbort {
    fn matching(&self) -> Option<&HttpMatch> {
        Some(&self.matching)
    }

    fn hide_secrets(&mut self) {
        self.matching.hide_secrets();
    }
}
