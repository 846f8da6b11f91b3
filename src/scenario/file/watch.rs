//! Keys of `[[monitor]]` and `[[alert]]`: who probes, and who is told.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{PlacedText, text};
use crate::model::Statuses;
use crate::scenario::leaf::{Spanned, Text};
use crate::scenario::quantities::{Condition, Positive, ProbePath};
use crate::units::Nanos;

/// A group of like monitors.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct Monitor {
    /// What the group is called in reports.
    #[schemars(required)]
    pub(in crate::scenario) name: Option<Spanned<String>>,
    /// The path it requests with GET.
    #[schemars(required)]
    pub(in crate::scenario) probe: Option<Text<ProbePath>>,
    /// Monitors in the group, spread evenly over the interval.
    #[serde(default = "count")]
    #[schemars(range(min = 1, max = 1000))]
    pub(in crate::scenario) count: u32,
    /// Time between the starts of two probes of one monitor.
    #[schemars(required)]
    pub(in crate::scenario) every: Option<Text<Positive>>,
    /// What changes while its last probe failed.
    pub(in crate::scenario) after_failure: Option<AfterFailure>,
    /// Whether a probe starts though the last has not ended.
    #[serde(default = "overlap")]
    pub(in crate::scenario) overlap: bool,
    /// Limit on one probe.
    #[serde(default = "probe_timeout")]
    pub(in crate::scenario) timeout: Text<Positive>,
    /// Statuses that are a success; without it, any 2xx.
    pub(in crate::scenario) expect_status: Option<Text<Statuses>>,
}

const fn count() -> u32 {
    1
}

const fn overlap() -> bool {
    true
}

fn probe_timeout() -> Text<Positive> {
    text("1s")
}

/// How a monitor probes while its last probe failed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct AfterFailure {
    /// Time between the starts of two probes of one monitor.
    #[schemars(required)]
    pub(in crate::scenario) every: Option<Text<Positive>>,
}

/// What fires an alert: the first one after the impact is the detection.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct Alert {
    /// What the alert is called in reports, and by entries that wait for it.
    #[schemars(required)]
    pub(in crate::scenario) name: Option<Spanned<String>>,
    /// `error share`, `probe failures` or `saturation`, then `>` and a share.
    #[schemars(required)]
    pub(in crate::scenario) when: Option<PlacedText<Condition>>,
    /// It fires when that has held without a break for this long.
    #[schemars(required)]
    pub(in crate::scenario) r#for: Option<PlacedText<Nanos>>,
}
