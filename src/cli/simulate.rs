//! `threadbare simulate`: a scenario in virtual time, the same report as a run's.

use std::path::PathBuf;

use clap::Args;

use super::by_agents::WorkByAgents;
use super::chosen::Chosen;
use super::{Code, View};
use crate::error::Error;
use crate::run;
use crate::sim::Bounds;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    threadbare simulate missing-await\n  \
    threadbare simulate missing-await --seed 2 --set load.rate=300/s\n  \
    threadbare simulate retry-collapse --seeds 200")]
pub(super) struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
    /// Simulate this many seeds, from the scenario's own on, and report the share of each
    /// verdict with its interval
    #[arg(long, value_name = "NUMBER", default_value_t = 1,
          value_parser = clap::value_parser!(u64).range(1..=100_000))]
    seeds: u64,
    /// The run directory [default: reports/SCENARIO-DATE]; never overwritten
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    bounds: Limits,
    #[command(flatten)]
    by_agents: WorkByAgents,
}

/// Where a simulation stops by itself.
#[derive(Debug, Args)]
pub(super) struct Limits {
    /// Limit on events; then it stops and reports what was reached
    #[arg(long, value_name = "NUMBER", default_value_t = Bounds::default().events)]
    events: u64,
    /// Approximate limit on memory in GiB
    #[arg(long, value_name = "GIB", default_value_t = Bounds::default().memory >> 30,
          value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    memory: u64,
}

impl Limits {
    pub(super) const fn bounds(&self) -> Bounds {
        Bounds {
            events: self.events,
            memory: self.memory << 30,
        }
    }
}

impl Arguments {
    pub(super) fn run(self, view: &View) -> Code {
        let plan = self.chosen.plan(view, &[])?;
        let bounds = self.bounds.bounds();
        let agents = self.by_agents.engagement()?;
        if self.seeds > 1 {
            let options = run::Options {
                agents,
                ..view.options(self.out)
            };
            return run::seeds(&plan, self.seeds, bounds, &options);
        }
        if agents.is_some() {
            return Err(Error::usage(
                "one simulation is no work for several; use --agents with --seeds",
            ));
        }
        let findings = run::simulated(plan, bounds, &view.options(self.out))?;
        Ok(findings.exit_code())
    }
}
