//! A map over one or two parameters, with its edges refined by bisection.
//!
//! Each point is tried twice: with what happens in the scenario, nobody
//! intervening, and without (no timeline, the load at its first rate). What is not healthy even without is
//! overloaded; what is healthy without and stuck after is where a system is
//! *vulnerable* (Bronson et al., 2021), and the load at its edge is the
//! hidden capacity. With several seeds the edge is a band: below it service comes back in
//! every seed, above it in none.

use super::trial::{Elsewhere, Responders, Trial, TrialAnswer, Wanted, carry_out_all};
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
    fn known(self) -> bool {
        self.region != Region::Undetermined
    }

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
#[cfg(feature = "testing")]
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
    let several = grid.seeds > 1;
    let levels = if several {
        &[Level::Every, Level::Any][..]
    } else {
        &[Level::Every]
    };
    let mut edges = Vec::new();
    for (row, points) in found.iter().enumerate() {
        for level in levels {
            edges.extend(steps(row, points, &across.values, *level));
        }
    }
    if !several {
        // With one seed there are no bands, and the first edge is what is shown.
        edges.dedup_by_key(|step: &mut Step| step.edge.row);
    }
    let edges = refined(edges, x, &at, &tried)?;
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
        bands: if several { bands(&edges) } else { Vec::new() },
        edges: first_of_each_row(&edges),
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
                responders: Responders::Follow,
            })
        })
    });
    let answers = carry_out_all(each.collect(), elsewhere, progress)?;
    let found = answers.into_iter().map(|answer| match answer {
        TrialAnswer::Region(region) => Ok(region),
        TrialAnswer::Seed(_) | TrialAnswer::Outcome(_) => {
            Err(Error::failed("a trial came to something else"))
        }
    });
    let found: Vec<Region> = found.collect::<Result<_>>()?;
    let pairs = found.chunks(2).map(|pair| together(pair[0], pair[1]));
    let regions: Vec<Region> = pairs.collect();
    let length = usize::try_from(seeds).unwrap_or(usize::MAX);
    Ok(regions.chunks(length).map(Point::of).collect())
}

/// A step of a row from coming back to not, in either direction.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Step {
    edge: Edge,
    level: Level,
    /// The first of the two points that it lies between.
    place: usize,
    /// Whether a point between could not be told: then it is not halved any further.
    untold: bool,
}

impl Step {
    /// Whether service comes back at the lower x.
    fn below(&self) -> bool {
        self.edge.comes_back < self.edge.stuck
    }

    /// Its place among the steps of its row: of two between the same points the one that
    /// is met first.
    fn order(&self) -> (usize, bool) {
        (self.place, (self.level == Level::Any) == self.below())
    }
}

/// The edges, each halved as often as there is something between.
fn refined(
    mut steps: Vec<Step>,
    x: &Axis,
    at: &dyn Fn(usize, f64) -> Result<Plan>,
    tried: &dyn Fn(Vec<Plan>) -> Result<Vec<Point>>,
) -> Result<Vec<Step>> {
    for _ in 0..HALVINGS {
        // All edges are halved together, so that every core has something to do.
        let middles: Vec<_> = steps
            .iter()
            .enumerate()
            .filter(|(_, step)| !step.untold)
            .filter_map(|(place, step)| {
                let (back, stuck) = (step.edge.comes_back, step.edge.stuck);
                Some((place, x.between(back.min(stuck), back.max(stuck))?))
            })
            .collect();
        if middles.is_empty() {
            break;
        }
        let plans = middles
            .iter()
            .map(|(place, value)| at(steps[*place].edge.row, *value))
            .collect::<Result<_>>()?;
        for ((place, value), point) in middles.into_iter().zip(tried(plans)?) {
            steps[place].halve(value, point);
        }
    }
    Ok(steps)
}

impl Step {
    /// A point between its ends came to this.
    fn halve(&mut self, value: f64, point: Point) {
        if !point.known() {
            // On neither side, as far as anybody knows.
            self.untold = true;
        } else if self.level.comes_back(point) {
            self.edge.comes_back = value;
        } else {
            self.edge.stuck = value;
            self.edge.beyond = point.region;
        }
    }
}

/// Every step of a row from coming back to not.
fn steps(row: usize, points: &[Point], values: &[f64], level: Level) -> Vec<Step> {
    let steps = points.windows(2).zip(values.windows(2)).enumerate();
    steps
        .filter(|(_, (points, _))| points.iter().all(|point| point.known()))
        .filter(|(_, (points, _))| level.comes_back(points[0]) != level.comes_back(points[1]))
        .map(|(place, (points, values))| {
            let (back, stuck) = if level.comes_back(points[0]) {
                (0, 1)
            } else {
                (1, 0)
            };
            Step {
                edge: Edge {
                    row,
                    comes_back: values[back],
                    stuck: values[stuck],
                    beyond: points[stuck].region,
                },
                level,
                place,
                untold: false,
            }
        })
        .collect()
}

/// The first edge of each row from which on not every seed comes back.
fn first_of_each_row(steps: &[Step]) -> Vec<Edge> {
    let mut edges: Vec<Edge> = Vec::new();
    for step in steps.iter().filter(|step| step.level == Level::Every) {
        if edges.iter().all(|edge| edge.row != step.edge.row) {
            edges.push(step.edge);
        }
    }
    edges
}

/// The bands between the edge of every seed and the edge of any, where one follows the other
/// in the same direction. An edge whose other is not on the map has a band with one end.
fn bands(steps: &[Step]) -> Vec<Band> {
    let mut steps = steps.to_vec();
    steps.sort_by_key(|step| (step.edge.row, step.order()));
    let mut bands: Vec<Band> = Vec::new();
    let mut rest = &steps[..];
    while let [step, more @ ..] = rest {
        let row = step.edge.row;
        let begins = (step.level == Level::Every) == step.below();
        let other = more.first().filter(|other| {
            begins
                && other.edge.row == row
                && other.below() == step.below()
                && other.level != step.level
        });
        let ends = || [Some(step), other].into_iter().flatten();
        let end = |level: Level| ends().find(|step| step.level == level);
        bands.push(Band {
            row,
            every_seed: end(Level::Every).map(|step| step.edge.comes_back),
            no_seed: end(Level::Any).map(|step| step.edge.stuck),
            below: step.below(),
        });
        rest = &more[usize::from(other.is_some())..];
    }
    bands
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
            let found = steps(0, &row, &values, level);
            assert_eq!(found.len(), 1);
            (found[0].edge.comes_back, found[0].edge.stuck)
        };
        assert_eq!(edge(Level::Every), (1.0, 2.0));
        assert_eq!(edge(Level::Any), (3.0, 4.0));
        // One seed has one edge.
        let one = points(&[&[R], &[M]]);
        for level in [Level::Every, Level::Any] {
            let edge = steps(0, &one, &values[..2], level)[0].edge;
            assert_eq!((edge.comes_back, edge.stuck), (1.0, 2.0));
        }
        assert!(steps(0, &points(&[&[R, R], &[R, R]]), &values[..2], Level::Any).is_empty());
    }

    /// The bands of a row of points, each with so many of two seeds that come back: every
    /// seed, none, and below.
    fn of_row(back: &[u64]) -> Vec<(Option<f64>, Option<f64>, bool)> {
        use Region::{Metastable as M, Recovered as R};
        let row: Vec<Point> = back
            .iter()
            .map(|back| match back {
                2 => Point::of(&[R, R]),
                1 => Point::of(&[R, M]),
                _ => Point::of(&[M, M]),
            })
            .collect();
        let values = [1.0, 2.0, 3.0, 4.0, 5.0];
        let levels = [Level::Every, Level::Any];
        let all = levels.map(|level| steps(0, &row, &values[..row.len()], level));
        let bands = bands(&all.concat());
        let ends = bands.iter().map(|it| (it.every_seed, it.no_seed, it.below));
        ends.collect()
    }

    #[test]
    fn a_band_has_two_edges_of_one_direction_and_one_without_the_other_is_told() {
        assert_eq!(of_row(&[2, 1, 0]), [(Some(1.0), Some(3.0), true)]);
        assert_eq!(of_row(&[0, 1, 2]), [(Some(3.0), Some(1.0), false)]);
        // Nothing between.
        assert_eq!(of_row(&[2, 0]), [(Some(1.0), Some(2.0), true)]);
        assert_eq!(of_row(&[0, 2]), [(Some(2.0), Some(1.0), false)]);
        // The first edges of the two kinds have different directions.
        assert_eq!(
            of_row(&[1, 2, 0]),
            [(Some(2.0), None, false), (Some(2.0), Some(3.0), true)]
        );
        // The other edge is not on the map.
        assert_eq!(of_row(&[2, 2, 1]), [(Some(2.0), None, true)]);
        assert_eq!(of_row(&[1, 0, 0]), [(None, Some(2.0), true)]);
        // Chance decides for a while.
        assert_eq!(
            of_row(&[2, 1, 2]),
            [(Some(1.0), None, true), (Some(3.0), None, false)]
        );
        assert!(of_row(&[2, 2]).is_empty());
    }

    #[test]
    fn a_point_that_cannot_be_told_is_on_neither_side() {
        let row = points(&[&[Region::Recovered], &[Region::Metastable]]);
        let mut step = steps(0, &row, &[1.0, 2.0], Level::Every)[0];
        step.halve(1.5, Point::of(&[Region::Undetermined]));
        assert_eq!((step.edge.comes_back, step.edge.stuck), (1.0, 2.0));
        assert!(step.untold);
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
