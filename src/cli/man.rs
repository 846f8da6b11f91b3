//! `threadbare man`: the manual pages, from the same text as `--help`.

use std::fs;
use std::path::PathBuf;

use clap::Args;

use super::Code;
use crate::error::{EXIT_PASSED, Error};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    threadbare man\n  \
    threadbare man --out ~/.local/share/man/man1")]
pub(super) struct Arguments {
    /// Write the pages of all subcommands to this folder; without it, print the main page
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

impl Arguments {
    pub(super) fn run(&self) -> Code {
        let command = super::described();
        let failed = |cause| Error::failed(format!("failed to write the manual: {cause}"));
        let Some(folder) = &self.out else {
            let mut page = Vec::new();
            clap_mangen::Man::new(command)
                .render(&mut page)
                .map_err(failed)?;
            super::answer(&page)?;
            return Ok(EXIT_PASSED);
        };
        fs::create_dir_all(folder).map_err(failed)?;
        clap_mangen::generate_to(command, folder).map_err(failed)?;
        Ok(EXIT_PASSED)
    }
}
