//! A body breaks off.

use serde::{Deserialize, Serialize};

use super::super::catalogue::Fault;
use super::super::units::amount_mistake;
use super::HttpMatch;

/// Cuts the body of the request (upstream) or of the answer (downstream): closes the
/// connection after so many of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpCut {
    /// Which requests.
    #[serde(rename = "match")]
    pub matching: HttpMatch,
    /// Bytes of the body as they are on the wire, with the sizes of chunks.
    pub bytes: u64,
}

impl Fault for HttpCut {
    fn mistake(&self) -> Option<String> {
        amount_mistake(self.bytes)
    }

    fn told(&self) -> Vec<String> {
        vec![format!("bytes {}", self.bytes)]
    }

    fn matching(&self) -> Option<&HttpMatch> {
        Some(&self.matching)
    }

    fn hide_secrets(&mut self) {
        self.matching.hide_secrets();
    }
}
