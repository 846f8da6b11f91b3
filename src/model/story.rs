//! The incident's own clock: the times that people remember, beside the run's.

use serde::{Deserialize, Serialize};

use crate::units::{ClockTime, Nanos};

/// The incident's clock: story time = `starts` + real time × `scale`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Story {
    /// The story's time at the start of the run.
    #[schemars(with = "String")]
    pub starts: ClockTime,
    /// Story seconds per real second.
    pub scale: f64,
}

impl Story {
    /// The run's instant at a time of the story's day; a time before the start
    /// is that of the next day.
    pub fn instant(&self, time: ClockTime) -> Nanos {
        const DAY: u32 = 86_400;
        let seconds = (time.as_seconds() + DAY - self.starts.as_seconds()) % DAY;
        Nanos::from_secs_f64(f64::from(seconds) / self.scale)
    }

    /// The story's time at an instant of the run.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a story spans hours; `as` saturates"
    )]
    pub fn at(&self, instant: Nanos) -> ClockTime {
        let seconds = (instant.as_secs_f64() * self.scale).round() as u32;
        ClockTime::from_seconds(self.starts.as_seconds().saturating_add(seconds))
    }
}
