//! `threadbare console`: finished runs on a page; executes nothing.

use std::path::{Path, PathBuf};
use std::sync::mpsc;

use clap::Args;

use super::Code;
use crate::analysis::Findings;
use crate::analysis::compare::Options;
use crate::analysis::trend::RunLine;
use crate::console::{Console, ConsoleSettings, RunSource};
use crate::error::{EXIT_PASSED, EXIT_SIGNAL_BASE, Result};
use crate::live::Interrupt;
use crate::record::Record;
use crate::{compare, report, run};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    threadbare console reports/RUN         a run from its beginning, at any speed\n  \
    threadbare console reports/            every run there: list, open, compare two\n  \
    threadbare run mine.toml --console     the same page of a run that goes on\n\n\
The page is on this machine only, and its link has a key. Ctrl-C closes it.\n\n\
Exit codes: 2 no run lies there, 3 the port is taken, 130/143 ended by a signal.")]
pub(super) struct Arguments {
    /// A run directory, or a folder with runs
    #[arg(value_name = "PATH", default_value = "reports")]
    path: PathBuf,
    /// Port of the page [default: a free one]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
}

impl Arguments {
    pub(super) fn run(&self) -> Code {
        let name = self.path.display().to_string();
        // What cannot be read is said here, and not only on a page.
        let only = if run::is_run(&self.path) {
            run::read(&self.path)?;
            Some(name)
        } else {
            run::runs(&self.path)?;
            None
        };
        let settings = ConsoleSettings {
            port: self.port.unwrap_or_default(),
            ..ConsoleSettings::default()
        };
        let (ended, end) = mpsc::channel::<()>();
        let interrupt = Interrupt::listen(move || drop(ended))?;
        let source = Box::new(Folder(self.path.clone()));
        let console = Console::of_runs(&settings, source, only)?;
        let link = console.links().observer;
        super::answer(format!("Open {link}\nCtrl-C closes it.\n").as_bytes())?;
        // Nothing is ever sent: the other end is dropped with the first signal.
        let _ = end.recv();
        drop(console);
        let signal = interrupt.signal();
        Ok(signal.map_or(EXIT_PASSED, |signal| EXIT_SIGNAL_BASE + signal))
    }
}

/// The runs of a folder, or the one run that it is.
struct Folder(PathBuf);

impl RunSource for Folder {
    fn name(&self) -> String {
        self.0.display().to_string()
    }

    fn list(&self) -> Result<Vec<RunLine>> {
        run::runs(&self.0)
    }

    fn open(&self, directory: &str) -> Result<(Record, Findings)> {
        run::read(Path::new(directory))
    }

    fn report(&self, directory: &str) -> Result<String> {
        let (record, findings) = run::read(Path::new(directory))?;
        report::html::render(&record, &findings, None)
    }

    fn comparison(&self, base: &str, candidate: &str) -> Result<String> {
        let comparison = compare::compared(base, candidate, &Options::default())?;
        report::compare::html(&comparison)
    }
}
