//! The last whole second of a run, as far as it is known while the run goes on.
//!
//! Samples of one second come one by one and from several threads, and nobody
//! says which is the last; so a second is whole once a later one begins. Users'
//! goodput is counted by the instant at which operations ended: the record's own
//! axis, the intended start, is settled only after the deadline, too late to
//! watch.

use crate::model::SourceName;
use crate::plan::Plan;
use crate::record::{AttemptCounters, Counters, Histogram, Measure, Sample};
use crate::units::Nanos;

/// What a line tells at least: shorter buckets are added up, whole ones only.
const WINDOW_MIN: Nanos = Nanos::from_secs(1);

/// What was read in one window.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Window {
    /// Its middle.
    pub middle: Nanos,
    /// Its end.
    pub to: Nanos,
    /// Operations scheduled per second, as the plan has it.
    pub offered: f64,
    /// Operations that ended with success, per second.
    pub goodput: f64,
    /// Operations that ended without success / that ended.
    pub error_share: Option<f64>,
    /// Busy worker-time / worker-time.
    pub saturation: Option<f64>,
    /// Jobs waiting in the fleet, on average.
    pub queue_depth: Option<f64>,
    /// 99th percentile of users' service time.
    pub service_p99: Option<Nanos>,
}

/// Adds up samples into windows.
#[derive(Debug, Default)]
pub(super) struct Gauges {
    width: Nanos,
    /// The window being filled: its number, counted from the load's start.
    current: u64,
    filling: Filling,
}

#[derive(Debug, Default)]
struct Filling {
    users: AttemptCounters,
    users_read: bool,
    scheduled: u64,
    /// The end of the last sample in it: the last window of a run is cut short.
    to: Nanos,
    busy_ns: f64,
    worker_ns: f64,
    queue_depth_ns: f64,
    gauges_read: bool,
    service: Histogram,
}

impl Gauges {
    /// Gauges for a run of this plan.
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            width: plan.interval * WINDOW_MIN.0.div_ceil(plan.interval.0.max(1)).max(1),
            ..Self::default()
        }
    }

    /// Takes a sample; gives the window before it where the sample begins a new one.
    pub(super) fn take(&mut self, sample: &Sample) -> Option<Window> {
        if matches!(sample.counters, Counters::Operations(_)) {
            return None;
        }
        let middle = (sample.from.0 / 2).saturating_add(sample.to.0 / 2);
        let window = middle / self.width.0;
        let whole = (window > self.current).then(|| self.close()).flatten();
        if window >= self.current {
            self.current = window;
            self.filling.add(sample);
        }
        whole
    }

    /// Whether what happened at an instant belongs below the window being filled, whose
    /// last sample is still to come. Without any for two windows, none is awaited.
    pub(super) fn awaited_before(&self, at: Nanos) -> bool {
        let to = Nanos((self.current + 1).saturating_mul(self.width.0));
        self.filling.holds() && (to..to.saturating_add(self.width * 2)).contains(&at)
    }

    /// Ends the window being filled; none where it holds nothing, or too little of its time
    /// for a rate.
    pub(super) fn close(&mut self) -> Option<Window> {
        let from = Nanos(self.current.saturating_mul(self.width.0));
        let to = from.saturating_add(self.width);
        self.current += 1;
        let filled = std::mem::take(&mut self.filling);
        let covered = filled.to.saturating_sub(from).min(self.width);
        if !filled.holds() || covered < self.width / 2 {
            return None;
        }
        let seconds = covered.as_secs_f64();
        let users = &filled.users;
        let ended = users.ended_well + users.ended_badly;
        let read = filled.gauges_read.then_some(());
        Some(Window {
            middle: from.saturating_add(self.width / 2),
            to: to.min(filled.to),
            offered: filled.scheduled as f64 / seconds,
            goodput: users.ended_well as f64 / seconds,
            error_share: (ended > 0).then(|| users.ended_badly as f64 / ended as f64),
            saturation: read
                .and((filled.worker_ns > 0.0).then(|| filled.busy_ns / filled.worker_ns)),
            queue_depth: read.map(|()| filled.queue_depth_ns / (seconds * 1e9)),
            service_p99: filled.service.quantile(0.99),
        })
    }
}

impl Filling {
    const fn holds(&self) -> bool {
        self.users_read || self.gauges_read
    }

    fn add(&mut self, sample: &Sample) {
        self.to = self.to.max(sample.to);
        match &sample.counters {
            Counters::Attempts(counters) if sample.source == SourceName::User => {
                self.users.merge(counters);
                self.users_read = true;
                if let Some(service) = sample.histogram(Measure::Service) {
                    self.service.merge(service);
                }
            }
            Counters::Generator(counters) => self.scheduled += counters.scheduled,
            Counters::Instance(counters) => {
                self.busy_ns += counters.busy_ns as f64;
                self.worker_ns += counters.worker_ns as f64;
                self.queue_depth_ns += counters.queue_depth_ns as f64;
                self.gauges_read = true;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::GeneratorCounters;

    const fn ms(value: u64) -> Nanos {
        Nanos::from_millis(value)
    }

    /// What users did and the generator scheduled from one instant to another.
    fn fill(gauges: &mut Gauges, from: u64, to: u64, scheduled: u64) -> Vec<Window> {
        let users = Counters::Attempts(AttemptCounters {
            ended_well: scheduled,
            ..AttemptCounters::default()
        });
        let generator = Counters::Generator(GeneratorCounters {
            scheduled,
            ..GeneratorCounters::default()
        });
        let sources = [
            (SourceName::User, users),
            (SourceName::Generator, generator),
        ];
        let samples = sources.map(|(source, counters)| Sample {
            from: ms(from),
            to: ms(to),
            source,
            counters,
            histograms: Vec::new(),
        });
        samples
            .iter()
            .filter_map(|sample| gauges.take(sample))
            .collect()
    }

    #[test]
    fn a_sliver_of_a_window_has_no_rate() {
        for (cut, told) in [
            (1, None),
            (499, None),
            (500, Some("100")),
            (900, Some("100")),
        ] {
            let mut gauges = Gauges::new(&Plan::default());
            assert_eq!(fill(&mut gauges, 0, 1_000, 100), []);
            let whole = fill(&mut gauges, 1_000, 1_000 + cut, cut.div_ceil(10));
            let rate = |window: &Window| format!("{:.0}", window.offered);
            assert_eq!(rate(&whole[0]), "100");
            let last = gauges.close().as_ref().map(rate);
            assert_eq!(last.as_deref(), told, "{cut} ms");
        }
    }
}
