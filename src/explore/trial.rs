//! One variant with one seed: simulated, judged, boiled down.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::prelude::*;

use super::Progress;
use crate::analysis::{self, Findings};
use crate::error::{EXIT_INTERRUPTED, Error, Kind, Result};
use crate::plan::Plan;
use crate::record::{Backend, Event, Header, Measure, MemoryRecorder, Record, StopCause};
use crate::sim::{self, Bounds};

/// Whether responders do what a plan tells them in any case, or only for as long
/// as service is not back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Responders {
    /// They follow the plan.
    Follow,
    /// Who sees service back does nothing more: a restart that a measure has made
    /// needless would take it down again.
    Watch,
}

/// What a plan's simulation is found to show.
fn findings(
    plan: Plan,
    responders: Responders,
    bounds: Bounds,
    stop: &AtomicBool,
) -> Result<Findings> {
    let record = carried_out(plan, bounds, stop)?;
    let found = analysis::findings(&record);
    let needless = match found.incident.recovered_s {
        Some(at) if responders == Responders::Watch => interventions_after(&record, at),
        _ => Vec::new(),
    };
    if needless.is_empty() {
        return Ok(found);
    }
    let mut plan = record.header.plan;
    let mut place = 0..;
    plan.timeline
        .retain(|_| place.next().is_none_or(|place| !needless.contains(&place)));
    let record = carried_out(plan, bounds, stop)?;
    Ok(analysis::findings(&record))
}

/// Places in the plan of what was done to bring service back after it was.
fn interventions_after(record: &Record, recovered_s: f64) -> Vec<usize> {
    let began = record.events.iter().filter_map(|(at, event)| match event {
        Event::ActionStarted { entry, action } if at.as_secs_f64() > recovered_s => {
            action.intervenes().then_some(*entry)
        }
        _ => None,
    });
    began.collect()
}

/// The record of a plan's simulation.
fn carried_out(plan: Plan, bounds: Bounds, stop: &AtomicBool) -> Result<Record> {
    // Findings are made of no other histogram.
    let mut kept = MemoryRecorder::only(Measure::Response);
    let simulated = sim::simulate(&plan, bounds, &mut kept, &mut |_, _| {
        stop.load(Ordering::Relaxed)
            .then_some(StopCause::Interrupted {
                signal: EXIT_INTERRUPTED - 128,
            })
    })?;
    if let StopCause::Failed { reason, .. } = simulated.cause {
        return Err(Error::failed(reason));
    }
    Ok(kept.into_record(Header::new(plan, Backend::Sim)))
}

/// Simulates every plan, as many at a time as there are cores, and tells what
/// `boil` makes of the findings, in the order of the plans.
///
/// # Errors
///
/// The first that met a bound; that `progress` asked for an end.
pub(super) fn try_all<T: Send>(
    plans: Vec<Plan>,
    responders: Responders,
    bounds: Bounds,
    progress: Progress<'_>,
    boil: impl Fn(&Findings) -> T + Sync,
) -> Result<Vec<T>> {
    let (done, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let all = plans.len();
    // A bound of memory is for all that are under way together.
    let bounds = Bounds {
        memory: bounds.memory / rayon::current_num_threads().max(1) as u64,
        ..bounds
    };
    plans
        .into_par_iter()
        .map(|plan| {
            if stop.load(Ordering::Relaxed) {
                return Err(interrupted());
            }
            let found = findings(plan, responders, bounds, &stop)?;
            let count = done.fetch_add(1, Ordering::Relaxed) + 1;
            if !progress(count, all) {
                stop.store(true, Ordering::Relaxed);
                return Err(interrupted());
            }
            Ok(boil(&found))
        })
        .collect()
}

fn interrupted() -> Error {
    let kind = Kind::Interrupted {
        signal: EXIT_INTERRUPTED - 128,
    };
    Error::new(kind, "interrupted; nothing was written")
}
