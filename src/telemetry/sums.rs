//! Everything that was counted in a run, added up.
//!
//! A record's samples merge by addition, so the sums of all of them are what `summary.json`
//! counts. Here nothing is judged and no rate is taken: whoever reads a counter takes the rate
//! over the time that they want.

use std::collections::BTreeMap;

use crate::model::SourceName;
use crate::record::{
    AttemptCounters, Counters, FailureCounters, GeneratorCounters, Histogram, MachineCounters,
    Measure, OperationCounters, Record, Sample, StatusCounters,
};

/// Whose attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum TrafficClass {
    User,
    Monitor,
}

impl TrafficClass {
    pub(super) const ALL: [Self; 2] = [Self::User, Self::Monitor];

    /// The value of the label `class`.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Monitor => "monitor",
        }
    }

    pub(super) fn of(source: &SourceName) -> Option<Self> {
        match source {
            SourceName::User => Some(Self::User),
            SourceName::Monitor => Some(Self::Monitor),
            _ => None,
        }
    }
}

/// What the attempts of one class came to.
#[derive(Debug, Clone, Default)]
pub(super) struct AttemptSums {
    pub(super) attempts: AttemptCounters,
    pub(super) failures: FailureCounters,
    pub(super) statuses: StatusCounters,
}

/// The sums of a run's samples.
#[derive(Debug, Clone, Default)]
pub struct Sums {
    pub(super) operations: OperationCounters,
    pub(super) classes: BTreeMap<TrafficClass, AttemptSums>,
    pub(super) generator: GeneratorCounters,
    pub(super) machine: MachineCounters,
    /// Durations by what they measure, and of attempts by whose they are.
    pub(super) durations: BTreeMap<(Measure, Option<TrafficClass>), Histogram>,
}

impl Sums {
    /// Of everything that a record holds.
    pub fn of(record: &Record) -> Self {
        let mut sums = Self::default();
        for sample in &record.samples {
            sums.add(&sample);
        }
        sums
    }

    /// Adds a sample.
    pub fn add(&mut self, sample: &Sample) {
        let class = TrafficClass::of(&sample.source);
        match (&sample.counters, class) {
            // Those of one kind or one URL are in those of all.
            (Counters::Operations(_), _) if !sample.is_of_all_operations() => return,
            (Counters::Operations(counters), _) => self.operations.merge(counters),
            (Counters::Attempts(counters), Some(class)) => {
                self.class(class).attempts.merge(counters);
            }
            (Counters::Failures(counters), Some(class)) => {
                self.class(class).failures.merge(counters);
            }
            (Counters::Statuses(counters), Some(class)) => {
                self.class(class).statuses.merge(counters);
            }
            (Counters::Generator(counters), _) => self.generator.merge(counters),
            (Counters::Machine(counters), _) => self.machine.merge(counters),
            (Counters::Instance(_), _) => {}
            _ => return,
        }
        let class = class.filter(|_| matches!(sample.counters, Counters::Attempts(_)));
        for (measure, histogram) in &sample.histograms {
            let own = self.durations.entry((*measure, class));
            own.or_default().merge(histogram);
        }
    }

    fn class(&mut self, class: TrafficClass) -> &mut AttemptSums {
        self.classes.entry(class).or_default()
    }

    /// What a class came to.
    pub(super) fn of_class(&self, class: TrafficClass) -> AttemptSums {
        self.classes.get(&class).cloned().unwrap_or_default()
    }

    /// The durations of a measure; none where none was measured.
    pub(super) fn durations_of(
        &self,
        measure: Measure,
        class: Option<TrafficClass>,
    ) -> Option<&Histogram> {
        self.durations.get(&(measure, class))
    }

    /// Takes the sums of the whole record in place of these, which may have missed samples.
    /// A counter does not go back: the record of a load leaves out the processor time of its
    /// drain.
    pub fn settle(&mut self, whole: Self) {
        let generator = highest(self.generator.rows(), whole.generator.rows());
        let machine = highest(self.machine.rows(), whole.machine.rows());
        *self = Self {
            generator: GeneratorCounters::default(),
            machine: MachineCounters::default(),
            ..whole
        };
        for (name, value) in generator {
            self.generator.merge_row(name, value);
        }
        for (name, value) in machine {
            self.machine.merge_row(name, value);
        }
    }
}

/// The larger of two readings of each counter.
fn highest(
    one: Vec<(&'static str, u64)>,
    other: Vec<(&'static str, u64)>,
) -> Vec<(&'static str, u64)> {
    let pairs = one.into_iter().zip(other);
    pairs
        .map(|((name, one), (_, other))| (name, one.max(other)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Nanos;

    fn sample(source: SourceName, counters: Counters) -> Sample {
        Sample {
            from: Nanos::ZERO,
            to: Nanos::from_secs(1),
            source,
            counters,
            histograms: Vec::new(),
        }
    }

    fn operations(succeeded: u64) -> Counters {
        Counters::Operations(OperationCounters {
            scheduled: succeeded,
            succeeded,
            ..OperationCounters::default()
        })
    }

    fn generator(scheduled: u64, cpu_ns: u64) -> Counters {
        Counters::Generator(GeneratorCounters {
            cpu_ns,
            scheduled,
            ..GeneratorCounters::default()
        })
    }

    #[test]
    fn what_is_told_twice_over_is_counted_once() {
        let mut sums = Sums::default();
        sums.add(&sample(SourceName::User, operations(5)));
        sums.add(&sample(SourceName::of_kind(0), operations(3)));
        sums.add(&sample(SourceName::of_url(1), operations(2)));
        assert_eq!(sums.operations.succeeded, 5);
    }

    #[test]
    fn the_record_settles_what_was_missed_and_nothing_goes_back() {
        let mut sums = Sums::default();
        sums.add(&sample(SourceName::User, operations(5)));
        sums.add(&sample(SourceName::Generator, generator(5, 900)));
        let mut whole = Sums::default();
        whole.add(&sample(SourceName::User, operations(7)));
        whole.add(&sample(SourceName::Generator, generator(7, 800)));
        sums.settle(whole);
        assert_eq!(sums.operations.succeeded, 7);
        assert_eq!((sums.generator.scheduled, sums.generator.cpu_ns), (7, 900));
    }
}
