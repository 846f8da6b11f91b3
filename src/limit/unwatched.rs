//! Searches and steps in virtual time that nobody watches; for tests.

use std::path::Path;

use super::carrier::{Carrier, Simulated};
use super::hunt::{Hunt, Stopped};
use super::search::Trial;
use super::{Plans, kept, measures};
use crate::analysis::limit::{Judged, LimitFound, LimitSought, LimitStage, Rules, judge};
use crate::error::Result;
use crate::record::Backend;

/// What a search finds.
///
/// # Errors
///
/// As of a search.
pub fn simulated(sought: &LimitSought) -> Result<LimitFound> {
    let plans = Plans::new(sought, true, false)?;
    let first = Trial {
        stage: LimitStage::Returns,
        rate_per_s: sought.from_per_s,
        window_s: sought.window_s,
        seed: sought.seed,
        measure: None,
    };
    let measures = match sought.trigger {
        Some(_) => measures(&plans.of(&first)?, true),
        None => Vec::new(),
    };
    let mut found = kept::begin(sought.clone(), Backend::Sim, measures, &[], &[]);
    let mut hunt = Hunt {
        carrier: &mut Simulated { interrupt: None },
        directory: None,
        interrupt: None,
        tell: &mut |_| {},
        colour: false,
    };
    match hunt.search(&mut found)? {
        Some(Stopped::Failed(error)) => Err(error),
        _ => Ok(found),
    }
}

/// What one step comes to.
///
/// # Errors
///
/// As of a step.
pub fn simulated_step(sought: &LimitSought, trial: &Trial) -> Result<Judged> {
    let plan = Plans::new(sought, true, false)?.of(trial)?;
    let mut carrier = Simulated { interrupt: None };
    let (record, findings) = carrier.carry(plan, Path::new(""))?;
    let returning = matches!(trial.stage, LimitStage::Returns | LimitStage::Advice);
    let rules = Rules {
        objectives: &sought.objectives,
        tolerance: sought.tolerance,
        return_within_s: returning.then_some(sought.return_within_s),
    };
    Ok(judge(&record, &findings, &rules))
}
