//! `threadbare runs`: what lies in a folder of runs; executes nothing.

use std::path::PathBuf;

use clap::Args;

use super::{Code, View};
use crate::error::EXIT_PASSED;
use crate::{report, run};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    threadbare runs\n  \
    threadbare runs 'reports/main-*' --json\n\n\
    Figures are those of the whole run, and only of runs that were judged. Of each run its\n\
    header and its summary are read, and nothing else.")]
pub(super) struct Arguments {
    /// A folder with run directories, or a pattern of them in quotes
    #[arg(value_name = "DIR", default_value = "reports")]
    folder: PathBuf,
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) fn run(&self, view: &View) -> Code {
        let lines = run::runs(&self.folder)?;
        let text = if self.json {
            report::trend::runs_json(&lines)?
        } else if view.quiet {
            lines
                .iter()
                .map(|line| line.directory.clone() + "\n")
                .collect()
        } else {
            report::trend::runs_text(&lines)
        };
        super::answer(text.as_bytes())?;
        Ok(EXIT_PASSED)
    }
}
