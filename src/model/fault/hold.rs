//! How a connection holds a worker of a server.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a connection does to hold a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hold {
    /// Sends a request's head and never ends it.
    #[default]
    SlowHeaders,
    /// Sends a body byte by byte.
    SlowBodies,
    /// Asks, best for a long answer, and reads it byte by byte.
    SlowReads,
    /// Asks an endpoint that the user knows to be slow, again and again.
    SlowEndpoint,
}

impl Hold {
    /// All of them with the words by which files and commands call them.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::SlowHeaders, "slow-headers"),
        (Self::SlowBodies, "slow-bodies"),
        (Self::SlowReads, "slow-reads"),
        (Self::SlowEndpoint, "slow-endpoint"),
    ];
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SlowHeaders => "slow headers",
            Self::SlowBodies => "slow bodies",
            Self::SlowReads => "slow reads",
            Self::SlowEndpoint => "requests to a slow endpoint",
        })
    }
}
