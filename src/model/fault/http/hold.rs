//! A request or an answer does not come.

use serde::{Deserialize, Serialize};

use super::super::catalogue::Fault;
use super::HttpMatch;

/// Holds the request (upstream) or its answer (downstream) back until it is undone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpHold {
    /// Which requests.
    #[serde(rename = "match")]
    pub matching: HttpMatch,
}

impl Fault for HttpHold {
    fn matching(&self) -> Option<&HttpMatch> {
        Some(&self.matching)
    }

    fn hide_secrets(&mut self) {
        self.matching.hide_secrets();
    }
}
