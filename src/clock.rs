//! The only file that reads time.
//!
//! Everything else is told the time, which is what lets the simulator run the
//! same policies as the live backend. Instants are [`Nanos`] since the clock's
//! start and come from `CLOCK_MONOTONIC`. Every process has a clock of its own:
//! a fleet's processes report differences of their readings only, and what
//! happens to them is dated by the conductor, on the run's axis.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use crate::units::Nanos;

/// A monotonic clock with an origin of its own, such as the start of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    origin: u64,
}

impl Clock {
    /// A clock whose zero is now.
    pub fn start() -> Self {
        Self {
            origin: monotonic_nanos(),
        }
    }

    /// A clock whose zero lies `offset` in the future, so that a set-up can end before it.
    pub fn start_in(offset: Nanos) -> Self {
        Self {
            origin: monotonic_nanos() + offset.0,
        }
    }

    /// A clock whose zero is this instant of this one.
    pub const fn with_zero_at(self, zero: Nanos) -> Self {
        Self {
            origin: self.origin.saturating_add(zero.0),
        }
    }

    /// The origin in nanoseconds of `CLOCK_MONOTONIC`, for timers of the kernel,
    /// which are set to absolute instants.
    pub const fn origin(self) -> u64 {
        self.origin
    }

    /// The time, and where this clock's zero lies on the wall clock now, in nanoseconds
    /// since 1970: for instants that the kernel notes by that clock. To be asked anew
    /// each time, since the wall clock is set and slewed.
    pub fn now_and_zero_on_the_wall(self) -> (Nanos, u64) {
        let monotonic = monotonic_nanos();
        let wall = nanos(clock_gettime(ClockId::Realtime));
        let now = Nanos(monotonic.saturating_sub(self.origin));
        (now, (wall + self.origin).saturating_sub(monotonic))
    }

    /// Time since the origin; zero before it.
    pub fn now(self) -> Nanos {
        Nanos(monotonic_nanos().saturating_sub(self.origin))
    }
}

/// Nanoseconds of `CLOCK_MONOTONIC`.
fn monotonic_nanos() -> u64 {
    nanos(clock_gettime(ClockId::Monotonic))
}

/// Processor time that the calling thread has used.
pub fn thread_cpu() -> Nanos {
    Nanos(nanos(clock_gettime(ClockId::ThreadCPUTime)))
}

/// How long a thread was ready to run and had no processor, as the kernel counts it
/// (`/proc/thread-self/schedstat`, the second number: Documentation/scheduler/sched-stats).
#[derive(Debug, Default)]
pub(crate) struct RunDelay {
    /// Whether it was opened, by the thread that is measured.
    opened: bool,
    /// None where there is no such file.
    file: Option<File>,
}

impl RunDelay {
    /// The delay of the calling thread in all, which must be the same each time; zero
    /// where the kernel does not tell.
    pub(crate) fn read(&mut self) -> Nanos {
        if !std::mem::replace(&mut self.opened, true) {
            self.file = File::open("/proc/thread-self/schedstat").ok();
        }
        let mut text = [0; 96];
        let read = self
            .file
            .as_ref()
            .map_or(0, |file| file.read_at(&mut text, 0).unwrap_or_default());
        let text = str::from_utf8(&text[..read]).unwrap_or_default();
        let delay = text.split_ascii_whitespace().nth(1);
        Nanos(delay.and_then(|text| text.parse().ok()).unwrap_or(0))
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z, for naming and dating runs, never for measuring.
pub fn wall_millis() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
}

/// The date and time in UTC of [`wall_millis`], as `20261122-220110`: sorts by time.
pub fn stamp(wall_millis: u64) -> String {
    let seconds = wall_millis / 1000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days since 1970 to a civil date (H. Hinnant, "chrono-Compatible
    // Low-Level Date Algorithms", `civil_from_days`), for dates after 1970.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}")
}

fn nanos(time: rustix::time::Timespec) -> u64 {
    u64::try_from(time.tv_sec * 1_000_000_000 + time.tv_nsec).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_for_a_processor_only_grows() {
        let mut delay = RunDelay::default();
        let before = delay.read();
        std::thread::yield_now();
        assert!(delay.read() >= before);
    }

    #[test]
    fn stamps_are_dates() {
        for (millis, text) in [
            (0, "19700101-000000"),
            (951_782_400_000, "20000229-000000"),
            (1_795_384_870_123, "20261122-220110"),
        ] {
            assert_eq!(stamp(millis), text);
        }
    }
}
