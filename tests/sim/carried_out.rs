//! A plan carried out in virtual time, and what was told of it.

use threadbare::plan::Plan;
use threadbare::record::{
    Backend, Counters, Event, FORMAT, Header, InstanceCounters, MachineFacts, Observer,
    OperationCounters, Record, Sample,
};
use threadbare::sim::{self, Bounds};
use threadbare::units::Nanos;

#[derive(Default)]
struct Told {
    events: Vec<(Nanos, Event)>,
    samples: Vec<Sample>,
}

impl Observer for Told {
    fn event(&mut self, at: Nanos, event: &Event) {
        self.events.push((at, event.clone()));
    }

    fn sample(&mut self, sample: &Sample) {
        self.samples.push(sample.clone());
    }
}

/// The record of the plan's simulation.
pub(crate) fn carried_out(plan: &Plan) -> Record {
    let mut told = Told::default();
    sim::simulate(plan, Bounds::default(), &mut told, &mut |_, _| None).unwrap();
    Record {
        header: Header {
            format: FORMAT,
            version: String::new(),
            backend: Backend::Sim,
            started_wall_ms: 0,
            machine: MachineFacts::default(),
            plan: plan.clone(),
        },
        events: told.events,
        samples: told.samples,
    }
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
