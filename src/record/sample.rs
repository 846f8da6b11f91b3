//! A sample: what one source counted in one interval.

use super::{
    AcceptQueueCounters, AgentCounters, AttemptCounters, BalancerCounters, DependencyCounters,
    Event, FailureCounters, GaugeCounters, GeneratorCounters, Histogram, IdentityCounters,
    InstanceCounters, MachineCounters, OperationCounters, ProbeCounters, ProcessCounters,
    StatusCounters,
};
use crate::model::SourceName;
use crate::named::named;
use crate::units::Nanos;

/// What one source counted between two instants.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The interval's start, inclusive.
    pub from: Nanos,
    /// The interval's end, exclusive.
    pub to: Nanos,
    /// Who counted.
    pub source: SourceName,
    /// What it counted.
    pub counters: Counters,
    /// The durations it measured.
    pub histograms: Vec<(Measure, Histogram)>,
}

/// How a log of histograms begins, as `HdrHistogram`'s own tools write it: its times count
/// from `zero_wall_ms`, in milliseconds since 1970.
pub(super) fn log_header(zero_wall_ms: u64) -> String {
    let zero = format!("{}.{:03}", zero_wall_ms / 1000, zero_wall_ms % 1000);
    format!(
        "#[Histogram log format version 1.3]\n\
         #[StartTime: {zero} (seconds since epoch)]\n\
         #[BaseTime: {zero} (seconds since epoch)]\n\
         \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n"
    )
}

impl Sample {
    /// Whether it counts users' operations of every kind.
    pub(crate) fn is_of_all_operations(&self) -> bool {
        self.source == SourceName::User && matches!(self.counters, Counters::Operations(_))
    }

    /// A line of a log of histograms for each that holds something, tagged with
    /// `kind:source:measure`. Times are in seconds, the longest duration in
    /// milliseconds, histograms in nanoseconds: the units that readers of such logs expect.
    pub(super) fn log_lines(&self) -> impl Iterator<Item = String> + '_ {
        let filled = self.histograms.iter();
        let filled = filled.filter(|(_, histogram)| !histogram.is_empty());
        filled.map(|(measure, histogram)| {
            format!(
                "Tag={}:{}:{},{:.3},{:.3},{:.3},{}",
                self.counters.kind(),
                self.source,
                measure.word(),
                self.from.as_secs_f64(),
                (self.to - self.from).as_secs_f64(),
                histogram.max().unwrap_or_default().as_millis_f64(),
                histogram.encode()
            )
        })
    }
}

/// The counters of a sample, by what counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counters {
    /// Users' operations; the only one on the intended-start axis.
    Operations(OperationCounters),
    /// Attempts of one traffic class.
    Attempts(AttemptCounters),
    /// Failed attempts of one traffic class, by cause.
    Failures(FailureCounters),
    /// Answers to attempts of one traffic class, by status.
    Statuses(StatusCounters),
    /// Probes of one group of monitors, where there are several.
    Probes(ProbeCounters),
    /// The generator itself.
    Generator(GeneratorCounters),
    /// One instance.
    Instance(InstanceCounters),
    /// The balancer.
    Balancer(BalancerCounters),
    /// The identity service.
    Identity(IdentityCounters),
    /// The whole machine.
    Machine(MachineCounters),
    /// One agent that sends a share of the load.
    Agent(AgentCounters),
    /// The accept queue of the port that is loaded.
    AcceptQueue(AcceptQueueCounters),
    /// A dependency of the user's target, behind a proxy.
    Dependency(DependencyCounters),
    /// Gauges of the user's target.
    Gauges(GaugeCounters),
    /// A process of the user's target.
    Process(ProcessCounters),
}

impl Counters {
    /// The name of the kind, as `series.csv` writes it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Operations(_) => "operations",
            Self::Attempts(_) => "attempts",
            Self::Failures(_) => "failures",
            Self::Statuses(_) => "statuses",
            Self::Probes(_) => "probes",
            Self::Generator(_) => "generator",
            Self::Instance(_) => "instance",
            Self::Balancer(_) => "balancer",
            Self::Identity(_) => "identity",
            Self::Machine(_) => "machine",
            Self::Agent(_) => "agent",
            Self::AcceptQueue(_) => "accept_queue",
            Self::Dependency(_) => "dependency",
            Self::Gauges(_) => "gauges",
            Self::Process(_) => "process",
        }
    }

    /// Zeroed counters of the kind with this name.
    pub fn of_kind(kind: &str) -> Option<Self> {
        Some(match kind {
            "operations" => Self::Operations(OperationCounters::default()),
            "attempts" => Self::Attempts(AttemptCounters::default()),
            "failures" => Self::Failures(FailureCounters::default()),
            "statuses" => Self::Statuses(StatusCounters::default()),
            "probes" => Self::Probes(ProbeCounters::default()),
            "generator" => Self::Generator(GeneratorCounters::default()),
            "instance" => Self::Instance(InstanceCounters::default()),
            "balancer" => Self::Balancer(BalancerCounters::default()),
            "identity" => Self::Identity(IdentityCounters::default()),
            "machine" => Self::Machine(MachineCounters::default()),
            "agent" => Self::Agent(AgentCounters::default()),
            "accept_queue" => Self::AcceptQueue(AcceptQueueCounters::default()),
            "dependency" => Self::Dependency(DependencyCounters::default()),
            "gauges" => Self::Gauges(GaugeCounters::default()),
            "process" => Self::Process(ProcessCounters::default()),
            _ => return None,
        })
    }

    /// The axis that buckets of this kind lie on: `intended` or `instant`.
    pub const fn axis(&self) -> &'static str {
        match self {
            Self::Operations(_) => "intended",
            _ => "instant",
        }
    }

    /// Every counter with its name.
    pub fn rows(&self) -> Vec<(&'static str, u64)> {
        match self {
            Self::Operations(counters) => counters.rows(),
            Self::Attempts(counters) => counters.rows(),
            Self::Failures(counters) => counters.rows(),
            Self::Statuses(counters) => counters.rows(),
            Self::Probes(counters) => counters.rows(),
            Self::Generator(counters) => counters.rows(),
            Self::Instance(counters) => counters.rows(),
            Self::Balancer(counters) => counters.rows(),
            Self::Identity(counters) => counters.rows(),
            Self::Machine(counters) => counters.rows(),
            Self::Agent(counters) => counters.rows(),
            Self::AcceptQueue(counters) => counters.rows(),
            Self::Dependency(counters) => counters.rows(),
            Self::Gauges(counters) => counters.rows(),
            Self::Process(counters) => counters.rows(),
        }
    }

    /// All that it holds as numbers, of each kind always as many.
    pub(super) fn values(&self) -> Vec<u64> {
        match self {
            Self::Statuses(counters) => counters.values().collect(),
            others => others.rows().into_iter().map(|(_, value)| value).collect(),
        }
    }

    /// Gives every counter the next value, in the order of [`Counters::values`].
    pub(super) fn fill(&mut self, next: &mut dyn FnMut() -> u64) {
        match self {
            Self::Operations(counters) => counters.fill(next),
            Self::Attempts(counters) => counters.fill(next),
            Self::Failures(counters) => counters.fill(next),
            Self::Statuses(counters) => counters.fill(next),
            Self::Probes(counters) => counters.fill(next),
            Self::Generator(counters) => counters.fill(next),
            Self::Instance(counters) => counters.fill(next),
            Self::Balancer(counters) => counters.fill(next),
            Self::Identity(counters) => counters.fill(next),
            Self::Machine(counters) => counters.fill(next),
            Self::Agent(counters) => counters.fill(next),
            Self::AcceptQueue(counters) => counters.fill(next),
            Self::Dependency(counters) => counters.fill(next),
            Self::Gauges(counters) => counters.fill(next),
            Self::Process(counters) => counters.fill(next),
        }
    }

    /// Merges one value into the counter of this name; false where there is none.
    pub fn merge_row(&mut self, name: &str, value: u64) -> bool {
        match self {
            Self::Operations(counters) => counters.merge_row(name, value),
            Self::Attempts(counters) => counters.merge_row(name, value),
            Self::Failures(counters) => counters.merge_row(name, value),
            Self::Statuses(counters) => counters.merge_row(name, value),
            Self::Probes(counters) => counters.merge_row(name, value),
            Self::Generator(counters) => counters.merge_row(name, value),
            Self::Instance(counters) => counters.merge_row(name, value),
            Self::Balancer(counters) => counters.merge_row(name, value),
            Self::Identity(counters) => counters.merge_row(name, value),
            Self::Machine(counters) => counters.merge_row(name, value),
            Self::Agent(counters) => counters.merge_row(name, value),
            Self::AcceptQueue(counters) => counters.merge_row(name, value),
            Self::Dependency(counters) => counters.merge_row(name, value),
            Self::Gauges(counters) => counters.merge_row(name, value),
            Self::Process(counters) => counters.merge_row(name, value),
        }
    }
}

/// What a histogram of a sample measures (docs/TERMS.md has the definitions).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Measure {
    /// Response time of succeeded operations, by intended start.
    Response,
    /// As the response time, of operations that ended without success or not at all: up
    /// to their end, or to that of the observation.
    Unserved,
    /// The generator's part of the response time, of those of the same operations in which
    /// it had any.
    Own,
    /// Service time of attempts that were answered.
    Service,
    /// Send lag of first tries.
    SendLag,
    /// Time operations waited for a free connection.
    PoolWait,
    /// Time jobs waited for a worker.
    QueueWait,
    /// From the beginning of a users' connection until it was made.
    Connect,
    /// From then until the two sides had agreed on encryption.
    TlsHandshake,
    /// From the send of a users' attempt that was answered to its answer's first byte.
    FirstByte,
}

named!(Measure {
    Response = "response",
    Unserved = "unserved",
    Own = "own",
    Service = "service",
    SendLag = "send_lag",
    PoolWait = "pool_wait",
    QueueWait = "queue_wait",
    Connect = "connect",
    TlsHandshake = "tls",
    FirstByte = "first_byte",
});

impl Measure {
    /// The measure of this name.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter();
        all.find(|(_, own)| *own == name)
            .map(|(measure, _)| *measure)
    }
}

impl Sample {
    /// The histogram of this measure, where the sample has one.
    pub fn histogram(&self, measure: Measure) -> Option<&Histogram> {
        self.histograms
            .iter()
            .find(|(candidate, _)| *candidate == measure)
            .map(|(_, histogram)| histogram)
    }
}

/// Somebody who watches a run: the recorder, a progress line, a web view.
pub trait Observer {
    /// Something happened at this instant.
    fn event(&mut self, at: Nanos, event: &Event);
    /// A sample is complete.
    fn sample(&mut self, sample: &Sample);
}

/// One who may be there.
impl<T: Observer> Observer for Vec<T> {
    fn event(&mut self, at: Nanos, event: &Event) {
        for observer in self {
            observer.event(at, event);
        }
    }

    fn sample(&mut self, sample: &Sample) {
        for observer in self {
            observer.sample(sample);
        }
    }
}

impl<A: Observer> Observer for Option<A> {
    fn event(&mut self, at: Nanos, event: &Event) {
        if let Some(watcher) = self {
            watcher.event(at, event);
        }
    }

    fn sample(&mut self, sample: &Sample) {
        if let Some(watcher) = self {
            watcher.sample(sample);
        }
    }
}

/// Two who watch are told one after the other.
impl<A: Observer, B: Observer> Observer for (A, B) {
    fn event(&mut self, at: Nanos, event: &Event) {
        self.0.event(at, event);
        self.1.event(at, event);
    }

    fn sample(&mut self, sample: &Sample) {
        self.0.sample(sample);
        self.1.sample(sample);
    }
}
/// The share of the instances' workers that were busy in these samples; none where no
/// instance was read.
pub(crate) fn busy_share<'a>(samples: impl Iterator<Item = &'a Sample>) -> Option<f64> {
    let (mut busy, mut all) = (0_u64, 0_u64);
    for sample in samples {
        if let Counters::Instance(counters) = &sample.counters {
            busy = busy.saturating_add(counters.busy_ns);
            all = all.saturating_add(counters.worker_ns);
        }
    }
    (all > 0).then(|| busy as f64 / all as f64)
}
