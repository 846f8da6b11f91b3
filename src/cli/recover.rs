//! `threadbare recover`: undo what a dead run left.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;

use clap::Args;

use super::Code;
use crate::error::{EXIT_FAILED, EXIT_PASSED};
use crate::live;
use crate::model::redact;
use crate::record::{Outcome, outcome_text, printable};
use crate::units::counted;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    threadbare recover reports/RUN\n  \
    threadbare recover reports/RUN --yes")]
pub(super) struct Arguments {
    /// The directory of a run that was killed
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Undo without asking
    #[arg(long)]
    yes: bool,
}

impl Arguments {
    pub(super) fn run(self) -> Code {
        let mut left = live::left(&self.directory)?;
        let mut text = String::new();
        for done in left.done() {
            let _ = writeln!(text, "Undone by {}", printable(&done));
        }
        if left.torn() > 0 {
            let _ = writeln!(
                text,
                "{} of undo.jsonl cannot be read; the fault of a torn line never began.",
                counted(left.torn() as u64, "line")
            );
        }
        let mut code = EXIT_PASSED;
        if left.damaged() > 0 {
            code = EXIT_FAILED;
            let _ = writeln!(
                text,
                "{} of the lines of undo.jsonl are damaged, and what they were to undo is not \
                 known; read the file, and look at the target.",
                left.damaged()
            );
        }
        let outstanding = left.outstanding();
        if outstanding.is_empty() {
            text.push_str("Nothing is left to undo.\n");
            super::answer(text.as_bytes())?;
            return Ok(code);
        }
        text.push_str("Left to undo, in this order:\n");
        for undo in &outstanding {
            let _ = writeln!(text, "  {}", printable(undo));
        }
        super::answer(text.as_bytes())?;
        if !self.yes && !agreed() {
            super::answer(b"Nothing was done; `--yes` does it without asking.\n")?;
            return Ok(EXIT_FAILED);
        }
        let (came, marked) = left.recover();
        for (undo, outcome) in came {
            if !matches!(outcome, Outcome::Applied { .. }) {
                code = EXIT_FAILED;
            }
            let line = format!("{undo}: {}", outcome_text(&outcome));
            let line = redact::text(&line);
            super::answer(format!("{}\n", printable(&line)).as_bytes())?;
        }
        marked?;
        Ok(code)
    }
}

/// Whether somebody at a terminal says yes.
fn agreed() -> bool {
    if !io::stdin().is_terminal() {
        return false;
    }
    let mut line = String::new();
    let asked = write!(io::stdout(), "Do it? [y/N] ")
        .and_then(|()| io::stdout().flush())
        .and_then(|()| io::stdin().lock().read_line(&mut line));
    asked.is_ok() && matches!(line.trim(), "y" | "Y" | "yes")
}
