//! What a generator told, added up and checked for conservation.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use threadbare::clock::Clock;
use threadbare::load::{Generator, Identities, Setup, Update, Work};
use threadbare::model::{Role, SourceName};
use threadbare::plan::Plan;
use threadbare::record::{
    AttemptCounters, Counters, FailureCounters, FirstFailure, GeneratorCounters, Histogram,
    Measure, OperationCounters, Sample, StatusCounters,
};
use threadbare::units::Nanos;

/// Longer than any test's load lasts.
const PATIENCE: Duration = Duration::from_mins(1);

/// A setup whose load begins `ahead` from now.
pub(crate) fn setup_in(plan: &Plan, address: SocketAddr, ahead: Nanos) -> Setup {
    let of = |role: Role| {
        let tokens = (0..3).map(|index| format!("{}-{index}", role.word()));
        (role, tokens.collect())
    };
    Setup {
        plan: plan.clone(),
        endpoint: address.into(),
        work: Work::Fleet(Identities {
            users: Role::ALL.into_iter().map(|(role, _)| of(role)).collect(),
            service: "service".into(),
        }),
        clock: Clock::start_in(ahead),
    }
}

/// A setup whose load begins soon.
pub(crate) fn setup(plan: &Plan, address: SocketAddr) -> Setup {
    setup_in(plan, address, Nanos::from_millis(20))
}

/// Everything that a generator told.
#[derive(Debug, Default)]
pub(crate) struct GeneratorRecord {
    pub(crate) samples: Vec<Sample>,
    /// The first of each kind of failure.
    pub(crate) failures: Vec<FirstFailure>,
    /// Failures by cause, of users and monitors.
    pub(crate) causes: FailureCounters,
    /// Answers by status, likewise.
    statuses: StatusCounters,
    pub(crate) warnings: Vec<String>,
    pub(crate) load_ended: usize,
    pub(crate) user: AttemptCounters,
    pub(crate) monitor: AttemptCounters,
    pub(crate) operations: OperationCounters,
    pub(crate) generator: GeneratorCounters,
}

/// Runs a plan against a target to its end.
pub(crate) fn run(plan: &Plan, address: SocketAddr) -> GeneratorRecord {
    let (updates, receiver) = channel();
    let generator = start(&setup(plan, address), updates);
    let told = GeneratorRecord::gather(plan, &receiver);
    generator.join().unwrap();
    told
}

pub(crate) fn start(setup: &Setup, updates: Sender<Update>) -> Generator {
    Generator::start(setup, move |update| {
        let _ = updates.send(update);
    })
    .unwrap()
}

impl GeneratorRecord {
    /// Hears a generator out, and checks what must hold in every run.
    pub(crate) fn gather(plan: &Plan, updates: &Receiver<Update>) -> Self {
        let mut told = Self::default();
        loop {
            match updates.recv_timeout(PATIENCE).unwrap() {
                Update::Sample(sample) => told.samples.push(sample),
                Update::LoadEnded => told.load_ended += 1,
                Update::FirstFailure(failure) => told.failures.push(failure),
                Update::Warning(warning) => told.warnings.push(warning),
                Update::Slowest(_) | Update::Happened(_) => {}
                Update::Failed(cause) => panic!("{cause}"),
                Update::Finished => break,
            }
        }
        assert!(
            updates.recv_timeout(PATIENCE).is_err(),
            "something followed"
        );
        told.add_up();
        told.check_operations(plan);
        told.check_attempts(plan);
        told
    }

    fn add_up(&mut self) {
        for sample in &self.samples {
            match (&sample.counters, &sample.source) {
                (Counters::Operations(counters), SourceName::User) => {
                    self.operations.merge(counters);
                }
                (Counters::Attempts(counters), SourceName::User) => self.user.merge(counters),
                (Counters::Attempts(counters), SourceName::Monitor) => self.monitor.merge(counters),
                (Counters::Generator(counters), SourceName::Generator) => {
                    self.generator.merge(counters);
                }
                (Counters::Failures(counters), _) => self.causes.merge(counters),
                (Counters::Statuses(counters), _) => self.statuses.merge(counters),
                other => panic!("an unexpected sample: {other:?}"),
            }
        }
    }

    /// Buckets lie side by side from zero on, each once, each conserved.
    fn check_operations(&self, plan: &Plan) {
        let mut buckets = self.buckets();
        buckets.sort_by_key(|(from, _, _)| *from);
        let mut expected_from = Nanos::ZERO;
        for (from, to, counters) in buckets {
            assert_eq!(from, expected_from);
            assert!(from < to && to <= from + plan.interval && to <= plan.end);
            assert!(counters.conserved(), "{counters:?}");
            expected_from = to;
        }
        let total = &self.operations;
        assert!(total.conserved(), "{total:?}");
        let ended = self.user.ended_well + self.user.ended_badly;
        assert_eq!(
            (self.user.ended_well, ended),
            (total.succeeded, total.ended())
        );
        assert_eq!(
            self.histogram("user", Measure::Response).count(),
            total.succeeded
        );
    }

    /// At every edge: started = ended + in flight, and the edges lie on the grid.
    fn check_attempts(&self, plan: &Plan) {
        // Every attempt without an answer has a cause.
        let unanswered = self
            .causes
            .iter()
            .filter(|(cause, _)| cause.counted().is_some());
        let unanswered: u64 = unanswered.map(|(_, count)| count).sum();
        let counted = [&self.user, &self.monitor]
            .map(|it| it.timeouts + it.connection_errors + it.protocol_errors);
        assert_eq!(unanswered, counted.iter().sum::<u64>());
        // Every answer has its status, and no other.
        let statuses = self.statuses.each().into_iter();
        let answered: u64 = statuses.map(|(_, count)| count).sum();
        let responses = self.user.responses + self.monitor.responses;
        assert_eq!(answered + self.statuses.others(), responses);
        for source in [SourceName::User, SourceName::Monitor] {
            let (mut started, mut ended, mut from) = (0, 0, Nanos::ZERO);
            let mut in_flight = 0;
            for sample in self.samples.iter().filter(|it| it.source == source) {
                if matches!(sample.counters, Counters::Failures(_)) {
                    continue;
                }
                let Counters::Attempts(counters) = &sample.counters else {
                    continue;
                };
                assert_eq!(sample.from, from);
                assert!(sample.to <= from + plan.interval && sample.to.0 % 1_000_000 == 0);
                from = sample.to;
                started += counters.started();
                ended += counters.ended();
                in_flight = counters.in_flight;
                assert_eq!(started, ended + in_flight, "{source} at {from}");
                let service = sample.histogram(Measure::Service);
                assert_eq!(service.map_or(0, Histogram::count), counters.responses);
            }
            assert!(in_flight == 0 || from < plan.end || self.operations.unfinished > 0);
        }
    }

    /// From, to and counters of the operations' buckets, in the order they came.
    pub(crate) fn buckets(&self) -> Vec<(Nanos, Nanos, OperationCounters)> {
        let buckets = self
            .samples
            .iter()
            .filter_map(|sample| match sample.counters {
                Counters::Operations(counters) => Some((sample.from, sample.to, counters)),
                _ => None,
            });
        buckets.collect()
    }

    /// All of a source's values of a measure.
    pub(crate) fn histogram(&self, source: &str, measure: Measure) -> Histogram {
        let mut all = Histogram::new();
        let source = SourceName::from(source);
        for sample in self.samples.iter().filter(|sample| sample.source == source) {
            if let Some(histogram) = sample.histogram(measure) {
                all.merge(histogram);
            }
        }
        all
    }

    /// A quantile in milliseconds.
    pub(crate) fn quantile_ms(&self, source: &str, measure: Measure, quantile: f64) -> f64 {
        let value = self.histogram(source, measure).quantile(quantile);
        value.unwrap().as_millis_f64()
    }
}
