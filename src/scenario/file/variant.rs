//! Keys of `[[variant]]`: what would have prevented or ended the incident.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::IncidentVerdict;
use crate::scenario::leaf::{Spanned, Word};

/// A change of the scenario that has a name, and what it is expected to lead to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct Variant {
    /// Its name, which `--variant NAME` takes.
    #[schemars(required)]
    pub(in crate::scenario) name: Option<Spanned<String>>,
    /// What is different, in one sentence.
    #[schemars(required)]
    pub(in crate::scenario) about: Option<Spanned<String>>,
    /// The keys that have other values, as `--set` takes them: "load.client.retries=0".
    #[schemars(required, length(min = 1))]
    pub(in crate::scenario) set: Option<Spanned<Vec<Spanned<String>>>>,
    /// The incident's verdict that is expected of it, in place of what the file expects.
    #[expect(
        dead_code,
        reason = "it is read before the file is, with the variant's settings"
    )]
    pub(in crate::scenario) verdict: Option<Spanned<Word<IncidentVerdict>>>,
    /// What is expected of it, one line each as in `--expect`, in place of what the file expects.
    #[serde(default)]
    pub(in crate::scenario) expect: Vec<Spanned<String>>,
}
