//! `threadbare report`: an earlier run's answer again; executes nothing.

use std::path::PathBuf;

use clap::Args;

use super::{Code, View};
use crate::error::EXIT_PASSED;
use crate::run;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    threadbare report reports/RUN\n  \
    threadbare report reports/RUN --quiet")]
pub(super) struct Arguments {
    /// A run directory
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

impl Arguments {
    pub(super) fn run(self, view: &View) -> Code {
        run::report(&self.directory, &view.options(None))?;
        Ok(EXIT_PASSED)
    }
}
