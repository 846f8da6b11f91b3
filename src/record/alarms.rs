//! The alerts of a run: fed with its samples, whichever backend makes them.

use super::{Counters, Event, Sample};
use crate::model::{Alert, AlertChange, AlertRule, Signal, SourceName};
use crate::units::Nanos;

/// Every alert of a plan.
#[derive(Debug, Clone)]
pub(crate) struct Alarms {
    alerts: Vec<Alert>,
    /// Busy worker-time and worker-time of the interval being sampled.
    busy: (u64, u64),
    /// Of the user's target, whose gauges saturation is taken from: the
    /// first that told both busy workers and workers.
    gauges: Option<SourceName>,
}

impl Alarms {
    /// Alerts of which none is firing.
    pub(crate) fn new(rules: &[AlertRule]) -> Self {
        Self {
            alerts: rules.iter().cloned().map(Alert::new).collect(),
            busy: (0, 0),
            gauges: None,
        }
    }

    /// Takes a sample: the alerts that fire or clear by it.
    pub(crate) fn sample(&mut self, sample: &Sample) -> Vec<Event> {
        match &sample.counters {
            Counters::Instance(counters) => {
                self.busy.0 += counters.busy_ns;
                self.busy.1 += counters.worker_ns;
                Vec::new()
            }
            Counters::Attempts(counters) => {
                let signal = if sample.source == SourceName::User {
                    Signal::ErrorShare
                } else {
                    Signal::ProbeFailures
                };
                let ended = counters.ended_well + counters.ended_badly;
                let value = share(counters.ended_badly, ended);
                self.on(signal, sample.from, sample.to, value)
            }
            Counters::Gauges(counters) => {
                let Some(value) = counters.saturation() else {
                    return Vec::new();
                };
                let first = self.gauges.get_or_insert_with(|| sample.source.clone());
                if *first != sample.source {
                    return Vec::new();
                }
                self.on(Signal::Saturation, sample.from, sample.to, Some(value))
            }
            _ => Vec::new(),
        }
    }

    /// Every gauge of an interval has been read: the fleet's saturation is known.
    pub(crate) fn sampled(&mut self, from: Nanos, to: Nanos) -> Vec<Event> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::GaugeCounters;
    use crate::units::Ratio;

    #[test]
    fn saturation_of_the_users_target_is_that_of_its_first_gauges() {
        let rule = AlertRule {
            name: "full".into(),
            signal: Signal::Saturation,
            above: Ratio::new(0.9).unwrap(),
            hold: Nanos::from_secs(1),
        };
        let mut alarms = Alarms::new(&[rule]);
        let mut told = |source: &str, second: u64, busy_milli| {
            let counters = GaugeCounters {
                busy_readings: 2,
                busy_milli,
                workers_readings: 2,
                workers_milli: 8_000,
                ..GaugeCounters::default()
            };
            let from = Nanos::from_secs(second);
            let sample = Sample {
                from,
                to: from + Nanos::from_secs(1),
                source: source.into(),
                counters: Counters::Gauges(counters),
                histograms: Vec::new(),
            };
            alarms.sample(&sample)
        };
        let alert = || "full".to_owned();
        assert_eq!(told("app", 0, 7_000), []);
        assert_eq!(told("pool", 1, 8_000), []);
        assert_eq!(
            told("app", 1, 8_000),
            [Event::AlertFired { alert: alert() }]
        );
        assert_eq!(told("pool", 2, 0), []);
        assert_eq!(told("app", 2, 0), [Event::AlertCleared { alert: alert() }]);
    }
}
