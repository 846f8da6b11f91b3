//! A map over one or two parameters, with its edges refined by bisection.
//!
//! Each point is tried twice: with what happens in the scenario, nobody
//! intervening, and without (no timeline, the load at its first rate). What is not healthy even without is
//! overloaded; what is healthy without and stuck after is where a system is
//! *vulnerable* (Bronson et al., 2021), and the load at its edge is the
//! hidden capacity. With several seeds the edge is a band: below it service comes back in
//! every seed, above it in none.

use super::trial::{Elsewhere, Trial, TrialAnswer, Wanted, carry_out_all};
use super::{Axis, Progress};
use crate::analysis::{AxisValues, Band, Edge, Findings, Region, Sweep};
use crate::error::{Error, Result};
use crate::model::IncidentVerdict;
use crate::plan::Plan;
use crate::scenario::Setting;
use crate::sim::Bounds;

/// Halvings of a step between two points of different regions.
const HALVINGS: usize = 6;
/// Lost share of the operations at the end from which a load is not served.
const UNHEALTHY: f64 = 0.5;

/// How the points of a map are tried.
#[derive(Debug, Clone, Copy)]
pub struct Grid {
    /// Points on each axis.
    pub points: usize,
    /// Seeds for each point, from the scenario's own on.
    pub seeds: u64,
}

/// What a point came to: with several seeds, in how many service came back.
#[derive(Debug, Clone, Copy)]
struct Point {
    /// With several seeds the most frequent; of equals, the worse.
    region: Region,
    back: u64,
    of: u64,
}

/// How many seeds must come back for a point to count as coming back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Every,
    Any,
}

impl Level {
    const fn comes_back(self, point: Point) -> bool {
        match self {
            Self::Every => point.back == point.of,
            Self::Any => point.back > 0,
        }
    }
}

impl Point {
    fn of(seeds: &[Region]) -> Self {
        let count = |region: Region| seeds.iter().filter(|own| **own == region).count();
        let most = seeds
            .iter()
            .copied()
            .max_by_key(|it| (count(*it), it.rank()));
        Self {
            region: most.unwrap_or(Region::Undetermined),
            back: seeds.iter().filter(|it| it.comes_back()).count() as u64,
            of: seeds.len() as u64,
        }
    }
}

/// Simulates the plans that `plan_of` makes of the settings of every point.
///
/// # Errors
///
/// Where a plan cannot be made or simulated, and where it was interrupted.
pub fn sweep(
    plan_of: &dyn Fn(&[Setting]) -> Result<Plan>,
    (x, y): (&Axis, Option<&Axis>),
    grid: Grid,
    bounds: Bounds,
    progress: Progress<'_>,
) -> Result<Sweep> {
    sweep_by(None, plan_of, (x, y), grid, bounds, progress)
}

/// The same, carried out by others where there are any.
///
/// # Errors
///
/// As [`sweep`], and where nobody is left.
pub(crate) fn sweep_by(
    elsewhere: Option<&dyn Elsewhere>,
    plan_of: &dyn Fn(&[Setting]) -> Result<Plan>,
    (x, y): (&Axis, Option<&Axis>),
    grid: Grid,
    bounds: Bounds,
    progress: Progress<'_>,
) -> Result<Sweep> {
    let across = x.values(grid.points);
    let upwards = y.map_or_else(
        || AxisValues {
            key: String::new(),
            unit: String::new(),
            values: vec![0.0],
        },
        |y| y.values(grid.points),
    );
    let at = |row: usize, value: f64| -> Result<Plan> {
        let mut settings = vec![x.at(value)];
        settings.extend(y.map(|y| y.at(upwards.values[row])));
        plan_of(&settings)
    };
    let tried = |plans: Vec<Plan>| points(elsewhere, plans, grid.seeds, bounds, progress);
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
    let found: Vec<&[Point]> = found.chunks(across.values.len()).collect();
    let edges = |level: Level| -> Result<Vec<Edge>> {
        let rows = found.iter().enumerate();
        let coarse = rows.filter_map(|(row, points)| coarse(row, points, &across.values, level));
        refined(coarse.collect(), level, x, &at, &tried)
    };
    let every = edges(Level::Every)?;
    let several = grid.seeds > 1;
    let any = if several {
        edges(Level::Any)?
    } else {
        Vec::new()
    };
    let bands = every.iter().filter_map(|edge| {
        let other = any.iter().find(|other| other.row == edge.row)?;
        Some(Band {
            row: edge.row,
            every_seed: edge.comes_back,
            no_seed: other.stuck,
        })
    });
    let share = |point: &Point| point.back as f64 / point.of.max(1) as f64;
    let shares = found.iter().filter(|_| several);
    Ok(Sweep {
        scenario,
        title,
        seed,
        x: across.clone(),
        y: upwards.clone(),
        regions: found
            .iter()
            .map(|points| points.iter().map(|point| point.region).collect())
            .collect(),
        bands: bands.collect(),
        edges: every,
        seeds: grid.seeds,
        back: shares
            .map(|points| points.iter().map(share).collect())
            .collect(),
    })
}

/// What each of these plans comes to with so many seeds.
fn points(
    elsewhere: Option<&dyn Elsewhere>,
    plans: Vec<Plan>,
    seeds: u64,
    bounds: Bounds,
    progress: Progress<'_>,
) -> Result<Vec<Point>> {
    let each = plans.into_iter().flat_map(|plan| {
        (0..seeds).flat_map(move |more| {
            let plan = Plan {
                seed: plan.seed.wrapping_add(more),
                ..plan.clone()
            };
            [calm(&plan), left_alone(plan)].map(|plan| Trial {
                plan,
                bounds,
                wanted: Wanted::Region,
            })
        })
    });
    let answers = carry_out_all(each.collect(), elsewhere, progress)?;
    let found = answers.into_iter().map(|answer| match answer {
        TrialAnswer::Region(region) => Ok(region),
        TrialAnswer::Seed(_) => Err(Error::failed("a trial came to something else")),
    });
    let found: Vec<Region> = found.collect::<Result<_>>()?;
    let pairs = found.chunks(2).map(|pair| together(pair[0], pair[1]));
    let regions: Vec<Region> = pairs.collect();
    let length = usize::try_from(seeds).unwrap_or(usize::MAX);
    Ok(regions.chunks(length).map(Point::of).collect())
}

/// The edges, each halved as often as there is something between.
fn refined(
    mut edges: Vec<Edge>,
    level: Level,
    x: &Axis,
    at: &dyn Fn(usize, f64) -> Result<Plan>,
    tried: &dyn Fn(Vec<Plan>) -> Result<Vec<Point>>,
) -> Result<Vec<Edge>> {
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
        for ((place, value), point) in middles.into_iter().zip(tried(plans)?) {
            let edge = &mut edges[place];
            if level.comes_back(point) {
                edge.comes_back = value;
            } else {
                edge.stuck = value;
                edge.beyond = point.region;
            }
        }
    }
    Ok(edges)
}

/// The first step from coming back to not, in either direction.
fn coarse(row: usize, points: &[Point], values: &[f64], level: Level) -> Option<Edge> {
    let known = |point: Point| point.region != Region::Undetermined;
    let steps = points.windows(2).zip(values.windows(2));
    steps
        .filter(|(points, _)| known(points[0]) && known(points[1]))
        .find(|(points, _)| level.comes_back(points[0]) != level.comes_back(points[1]))
        .map(|(points, values)| {
            let (back, stuck) = if level.comes_back(points[0]) {
                (0, 1)
            } else {
                (1, 0)
            };
            Edge {
                row,
                comes_back: values[back],
                stuck: values[stuck],
                beyond: points[stuck].region,
            }
        })
}

/// The plan without what happens in it.
fn calm(plan: &Plan) -> Plan {
    let mut calm = plan.clone();
    calm.timeline.clear();
    calm.responders.clear();
    calm.expectations.clear();
    calm.load.rate.truncate(1);
    calm
}

/// The plan with its trigger and the trigger's end, and without the ways out that
/// responders take: the map shows what comes back by itself.
fn left_alone(mut plan: Plan) -> Plan {
    plan.timeline.retain(|entry| !entry.action.intervenes());
    plan.responders.clear();
    plan.expectations.clear();
    plan
}

/// What a trial came to: with nothing that happens, whether the load is served.
pub(super) fn region(findings: &Findings) -> Region {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn points(seeds: &[&[Region]]) -> Vec<Point> {
        seeds.iter().map(|seeds| Point::of(seeds)).collect()
    }

    #[test]
    fn an_edge_of_every_seed_lies_before_the_edge_of_any() {
        use Region::{Metastable as M, Recovered as R};
        let row = points(&[&[R, R, R], &[R, R, M], &[R, M, M], &[M, M, M]]);
        let values = [1.0, 2.0, 3.0, 4.0];
        let edge = |level| {
            let edge = coarse(0, &row, &values, level).unwrap();
            (edge.comes_back, edge.stuck)
        };
        assert_eq!(edge(Level::Every), (1.0, 2.0));
        assert_eq!(edge(Level::Any), (3.0, 4.0));
        // One seed has one edge.
        let one = points(&[&[R], &[M]]);
        for level in [Level::Every, Level::Any] {
            let edge = coarse(0, &one, &values[..2], level).unwrap();
            assert_eq!((edge.comes_back, edge.stuck), (1.0, 2.0));
        }
        assert!(coarse(0, &points(&[&[R, R], &[R, R]]), &values[..2], Level::Any).is_none());
    }

    #[test]
    fn a_point_is_what_most_seeds_came_to_and_of_equals_the_worse() {
        use Region::{Metastable as M, Recovered as R, SlowDrain as S};
        for (seeds, region, back) in [
            (&[R, R, M][..], R, 2),
            (&[R, M][..], M, 1),
            (&[S, R][..], S, 2),
            (&[][..], Region::Undetermined, 0),
        ] {
            let point = Point::of(seeds);
            assert_eq!((point.region, point.back), (region, back), "{seeds:?}");
        }
    }
}
