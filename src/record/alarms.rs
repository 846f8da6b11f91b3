//! The alerts of a run: fed with its samples, whichever backend makes them.

use super::{Counters, Event, Sample};
use crate::model::{Alert, AlertChange, AlertRule, Signal};
use crate::units::Nanos;

/// Every alert of a plan.
#[derive(Debug, Clone)]
pub struct Alarms {
    alerts: Vec<Alert>,
    /// Busy worker-time and worker-time of the interval being sampled.
    busy: (u64, u64),
}

impl Alarms {
    /// Alerts of which none is firing.
    #[must_use]
    pub fn new(rules: &[AlertRule]) -> Self {
        Self {
            alerts: rules.iter().cloned().map(Alert::new).collect(),
            busy: (0, 0),
        }
    }

    /// Takes a sample: the alerts that fire or clear by it.
    pub fn sample(&mut self, sample: &Sample) -> Vec<Event> {
        match &sample.counters {
            Counters::Instance(counters) => {
                self.busy.0 += counters.busy_ns;
                self.busy.1 += counters.worker_ns;
                Vec::new()
            }
            Counters::Attempts(counters) => {
                let signal = if sample.source == "user" {
                    Signal::ErrorShare
                } else {
                    Signal::ProbeFailures
                };
                let ended = counters.ended_well + counters.ended_badly;
                let value = share(counters.ended_badly, ended);
                self.on(signal, sample.from, sample.to, value)
            }
            _ => Vec::new(),
        }
    }

    /// Every gauge of an interval has been read: the fleet's saturation is known.
    pub fn sampled(&mut self, from: Nanos, to: Nanos) -> Vec<Event> {
        let (busy, all) = std::mem::take(&mut self.busy);
        self.on(Signal::Saturation, from, to, share(busy, all))
    }

    fn on(&mut self, signal: Signal, from: Nanos, to: Nanos, value: Option<f64>) -> Vec<Event> {
        let watching = self.alerts.iter_mut();
        let watching = watching.filter(|alert| alert.rule().signal == signal);
        watching
            .filter_map(|alert| {
                let change = alert.on(from, to, value)?;
                let alert = alert.rule().name.clone();
                Some(match change {
                    AlertChange::Fired => Event::AlertFired { alert },
                    AlertChange::Cleared => Event::AlertCleared { alert },
                })
            })
            .collect()
    }
}

fn share(bad: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| bad as f64 / all as f64)
}
