//! A plan in virtual time, and the record of it.

use threadbare::plan::Plan;
use threadbare::record::{
    Backend, Event, FORMAT, Header, MachineFacts, Observer, Record, Sample, StopCause,
};
use threadbare::sim::{Bounds, simulate};
use threadbare::units::Nanos;

#[derive(Default)]
struct Kept {
    events: Vec<(Nanos, Event)>,
    samples: Vec<Sample>,
}

impl Observer for Kept {
    fn event(&mut self, at: Nanos, event: &Event) {
        self.events.push((at, event.clone()));
    }

    fn sample(&mut self, sample: &Sample) {
        self.samples.push(sample.clone());
    }
}

/// The record of a simulation that came to its end.
pub(crate) fn simulated(plan: Plan) -> Record {
    let mut kept = Kept::default();
    let bounds = Bounds::default();
    let simulated = simulate(&plan, bounds, &mut kept, &mut |_, _| None).unwrap();
    assert_eq!(simulated.cause, StopCause::Completed);
    Record {
        header: Header {
            format: FORMAT,
            version: String::new(),
            backend: Backend::Sim,
            started_wall_ms: 0,
            machine: MachineFacts::default(),
            plan,
        },
        events: kept.events,
        samples: kept.samples,
    }
}
