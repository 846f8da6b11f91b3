//! `threadbare completions`: what a shell completes.

use clap::Args;
use clap_complete::Shell;

use crate::error::EXIT_PASSED;

#[derive(Debug, Args)]
#[command(after_help = "For example, for bash:\n  \
    threadbare completions bash > ~/.local/share/bash-completion/completions/threadbare")]
pub(super) struct Arguments {
    /// The shell
    shell: Shell,
}

impl Arguments {
    pub(super) fn run(&self) -> i32 {
        let mut command = super::described();
        clap_complete::generate(
            self.shell,
            &mut command,
            "threadbare",
            &mut std::io::stdout(),
        );
        EXIT_PASSED
    }
}
