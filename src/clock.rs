//! The only file that reads time.
//!
//! Everything else is told the time, which is what lets the simulator run the
//! same policies as the live backend. Instants are [`Nanos`] since the clock's
//! start and come from `CLOCK_MONOTONIC`, which all processes of one machine
//! share: a fleet's processes are given the run's origin and so date their
//! events on the run's own axis.

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use crate::units::Nanos;

/// A monotonic clock with an origin of its own: the start of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    origin: u64,
}

impl Clock {
    /// A clock whose zero is now.
    #[must_use]
    pub fn start() -> Self {
        Self {
            origin: monotonic_nanos(),
        }
    }

    /// A clock whose zero lies `offset` in the future, so that a set-up can end before it.
    #[must_use]
    pub fn start_in(offset: Nanos) -> Self {
        Self {
            origin: monotonic_nanos() + offset.0,
        }
    }

    /// The clock with the origin that [`Clock::origin`] gave, here or in another process.
    #[must_use]
    pub const fn with_origin(origin: u64) -> Self {
        Self { origin }
    }

    /// The origin in nanoseconds of `CLOCK_MONOTONIC`, to be handed to another process.
    #[must_use]
    pub const fn origin(self) -> u64 {
        self.origin
    }

    /// Time since the origin; zero before it.
    #[must_use]
    pub fn now(self) -> Nanos {
        Nanos(monotonic_nanos().saturating_sub(self.origin))
    }
}

/// Nanoseconds of `CLOCK_MONOTONIC`.
fn monotonic_nanos() -> u64 {
    nanos(clock_gettime(ClockId::Monotonic))
}

/// Processor time that the calling thread has used.
#[must_use]
pub fn thread_cpu() -> Nanos {
    Nanos(nanos(clock_gettime(ClockId::ThreadCPUTime)))
}

/// Processor time that the whole process has used.
#[must_use]
pub fn process_cpu() -> Nanos {
    Nanos(nanos(clock_gettime(ClockId::ProcessCPUTime)))
}

/// Milliseconds since 1970-01-01T00:00:00Z, for naming and dating runs, never for measuring.
#[must_use]
pub fn wall_millis() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
}

fn nanos(time: rustix::time::Timespec) -> u64 {
    u64::try_from(time.tv_sec * 1_000_000_000 + time.tv_nsec).unwrap_or(0)
}
