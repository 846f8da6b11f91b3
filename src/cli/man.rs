//! `threadbare man`: the manual pages, from the same text as `--help`.

use std::path::PathBuf;
use std::{fs, io};

use clap::Args;

use super::Code;
use crate::error::{EXIT_PASSED, Error};

#[derive(Debug, Args)]
#[command(after_help = "For example:\n  \
    threadbare man --out ~/.local/share/man/man1")]
pub(super) struct Arguments {
    /// A folder for the pages of all subcommands; without it, the first page is printed
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

impl Arguments {
    pub(super) fn run(&self) -> Code {
        let command = super::described();
        let written = match &self.out {
            None => clap_mangen::Man::new(command).render(&mut io::stdout()),
            Some(folder) => {
                fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder))
            }
        };
        written.map_err(|cause| Error::failed(format!("failed to write the manual: {cause}")))?;
        Ok(EXIT_PASSED)
    }
}
