//! All monitors of a plan: whose probe is due next.

use super::{Monitor, MonitorPolicy};
use crate::units::Nanos;

/// All monitors of a plan.
#[derive(Debug)]
pub(crate) struct Probes {
    policies: Vec<MonitorPolicy>,
    /// Each monitor with its group; none while they are off.
    monitors: Vec<(usize, Monitor)>,
    /// Counts how often they were switched; ends of older probes are not theirs.
    epoch: u32,
    /// No probe is due at or after it.
    end: Nanos,
    next: Option<(Nanos, u32)>,
    under_way: usize,
}

impl Probes {
    /// Monitors that begin at zero and end at `end`.
    pub(crate) fn new(policies: &[MonitorPolicy], end: Nanos) -> Self {
        let mut probes = Self {
            policies: policies.to_vec(),
            monitors: Vec::new(),
            epoch: 0,
            end,
            next: None,
            under_way: 0,
        };
        probes.switch(true, Nanos::ZERO);
        probes
    }

    /// Switches every monitor on or off. Switched on, they begin afresh from
    /// `now`, spread over their interval; probes under way go on in any case.
    pub(crate) fn switch(&mut self, on: bool, now: Nanos) {
        if on != self.monitors.is_empty() {
            return;
        }
        self.epoch += 1;
        self.monitors.clear();
        if on {
            for (group, policy) in self.policies.iter().enumerate() {
                let monitors = (0..policy.count).map(|index| Monitor::new(policy, index, now));
                self.monitors
                    .extend(monitors.map(|monitor| (group, monitor)));
            }
        }
        self.find_next();
    }

    /// When the next probe is due, and whose; none while there is nothing to come.
    pub(crate) const fn next_due(&self) -> Option<(Nanos, u32)> {
        self.next
    }

    /// A monitor starts its probe: the epoch that its end must name.
    pub(crate) fn start(&mut self, monitor: u32, now: Nanos) -> u32 {
        if let Some((_, monitor)) = self.monitors.get_mut(monitor as usize) {
            monitor.on_start(now);
        }
        self.under_way += 1;
        self.find_next();
        self.epoch
    }

    /// A probe ended.
    pub(crate) fn ended(&mut self, monitor: u32, epoch: u32, now: Nanos, succeeded: bool) {
        self.under_way -= 1;
        if epoch != self.epoch {
            return;
        }
        if let Some((_, monitor)) = self.monitors.get_mut(monitor as usize) {
            monitor.on_end(now, succeeded);
        }
        self.find_next();
    }

    /// Probes that have not ended.
    pub(crate) const fn under_way(&self) -> usize {
        self.under_way
    }

    /// The group of a monitor that is on.
    pub(crate) fn group(&self, monitor: u32) -> usize {
        self.monitors[monitor as usize].0
    }

    /// The limit on a probe of the group.
    pub(crate) fn timeout(&self, group: usize) -> Nanos {
        self.policies[group].timeout
    }

    /// There are tens of monitors, not thousands: looking at each is cheap.
    fn find_next(&mut self) {
        let dues = (0..)
            .zip(&self.monitors)
            .filter_map(|(index, (_, monitor))| {
                let due = monitor.next_deadline()?;
                (due < self.end).then_some((due, index))
            });
        self.next = dues.min();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probes(count: u32, overlap: bool) -> Probes {
        let policy = MonitorPolicy {
            name: "deep health".into(),
            probe: "/readyz?deep=true".into(),
            count,
            every: Nanos::from_millis(100),
            every_after_failure: Nanos::from_millis(20),
            overlap,
            timeout: Nanos::from_millis(500),
            expect_status: None,
        };
        Probes::new(&[policy], Nanos::from_millis(1000))
    }

    fn ms(value: u64) -> Nanos {
        Nanos::from_millis(value)
    }

    #[test]
    fn switched_on_again_they_are_spread_again() {
        let mut probes = probes(2, true);
        assert_eq!(probes.next_due(), Some((ms(0), 0)));
        let old = probes.start(0, ms(0));
        assert_eq!(probes.next_due(), Some((ms(50), 1)));
        probes.switch(false, ms(10));
        assert_eq!(probes.next_due(), None);
        probes.switch(true, ms(500));
        probes.ended(0, old, ms(510), false); // of before: counts as ended, hurries nobody
        assert_eq!(
            (probes.next_due(), probes.under_way()),
            (Some((ms(500), 0)), 0)
        );
        probes.start(0, ms(500));
        assert_eq!(probes.next_due(), Some((ms(550), 1)));
    }

    #[test]
    fn nothing_is_due_at_the_end_or_after_it() {
        let mut probes = probes(1, true);
        probes.start(0, ms(980));
        assert_eq!(probes.next_due(), None);
    }
}
