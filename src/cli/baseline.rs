//! `threadbare baseline`: runs that others are compared with.

use clap::{Args, Subcommand};

use super::Code;
use crate::compare;
use crate::error::EXIT_PASSED;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    threadbare baseline accept reports/RUN --as main\n  \
    threadbare baseline accept 'reports/main-*' --as ci/baseline.json")]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: BaselineCommand,
}

#[derive(Debug, Subcommand)]
enum BaselineCommand {
    /// Keep what of runs is compared in a small file
    #[command(after_help = "Examples:\n  \
        threadbare baseline accept reports/RUN --as main\n  \
        threadbare baseline accept 'reports/main-*' --as ci/baseline.json")]
    Accept {
        /// Run directories, or patterns of them
        #[arg(required = true, value_name = "RUN")]
        runs: Vec<String>,
        /// The baseline's name, which makes baselines/NAME.json, or its file: what has a `/`
        /// or ends in `.json`
        #[arg(long = "as", value_name = "NAME|FILE")]
        name: String,
        /// Accept also what failed, is invalid or partial, or is too short to tell a
        /// difference from
        #[arg(long)]
        anyway: bool,
    },
}

impl Arguments {
    pub(super) fn run(self) -> Code {
        let BaselineCommand::Accept { runs, name, anyway } = self.command;
        let path = compare::accept(&runs, &name, anyway)?;
        super::answer(format!("Baseline: {}\n", path.display()).as_bytes())?;
        Ok(EXIT_PASSED)
    }
}
