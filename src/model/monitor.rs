//! Monitors: probes at an interval, more often after a failure.
//!
//! A monitor is load. It starts a probe at its interval whether or not the
//! last has ended, unless it is told not to overlap; that is why a hung target
//! collects probes.

use serde::{Deserialize, Serialize};

use super::{Backoff, Statuses};
use crate::rng::StdRng;
use crate::units::Nanos;

/// How a group of like monitors probes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Where they are no monitors but clients that hold a session each: the pause before
    /// one that has lost its session sets up another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconnects: Option<Backoff>,
}

impl MonitorPolicy {
    /// The request that sets up a session of the built-in fleet, and is answered when it
    /// ends.
    pub(crate) const SESSION: &'static str = "/session";

    /// Clients that hold a session each, and set up their first spread over `over`.
    pub(crate) fn sessions(count: u32, reconnects: Backoff, over: Nanos) -> Self {
        Self {
            name: "sessions".into(),
            probe: Self::SESSION.into(),
            count,
            every: over,
            every_after_failure: over,
            overlap: false,
            timeout: SESSION_MAX,
            expect_status: None,
            reconnects: Some(reconnects),
        }
    }
}

/// How long a session may last: longer than any run.
const SESSION_MAX: Nanos = Nanos::from_secs(7 * 24 * 3600);

/// What has lasted for so long was a session, and no attempt at one: the back-off begins
/// anew. Attempts are answered or refused within a second where a queue has a bound.
const SET_UP: Nanos = Nanos::from_secs(5);

/// The shortest pause before a client asks for a session again.
const PAUSE_MIN: Nanos = Nanos::from_millis(1);

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
    session: Option<SessionClient>,
}

/// A client that holds a session.
#[derive(Debug, Clone)]
struct SessionClient {
    reconnects: Backoff,
    /// Attempts at a session that have failed in a row, and the session that was lost.
    failures: u32,
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
            session: policy.reconnects.map(|reconnects| SessionClient {
                reconnects,
                failures: 0,
            }),
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
    /// first success after it puts it back. Where it was a session, or an attempt at
    /// one, the next attempt is due after a pause.
    pub(crate) fn on_end(&mut self, now: Nanos, succeeded: bool, rng: &mut StdRng) {
        self.under_way = self.under_way.saturating_sub(1);
        if let Some(client) = &mut self.session {
            let lasted = now.saturating_sub(self.last_start.unwrap_or(now));
            if lasted >= SET_UP {
                client.failures = 0;
            }
            client.failures = client.failures.saturating_add(1);
            let pause = client.reconnects.pause(client.failures, rng);
            // A drawn pause may be none, and time would stand still for whoever is refused at once.
            self.due = now.saturating_add(pause.max(PAUSE_MIN));
            return;
        }
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
            reconnects: None,
        }
    }

    fn rng() -> StdRng {
        crate::rng::stream(1, "sessions")
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
        let mut rng = rng();
        let mut monitor = Monitor::new(&policy(true), 0, Nanos::ZERO);
        monitor.on_start(ms(1)); // a late start does not shift the schedule
        assert_eq!(monitor.next_deadline(), Some(ms(100)));
        monitor.on_end(ms(5), false, &mut rng);
        assert_eq!(monitor.next_deadline(), Some(ms(20)));
        monitor.on_start(ms(20));
        assert_eq!(monitor.next_deadline(), Some(ms(40))); // though the last is under way
        monitor.on_end(ms(35), true, &mut rng);
        assert_eq!(monitor.next_deadline(), Some(ms(120)));
    }

    #[test]
    fn without_overlap_a_hung_probe_holds_the_next() {
        let mut monitor = Monitor::new(&policy(false), 0, Nanos::ZERO);
        monitor.on_start(ms(0));
        assert_eq!(monitor.next_deadline(), None);
        monitor.on_end(ms(500), false, &mut rng());
        assert_eq!(monitor.next_deadline(), Some(ms(500)));
    }
    #[test]
    fn a_client_that_loses_its_session_backs_off_until_one_has_lasted() {
        let mut rng = rng();
        let reconnects = "exponential 100ms..10s".parse().unwrap();
        let sessions = MonitorPolicy::sessions(2, reconnects, ms(1000));
        let mut client = Monitor::new(&sessions, 1, Nanos::ZERO);
        assert_eq!(client.next_deadline(), Some(ms(500)));
        client.on_start(ms(500));
        assert_eq!(client.next_deadline(), None);
        // It lasted for long and was lost; two attempts are refused.
        for (started, ended, due) in [
            (None, 9_000, 9_100),
            (Some(9_100), 9_101, 9_301),
            (Some(9_301), 9_302, 9_702),
            (Some(9_702), 30_000, 30_100),
        ] {
            if let Some(started) = started {
                client.on_start(ms(started));
            }
            client.on_end(ms(ended), false, &mut rng);
            assert_eq!(client.next_deadline(), Some(ms(due)), "{ended}");
        }
    }
}
