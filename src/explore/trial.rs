//! One variant with one seed: simulated, judged, boiled down.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Progress;
use super::sweep::region;
use crate::analysis::{self, Findings, Outcome, Region, SeedFindings};
use crate::error::{EXIT_INTERRUPTED, Error, Kind, Result};
use crate::plan::Plan;
use crate::record::{Backend, Event, Header, Measure, MemoryRecorder, Record, StopCause};
use crate::sim::{self, Bounds};

/// Whether responders do what a plan tells them in any case, or only for as long
/// as service is not back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Responders {
    /// They follow the plan.
    Follow,
    /// Who sees service back does nothing more: a restart that a measure has made
    /// needless would take it down again.
    Watch,
}

/// A trial that depends on nothing but itself, so that anybody can carry it out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// What is simulated.
    pub(super) plan: Plan,
    /// Where it stops by itself; the memory is that of all that are under way together.
    pub(super) bounds: Bounds,
    /// What is wanted of it.
    pub(super) wanted: Wanted,
    /// What its responders do.
    pub(super) responders: Responders,
}

/// What is wanted of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Wanted {
    /// On which side of an edge it lies.
    Region,
    /// What its seed came to.
    Seed,
    /// What a corrective measure came to.
    Outcome,
}

/// The result of a trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialAnswer {
    /// On which side of an edge it lies.
    Region(Region),
    /// What its seed came to.
    Seed(Box<SeedFindings>),
    /// What a corrective measure came to.
    Outcome(Box<Outcome>),
}

/// Others who carry trials out.
pub trait Elsewhere {
    /// The result of each, in their order.
    ///
    /// # Errors
    ///
    /// The first that met a bound; that `progress` asked for an end, or nobody is left.
    fn try_all(&self, trials: &[Trial], progress: Progress<'_>) -> Result<Vec<TrialAnswer>>;
}

impl Trial {
    /// Carries it out, one of so many at a time, until the flag is raised.
    ///
    /// # Errors
    ///
    /// Where it met a bound, or the flag was raised.
    pub fn carry_out(self, at_a_time: usize, stop: &AtomicBool) -> Result<TrialAnswer> {
        let bounds = shared(self.bounds, at_a_time);
        let found = findings(self.plan, self.responders, bounds, stop)?;
        if stop.load(Ordering::Relaxed) {
            return Err(interrupted());
        }
        Ok(match self.wanted {
            Wanted::Region => TrialAnswer::Region(region(&found)),
            Wanted::Seed => TrialAnswer::Seed(Box::new(SeedFindings::of(&found))),
            Wanted::Outcome => TrialAnswer::Outcome(Box::new(Outcome::of(&found))),
        })
    }
}

/// Carries trials out, here or elsewhere: the result of each, in their order.
///
/// # Errors
///
/// The first that met a bound; that `progress` asked for an end; as [`Elsewhere::try_all`].
pub(super) fn carry_out_all(
    trials: Vec<Trial>,
    elsewhere: Option<&dyn Elsewhere>,
    progress: Progress<'_>,
) -> Result<Vec<TrialAnswer>> {
    if let Some(elsewhere) = elsewhere {
        return elsewhere.try_all(&trials, progress);
    }
    each_of(trials, progress, |trial, stop| {
        trial.carry_out(rayon::current_num_threads(), stop)
    })
}

/// A bound of memory is for all that are under way together.
const fn shared(bounds: Bounds, at_a_time: usize) -> Bounds {
    let at_a_time = if at_a_time == 0 { 1 } else { at_a_time as u64 };
    Bounds {
        memory: bounds.memory / at_a_time,
        events: bounds.events,
    }
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

/// Does this with each, as many at a time as there are cores; the results in their order.
fn each_of<I: Send, T: Send>(
    items: Vec<I>,
    progress: Progress<'_>,
    what: impl Fn(I, &AtomicBool) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let (done, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let all = items.len();
    items
        .into_par_iter()
        .map(|item| {
            if stop.load(Ordering::Relaxed) {
                return Err(interrupted());
            }
            let found = what(item, &stop)?;
            let count = done.fetch_add(1, Ordering::Relaxed) + 1;
            if !progress(count, all) {
                stop.store(true, Ordering::Relaxed);
                return Err(interrupted());
            }
            Ok(found)
        })
        .collect()
}

fn interrupted() -> Error {
    let kind = Kind::Interrupted {
        signal: EXIT_INTERRUPTED - 128,
    };
    Error::new(kind, "interrupted; nothing was written")
}
