//! A level that changes over time (queue depth, busy workers), integrated exactly.
//!
//! A point sample misses what happens between samples; a time integral does
//! not. Mean over any window = difference of two areas / window.

use serde::{Deserialize, Serialize};

use crate::units::Nanos;

/// A level, its time integral and its maximum since the last mark.
#[derive(Debug, Clone, Default)]
pub(crate) struct Level {
    now: u64,
    since: Nanos,
    area: u64,
    max: u64,
}

/// What a [`Level`] read at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct LevelReading {
    /// The level itself.
    pub level: u64,
    /// Its integral since the beginning, in level-nanoseconds.
    pub area: u64,
    /// Its maximum since the last mark.
    pub max: u64,
}

impl Level {
    /// Sets the level from `now` on. An instant before the last change counts
    /// as that change: the area never shrinks.
    pub(crate) fn set(&mut self, now: Nanos, level: u64) {
        self.area += self.now * now.saturating_sub(self.since).0;
        self.since = self.since.max(now);
        self.now = level;
        self.max = self.max.max(level);
    }

    /// The level in force.
    pub(crate) const fn get(&self) -> u64 {
        self.now
    }

    /// The level, its area up to `now` and its maximum since the last mark.
    pub(crate) const fn read(&self, now: Nanos) -> LevelReading {
        LevelReading {
            level: self.now,
            area: self.area + self.now * now.saturating_sub(self.since).0,
            max: self.max,
        }
    }

    /// Like [`Level::read`], and the maximum starts afresh from the level in force.
    pub(crate) const fn mark(&mut self, now: Nanos) -> LevelReading {
        let reading = self.read(now);
        self.max = self.now;
        reading
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integrates_exactly_and_keeps_the_maximum_of_each_window() {
        let mut level = Level::default();
        level.set(Nanos(10), 3);
        level.set(Nanos(20), 1);
        let first = level.mark(Nanos(30));
        assert_eq!((first.level, first.area, first.max), (1, 40, 3));
        let second = level.read(Nanos(40));
        assert_eq!((second.area, second.max), (50, 1));
    }
}
