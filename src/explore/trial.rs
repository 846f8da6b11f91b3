//! One variant with one seed: simulated, judged, boiled down.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::prelude::*;

use super::Progress;
use crate::analysis::{self, Findings};
use crate::error::{EXIT_INTERRUPTED, Error, Kind, Result};
use crate::plan::Plan;
use crate::record::{
    Backend, Event, FORMAT, Header, MachineFacts, Measure, Observer, Record, Sample, StopCause,
};
use crate::sim::{self, Bounds};
use crate::units::Nanos;

/// Keeps what findings are made of: of the histograms the response times only.
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
        let felt = sample.histogram(Measure::Response);
        self.samples.push(Sample {
            histograms: felt
                .map(|response| (Measure::Response, response.clone()))
                .into_iter()
                .collect(),
            source: sample.source.clone(),
            ..*sample
        });
    }
}

/// What a plan's simulation is found to show.
fn findings(plan: Plan, bounds: Bounds, stop: &AtomicBool) -> Result<Findings> {
    let mut kept = Kept::default();
    let simulated = sim::simulate(&plan, bounds, &mut kept, &mut |_, _| {
        stop.load(Ordering::Relaxed)
            .then_some(StopCause::Interrupted {
                signal: EXIT_INTERRUPTED - 128,
            })
    })?;
    if let StopCause::Failed { reason } = simulated.cause {
        return Err(Error::failed(reason));
    }
    Ok(analysis::findings(&Record {
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
    }))
}

/// Simulates every plan, as many at a time as there are cores, and tells what
/// `boil` makes of the findings, in the order of the plans.
///
/// # Errors
///
/// The first that met a bound; that `progress` asked for an end.
pub(super) fn try_all<T: Send>(
    plans: Vec<Plan>,
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
            let found = findings(plan, bounds, &stop)?;
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
