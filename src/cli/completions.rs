//! `threadbare completions`: what a shell completes.

use clap::Args;
use clap_complete::Shell;

use super::Code;
use crate::error::EXIT_PASSED;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    threadbare completions bash > ~/.local/share/bash-completion/completions/threadbare\n  \
    threadbare completions zsh > ~/.zfunc/_threadbare")]
pub(super) struct Arguments {
    /// The shell
    shell: Shell,
}

impl Arguments {
    pub(super) fn run(&self) -> Code {
        let mut text = Vec::new();
        let mut command = super::described();
        clap_complete::generate(self.shell, &mut command, "threadbare", &mut text);
        super::answer(&text)?;
        Ok(EXIT_PASSED)
    }
}
