//! `threadbare schema`: the JSON schemas, for editors and other tools.

use clap::Args;

use super::Code;
use crate::error::EXIT_PASSED;
use crate::{analysis, scenario};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    threadbare schema > scenario.schema.json\n  \
    threadbare schema --summary > summary.schema.json")]
pub(super) struct Arguments {
    /// Print the schema of summary.json instead
    #[arg(long)]
    summary: bool,
    /// Print the schema of operation files instead
    #[arg(long, conflicts_with = "summary")]
    operations: bool,
    /// Print the schema of limit.json instead
    #[arg(long, conflicts_with_all = ["summary", "operations"])]
    limit: bool,
}

impl Arguments {
    pub(super) fn run(&self) -> Code {
        let schema = if self.summary {
            analysis::summary_schema()
        } else if self.operations {
            scenario::operations_schema()
        } else if self.limit {
            analysis::limit::schema()
        } else {
            scenario::schema()
        };
        super::answer(schema.as_bytes())?;
        Ok(EXIT_PASSED)
    }
}
