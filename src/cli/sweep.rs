//! `threadbare sweep`: a map of a scenario over one or two of its keys.

use std::path::PathBuf;

use clap::Args;

use super::by_agents::WorkByAgents;
use super::chosen::Chosen;
use super::simulate::Limits;
use super::{Code, View};
use crate::error::{EXIT_PASSED, Error, Result};
use crate::explore::{Axis, Grid};
use crate::plan::Plan;
use crate::run;
use crate::scenario::Setting;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    threadbare sweep missing-await --x load.rate=200..500/s\n  \
    threadbare sweep retry-collapse --x load.rate=2..12/s --y target.fleet.queue=10..200")]
pub(super) struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
    /// The key on the horizontal axis, and its range: load.rate=2..12/s
    #[arg(short, long, value_name = "KEY=A..B")]
    x: Axis,
    /// The key on the vertical axis, and its range: target.fleet.queue=10..200
    #[arg(short, long, value_name = "KEY=A..B")]
    y: Option<Axis>,
    /// Points on each axis
    #[arg(long, value_name = "NUMBER", default_value_t = 11,
          value_parser = clap::value_parser!(u32).range(2..=200))]
    points: u32,
    /// Simulate each point with this many seeds: where chance decides, the edge is a band
    #[arg(long, value_name = "NUMBER", default_value_t = 1,
          value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,
    /// The directory of the map [default: reports/sweep-DATE]; never overwritten
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    by_agents: WorkByAgents,
}

impl Arguments {
    pub(super) fn run(self, view: &View) -> Code {
        // The scenario's own mistakes come before those of its points, and both
        // before anything is made.
        self.chosen.plan(view, &[])?;
        let axes = std::iter::once(&self.x).chain(&self.y);
        let corner: Vec<_> = axes.map(Axis::first).collect();
        self.point(view, &corner)?;
        let plan_of = |settings: &[Setting]| self.point(view, settings);
        let grid = Grid {
            points: usize::try_from(self.points).unwrap_or(usize::MAX),
            seeds: self.seeds,
        };
        let options = run::Options {
            agents: self.by_agents.engagement()?,
            ..view.options(self.out.clone())
        };
        run::sweep(
            &plan_of,
            (&self.x, self.y.as_ref()),
            grid,
            self.limits.bounds(),
            &options,
        )?;
        Ok(EXIT_PASSED)
    }

    /// The plan of a point. A map is not judged by expectations, and one that names
    /// a phase would forbid the points that do not have it.
    fn point(&self, view: &View, settings: &[Setting]) -> Result<Plan> {
        let unjudged = "expect=[]".parse().map_err(Error::usage)?;
        self.chosen.plan(view, &[&[unjudged], settings].concat())
    }
}
