//! `threadbare compare`: two runs, or two sets of runs, against each other.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;

use super::ci::CiReport;
use super::{Code, View};
use crate::analysis::compare::{Comparison, ComparisonVerdict, Options, PracticalBound};
use crate::compare;
use crate::error::{EXIT_EXPECTATION, EXIT_INVALID, EXIT_PASSED, Result};
use crate::report;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    threadbare compare reports/A reports/B\n  \
    threadbare compare 'reports/main-*' 'reports/pr-*' --bound '10 %' --bound 'goodput=2 %'\n  \
    threadbare compare main reports/B      against the baseline `main`\n\n\
Exit codes: 0 no figure is worse, 99 one is, 97 the two cannot be compared;\n\
with --strict 99 also where it cannot be told.")]
pub(super) struct Arguments {
    /// What is compared with: a run directory, a pattern of them, or a baseline
    base: String,
    /// What is compared, likewise
    candidate: String,
    #[command(flatten)]
    judged: Judged,
    /// Write comparison.html, .json and .md into this directory
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the comparison as JSON
    #[arg(long)]
    json: bool,
}

/// How differences are judged.
#[derive(Debug, Clone, Args)]
pub(super) struct Judged {
    /// A difference of less than this share of a figure does not matter: '5 %' of any, or
    /// 'response p99=10 %' of one; may be repeated [default: 5 %]
    #[arg(long, value_name = "[FIGURE=]SHARE")]
    bound: Vec<PracticalBound>,
    /// Compare although load, machine or validity differ
    #[arg(long)]
    anyway: bool,
    /// Fail also where it cannot be told whether it got worse
    #[arg(long)]
    strict: bool,
}

impl Judged {
    pub(super) fn options(&self) -> Options {
        Options {
            bounds: self.bound.iter().copied().collect(),
            anyway: self.anyway,
            ..Options::default()
        }
    }

    /// Writes a comparison; where its page lies.
    pub(super) fn write(&self, directory: &Path, comparison: &Comparison) -> Result<PathBuf> {
        compare::write(directory, comparison, self.strict)
    }

    /// The exit code of a comparison.
    pub(super) const fn code(&self, comparison: &Comparison) -> i32 {
        match comparison.verdict {
            ComparisonVerdict::Worse => EXIT_EXPECTATION,
            ComparisonVerdict::NotComparable => EXIT_INVALID,
            ComparisonVerdict::CannotTell if self.strict => EXIT_EXPECTATION,
            _ => EXIT_PASSED,
        }
    }
}

impl Arguments {
    pub(super) fn run(self, view: &View) -> Code {
        let options = self.judged.options();
        let comparison = compare::compared(&self.base, &self.candidate, &options)?;
        let answer = if self.json {
            compare::json(&comparison)?
        } else if view.quiet {
            report::compare::line(&comparison)
        } else {
            report::compare::text(&comparison, view.color(&io::stdout()))
        };
        super::answer(answer.as_bytes())?;
        if let Some(directory) = &self.out {
            let page = self.judged.write(directory, &comparison)?;
            if !self.json && !view.quiet {
                super::answer(format!("\nReport: {}\n", page.display()).as_bytes())?;
            }
        }
        CiReport::default().comparison(&comparison).write()?;
        Ok(self.judged.code(&comparison))
    }
}
