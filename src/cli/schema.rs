//! `threadbare schema`: the JSON schemas, for editors and other tools.

use clap::Args;

use super::Code;
use crate::error::EXIT_PASSED;
use crate::{analysis, scenario};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The schema of summary.json instead
    #[arg(long)]
    summary: bool,
}

impl Arguments {
    pub(super) fn run(self) -> Code {
        let schema = if self.summary {
            analysis::summary_schema()
        } else {
            scenario::schema()
        };
        println!("{}", schema.trim_end());
        Ok(EXIT_PASSED)
    }
}
