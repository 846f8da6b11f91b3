//! Plans with many seeds each, as they are: responders do what the plan says.

use super::Progress;
use super::trial::{Responders, try_all};
use crate::analysis::SeedFindings;
use crate::error::Result;
use crate::plan::Plan;
use crate::sim::Bounds;

/// What each plan came to with so many seeds, from its own on: one list for each plan.
///
/// # Errors
///
/// As [`crate::sim::simulate`]; where a trial met a bound or was interrupted.
pub fn seeds(
    plans: &[Plan],
    seeds: u64,
    bounds: Bounds,
    progress: Progress<'_>,
) -> Result<Vec<Vec<SeedFindings>>> {
    let seeds = seeds.max(1);
    let each = plans.iter().flat_map(|plan| {
        (0..seeds).map(|more| Plan {
            seed: plan.seed.wrapping_add(more),
            ..plan.clone()
        })
    });
    let found = try_all(
        each.collect(),
        Responders::Follow,
        bounds,
        progress,
        SeedFindings::of,
    )?;
    let length = usize::try_from(seeds).unwrap_or(usize::MAX);
    Ok(found.chunks(length).map(<[_]>::to_vec).collect())
}
