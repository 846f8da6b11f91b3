//! How often which status came, one by one.
//!
//! A server sends a handful of statuses. So they are kept in a small table by their
//! numbers; what does not fit in it is counted as others, and none is lost.

use std::sync::LazyLock;

/// Statuses of one interval, or of one run, that are counted one by one.
const KEPT_MAX: usize = 16;
/// Statuses there can be: three digits.
const FIRST: u16 = 100;
const LAST: u16 = 999;
/// The counter of those that are not counted one by one.
const OTHERS: &str = "others";

/// The names of the counters: `status_200`.
static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
    (FIRST..=LAST)
        .map(|status| format!("status_{status}"))
        .collect()
});

/// Answers to attempts of one traffic class by their statuses, by **instant**.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatusCounters {
    /// Each status with how often; the first of which the count is zero ends the list.
    kept: [(u16, u64); KEPT_MAX],
    others: u64,
}

impl StatusCounters {
    /// Counts an answer.
    pub fn count(&mut self, status: u16) {
        self.add(status, 1);
    }

    fn add(&mut self, status: u16, count: u64) {
        let mut kept = self.kept.iter_mut();
        let place = kept.find(|(own, before)| *own == status || *before == 0);
        let known = (FIRST..=LAST).contains(&status);
        match place.filter(|_| known && count > 0) {
            Some(place) => *place = (status, place.1.saturating_add(count)),
            None => self.others = self.others.saturating_add(count),
        }
    }

    /// Each status that came, by its number, with how often.
    pub fn each(&self) -> Vec<(u16, u64)> {
        let kept = self.kept.iter().copied();
        let mut each: Vec<_> = kept.filter(|(_, count)| *count > 0).collect();
        each.sort_unstable();
        each
    }

    /// Answers whose statuses were not counted one by one.
    pub const fn others(&self) -> u64 {
        self.others
    }

    /// Every counter with its name.
    pub fn rows(&self) -> Vec<(&'static str, u64)> {
        let each = self.each().into_iter();
        let named = each.map(|(status, count)| {
            let name = NAMES.get(usize::from(status - FIRST));
            (name.map_or(OTHERS, String::as_str), count)
        });
        let others = (self.others > 0).then_some((OTHERS, self.others));
        named.chain(others).collect()
    }

    /// Adds a value to the counter of this name; false where there is none.
    pub fn merge_row(&mut self, name: &str, value: u64) -> bool {
        if name == OTHERS {
            self.others = self.others.saturating_add(value);
            return true;
        }
        let status = name.strip_prefix("status_").and_then(|it| it.parse().ok());
        let status = status.filter(|status| (FIRST..=LAST).contains(status));
        status.inspect(|status| self.add(*status, value)).is_some()
    }

    /// Adds those of another interval.
    pub fn merge(&mut self, other: &Self) {
        for (status, count) in other.each() {
            self.add(status, count);
        }
        self.others = self.others.saturating_add(other.others);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_counted_one_by_one_and_none_is_lost() {
        let mut counters = StatusCounters::default();
        for status in [418, 200, 418, 999, 0, 1000] {
            counters.count(status);
        }
        assert_eq!(counters.each(), [(200, 1), (418, 2), (999, 1)]);
        assert_eq!(counters.others(), 2);
        let mut read = StatusCounters::default();
        for (name, value) in counters.rows() {
            assert!(read.merge_row(name, value), "{name}");
        }
        assert_eq!(read.rows(), counters.rows());
        assert!(!read.merge_row("status_20", 1) && !read.merge_row("status_x", 1));
        // More of them than are kept.
        (500..600).for_each(|status| counters.count(status));
        counters.merge(&read);
        let kept: u64 = counters.each().iter().map(|(_, count)| count).sum();
        assert_eq!(counters.each().len(), KEPT_MAX);
        assert_eq!(kept + counters.others(), 2 * 6 + 100);
    }
}
