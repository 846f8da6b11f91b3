//! Keys of `[[responder]]`: somebody on call, and what they do about an alert.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{PlacedText, text};
use crate::model::Distribution;
use crate::scenario::leaf::{Spanned, Text};
use crate::scenario::quantities::Share;
use crate::units::Nanos;

/// Somebody who hears alerts and acts, with delays that are drawn anew with each seed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the file")]
pub(in crate::scenario) struct Responder {
    /// What they are called in the journal and in reports.
    #[schemars(required)]
    pub(in crate::scenario) name: Option<Spanned<String>>,
    /// The alerts that they hear; without it, all.
    pub(in crate::scenario) alerts: Option<Vec<Spanned<String>>>,
    /// Time from an alert until somebody looks.
    #[serde(default = "acknowledge")]
    pub(in crate::scenario) acknowledge: PlacedText<Distribution>,
    /// Time that each decision takes.
    #[serde(default = "decide")]
    pub(in crate::scenario) decide: PlacedText<Distribution>,
    /// How long they look after each step whether the alert clears, before they decide again.
    #[serde(default = "wait")]
    pub(in crate::scenario) wait: Text<Nanos>,
    /// Whether they try a rollback first.
    #[serde(default = "yes")]
    pub(in crate::scenario) rollback: bool,
    /// Whether they waive the check that refuses the rollback, and repeat it.
    #[serde(default = "yes")]
    pub(in crate::scenario) waive: bool,
    /// Whether they then switch the monitors off.
    #[serde(default)]
    pub(in crate::scenario) monitors_off: bool,
    /// The shares of the traffic that they admit: the first before the restart, the others
    /// after it, one step after the other.
    #[serde(default)]
    pub(in crate::scenario) admit: Vec<Spanned<Text<Share>>>,
    /// Whether they restart what serves.
    #[serde(default)]
    pub(in crate::scenario) restart: bool,
    /// For a restart: one instance after the other, with this pause after each is back;
    /// without it, all at once.
    pub(in crate::scenario) pause: Option<PlacedText<Nanos>>,
}

const fn yes() -> bool {
    true
}

fn acknowledge() -> PlacedText<Distribution> {
    text("lognormal(median 5s, sigma 0.5)").into()
}

fn decide() -> PlacedText<Distribution> {
    text("lognormal(median 2s, sigma 0.5)").into()
}

fn wait() -> Text<Nanos> {
    text("5s")
}
