//! Who carries out a step: the live backend, or the simulator in virtual time.

use std::fs;
use std::path::{Path, PathBuf};

use crate::analysis::{self, Findings};
use crate::error::{Error, Result};
use crate::live::{self, Interrupt};
use crate::plan::Plan;
use crate::record::{Backend, Header, MemoryRecorder, Record, StopCause};
use crate::run;
use crate::sim::{self, Bounds};

/// What hooks print that start the service anew.
const HOOKS_OUTPUT: &str = "hooks.log";
/// The undos of a run, which a run that was killed leaves behind.
const UNDOS: &str = "undo.jsonl";

/// Carries out plans of steps.
pub(crate) trait Carrier {
    /// Which backend it is.
    fn backend(&self) -> Backend;

    /// Whether the machine can carry it out now.
    ///
    /// # Errors
    ///
    /// As [`live::preflight`].
    fn fit(&self, plan: &Plan) -> Result<()>;

    /// Has a hook of the target start it anew; its output is kept in the directory.
    ///
    /// # Errors
    ///
    /// Where the hook was refused or failed.
    fn restart(&mut self, plan: &Plan, hook: &str, directory: Option<&Path>) -> Result<()>;

    /// Carries out a plan; what was recorded and found, and where its run lies, if anywhere.
    ///
    /// # Errors
    ///
    /// Where it cannot be carried out, or a signal ended it.
    fn carry(&mut self, plan: Plan, directory: &Path) -> Result<(Record, Findings)>;
}

/// Real loads on a real service; each step is a run with a directory of its own.
#[derive(Debug)]
pub(crate) struct Live {
    /// How runs are watched.
    pub options: run::Options,
}

impl Carrier for Live {
    fn backend(&self) -> Backend {
        Backend::Live
    }

    fn fit(&self, plan: &Plan) -> Result<()> {
        live::preflight(plan, &self.options.allowed).map(|_| ())
    }

    fn restart(&mut self, plan: &Plan, hook: &str, directory: Option<&Path>) -> Result<()> {
        let log = directory.map(|it| it.join(HOOKS_OUTPUT));
        live::restart(plan, &self.options.allowed, hook, log.as_deref())
    }

    fn carry(&mut self, plan: Plan, directory: &Path) -> Result<(Record, Findings)> {
        // What an interrupted search left half done is no step of it.
        if directory.exists() {
            nothing_left(directory)?;
            fs::remove_dir_all(directory).map_err(|cause| {
                Error::failed(format!(
                    "failed to remove {}, which an interrupted step left: {cause}; remove it",
                    directory.display()
                ))
            })?;
        }
        let options = run::Options {
            out: Some(PathBuf::from(directory)),
            quiet: true,
            silent: true,
            ..self.options.clone()
        };
        let findings = run::live(plan, &options)?;
        Ok((Record::open(directory)?, findings))
    }
}

/// Refuses to remove what `threadbare recover` needs: faults that a killed run left.
fn nothing_left(directory: &Path) -> Result<()> {
    if !directory.join(UNDOS).exists() {
        return Ok(());
    }
    let left = live::left(directory)?;
    if left.outstanding().is_empty() && left.damaged() == 0 {
        return Ok(());
    }
    let shown = directory.display();
    Err(Error::unfit(format!(
        "the run in {shown} left something to undo; run `threadbare recover {shown}` first"
    )))
}

/// The modelled fleet in virtual time; nothing is written.
#[derive(Debug)]
pub(crate) struct Simulated {
    /// Asked now and then whether to stop.
    pub interrupt: Option<Interrupt>,
}

impl Carrier for Simulated {
    fn backend(&self) -> Backend {
        Backend::Sim
    }

    fn fit(&self, _: &Plan) -> Result<()> {
        Ok(())
    }

    fn restart(&mut self, _: &Plan, _: &str, _: Option<&Path>) -> Result<()> {
        Ok(())
    }

    fn carry(&mut self, plan: Plan, _: &Path) -> Result<(Record, Findings)> {
        let mut kept = MemoryRecorder::default();
        let simulated = sim::simulate(&plan, Bounds::default(), &mut kept, &mut |_, _| {
            let signal = self.interrupt.as_ref()?.signal()?;
            Some(StopCause::Interrupted { signal })
        })?;
        if let StopCause::Failed { reason, .. } = simulated.cause {
            return Err(Error::failed(reason));
        }
        let record = kept.into_record(Header::new(plan, Backend::Sim));
        let findings = analysis::findings(&record);
        Ok((record, findings))
    }
}
