//! Alerts: a signal above a threshold for a hold time.
//!
//! An alert is how an incident comes to be *detected*: the instant it fires is
//! the detection, and timeline entries can wait for it.

use serde::{Deserialize, Serialize};

use crate::named::named;
use crate::units::{Nanos, Ratio};

/// What an alert watches, measured over each interval on the instant axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// Operations that ended without success / operations that ended.
    ErrorShare,
    /// Probes that failed / probes that ended.
    ProbeFailures,
    /// Busy worker-time / worker-time of the fleet.
    Saturation,
}

named!(Signal {
    ErrorShare = "error share",
    ProbeFailures = "probe failures",
    Saturation = "saturation",
});

/// When an alert fires.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertRule {
    /// What the alert is called in events and reports.
    pub name: String,
    /// What it watches.
    pub signal: Signal,
    /// It fires when the signal is above this …
    pub above: Ratio,
    /// … without a break for so long.
    pub hold: Nanos,
}

/// What an observation changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AlertChange {
    /// The signal has been above the threshold for the hold time.
    Fired,
    /// The signal is no longer above the threshold.
    Cleared,
}

/// An alert and how long its signal has been high.
#[derive(Debug, Clone)]
pub(crate) struct Alert {
    rule: AlertRule,
    high_since: Option<Nanos>,
    firing: bool,
}

impl Alert {
    /// An alert that is not firing.
    pub(crate) const fn new(rule: AlertRule) -> Self {
        Self {
            rule,
            high_since: None,
            firing: false,
        }
    }

    /// The rule it follows.
    pub(crate) const fn rule(&self) -> &AlertRule {
        &self.rule
    }

    /// Takes the signal's value over the interval `from`..`to`; none where
    /// nothing ended in the interval, which leaves the alert as it is.
    pub(crate) fn on(&mut self, from: Nanos, to: Nanos, value: Option<f64>) -> Option<AlertChange> {
        let value = value?;
        if value <= self.rule.above.get() {
            self.high_since = None;
            return std::mem::take(&mut self.firing).then_some(AlertChange::Cleared);
        }
        let since = *self.high_since.get_or_insert(from);
        if self.firing || to.saturating_sub(since) < self.rule.hold {
            return None;
        }
        self.firing = true;
        Some(AlertChange::Fired)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fires_after_the_hold_time_and_clears() {
        let mut alert = Alert::new(AlertRule {
            name: "users refused".into(),
            signal: Signal::ErrorShare,
            above: Ratio::new(0.5).unwrap(),
            hold: Nanos::from_secs(2),
        });
        let mut at = |second: u64, value| {
            alert.on(
                Nanos::from_secs(second),
                Nanos::from_secs(second + 1),
                value,
            )
        };
        assert_eq!(at(0, Some(0.9)), None); // high for one second
        assert_eq!(at(1, Some(0.5)), None); // at the threshold is not above it
        assert_eq!(at(2, Some(0.9)), None);
        assert_eq!(at(3, None), None); // nothing ended: neither high nor low
        assert_eq!(at(4, Some(0.9)), Some(AlertChange::Fired));
        assert_eq!(at(5, Some(0.9)), None); // fires once
        assert_eq!(at(6, Some(0.1)), Some(AlertChange::Cleared));
    }
}
