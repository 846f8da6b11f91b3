//! A plan carried out in virtual time, and what was told of it.

use threadbare::plan::Plan;
use threadbare::record::{Counters, InstanceCounters, OperationCounters, Record};
use threadbare::units::Nanos;

use crate::simulated::simulated;

/// The record of the plan's simulation.
pub(crate) fn carried_out(plan: &Plan) -> Record {
    simulated(plan.clone())
}

/// What the instances counted in each interval, added up, in the order of time.
pub(crate) fn instances(record: &Record) -> Vec<(Nanos, InstanceCounters)> {
    let mut all: Vec<(Nanos, InstanceCounters)> = Vec::new();
    for sample in &record.samples {
        if let Counters::Instance(counters) = &sample.counters {
            match all.last_mut() {
                Some((from, sum)) if *from == sample.from => sum.merge(counters),
                _ => all.push((sample.from, *counters)),
            }
        }
    }
    all
}

/// What became of the operations that were scheduled from `from` to `to`.
pub(crate) fn operations(record: &Record, from: Nanos, to: Nanos) -> OperationCounters {
    let mut sum = OperationCounters::default();
    for sample in &record.samples {
        if let Counters::Operations(counters) = &sample.counters
            && sample.from >= from
            && sample.from < to
        {
            sum.merge(counters);
        }
    }
    sum
}
