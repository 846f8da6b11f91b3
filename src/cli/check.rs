//! `threadbare check`: every mistake in a scenario file; executes nothing.

use clap::Args;

use super::{Code, View};
use crate::error::EXIT_PASSED;
use crate::{plan, scenario};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A scenario file, or the name of one that `threadbare list` shows
    scenario: String,
}

impl Arguments {
    pub(super) fn run(self, view: &View) -> Code {
        let scenario = scenario::load(&self.scenario, view.color(&std::io::stderr()))?;
        let plan = plan::build(&scenario, None);
        if !view.quiet {
            println!(
                "{}: no mistakes; {} of load, {} timeline entries, {} expectations",
                self.scenario,
                plan.end,
                plan.timeline.len(),
                plan.expectations.len()
            );
        }
        Ok(EXIT_PASSED)
    }
}
