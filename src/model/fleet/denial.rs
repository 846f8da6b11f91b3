//! What the fleet answers where it does not answer with a result: the status and
//! the sentence of each case, once for the live and the simulated fleet.
//!
//! What is wrong with the request itself (no such path, a malformed body) is not
//! here: the simulator makes no such requests.

use std::fmt;

use crate::units::Nanos;

/// Why a request gets no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// The balancer admits a share only, and this one is not of it.
    Shed,
    /// No instance is in rotation.
    NoInstance,
    /// The instance went while it had the request.
    InstanceBroke,
    /// So many wait that only first tries are taken.
    FirstTriesOnly,
    /// The job queue is at its bound.
    QueueFull,
    /// The instance has been told to stop.
    Stopping,
    /// The job waited for longer than the queue lets jobs wait.
    Expired,
    /// The token is not one of a user.
    UnknownToken,
    /// The caller does not wait any more, so that this is answered to nobody.
    TimeOver,
    /// The handler went on without the verification, and has no result of it.
    NoResult,
    /// As many workers as may be are in a verification.
    BulkheadFull,
    /// The identity service refused, failed or took too long.
    IdentityFailed,
    /// The user is known, and may not do this.
    RoleForbids,
    /// No connection to the database came free while the worker waited.
    NoConnection,
    /// The instance has no whole map of its cluster, so that it cannot tell where this
    /// is to go.
    NoRoute,
    /// The database failed.
    DatabaseFailed,
}

impl Denial {
    /// The status of the answer.
    pub const fn status(self) -> u16 {
        self.answer().0
    }

    /// What the answer says; where more is known of the cause, see [`Denial::because`].
    pub const fn sentence(self) -> &'static str {
        self.answer().1
    }

    /// The sentence with its cause.
    pub fn because(self, cause: &dyn fmt::Display) -> String {
        format!("{}: {cause}", self.sentence())
    }

    /// What the client is told to wait before it tries again, in whole seconds.
    pub const fn retry_after(self) -> Option<Nanos> {
        match self {
            // The shortest that the header can say: the share admitted is meant to rise.
            Self::Shed => Some(Nanos::from_secs(1)),
            _ => None,
        }
    }

    const fn answer(self) -> (u16, &'static str) {
        match self {
            Self::Shed => (503, "shed by the balancer"),
            Self::NoInstance => (503, "no instance is in service"),
            Self::InstanceBroke => (502, "the instance broke the connection"),
            Self::FirstTriesOnly => (503, "too many wait for more tries and probes"),
            Self::QueueFull => (503, "the job queue is full"),
            Self::Stopping => (503, "the instance is stopping"),
            Self::Expired => (503, "the request waited too long"),
            Self::UnknownToken => (401, "the token is missing or unknown"),
            Self::TimeOver => (503, "the caller's time is over"),
            Self::NoResult => (500, "the verification gave no result"),
            Self::BulkheadFull => (
                503,
                "the identity service failed: too many workers wait for it",
            ),
            Self::IdentityFailed => (503, "the identity service failed"),
            Self::RoleForbids => (403, "the user's role does not allow this"),
            Self::NoConnection => (500, "no connection to the database came free in time"),
            Self::NoRoute => (500, "the map of the cluster is not whole"),
            Self::DatabaseFailed => (500, "the database failed"),
        }
    }
}
