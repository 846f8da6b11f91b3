//! A request is answered with another status.

use serde::{Deserialize, Serialize};

use super::super::catalogue::Fault;
use super::HttpMatch;

/// Answers in the target's place (upstream: the target never sees the request), or
/// replaces the status of what it answered (downstream: the work was done).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpStatus {
    /// Which requests.
    #[serde(rename = "match")]
    pub matching: HttpMatch,
    /// 200 to 599.
    pub status: u16,
}

impl Fault for HttpStatus {
    fn mistake(&self) -> Option<String> {
        let status = self.status;
        let sentence = || format!("the status {status} is not from 200 to 599");
        (!(200..600).contains(&status)).then(sentence)
    }

    fn told(&self) -> Vec<String> {
        vec![self.status.to_string()]
    }

    fn matching(&self) -> Option<&HttpMatch> {
        Some(&self.matching)
    }

    fn hide_secrets(&mut self) {
        self.matching.hide_secrets();
    }
}
