//! Keys of `[[proxy]]`: proxies of a run, in front of the target or of what it depends on.

use schemars::JsonSchema;
use serde::Deserialize;

use super::PlacedText;
use crate::model::HostPort;
use crate::model::fault::Mode;
use crate::scenario::leaf::{Spanned, Word};

/// A proxy whose faults the timeline injects and undoes; it begins and ends with the run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct Proxy {
    /// What the timeline calls it.
    #[schemars(required)]
    pub(in crate::scenario) name: Option<Spanned<String>>,
    /// Where it forwards to: something that the target depends on. Without it, to
    /// the target: then everything that users and monitors send goes through it.
    pub(in crate::scenario) to: Option<PlacedText<HostPort>>,
    /// Where it listens; in front of the target by default on a free port.
    pub(in crate::scenario) listen: Option<PlacedText<HostPort>>,
    /// What it parses: "tcp" is bytes; "http" also HTTP/1.1, for faults of single requests.
    #[serde(default = "mode")]
    pub(in crate::scenario) mode: Word<Mode>,
}

const fn mode() -> Word<Mode> {
    Word(Mode::Tcp)
}
