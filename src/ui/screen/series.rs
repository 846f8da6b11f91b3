//! What was counted, bucket by bucket of the run's interval: sums, and what is drawn of
//! them.
//!
//! What users felt lies on the intended start and is settled late, at most a deadline
//! later; until then a bucket shows what ended in it, marked as such.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::analysis::ServiceReading;
use crate::model::SourceName;
use crate::record::{
    AttemptCounters, Counters, GaugeCounters, Histogram, InstanceCounters, Measure, Sample,
};
use crate::units::{Nanos, whole};

/// Buckets that are kept at most; older ones are not drawn any more.
const KEPT_MAX: usize = 8_192;
/// Of so many the histograms are kept, for the slices that are still to come.
const OPEN_MAX: usize = 256;
/// A figure is told over at least this long.
const WINDOW_MIN: Nanos = Nanos::from_secs(1);
/// So long after its end a bucket is taken for whole: its samples come together.
const COMPLETE_AFTER: Nanos = Nanos::from_millis(250);

/// Sums of one bucket, or of several.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Sums {
    /// Buckets of which the generator has told.
    pub buckets: u64,
    /// Operations that were due.
    pub due: u64,
    /// Of those that have left by their intended start: scheduled, …
    pub settled: u64,
    /// … with success, …
    pub succeeded: u64,
    /// … and ended in any way.
    pub ended: u64,
    /// Operations that ended in it with success.
    pub ended_well: u64,
    /// Operations that ended in it without success.
    pub ended_badly: u64,
    /// First tries of users.
    pub first_tries: u64,
    /// Their retries, hedges and repeats.
    pub retries: u64,
    /// Probes of monitors.
    pub probes: u64,
    /// Median of users' time, of several buckets the worst.
    pub p50: Option<Nanos>,
    /// Its 99th percentile, likewise.
    pub p99: Option<Nanos>,
    /// What the target's workers did.
    pub workers: WorkerSums,
    /// Processor time of the machine that was used, and that there was.
    pub machine: (u64, u64),
    /// Processor time of the generator's threads, and how many they are.
    pub generator: (u64, u64),
    /// Most operations that waited for a connection.
    pub backlog: u64,
    /// Connections that were open.
    pub connections: u64,
    /// 99th percentile of the send lag.
    pub send_lag: Option<Nanos>,
}

/// Worker-time by what held it, in nanoseconds; of a target's gauges, in thousandths of a
/// worker by readings.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct WorkerSums {
    pub total: f64,
    pub busy: f64,
    pub gone: f64,
    pub detached: f64,
    pub cold: f64,
    pub probes: f64,
    /// Waiting jobs × nanoseconds, and the nanoseconds.
    pub waiting: (f64, f64),
    /// Workers there are.
    pub workers: f64,
    /// Whether the parts of what held them are known.
    pub parts: bool,
}

impl WorkerSums {
    fn add_instance(&mut self, counters: &InstanceCounters) {
        self.total += counters.worker_ns as f64;
        self.busy += counters.busy_ns as f64;
        self.gone += counters.busy_zombie_ns as f64;
        self.detached += counters.busy_detached_ns as f64;
        self.cold += counters.busy_cold_ns as f64;
        self.probes += counters.busy_probe_ns as f64;
        self.waiting.0 += counters.queue_depth_ns as f64;
        self.workers += counters.workers as f64;
        self.parts = true;
    }

    fn add_gauges(&mut self, counters: &GaugeCounters) {
        let (Some(busy), Some(workers)) = (counters.busy(), counters.workers()) else {
            return;
        };
        self.total += workers;
        self.busy += busy;
        self.workers += workers;
        if let Some(queue) = counters.queue() {
            self.waiting.0 += queue;
            self.waiting.1 = 1.0;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.total += other.total;
        self.busy += other.busy;
        self.gone += other.gone;
        self.detached += other.detached;
        self.cold += other.cold;
        self.probes += other.probes;
        self.waiting.0 += other.waiting.0;
        self.waiting.1 += other.waiting.1;
        self.workers = self.workers.max(other.workers);
        self.parts |= other.parts;
    }

    /// Busy workers / workers.
    pub(super) fn share(&self) -> Option<f64> {
        (self.total > 0.0).then(|| (self.busy / self.total).clamp(0.0, 1.0))
    }

    /// Workers that this part of the worker-time comes to.
    pub(super) fn held(&self, part: f64) -> Option<f64> {
        (self.total > 0.0).then(|| part / self.total * self.workers)
    }

    /// Worker-time for users who were still there, and of theirs what a cold cache cost. That
    /// cost lies in the other parts too, which do not overlap; so it is at most what is left.
    pub(super) fn live_and_cold(&self) -> (f64, f64) {
        let left = (self.busy - self.gone - self.detached - self.probes).max(0.0);
        let cold = self.cold.min(left);
        (left - cold, cold)
    }

    /// Jobs that waited, on average.
    pub(super) fn queue(&self) -> Option<f64> {
        (self.waiting.1 > 0.0).then(|| self.waiting.0 / self.waiting.1)
    }
}

impl Sums {
    fn merge(&mut self, other: &Self) {
        self.buckets += other.buckets;
        self.due += other.due;
        self.settled += other.settled;
        self.succeeded += other.succeeded;
        self.ended += other.ended;
        self.ended_well += other.ended_well;
        self.ended_badly += other.ended_badly;
        self.first_tries += other.first_tries;
        self.retries += other.retries;
        self.probes += other.probes;
        self.p50 = self.p50.max(other.p50);
        self.p99 = self.p99.max(other.p99);
        self.workers.merge(&other.workers);
        self.machine.0 += other.machine.0;
        self.machine.1 += other.machine.1;
        self.generator.0 += other.generator.0;
        self.generator.1 = self.generator.1.max(other.generator.1);
        self.backlog = self.backlog.max(other.backlog);
        self.connections = other.connections.max(self.connections);
        self.send_lag = self.send_lag.max(other.send_lag);
    }

    fn attempts(&mut self, of: &SourceName, counters: &AttemptCounters) {
        match of {
            SourceName::User => {
                self.first_tries += counters.first_tries;
                self.retries += counters.started() - counters.first_tries;
                self.ended_well += counters.ended_well;
                self.ended_badly += counters.ended_badly;
            }
            SourceName::Monitor => self.probes += counters.started(),
            _ => {}
        }
    }

    /// Whether nearly all of what was due has left by its intended start.
    pub(super) fn is_settled(&self) -> bool {
        // The rest are those on the edge of a bucket.
        self.settled * 10 >= self.due * 9
    }

    /// Operations that succeeded: by intended start where that is settled, else those that
    /// ended.
    pub(super) fn good(&self) -> u64 {
        if self.is_settled() {
            self.succeeded
        } else {
            self.ended_well
        }
    }

    /// Operations that ended without success / that ended, on the same axis.
    pub(super) fn error_share(&self) -> Option<f64> {
        let (bad, all) = if self.is_settled() {
            (self.ended.saturating_sub(self.succeeded), self.ended)
        } else {
            (self.ended_badly, self.ended_badly + self.ended_well)
        };
        (all > 0).then(|| bad as f64 / all as f64)
    }

    /// The machine's processors in use / there.
    pub(super) fn machine_share(&self) -> Option<f64> {
        let (busy, total) = self.machine;
        (total > 0).then(|| busy as f64 / total as f64)
    }
}

/// A figure of one column of a sparkline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub value: f64,
    /// Whether nothing more of it is to come.
    pub settled: bool,
}

/// The buckets of a run.
#[derive(Debug, Default)]
pub(super) struct Series {
    interval: Nanos,
    first: u64,
    buckets: VecDeque<Sums>,
    /// Buckets of which more is known than was read last.
    changed: BTreeSet<u64>,
    /// Users' times of the last buckets: response by intended start, service by instant.
    open: BTreeMap<u64, (Histogram, Histogram)>,
    /// Response times of all.
    pub response: Histogram,
    /// What each instance did in the last bucket of which it told, and that bucket.
    pub instances: BTreeMap<SourceName, (u64, WorkerSums)>,
}

impl Series {
    pub(super) fn new(interval: Nanos) -> Self {
        Self {
            interval: interval.max(Nanos(1)),
            ..Self::default()
        }
    }

    /// Takes a sample into the bucket in whose time it lies.
    pub(super) fn take(&mut self, sample: &Sample) {
        let middle = sample.from.0 / 2 + sample.to.0 / 2;
        let index = middle / self.interval.0;
        self.quantiles(index, sample);
        let covered = sample.to.saturating_sub(sample.from).0;
        self.changed.insert(index);
        while self.changed.len() > KEPT_MAX {
            self.changed.pop_first();
        }
        let Some(sums) = self.at(index) else { return };
        match &sample.counters {
            Counters::Operations(counters) if sample.source == SourceName::User => {
                sums.settled += counters.scheduled;
                sums.succeeded += counters.succeeded;
                sums.ended += counters.ended();
            }
            Counters::Attempts(counters) => sums.attempts(&sample.source, counters),
            Counters::Generator(counters) => {
                sums.buckets = 1;
                sums.due += counters.scheduled;
                sums.generator.0 += counters.cpu_ns;
                sums.generator.1 += counters.threads;
                sums.backlog = sums.backlog.max(counters.backlog_max);
                sums.connections += counters.connections_open;
                let lag = sample.histogram(Measure::SendLag);
                let lag = lag.and_then(|lag| lag.quantile(0.99));
                sums.send_lag = sums.send_lag.max(lag);
            }
            Counters::Instance(counters) => {
                sums.workers.add_instance(counters);
                sums.workers.waiting.1 = sums.workers.waiting.1.max(covered as f64);
                let mut own = WorkerSums::default();
                own.add_instance(counters);
                own.waiting.1 = covered as f64;
                self.instances.insert(sample.source.clone(), (index, own));
            }
            Counters::Gauges(counters) => {
                sums.workers.add_gauges(counters);
                let mut own = WorkerSums::default();
                own.add_gauges(counters);
                self.instances.insert(sample.source.clone(), (index, own));
            }
            Counters::Machine(counters) => {
                sums.machine.0 += counters.busy_ns;
                sums.machine.1 += counters.total_ns;
            }
            _ => {}
        }
    }

    fn at(&mut self, index: u64) -> Option<&mut Sums> {
        let place = usize::try_from(index.checked_sub(self.first)?).ok()?;
        // Where nothing was told for longer than is kept, nothing of it is left.
        if place >= self.buckets.len() + KEPT_MAX {
            self.buckets.clear();
            self.first = index;
            return self.at(index);
        }
        while self.buckets.len() <= place {
            self.buckets.push_back(Sums::default());
        }
        while self.buckets.len() > KEPT_MAX {
            self.buckets.pop_front();
            self.first += 1;
        }
        let place = usize::try_from(index.checked_sub(self.first)?).ok()?;
        self.buckets.get_mut(place)
    }

    fn quantiles(&mut self, index: u64, sample: &Sample) {
        if sample.source != SourceName::User {
            return;
        }
        let response = sample.histogram(Measure::Response);
        let service = sample.histogram(Measure::Service);
        if response.or(service).is_none() {
            return;
        }
        if let Some(response) = response {
            self.response.merge(response);
        }
        let (responses, services) = self
            .open
            .entry(index)
            .or_insert_with(|| (Histogram::small(), Histogram::small()));
        if let Some(response) = response {
            responses.merge(response);
        }
        if let Some(service) = service {
            services.merge(service);
        }
        let told = if responses.is_empty() {
            services
        } else {
            responses
        };
        let (p50, p99) = (told.quantile(0.5), told.quantile(0.99));
        while self.open.len() > OPEN_MAX {
            self.open.pop_first();
        }
        if let Some(sums) = self.at(index) {
            (sums.p50, sums.p99) = (p50, p99);
        }
    }

    /// The bucket after the last one that is whole at `now`.
    pub(super) fn whole_to(&self, now: Nanos) -> u64 {
        let known = self.buckets.iter().rposition(|sums| sums.buckets > 0);
        let Some(known) = known else {
            return self.first;
        };
        let last = self.first + known as u64;
        let end = Nanos((last + 1).saturating_mul(self.interval.0));
        if now >= end.saturating_add(COMPLETE_AFTER) {
            last + 1
        } else {
            last
        }
    }

    /// What users got in each whole bucket of which more is known than the last time.
    pub(super) fn rested(&mut self, now: Nanos) -> Vec<ServiceReading> {
        let later = self.changed.split_off(&self.whole_to(now));
        let changed = std::mem::replace(&mut self.changed, later);
        let readings = changed.into_iter().map(|index| {
            let sums = self.between(index, index + 1);
            ServiceReading {
                from: Nanos(index.saturating_mul(self.interval.0)),
                to: Nanos((index + 1).saturating_mul(self.interval.0)),
                scheduled: sums.due,
                succeeded: sums.good(),
                p99: sums.p99,
                settled: sums.is_settled(),
            }
        });
        readings.collect()
    }

    /// Sums of the buckets from one to before another, without those of which the generator
    /// has not told.
    pub(super) fn between(&self, from: u64, to: u64) -> Sums {
        let mut sums = Sums::default();
        let count = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        let skipped = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let count = count
            .saturating_sub(usize::try_from(self.first.saturating_sub(from)).unwrap_or(usize::MAX));
        let range = self.buckets.iter().skip(skipped).take(count);
        for bucket in range.filter(|sums| sums.buckets > 0) {
            sums.merge(bucket);
        }
        sums
    }

    /// The last figures: of at least a second.
    pub(super) fn last(&self, now: Nanos) -> Sums {
        let to = self.whole_to(now);
        self.between(to.saturating_sub(self.window()), to)
    }

    /// Buckets of the window that a figure is told over.
    pub(super) fn window(&self) -> u64 {
        WINDOW_MIN.0.div_ceil(self.interval.0)
    }

    /// How long so many buckets are, in seconds.
    pub(super) fn seconds(&self, buckets: u64) -> f64 {
        Nanos(self.interval.0.saturating_mul(buckets)).as_secs_f64()
    }

    /// Columns of a chart so wide over `span`, or over the last so long; the columns stay
    /// where they are while the chart moves.
    pub(super) fn columns(&self, now: Nanos, width: u16, span: Nanos) -> Vec<Option<Sums>> {
        if width == 0 {
            return Vec::new();
        }
        let width = u64::from(width);
        let buckets = span.0.div_ceil(self.interval.0).max(1);
        let group = buckets.div_ceil(width);
        let to = self.whole_to(now);
        let last = to.div_ceil(group);
        let from = last.saturating_sub(width);
        let column = |number: u64| {
            let sums = self.between(number * group, ((number + 1) * group).min(to));
            (sums.buckets > 0).then_some(sums)
        };
        (from..last).map(column).collect()
    }
}

/// A rate per second of a count in these sums.
pub(super) fn rate(series: &Series, sums: &Sums, count: u64) -> Option<f64> {
    let seconds = series.seconds(sums.buckets);
    (seconds > 0.0).then(|| count as f64 / seconds)
}

/// Which level of `levels` a value comes to, where `most` is the highest: at least one
/// where it is more than nothing.
pub(super) fn level(value: f64, most: f64, levels: u64) -> u64 {
    if value <= 0.0 || most <= 0.0 || !value.is_finite() || levels == 0 {
        return 0;
    }
    whole((value / most * levels as f64).round()).clamp(1, levels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{GeneratorCounters, OperationCounters};

    fn sample(index: u64, source: SourceName, counters: Counters) -> Sample {
        let width = Nanos::from_millis(500);
        Sample {
            from: width * index,
            to: width * (index + 1),
            source,
            counters,
            histograms: Vec::new(),
        }
    }

    fn due(scheduled: u64) -> Counters {
        Counters::Generator(GeneratorCounters {
            scheduled,
            ..GeneratorCounters::default()
        })
    }

    #[test]
    fn a_bucket_shows_what_ended_until_it_is_settled() {
        let mut series = Series::new(Nanos::from_millis(500));
        let ended = Counters::Attempts(AttemptCounters {
            ended_well: 40,
            ended_badly: 10,
            ..AttemptCounters::default()
        });
        series.take(&sample(0, SourceName::Generator, due(100)));
        series.take(&sample(0, SourceName::User, ended));
        let live = series.between(0, 1);
        assert!(!live.is_settled());
        assert_eq!((live.good(), live.error_share()), (40, Some(0.2)));
        // Two threads, each with half of it.
        for _ in 0..2 {
            let half = Counters::Operations(OperationCounters {
                scheduled: 50,
                succeeded: 25,
                timed_out: 25,
                ..OperationCounters::default()
            });
            series.take(&sample(0, SourceName::User, half));
        }
        let settled = series.between(0, 1);
        assert!(settled.is_settled());
        assert_eq!((settled.good(), settled.error_share()), (50, Some(0.5)));
    }

    #[test]
    fn a_bucket_is_whole_once_a_later_one_begins_or_its_time_is_past() {
        let mut series = Series::new(Nanos::from_millis(500));
        assert_eq!(series.whole_to(Nanos::from_secs(9)), 0);
        series.take(&sample(0, SourceName::Generator, due(1)));
        series.take(&sample(1, SourceName::Generator, due(1)));
        assert_eq!(series.whole_to(Nanos::from_millis(1_010)), 1);
        assert_eq!(series.whole_to(Nanos::from_millis(1_250)), 2);
    }

    #[test]
    fn a_chart_is_never_wider_than_its_columns_and_forgets_the_oldest() {
        let mut series = Series::new(Nanos::from_millis(500));
        for index in 0..20_000 {
            series.take(&sample(index, SourceName::Generator, due(index)));
        }
        assert_eq!(series.buckets.len(), KEPT_MAX);
        let now = Nanos::from_secs(10_000);
        for width in [0, 1, 7, 60, 300] {
            let span = Nanos::from_secs(600);
            let columns = series.columns(now, width, span);
            assert!(columns.len() <= usize::from(width));
            assert_eq!(columns.iter().flatten().count(), columns.len());
        }
        // A sample of what is forgotten, and one of a far later time, are no harm.
        series.take(&sample(3, SourceName::Generator, due(1)));
        series.take(&sample(9_999_999, SourceName::Generator, due(1)));
        assert_eq!(series.buckets.len(), 1);
    }
}
