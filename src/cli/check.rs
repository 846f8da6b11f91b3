//! `threadbare check`: every mistake in a scenario file; executes nothing.

use clap::Args;

use super::chosen::Chosen;
use super::{Code, View};
use crate::error::EXIT_PASSED;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
}

impl Arguments {
    pub(super) fn run(self, view: &View) -> Code {
        let plan = self.chosen.plan(view, &[])?;
        if !view.quiet {
            println!(
                "{}: no mistakes; {} of load, {} timeline entries, {} expectations",
                self.chosen.scenario,
                plan.end,
                plan.timeline.len(),
                plan.expectations.len()
            );
        }
        Ok(EXIT_PASSED)
    }
}
