//! Keys of `[[gauges]]`: what the user's target publishes of itself.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{PlacedText, text};
use crate::model::{GaugeUrl, Preset};
use crate::scenario::leaf::{Spanned, Word};
use crate::scenario::quantities::{Loopback, Positive};

/// Gauges that are read while the run goes on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct Gauges {
    /// What they are called in reports; without it, as their preset.
    pub(in crate::scenario) name: Option<Spanned<String>>,
    /// Which server publishes them: which metrics are busy, workers and queue.
    pub(in crate::scenario) preset: Option<Word<&'static Preset>>,
    /// The page that they are on.
    pub(in crate::scenario) url: Option<PlacedText<GaugeUrl>>,
    /// The port that the server sends statsd datagrams to, in place of a page.
    pub(in crate::scenario) listen: Option<PlacedText<Loopback>>,
    /// Busy workers, as an expression; in place of the preset's.
    pub(in crate::scenario) busy: Option<Spanned<String>>,
    /// Workers, as an expression; in place of the preset's.
    pub(in crate::scenario) workers: Option<Spanned<String>>,
    /// Jobs waiting for a worker, as an expression; in place of the preset's.
    pub(in crate::scenario) queue: Option<Spanned<String>>,
    /// Requests completed since the server began, whoever still waited for them, as an
    /// expression that only grows; in place of the preset's. Without it neither a deadlock
    /// nor a leak is named.
    pub(in crate::scenario) completed: Option<Spanned<String>>,
    /// Time between two readings.
    #[serde(default = "every")]
    pub(in crate::scenario) every: PlacedText<Positive>,
}

fn every() -> PlacedText<Positive> {
    text("500ms").into()
}
