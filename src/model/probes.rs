//! All monitors of a plan: whose probe is due next.

use super::{Monitor, MonitorPolicy};
use crate::rng::StdRng;
use crate::units::Nanos;

/// All monitors of a plan.
#[derive(Debug)]
pub(crate) struct Probes {
    policies: Vec<MonitorPolicy>,
    /// Each monitor with its group. First those that hold sessions, which are always
    /// there; of the others none while they are off.
    monitors: Vec<(usize, Monitor)>,
    /// How many hold sessions.
    sessions: usize,
    on: bool,
    /// What they draw their pauses from.
    rng: StdRng,
    /// Counts how often they were switched; ends of older probes are not theirs.
    epoch: u32,
    /// No probe is due at or after it.
    end: Nanos,
    next: Option<(Nanos, u32)>,
    under_way: usize,
}

impl Probes {
    /// Monitors that begin at zero and end at `end`.
    pub(crate) fn new(policies: &[MonitorPolicy], end: Nanos, rng: StdRng) -> Self {
        let mut probes = Self {
            policies: policies.to_vec(),
            monitors: Vec::new(),
            sessions: 0,
            on: false,
            rng,
            epoch: 0,
            end,
            next: None,
            under_way: 0,
        };
        probes.add(true, Nanos::ZERO);
        probes.sessions = probes.monitors.len();
        probes.switch(true, Nanos::ZERO);
        probes
    }

    /// Adds the monitors of every group that holds sessions, or of every other one.
    fn add(&mut self, sessions: bool, now: Nanos) {
        let groups = self.policies.iter().enumerate();
        for (group, policy) in groups.filter(|(_, it)| it.reconnects.is_some() == sessions) {
            let monitors = (0..policy.count).map(|index| Monitor::new(policy, index, now));
            self.monitors
                .extend(monitors.map(|monitor| (group, monitor)));
        }
    }

    /// Switches every monitor on or off, but none that holds a session. Switched on,
    /// they begin afresh from `now`, spread over their interval; probes under way go on in
    /// any case.
    pub(crate) fn switch(&mut self, on: bool, now: Nanos) {
        if on == self.on {
            return;
        }
        self.on = on;
        self.epoch += 1;
        self.monitors.truncate(self.sessions);
        if on {
            self.add(false, now);
        }
        self.find_next();
    }

    /// No probe starts at `at` or later.
    pub(crate) fn end_at(&mut self, at: Nanos) {
        self.end = self.end.min(at);
        self.find_next();
    }

    /// Whether it holds a session.
    const fn has_session(&self, monitor: u32) -> bool {
        (monitor as usize) < self.sessions
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
        self.under_way += usize::from(!self.has_session(monitor));
        self.find_next();
        self.epoch
    }

    /// A probe ended.
    pub(crate) fn ended(&mut self, monitor: u32, epoch: u32, now: Nanos, succeeded: bool) {
        let session = self.has_session(monitor);
        self.under_way -= usize::from(!session);
        if epoch != self.epoch && !session {
            return;
        }
        if let Some((_, monitor)) = self.monitors.get_mut(monitor as usize) {
            monitor.on_end(now, succeeded, &mut self.rng);
        }
        self.find_next();
    }

    /// Probes that have not ended. Sessions do not end by themselves, and do not count.
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

    /// There are tens of monitors and hundreds of sessions, not thousands: looking at each
    /// is cheap.
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
            reconnects: None,
        };
        new(&[policy])
    }

    fn new(policies: &[MonitorPolicy]) -> Probes {
        let rng = crate::rng::stream(1, "sessions");
        Probes::new(policies, Nanos::from_millis(1000), rng)
    }

    #[test]
    fn sessions_stay_where_monitors_are_switched_off_and_nobody_waits_for_them() {
        let pause = "100ms".parse().unwrap();
        let monitor = MonitorPolicy {
            reconnects: None,
            every: ms(100),
            ..MonitorPolicy::sessions(1, pause, ms(10))
        };
        let mut probes = new(&[monitor, MonitorPolicy::sessions(1, pause, ms(10))]);
        // The session is the first of all, in the second group.
        assert_eq!((probes.next_due(), probes.group(0)), (Some((ms(0), 0)), 1));
        let before = probes.start(0, ms(0));
        assert_eq!(probes.under_way(), 0);
        assert_eq!(probes.next_due(), Some((ms(0), 1)));
        probes.switch(false, ms(10));
        assert_eq!(probes.next_due(), None);
        probes.ended(0, before, ms(20), false);
        assert_eq!(probes.next_due(), Some((ms(120), 0)));
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
        let mut ending = probes(1, true);
        ending.start(0, ms(980));
        assert_eq!(ending.next_due(), None);
        // An end that is made comes as the planned one does, and none is put off.
        let mut ended = probes(1, true);
        ended.start(0, ms(380));
        assert_eq!(ended.next_due(), Some((ms(480), 0)));
        ended.end_at(ms(481));
        assert_eq!(ended.next_due(), Some((ms(480), 0)));
        ended.end_at(ms(480));
        assert_eq!(ended.next_due(), None);
        ended.end_at(ms(2_000));
        assert_eq!(ended.next_due(), None);
    }
}
