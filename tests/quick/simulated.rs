//! A plan in virtual time, and the record of it.

use threadbare::plan::Plan;
use threadbare::record::{Backend, Header, MemoryRecorder, Record, StopCause};
use threadbare::sim::{Bounds, simulate};

/// The record of a simulation that came to its end.
pub(crate) fn simulated(plan: Plan) -> Record {
    let mut kept = MemoryRecorder::default();
    let bounds = Bounds::default();
    let simulated = simulate(&plan, bounds, &mut kept, &mut |_, _| None).unwrap();
    assert_eq!(simulated.cause, StopCause::Completed);
    kept.into_record(Header::new(plan, Backend::Sim))
}
