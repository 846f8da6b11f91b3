//! Plans with many seeds each, as they are: responders do what the plan says.

use super::Progress;
use super::trial::{Elsewhere, Responders, Trial, TrialAnswer, Wanted, carry_out_all};
use crate::analysis::SeedFindings;
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::sim::Bounds;

/// What each plan came to with so many seeds, from its own on: one list for each plan.
///
/// # Errors
///
/// As [`crate::sim::simulate`]; where a trial met a bound or was interrupted.
#[cfg(feature = "testing")]
pub fn seeds(
    plans: &[Plan],
    seeds: u64,
    bounds: Bounds,
    progress: Progress<'_>,
) -> Result<Vec<Vec<SeedFindings>>> {
    seeds_by(None, plans, seeds, bounds, progress)
}

/// The same, carried out by others where there are any.
///
/// # Errors
///
/// As [`seeds`], and where nobody is left.
pub(crate) fn seeds_by(
    elsewhere: Option<&dyn Elsewhere>,
    plans: &[Plan],
    seeds: u64,
    bounds: Bounds,
    progress: Progress<'_>,
) -> Result<Vec<Vec<SeedFindings>>> {
    let seeds = seeds.max(1);
    let each = plans.iter().flat_map(|plan| {
        (0..seeds).map(|more| Trial {
            plan: Plan {
                seed: plan.seed.wrapping_add(more),
                ..plan.clone()
            },
            bounds,
            wanted: Wanted::Seed,
            responders: Responders::Follow,
        })
    });
    let answers = carry_out_all(each.collect(), elsewhere, progress)?;
    let found = answers.into_iter().map(|answer| match answer {
        TrialAnswer::Seed(found) => Ok(*found),
        TrialAnswer::Region(_) | TrialAnswer::Outcome(_) => {
            Err(Error::failed("a trial came to something else"))
        }
    });
    let found: Vec<SeedFindings> = found.collect::<Result<_>>()?;
    let length = usize::try_from(seeds).unwrap_or(usize::MAX);
    Ok(found.chunks(length).map(<[_]>::to_vec).collect())
}
