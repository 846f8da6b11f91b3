//! A map over one or two parameters, with its edges refined by bisection.
//!
//! Each point is tried twice: with what happens in the scenario, nobody
//! intervening, and without (no timeline, the load at its first rate). What is not healthy even without is
//! overloaded; what is healthy without and stuck after is where a system is
//! *vulnerable* (Bronson et al., 2021), and the load at its edge is the
//! hidden capacity.

use super::trial::{Responders, try_all};
use super::{Axis, Progress};
use crate::analysis::{AxisValues, Edge, Findings, Region, Sweep};
use crate::error::Result;
use crate::model::IncidentVerdict;
use crate::plan::Plan;
use crate::scenario::Setting;
use crate::sim::Bounds;

/// Halvings of a step between two points of different regions.
const HALVINGS: usize = 6;
/// Lost share of the operations at the end from which a load is not served.
const UNHEALTHY: f64 = 0.5;

/// Simulates the plans that `plan_of` makes of the settings of every point.
///
/// # Errors
///
/// Where a plan cannot be made or simulated, and where it was interrupted.
pub fn sweep(
    plan_of: &dyn Fn(&[Setting]) -> Result<Plan>,
    (x, y): (&Axis, Option<&Axis>),
    points: usize,
    bounds: Bounds,
    progress: Progress<'_>,
) -> Result<Sweep> {
    let across = x.values(points);
    let upwards = y.map_or_else(
        || AxisValues {
            key: String::new(),
            unit: String::new(),
            values: vec![0.0],
        },
        |y| y.values(points),
    );
    let at = |row: usize, value: f64| -> Result<Plan> {
        let mut settings = vec![x.at(value)];
        settings.extend(y.map(|y| y.at(upwards.values[row])));
        plan_of(&settings)
    };
    let tried = |plans: Vec<Plan>| -> Result<Vec<Region>> {
        let both = plans
            .into_iter()
            .flat_map(|plan| [calm(&plan), left_alone(plan)]);
        let found = try_all(both.collect(), Responders::Follow, bounds, progress, region)?;
        Ok(found
            .chunks(2)
            .map(|pair| together(pair[0], pair[1]))
            .collect())
    };
    let mut plans = Vec::new();
    for row in 0..upwards.values.len() {
        for value in &across.values {
            plans.push(at(row, *value)?);
        }
    }
    let (seed, scenario, title) = plans.first().map_or_else(
        || (0, String::new(), String::new()),
        |plan| (plan.seed, plan.scenario.clone(), plan.title.clone()),
    );
    let found = tried(plans)?;
    let regions: Vec<Vec<Region>> = found
        .chunks(across.values.len())
        .map(<[Region]>::to_vec)
        .collect();
    let mut edges: Vec<Edge> = regions
        .iter()
        .enumerate()
        .filter_map(|(row, regions)| coarse(row, regions, &across.values))
        .collect();
    for _ in 0..HALVINGS {
        // All edges are halved together, so that every core has something to do.
        let middles: Vec<_> = edges
            .iter()
            .enumerate()
            .filter_map(|(place, edge)| {
                let (low, high) = if edge.comes_back < edge.stuck {
                    (edge.comes_back, edge.stuck)
                } else {
                    (edge.stuck, edge.comes_back)
                };
                Some((place, x.between(low, high)?))
            })
            .collect();
        if middles.is_empty() {
            break;
        }
        let plans = middles
            .iter()
            .map(|(place, value)| at(edges[*place].row, *value))
            .collect::<Result<_>>()?;
        for ((place, value), region) in middles.into_iter().zip(tried(plans)?) {
            let edge = &mut edges[place];
            if region.comes_back() {
                edge.comes_back = value;
            } else {
                edge.stuck = value;
                edge.beyond = region;
            }
        }
    }
    Ok(Sweep {
        scenario,
        title,
        seed,
        x: across,
        y: upwards,
        regions,
        edges,
    })
}

/// The first step from coming back to not, in either direction.
fn coarse(row: usize, regions: &[Region], values: &[f64]) -> Option<Edge> {
    let known = |region: Region| region != Region::Undetermined;
    let steps = regions.windows(2).zip(values.windows(2));
    steps
        .filter(|(regions, _)| known(regions[0]) && known(regions[1]))
        .find(|(regions, _)| regions[0].comes_back() != regions[1].comes_back())
        .map(|(regions, values)| {
            let (back, stuck) = if regions[0].comes_back() {
                (0, 1)
            } else {
                (1, 0)
            };
            Edge {
                row,
                comes_back: values[back],
                stuck: values[stuck],
                beyond: regions[stuck],
            }
        })
}

/// The plan without what happens in it.
fn calm(plan: &Plan) -> Plan {
    let mut calm = plan.clone();
    calm.timeline.clear();
    calm.expectations.clear();
    calm.load.rate.truncate(1);
    calm
}

/// The plan with its trigger and the trigger's end, and without the ways out that
/// responders take: the map shows what comes back by itself.
fn left_alone(mut plan: Plan) -> Plan {
    plan.timeline.retain(|entry| !entry.action.intervenes());
    plan.expectations.clear();
    plan
}

/// What a trial came to: with nothing that happens, whether the load is served.
fn region(findings: &Findings) -> Region {
    match findings.incident.verdict {
        IncidentVerdict::NoImpact | IncidentVerdict::RecoveredWithTheTrigger => Region::Recovered,
        IncidentVerdict::SlowDrain => Region::SlowDrain,
        // What an intervention had to bring back would not have come back.
        IncidentVerdict::Metastable
        | IncidentVerdict::NotRecovered
        | IncidentVerdict::Relapsed
        | IncidentVerdict::RecoveredByIntervention => Region::Metastable,
        IncidentVerdict::Undetermined => {
            let last = findings.phases.last();
            let errors = last.and_then(|phase| phase.error_share);
            if errors.is_some_and(|share| share > UNHEALTHY) {
                Region::Overloaded
            } else {
                Region::Undetermined
            }
        }
    }
}

/// The region of a point whose plan came to `calm` without what happens in it.
const fn together(calm: Region, whole: Region) -> Region {
    match (calm, whole) {
        (Region::Overloaded, _) => Region::Overloaded,
        // Without a baseline there is no verdict, though it was lost at the end.
        (_, Region::Overloaded) => Region::Metastable,
        (_, whole) => whole,
    }
}
