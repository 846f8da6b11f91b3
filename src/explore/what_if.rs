//! Every corrective measure, alone and in pairs, each with several seeds.

use super::Progress;
use super::measures::{MEASURES, Measure};
use super::trial::{Elsewhere, Responders, Trial, TrialAnswer, Wanted, carry_out_all};
use crate::analysis::{Outcome, Row, WhatIf};
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::sim::Bounds;

/// A variant of the plan: the measures that were taken, and the result of them.
struct Variant<'a> {
    measures: Vec<&'a Measure>,
    plan: Plan,
}

/// Tries every measure that changes something in the plan, and every pair of
/// them where `pairs` says so, with `seeds` seeds from the plan's own on; carried out by
/// others where there are any.
///
/// # Errors
///
/// As [`crate::sim::simulate`]; where a trial met a bound or was interrupted, or nobody is
/// left.
pub(crate) fn what_if(
    elsewhere: Option<&dyn Elsewhere>,
    plan: &Plan,
    seeds: u64,
    pairs: bool,
    bounds: Bounds,
    progress: Progress<'_>,
) -> Result<WhatIf> {
    let mut variants = vec![Variant {
        measures: Vec::new(),
        plan: plan.clone(),
    }];
    let mut inapplicable = Vec::new();
    for measure in &MEASURES {
        match (measure.apply)(plan) {
            Ok(changed) => variants.push(Variant {
                measures: vec![measure],
                plan: changed,
            }),
            Err(why) => inapplicable.push((measure.name.to_owned(), why.to_owned())),
        }
    }
    let alone = variants.len();
    if pairs {
        for first in 1..alone {
            for second in first + 1..alone {
                let (one, other) = (variants[first].measures[0], variants[second].measures[0]);
                // Two that speak of the same thing are no pair.
                if let Ok(changed) = (other.apply)(&variants[first].plan)
                    && one.about != other.about
                {
                    variants.push(Variant {
                        measures: vec![one, other],
                        plan: changed,
                    });
                }
            }
        }
    }
    let seeds: Vec<u64> = (0..seeds.max(1))
        .map(|more| plan.seed.wrapping_add(more))
        .collect();
    let trials = variants.iter().flat_map(|variant| {
        seeds.iter().map(|seed| Trial {
            plan: Plan {
                seed: *seed,
                ..variant.plan.clone()
            },
            bounds,
            wanted: Wanted::Outcome,
            responders: Responders::Watch,
        })
    });
    let answers = carry_out_all(trials.collect(), elsewhere, progress)?;
    let outcomes = answers.into_iter().map(|answer| match answer {
        TrialAnswer::Outcome(outcome) => Ok(*outcome),
        TrialAnswer::Region(_) | TrialAnswer::Seed(_) => {
            Err(Error::failed("a trial came to something else"))
        }
    });
    let outcomes: Vec<Outcome> = outcomes.collect::<Result<_>>()?;
    let mut each = outcomes.chunks(seeds.len());
    let base_outcomes = each.next().unwrap_or_default();
    let row = |variant: &Variant<'_>, outcomes: &[Outcome]| {
        let named: Vec<_> = variant
            .measures
            .iter()
            .map(|measure| (measure.name, measure.what))
            .collect();
        Row::of(&named, outcomes, base_outcomes)
            .ok_or_else(|| Error::failed("a variant was tried with no seed"))
    };
    let base = row(&variants[0], base_outcomes)?;
    let mut rows = variants[1..]
        .iter()
        .zip(each)
        .map(|(variant, outcomes)| row(variant, outcomes))
        .collect::<Result<Vec<_>>>()?;
    let mut paired = rows.split_off(alone - 1);
    let lost_alone = |name: &str| {
        let found = rows.iter().find(|row| row.measures == [name]);
        found.map_or(f64::INFINITY, |row| row.lost.median)
    };
    paired.retain(|row| {
        let members = row.measures.iter().map(|name| lost_alone(name));
        row.lost.median < members.fold(f64::INFINITY, f64::min)
    });
    rank(&mut rows);
    rank(&mut paired);
    Ok(WhatIf {
        scenario: plan.scenario.clone(),
        title: plan.title.clone(),
        live: false,
        variants: false,
        seeds,
        base,
        alone: rows,
        pairs: paired,
        inapplicable,
    })
}

/// The fewest operations lost first; of equals, the one with the lower latency
/// in good times.
fn rank(rows: &mut [Row]) {
    let calm = |row: &Row| row.calm_p99_ms.map_or(f64::INFINITY, |p99| p99.median);
    rows.sort_by(|one, other| {
        let lost = one.lost.median.total_cmp(&other.lost.median);
        lost.then(calm(one).total_cmp(&calm(other)))
    });
}
