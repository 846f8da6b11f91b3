//! `threadbare check`: every mistake in a scenario file; executes nothing.

use clap::Args;

use super::chosen::Chosen;
use super::{Code, View};
use crate::error::EXIT_PASSED;
use crate::units::counted;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    threadbare check mine.toml\n  \
    threadbare check missing-await --set load.rate=300/s")]
pub(super) struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
}

impl Arguments {
    pub(super) fn run(self, view: &View) -> Code {
        let (plan, variants) = self.chosen.plan_and_variants(view)?;
        let variants = variants.len();
        if !view.quiet {
            let found = format!(
                "{}: no mistakes; {} of load, {}, {}{}\n",
                self.chosen.scenario,
                plan.end,
                counted(plan.timeline.len() as u64, "timeline entry"),
                counted(plan.expectations.len() as u64, "expectation"),
                match variants {
                    0 => String::new(),
                    variants => format!(", {}", counted(variants as u64, "variant")),
                }
            );
            super::answer(found.as_bytes())?;
        }
        Ok(EXIT_PASSED)
    }
}
