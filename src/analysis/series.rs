//! The record as one table: a row for each bucket of time, all sources aligned.
//!
//! Every other file of this room, and the charts of the report, read this table
//! and not the samples, so that a figure and its picture cannot disagree. Rows
//! exist only where something was recorded: a bucket without a sample is
//! absent, never zero. Two axes share the table: [`Bucket::operations`] and
//! [`Bucket::response`] lie on the intended-start axis, everything else on the
//! instant axis.
//!
//! A sample belongs to the bucket that holds its middle. That is exact for
//! counters kept per bucket, and right for gauges, whose reader wakes a little
//! before or after the edge.

use std::collections::HashMap;

use crate::model::SourceName;
use crate::record::{
    AttemptCounters, BalancerCounters, Counters, GaugeCounters, GeneratorCounters, Histogram,
    IdentityCounters, InstanceCounters, MachineCounters, Measure, OperationCounters,
    ProcessCounters, Record, Sample,
};
use crate::units::Nanos;

/// The width taken where a damaged plan states none.
const FALLBACK_INTERVAL: Nanos = Nanos::from_secs(1);

/// The whole record in rows of one interval, in the order of time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// Width of a bucket.
    pub interval: Nanos,
    /// The instances that were read, in the order of [`Bucket::instances`].
    pub instances: Vec<SourceName>,
    /// The gauges of the user's target, in the order of [`Bucket::gauges`].
    pub gauges: Vec<SourceName>,
    /// The processes that were watched, in the order of [`Bucket::processes`].
    pub processes: Vec<SourceName>,
    /// The buckets in which something was recorded, warm-up and drain included.
    pub buckets: Vec<Bucket>,
}

/// What was recorded in one bucket; none where a source gave no sample.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bucket {
    /// The bucket's start, inclusive: a multiple of the interval.
    pub from: Nanos,
    /// Its end, exclusive.
    pub to: Nanos,
    /// Users' operations whose intended start lies here.
    pub operations: Option<OperationCounters>,
    /// Response times of those that succeeded.
    pub response: Option<Histogram>,
    /// How long the others were waited for.
    pub unserved: Option<Histogram>,
    /// The generator's parts of the response times, without those that are zero.
    pub own: Option<Histogram>,
    /// Users' attempts at this time.
    pub users: Option<AttemptCounters>,
    /// Service times of users' attempts that were answered.
    pub service: Option<Histogram>,
    /// Send lag of users' first tries.
    pub send_lag: Option<Histogram>,
    /// Time users' operations waited for a free connection.
    pub pool_wait: Option<Histogram>,
    /// Monitors' probes at this time; most runs have none.
    pub monitors: Option<Box<AttemptCounters>>,
    /// Every instance, in the order of [`Series::instances`].
    pub instances: Vec<Option<InstanceBucket>>,
    /// Queue waits of the jobs that left a queue, over all instances.
    pub queue_wait: Option<Histogram>,
    /// The generator itself.
    pub generator: Option<GeneratorBucket>,
    /// The balancer.
    pub balancer: Option<BalancerCounters>,
    /// The identity service.
    pub identity: Option<IdentityCounters>,
    /// The whole machine.
    pub machine: Option<MachineCounters>,
    /// Gauges of the user's target, in the order of [`Series::gauges`].
    pub gauges: Vec<Option<GaugeCounters>>,
    /// Processes of it, in the order of [`Series::processes`].
    pub processes: Vec<Option<ProcessCounters>>,
}

/// One instance in one bucket: its samples merged, since an instance that
/// restarts gives one of its old and one of its new process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InstanceBucket {
    /// The merged counters. `workers` adds up over the samples; saturation is
    /// computed from `worker_ns` instead.
    pub counters: InstanceCounters,
    /// Time between the readings that the samples come from.
    pub covered_ns: u64,
}

/// The generator in one bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GeneratorBucket {
    /// Its counters.
    pub counters: GeneratorCounters,
    /// Thread-time there was: threads × length.
    pub thread_ns: u64,
}

/// `part / whole`; none where the whole is zero.
pub(super) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Builds the table of a record.
pub fn series(record: &Record) -> Series {
    let interval = match record.interval() {
        Nanos::ZERO => FALLBACK_INTERVAL,
        interval => interval,
    };
    let names = Names {
        instances: names(record, "instance"),
        gauges: names(record, "gauges"),
        processes: names(record, "process"),
    };
    let mut buckets = Vec::new();
    let mut places = HashMap::new();
    for sample in &record.samples {
        let index = middle(&sample).0 / interval.0;
        let place = *places.entry(index).or_insert(buckets.len());
        if place == buckets.len() {
            add_bucket(&mut buckets, index, interval, &names);
        }
        buckets[place].take(&sample, &names);
    }
    // They nearly are: samples are written as time goes on.
    buckets.sort_by_key(|bucket| bucket.from);
    Series {
        interval,
        instances: names.instances,
        gauges: names.gauges,
        processes: names.processes,
        buckets,
    }
}

fn add_bucket(buckets: &mut Vec<Bucket>, index: u64, interval: Nanos, names: &Names) {
    if buckets.len() == buckets.capacity() {
        // By an eighth and not by half: a day's buckets take a hundred megabytes.
        buckets.reserve_exact(64 + buckets.len() / 8);
    }
    let from = Nanos(index.saturating_mul(interval.0));
    buckets.push(Bucket {
        from,
        to: from.saturating_add(interval),
        instances: vec![None; names.instances.len()],
        gauges: vec![None; names.gauges.len()],
        processes: vec![None; names.processes.len()],
        ..Bucket::default()
    });
}

/// The sources of which there may be several.
struct Names {
    instances: Vec<SourceName>,
    gauges: Vec<SourceName>,
    processes: Vec<SourceName>,
}

fn length(sample: &Sample) -> Nanos {
    sample.to.saturating_sub(sample.from)
}

pub(super) fn middle(sample: &Sample) -> Nanos {
    sample.from.saturating_add(Nanos(length(sample).0 / 2))
}

/// The names of all sources of a kind; `instance-10` after `instance-2`.
fn names(record: &Record, kind: &str) -> Vec<SourceName> {
    let mut names: Vec<SourceName> = record.samples.sources_of(kind).cloned().collect();
    names.sort_by_cached_key(|name| {
        let text = name.to_string();
        (text.len(), text)
    });
    names
}

/// The place of a source among those of its kind.
fn slot<'a, T>(
    slots: &'a mut [Option<T>],
    names: &[SourceName],
    source: &SourceName,
) -> Option<&'a mut Option<T>> {
    let place = names.iter().position(|name| name == source)?;
    slots.get_mut(place)
}

impl Bucket {
    fn take(&mut self, sample: &Sample, names: &Names) {
        let length = length(sample).0;
        match &sample.counters {
            // One kind of operations, which are in the whole as well: `kinds`.
            Counters::Operations(_) if sample.source != SourceName::User => return,
            Counters::Operations(counters) => {
                self.operations.get_or_insert_default().merge(counters);
            }
            Counters::Attempts(counters) if sample.source == SourceName::Monitor => {
                self.monitors.get_or_insert_default().merge(counters);
            }
            Counters::Attempts(counters) => self.users.get_or_insert_default().merge(counters),
            Counters::Generator(counters) => {
                let generator = self.generator.get_or_insert_default();
                generator.counters.merge(counters);
                add(&mut generator.thread_ns, counters.threads, length);
            }
            Counters::Instance(counters) => {
                let slot = slot(&mut self.instances, &names.instances, &sample.source);
                if let Some(slot) = slot {
                    let instance = slot.get_or_insert_default();
                    instance.counters.merge(counters);
                    let covered = counters.worker_ns.checked_div(counters.workers);
                    add(&mut instance.covered_ns, 1, covered.unwrap_or(0));
                }
            }
            Counters::Balancer(counters) => {
                self.balancer.get_or_insert_default().merge(counters);
            }
            Counters::Identity(counters) => {
                self.identity.get_or_insert_default().merge(counters);
            }
            Counters::Machine(counters) => self.machine.get_or_insert_default().merge(counters),
            // Its histograms are in those of all agents already: `agents`.
            Counters::Agent(_) => return,
            // Taken from the record itself: `failures`, `wire`, `dependencies`, `probes`.
            Counters::Failures(_)
            | Counters::Probes(_)
            | Counters::Statuses(_)
            | Counters::AcceptQueue(_)
            | Counters::Dependency(_) => {}
            Counters::Gauges(counters) => {
                let slot = slot(&mut self.gauges, &names.gauges, &sample.source);
                if let Some(slot) = slot {
                    slot.get_or_insert_default().merge(counters);
                }
            }
            Counters::Process(counters) => {
                let slot = slot(&mut self.processes, &names.processes, &sample.source);
                if let Some(slot) = slot {
                    slot.get_or_insert_default().merge(counters);
                }
            }
        }
        for (measure, histogram) in &sample.histograms {
            if let Some(slot) = self.slot(*measure, &sample.source) {
                merge(slot, histogram);
                // A day has a hundred thousand buckets.
                *slot = slot.as_ref().map(Histogram::packed);
            }
        }
    }

    /// Where a histogram belongs; monitors' own are in no figure.
    fn slot(&mut self, measure: Measure, source: &SourceName) -> Option<&mut Option<Histogram>> {
        if *source == SourceName::Monitor {
            return None;
        }
        Some(match measure {
            Measure::Response => &mut self.response,
            Measure::Unserved => &mut self.unserved,
            Measure::Own => &mut self.own,
            Measure::Service => &mut self.service,
            Measure::SendLag => &mut self.send_lag,
            Measure::PoolWait => &mut self.pool_wait,
            Measure::QueueWait => &mut self.queue_wait,
            // Phases have these as they are (`wire.rs`).
            Measure::Connect | Measure::TlsHandshake | Measure::FirstByte => return None,
        })
    }

    /// The bucket's width in seconds.
    pub fn seconds(&self) -> f64 {
        self.to.saturating_sub(self.from).as_secs_f64()
    }

    /// So many of something in this bucket, per second.
    pub(crate) fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.seconds()
    }

    /// Operations scheduled for this bucket.
    pub fn scheduled(&self) -> u64 {
        self.operations.map_or(0, |counters| counters.scheduled)
    }

    /// Of them: succeeded.
    pub fn succeeded(&self) -> u64 {
        self.operations.map_or(0, |counters| counters.succeeded)
    }

    /// Of them: ended without success.
    pub fn bad(&self) -> u64 {
        self.operations.map_or(0, |counters| bad(&counters))
    }

    /// Users' attempts that started.
    pub fn attempts(&self) -> Option<u64> {
        self.users.map(|counters| counters.started())
    }

    /// Users' attempts besides the first tries.
    pub(crate) fn repeated(&self) -> Option<u64> {
        let repeated = |users: AttemptCounters| users.started().saturating_sub(users.first_tries);
        self.users.map(repeated)
    }

    /// Something of all processes that were read together.
    pub(crate) fn of_processes(&self, value: fn(&ProcessCounters) -> u64) -> Option<u64> {
        let read = self.processes.iter().flatten();
        let read = read.filter(|process| process.readings > 0);
        read.map(value).reduce(u64::saturating_add)
    }

    /// Probes that started.
    pub fn probes(&self) -> Option<u64> {
        self.monitors.as_ref().map(|counters| counters.started())
    }

    /// Busy worker-time / worker-time of the fleet; none where no gauge was read.
    pub fn saturation(&self) -> Option<f64> {
        let fleet = self.fleet();
        share(fleet.counters.busy_ns, fleet.counters.worker_ns)
    }

    /// Jobs waiting in the fleet: the sum of the instances' time-weighted means.
    pub fn queue_depth_mean(&self) -> Option<f64> {
        let fleet = self.fleet();
        share(fleet.counters.queue_depth_ns, fleet.covered_ns)
    }

    /// The sum of the instances' largest queue depths.
    pub fn queue_depth_max(&self) -> Option<u64> {
        let read = self.instances.iter().flatten();
        read.map(|instance| instance.counters.queue_depth_max)
            .reduce(u64::saturating_add)
    }

    /// Busy share of the whole machine.
    pub fn machine_busy(&self) -> Option<f64> {
        self.machine
            .and_then(|machine| share(machine.busy_ns, machine.total_ns))
    }

    /// Processor time stolen by the hypervisor / what there was.
    pub fn machine_steal(&self) -> Option<f64> {
        self.machine
            .and_then(|machine| share(machine.steal_ns, machine.total_ns))
    }

    /// Processor time of the generator's threads / their time; none where no machine
    /// was read, since there was no processor to be busy.
    pub fn generator_busy(&self) -> Option<f64> {
        self.machine?;
        let generator = self.generator?;
        share(generator.counters.cpu_ns, generator.thread_ns)
    }

    /// A part of the busy worker-time / worker-time of the fleet.
    pub(crate) fn worker_share(&self, part: fn(&InstanceCounters) -> u64) -> Option<f64> {
        let fleet = self.fleet();
        share(part(&fleet.counters), fleet.counters.worker_ns)
    }

    /// All instances merged; the covered time is that of the longest covered.
    pub(super) fn fleet(&self) -> InstanceBucket {
        let mut fleet = InstanceBucket::default();
        for instance in self.instances.iter().flatten() {
            fleet.counters.merge(&instance.counters);
            fleet.covered_ns = fleet.covered_ns.max(instance.covered_ns);
        }
        fleet
    }
}

impl InstanceBucket {
    /// Busy worker-time / worker-time; none where no time is covered.
    pub fn saturation(&self) -> Option<f64> {
        share(self.counters.busy_ns, self.counters.worker_ns)
    }

    /// Time-weighted mean of the queue depth; none where no time is covered.
    pub fn queue_depth_mean(&self) -> Option<f64> {
        share(self.counters.queue_depth_ns, self.covered_ns)
    }
}

/// Operations that ended without success.
pub(super) fn bad(counters: &OperationCounters) -> u64 {
    counters.ended().saturating_sub(counters.succeeded)
}

/// Adds `factor × length` to a time.
fn add(into: &mut u64, factor: u64, length: u64) {
    *into = into.saturating_add(factor.saturating_mul(length));
}

/// Merges a histogram into a place that may be empty yet.
pub(super) fn merge(into: &mut Option<Histogram>, histogram: &Histogram) {
    match into {
        Some(merged) => merged.merge(histogram),
        None => *into = Some(histogram.clone()),
    }
}

impl Series {
    /// The buckets that begin at or after `from` and before `to`.
    pub fn between(&self, from: Nanos, to: Nanos) -> &[Bucket] {
        let start = self.buckets.partition_point(|bucket| bucket.from < from);
        let end = self.buckets.partition_point(|bucket| bucket.from < to);
        self.buckets.get(start..end).unwrap_or_default()
    }

    /// The edge of the buckets at or before an instant.
    pub(super) fn edge_before(&self, at: Nanos) -> Nanos {
        Nanos(at.0 - at.0 % self.interval.0.max(1))
    }

    /// The edge of the buckets at or after an instant.
    pub(super) fn edge_after(&self, at: Nanos) -> Nanos {
        let before = self.edge_before(at);
        if before == at {
            at
        } else {
            before.saturating_add(self.interval)
        }
    }
}
