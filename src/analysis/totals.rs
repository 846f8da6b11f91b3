//! The sum of a run of buckets, from which every figure of a window is taken.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::findings::Latency;
use super::owners::{Marked, beyond_zeros, lags};
use super::series::{Bucket, GeneratorBucket, InstanceBucket, merge, share};
use crate::record::{AttemptCounters, Histogram, MachineCounters, OperationCounters};
use crate::units::Nanos;

/// Queue depth of the whole fleet.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct QueueDepth {
    /// Time-weighted mean of the sum over instances; null where no gauge was read.
    pub mean: Option<f64>,
    /// Largest sum over instances of their largest depths in one interval.
    pub max: Option<u64>,
}

/// All that was recorded in some buckets, added up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    pub operations: OperationCounters,
    pub users: AttemptCounters,
    pub monitors: AttemptCounters,
    pub machine: MachineCounters,
    pub fleet: InstanceBucket,
    pub queue_depth_max: Option<u64>,
    pub generator: GeneratorBucket,
    pub response: Option<Histogram>,
    pub unserved: Option<Histogram>,
    pub own: Option<Histogram>,
    pub service: Option<Histogram>,
    pub queue_wait: Option<Histogram>,
    pub send_lag: Option<Histogram>,
    pub pool_wait: Option<Histogram>,
}

impl Totals {
    /// Adds up the buckets.
    pub(crate) fn over(buckets: &[Bucket]) -> Self {
        let mut totals = Self::default();
        for bucket in buckets {
            totals.take(bucket);
        }
        totals
    }

    fn take(&mut self, bucket: &Bucket) {
        if let Some(operations) = &bucket.operations {
            self.operations.merge(operations);
        }
        if let Some(users) = &bucket.users {
            self.users.merge(users);
        }
        if let Some(monitors) = &bucket.monitors {
            self.monitors.merge(monitors);
        }
        if let Some(machine) = &bucket.machine {
            self.machine.merge(machine);
        }
        if let Some(generator) = &bucket.generator {
            self.generator.counters.merge(&generator.counters);
            let thread_ns = &mut self.generator.thread_ns;
            *thread_ns = thread_ns.saturating_add(generator.thread_ns);
        }
        let fleet = bucket.fleet();
        self.fleet.counters.merge(&fleet.counters);
        self.fleet.covered_ns = self.fleet.covered_ns.saturating_add(fleet.covered_ns);
        self.queue_depth_max = self.queue_depth_max.max(bucket.queue_depth_max());
        for (into, from) in [
            (&mut self.response, &bucket.response),
            (&mut self.unserved, &bucket.unserved),
            (&mut self.own, &bucket.own),
            (&mut self.service, &bucket.service),
            (&mut self.queue_wait, &bucket.queue_wait),
            (&mut self.send_lag, &bucket.send_lag),
            (&mut self.pool_wait, &bucket.pool_wait),
        ] {
            if let Some(histogram) = from {
                merge(into, histogram);
            }
        }
    }

    /// Which percentiles of the response time are not the target's alone.
    pub(super) fn marked(&self) -> Marked {
        Marked::each(|quantile| self.lags(quantile))
    }

    /// Whether this percentile of the response time is not the target's alone: the
    /// generator's part of it is too large, before the first send or in all.
    pub(crate) fn lags(&self, quantile: f64) -> bool {
        let at = |it: &Option<Histogram>| it.as_ref()?.quantile(quantile);
        lags(
            at(&self.response),
            at(&self.send_lag).max(self.own_at(quantile)),
        )
    }

    /// The generator's part of response times at a quantile. Most are zero, and those are
    /// in no histogram.
    fn own_at(&self, quantile: f64) -> Option<Nanos> {
        let (own, all) = (self.own.as_ref()?, self.response.as_ref()?.count());
        own.quantile(beyond_zeros(quantile, all, own.count())?)
    }

    /// Operations succeeded / scheduled; none where none was scheduled.
    pub(crate) fn succeeded_share(&self) -> Option<f64> {
        share(self.operations.succeeded, self.operations.scheduled)
    }

    /// A part of the busy worker-time; none where no worker was busy.
    pub(super) fn busy_share(&self, part_ns: u64) -> Option<f64> {
        share(part_ns, self.fleet.counters.busy_ns)
    }

    /// The queue depth of the whole fleet.
    pub(super) fn queue_depth(&self) -> QueueDepth {
        QueueDepth {
            mean: self.fleet.queue_depth_mean(),
            max: self.queue_depth_max,
        }
    }

    /// Processor time of the generator's threads / the time there was.
    pub(super) fn generator_busy(&self) -> Option<f64> {
        share(self.generator.counters.cpu_ns, self.generator.thread_ns)
    }

    /// Time for which the generator's threads waited for a processor / the time there was.
    pub(super) fn generator_delayed(&self) -> Option<f64> {
        share(self.generator.counters.delayed_ns, self.generator.thread_ns)
    }

    /// Time for which the generator's threads were away / the time there was.
    pub(super) fn generator_away(&self) -> Option<f64> {
        share(self.generator.counters.away_ns, self.generator.thread_ns)
    }

    /// Processor time used by anything / the time there was.
    pub(super) fn machine_busy(&self) -> Option<f64> {
        share(self.machine.busy_ns, self.machine.total_ns)
    }

    /// Processor time given to others / the time there was.
    pub(super) fn machine_steal(&self) -> Option<f64> {
        share(self.machine.steal_ns, self.machine.total_ns)
    }
}

/// A duration in milliseconds; one division, so that 7 ms reads 7.
pub(super) fn millis(value: Nanos) -> f64 {
    value.0 as f64 / 1e6
}

/// Those percentiles that there are values enough to tell, in milliseconds.
pub(super) fn told_latency(histogram: Option<&Histogram>) -> Latency {
    let Some(histogram) = histogram else {
        return Latency::default();
    };
    let at = |quantile| histogram.told_quantile(quantile).map(millis);
    Latency {
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        ..latency(Some(histogram))
    }
}

/// Percentiles of a histogram, in milliseconds.
pub(super) fn latency(histogram: Option<&Histogram>) -> Latency {
    let Some(histogram) = histogram else {
        return Latency::default();
    };
    let at = |quantile| histogram.quantile(quantile).map(millis);
    Latency {
        count: histogram.count(),
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        max: histogram.max().map(millis),
        marked: Marked::default(),
    }
}
