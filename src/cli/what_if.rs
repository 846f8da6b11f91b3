//! `threadbare what-if`: every corrective measure, tried on a scenario and ranked; or,
//! live, the variants that the user names, one after the other.

use std::path::PathBuf;

use clap::Args;

use super::by_agents::WorkByAgents;
use super::chosen::Chosen;
use super::simulate::Limits;
use super::variants::{self, Variant};
use super::{Code, View};
use crate::error::EXIT_PASSED;
use crate::record::StopCause;
use crate::run;

/// Seeds of a simulated variant.
const SEEDS: u64 = 5;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    threadbare what-if missing-await\n  \
    threadbare what-if slow-database --seeds 10 --alone\n  \
    threadbare what-if missing-await --seeds 50 --agents nats://127.0.0.1:4222\n  \
    threadbare what-if mine.toml --live --seeds 3 --try 'no retries: load.client.retries=0'")]
pub(super) struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
    /// Number of seeds for each variant, beginning with the scenario's own [default: 5; with
    /// --live 1]
    #[arg(long, value_name = "NUMBER",
          value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: Option<u64>,
    /// Try only single measures, no pairs
    #[arg(long)]
    alone: bool,
    /// The run directory [default: reports/SCENARIO-DATE]; never overwritten
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    limits: Limits,
    /// Run live, one after the other: the scenario as it is, and each variant
    #[arg(long, requires = "variants", conflicts_with = "alone")]
    live: bool,
    /// A variant to run live, as 'NAME: KEY=VALUE, KEY=VALUE'; may be repeated
    #[arg(
        long = "try",
        id = "variants",
        value_name = "VARIANT",
        requires = "live"
    )]
    variants: Vec<Variant>,
    /// Allow a host other than this machine to be loaded and broken, exactly as
    /// the scenario's [safety] names it; may be repeated
    #[arg(long, value_name = "HOST", requires = "live")]
    allow_host: Vec<String>,
    #[command(flatten)]
    by_agents: WorkByAgents,
}

impl Arguments {
    pub(super) fn run(self, view: &View) -> Code {
        if self.live {
            self.by_agents.refuse_live()?;
            let options = run::Options {
                allowed: self.allow_host,
                ..view.options(self.out)
            };
            let seeds = self.seeds.unwrap_or(1);
            return variants::run(&self.chosen, &self.variants, seeds, view, &options);
        }
        let plan = self.chosen.plan(view, &[])?;
        let options = run::Options {
            agents: self.by_agents.engagement()?,
            ..view.options(self.out)
        };
        let bounds = self.limits.bounds();
        let seeds = self.seeds.unwrap_or(SEEDS);
        match run::what_if(&plan, seeds, !self.alone, bounds, &options)? {
            StopCause::Interrupted { signal } => Ok(128 + signal),
            _ => Ok(EXIT_PASSED),
        }
    }
}
