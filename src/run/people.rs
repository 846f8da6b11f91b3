//! Runs with people in the room: who else is told, and what the run would have been without them.

use std::io;
use std::path::Path;
use std::sync::mpsc::Receiver;

use crate::analysis::{self, AsWritten, Findings, Outcome};
use crate::error::{Error, Result};
use crate::model::Ordered;
use crate::plan::Plan;
use crate::record::{
    Backend, HEADER, Header, MemoryRecorder, Observer, Record, StopCause, write_private,
};
use crate::{bounds, files};
use crate::{live, sim};

/// What the plan with its timeline as written came to, beside a run's record.
const AS_WRITTEN: &str = "as-written.json";

/// What is told the end of a run: its findings, and its directory.
pub(crate) type Ended = Box<dyn FnOnce(&Findings, &Path)>;

/// What is told the end of a run with its whole record, after its answer was printed; it may
/// take its time.
pub(crate) type Reported = Box<dyn FnOnce(&Record, &Findings)>;

/// Who else is in the room of a run.
#[derive(Default)]
pub(crate) struct Room {
    /// Told everything that happens; each on a thread of its own, so that none can hold up
    /// the run.
    pub views: Vec<Box<dyn Observer + Send>>,
    /// What they ask for; none where nobody can.
    pub orders: Option<Receiver<Ordered>>,
    /// Whether one of them has the terminal, which then shows no progress.
    pub has_terminal: bool,
    /// Called once everything is written.
    pub ended: Option<Ended>,
    /// Called then, one after the other.
    pub reported: Vec<Reported>,
}

/// Events of the simulation without the people at most: seconds of computing.
const EVENTS_MAX: u64 = 30_000_000;

/// Adds what the run would have been without the people, where they decided anything in a run
/// of the built-in fleet; it is simulated once and kept. Whether there is anything to add: the
/// report is whole without it.
pub(super) fn without_people(directory: &Path, record: &Record, findings: &mut Findings) -> bool {
    let plan = record.header.plan.as_written();
    let decided = findings.actions.iter().any(|action| action.by.is_some());
    let Some(day) = &mut findings.game_day else {
        return false;
    };
    let decided = decided || day.manual || !day.holds.is_empty() || day.stopped_by.is_some();
    if !decided || plan.fleet.is_none() || record.header.backend != Backend::Live {
        return false;
    }
    let lasts = plan.end;
    let Some(outcome) = simulated(plan).ok().flatten() else {
        return false;
    };
    let written = AsWritten {
        load_s: lasts.as_secs_f64(),
        outcome,
    };
    let kept = serde_json::to_vec_pretty(&written).is_ok_and(|text| {
        // Where it cannot be kept it stands in this report all the same.
        let _ = write_private(directory, AS_WRITTEN, &text);
        true
    });
    day.as_written = Some(written);
    kept
}

/// The outcome of a plan in virtual time; none where it met a bound of the simulator.
fn simulated(plan: Plan) -> Result<Option<Outcome>> {
    let header = Header::new(plan, Backend::Sim);
    let mut kept = MemoryRecorder::default();
    let interrupt = live::Interrupt::listen(|| {})?;
    let bounds = sim::Bounds {
        events: EVENTS_MAX,
        ..sim::Bounds::default()
    };
    let done = sim::simulate(&header.plan, bounds, &mut kept, &mut |_, _| {
        interrupt
            .signal()
            .map(|signal| StopCause::Interrupted { signal })
    })?;
    let whole = matches!(done.cause, StopCause::Completed);
    Ok(whole.then(|| Outcome::of(&analysis::findings(&kept.into_record(header)))))
}

/// What an earlier report found of the run without its people.
pub(super) fn kept(directory: &Path, findings: &mut Findings) -> Result<()> {
    let Some(day) = &mut findings.game_day else {
        return Ok(());
    };
    let path = directory.join(AS_WRITTEN);
    let wrong = |cause: &dyn std::fmt::Display| {
        Error::usage(format!("failed to read {}: {cause}", path.display()))
    };
    match files::read_regular(&path, &bounds::RUN_HEADER) {
        Ok(bytes) => {
            let outcome = serde_json::from_slice(&bytes).map_err(|it| wrong(&it))?;
            day.as_written = Some(outcome);
        }
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
        Err(cause) => return Err(wrong(&cause)),
    }
    Ok(())
}

/// The plan of a run as it was carried out, people's decisions included.
///
/// # Errors
///
/// Where there is no run, or it was of the user's target, whose requests and secrets are in no
/// record.
pub(crate) fn carried_out(directory: &Path) -> Result<Plan> {
    let record = Record::open(directory)?;
    let plan = record.as_carried_out();
    if plan.fleet.is_some() {
        return Ok(plan);
    }
    Err(Error::usage(format!(
        "{} was a run of a target of your own, whose requests no record holds; name its scenario \
         file",
        directory.display()
    )))
}

/// Whether a run lies there.
pub(crate) fn is_run(directory: &Path) -> bool {
    directory.join(HEADER).exists()
}
