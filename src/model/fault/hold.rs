//! How a connection holds a worker of a server.

use std::fmt;

use crate::named::named;

named! {
    /// What a connection does to hold a worker.
    #[derive(Default)]
    pub enum Hold {
        /// Sends a request's head and never ends it.
        #[default]
        SlowHeaders = "slow-headers",
        /// Sends a body byte by byte.
        SlowBodies = "slow-bodies",
        /// Asks, best for a long answer, and reads it byte by byte.
        SlowReads = "slow-reads",
        /// Asks an endpoint that the user knows to be slow, again and again.
        SlowEndpoint = "slow-endpoint",
        /// Connects and sends nothing.
        Silent = "silent",
    }
}

impl Hold {
    /// A connection that ended has a successor at most so often a second, however
    /// quickly it was lost or answered: an occupation is no flood.
    pub(crate) const BEGUN_PER_SECOND: u32 = 10;
    /// Requests that a slow reader sends ahead, so that also short answers fill the
    /// buffers between it and the worker.
    pub(crate) const SENT_AHEAD: u32 = 64;

    /// Requests a second of each of its connections at most.
    pub(crate) const fn requests_per_second(self) -> u32 {
        match self {
            Self::SlowReads => Self::BEGUN_PER_SECOND * Self::SENT_AHEAD,
            _ => Self::BEGUN_PER_SECOND,
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SlowHeaders => "slow headers",
            Self::SlowBodies => "slow bodies",
            Self::SlowReads => "slow reads",
            Self::SlowEndpoint => "requests to a slow endpoint",
            Self::Silent => "connections without a request",
        })
    }
}
