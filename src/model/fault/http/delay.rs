//! A request or an answer comes late.

use serde::{Deserialize, Serialize};

use super::super::catalogue::Fault;
use super::super::latency::told_with_jitter;
use super::super::units::{milliseconds, time_mistake};
use super::HttpMatch;
use crate::units::Nanos;

/// Delays a request (upstream) or its answer (downstream).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpDelay {
    /// Which requests.
    #[serde(rename = "match")]
    pub matching: HttpMatch,
    /// How late it is.
    #[serde(with = "milliseconds")]
    pub delay: Nanos,
    /// By how much the delay may be longer or shorter.
    #[serde(with = "milliseconds")]
    pub jitter: Nanos,
}

impl Fault for HttpDelay {
    fn mistake(&self) -> Option<String> {
        time_mistake(self.delay.max(self.jitter))
    }

    fn told(&self) -> Vec<String> {
        told_with_jitter(self.delay, self.jitter)
    }

    fn matching(&self) -> Option<&HttpMatch> {
        Some(&self.matching)
    }

    fn hide_secrets(&mut self) {
        self.matching.hide_secrets();
    }
}
