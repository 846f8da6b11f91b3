//! What a proxy reads in what passes.

use serde::{Deserialize, Serialize};

/// What a proxy reads in what passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Bytes.
    #[default]
    Tcp,
    /// HTTP/1.1 requests and answers; faults of connections work too.
    Http,
}

impl Mode {
    /// All of them with the words that scenario files use.
    pub const ALL: [(Self, &'static str); 2] = [(Self::Tcp, "tcp"), (Self::Http, "http")];
}
