//! Monitors: probes at an interval, more often after a failure.
//!
//! A monitor is load. It starts a probe at its interval whether or not the
//! last has ended, unless it is told not to overlap; that is why a hung target
//! collects probes.

use serde::{Deserialize, Serialize};

use super::Statuses;
use crate::units::Nanos;

/// How a group of like monitors probes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonitorPolicy {
    /// What the group is called in reports.
    pub name: String,
    /// The path that it requests with GET. Its query is not written.
    #[serde(serialize_with = "super::secret::path")]
    pub probe: String,
    /// Monitors in the group, spread evenly over the interval.
    pub count: u32,
    /// Time between the starts of two probes of one monitor.
    pub every: Nanos,
    /// The same while its last ended probe failed.
    pub every_after_failure: Nanos,
    /// Whether a probe starts though the last has not ended.
    pub overlap: bool,
    /// Limit on one probe.
    pub timeout: Nanos,
    /// Statuses that are a success; none: any 2xx.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_status: Option<Statuses>,
}

/// One monitor: when it probes next.
#[derive(Debug, Clone)]
pub(crate) struct Monitor {
    every: Nanos,
    every_after_failure: Nanos,
    overlap: bool,
    failing: bool,
    last_start: Option<Nanos>,
    due: Nanos,
    under_way: u32,
}

impl Monitor {
    /// Monitor `index` of its group, which begins at `from`; the group's
    /// monitors are spread evenly over the first interval.
    pub(crate) fn new(policy: &MonitorPolicy, index: u32, from: Nanos) -> Self {
        let phase = policy.every * u64::from(index) / u64::from(policy.count.max(1));
        Self {
            every: policy.every,
            every_after_failure: policy.every_after_failure,
            overlap: policy.overlap,
            failing: false,
            last_start: None,
            due: from + phase,
            under_way: 0,
        }
    }

    /// When the next probe is due; none while a probe that it may not overlap is under way.
    pub(crate) fn next_deadline(&self) -> Option<Nanos> {
        (self.overlap || self.under_way == 0).then_some(self.due)
    }

    /// A probe starts now. Its successor is due one interval after this one
    /// was due, so that a late start does not shift those that follow; a whole
    /// interval late, the schedule begins again from `now`.
    pub(crate) fn on_start(&mut self, now: Nanos) {
        let start = if now.saturating_sub(self.due) > self.interval() {
            now
        } else {
            self.due
        };
        self.last_start = Some(start);
        self.under_way += 1;
        self.due = start + self.interval();
    }

    /// A probe ended. The first failure brings the next probe forward, the
    /// first success after it puts it back.
    pub(crate) fn on_end(&mut self, now: Nanos, succeeded: bool) {
        self.under_way = self.under_way.saturating_sub(1);
        if self.failing == succeeded {
            self.failing = !succeeded;
            let from = self.last_start.unwrap_or(now);
            self.due = (from + self.interval()).max(now);
        }
    }

    const fn interval(&self) -> Nanos {
        if self.failing {
            self.every_after_failure
        } else {
            self.every
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(overlap: bool) -> MonitorPolicy {
        MonitorPolicy {
            name: "deep health".into(),
            probe: "/readyz?deep=true".into(),
            count: 10,
            every: Nanos::from_millis(100),
            every_after_failure: Nanos::from_millis(20),
            overlap,
            timeout: Nanos::from_millis(500),
            expect_status: None,
        }
    }

    fn ms(value: u64) -> Nanos {
        Nanos::from_millis(value)
    }

    #[test]
    fn the_group_is_spread_over_the_interval() {
        let due: Vec<_> = (0..10)
            .map(|index| Monitor::new(&policy(true), index, ms(1000)).next_deadline())
            .collect();
        assert_eq!(due[0], Some(ms(1000)));
        assert_eq!(due[9], Some(ms(1090)));
    }

    #[test]
    fn a_failure_brings_probes_forward_and_a_success_puts_them_back() {
        let mut monitor = Monitor::new(&policy(true), 0, Nanos::ZERO);
        monitor.on_start(ms(1)); // a late start does not shift the schedule
        assert_eq!(monitor.next_deadline(), Some(ms(100)));
        monitor.on_end(ms(5), false);
        assert_eq!(monitor.next_deadline(), Some(ms(20)));
        monitor.on_start(ms(20));
        assert_eq!(monitor.next_deadline(), Some(ms(40))); // though the last is under way
        monitor.on_end(ms(35), true);
        assert_eq!(monitor.next_deadline(), Some(ms(120)));
    }

    #[test]
    fn without_overlap_a_hung_probe_holds_the_next() {
        let mut monitor = Monitor::new(&policy(false), 0, Nanos::ZERO);
        monitor.on_start(ms(0));
        assert_eq!(monitor.next_deadline(), None);
        monitor.on_end(ms(500), false);
        assert_eq!(monitor.next_deadline(), Some(ms(500)));
    }
}
