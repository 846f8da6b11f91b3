//! What makes a run a gate: repetition, a baseline, and an end as soon as it is lost.

use std::io;
use std::path::Path;

use clap::Args;

use super::ci::CiReport;
use super::compare::Judged;
use super::{Code, View};
use crate::analysis::Findings;
use crate::analysis::compare::Comparison;
use crate::compare::{self, Gate};
use crate::error::{EXIT_PASSED, Result};
use crate::plan::Plan;
use crate::{report, run};

#[derive(Debug, Args)]
pub(super) struct Gated {
    /// Run up to N times with other seeds, until what is expected is settled by its interval
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeat: u32,
    /// Hold the run against a baseline, a run directory or a pattern of them
    #[arg(long, value_name = "NAME|FILE|DIR")]
    baseline: Option<String>,
    /// End the run as soon as something that is expected can no longer hold; its report is
    /// partial then
    #[arg(long)]
    abort: bool,
    #[command(flatten)]
    judged: Judged,
}

impl Gated {
    /// Whether there is anything but one run.
    pub(super) const fn is_wanted(&self) -> bool {
        self.repeat > 1 || self.baseline.is_some()
    }

    /// Whether there are several runs.
    pub(super) const fn repeats(&self) -> bool {
        self.repeat > 1
    }

    /// The plan as it is asked for: whether what is expected may end the run.
    pub(super) fn plan(&self, mut plan: Plan) -> Plan {
        for expectation in &mut plan.expectations {
            expectation.abort |= self.abort;
        }
        plan
    }

    /// Runs a plan by `one`, prints the result, and gives the exit code.
    pub(super) fn run(
        &self,
        plan: &Plan,
        view: &View,
        options: &run::Options,
        one: &mut dyn FnMut(Plan, &run::Options) -> Result<Findings>,
    ) -> Code {
        let mut gated = compare::gate(
            &Gate {
                repeat: self.repeat,
                baseline: self.baseline.as_deref(),
                judged: self.judged.options(),
                options,
            },
            plan,
            one,
        )?;
        if let Some(comparison) = &gated.comparison {
            self.show(comparison, &gated.directory, view)?;
        }
        told(&gated).write()?;
        if let Some(ended) = gated.ended.take() {
            return ended;
        }
        Ok(match (gated.code(), &gated.comparison) {
            (EXIT_PASSED, Some(comparison)) => self.judged.code(comparison),
            (code, _) => code,
        })
    }

    /// Prints a comparison, and writes its files.
    fn show(&self, comparison: &Comparison, directory: &Path, view: &View) -> Result<()> {
        let text = if view.quiet {
            report::compare::line(comparison)
        } else {
            format!(
                "\n{}",
                report::compare::text(comparison, view.color(&io::stdout()))
            )
        };
        super::answer(text.as_bytes())?;
        let page = self.judged.write(directory, comparison)?;
        if !view.quiet {
            super::answer(format!("\nReport: {}\n", page.display()).as_bytes())?;
        }
        Ok(())
    }
}

/// What a build server is given: once, whatever single runs of several showed.
fn told(gated: &compare::Gated) -> CiReport {
    let mut report = CiReport::default();
    if let Some(findings) = &gated.one {
        report = report.run(findings);
    }
    if let Some(runs) = &gated.several {
        report = report.runs(runs);
    }
    match &gated.comparison {
        Some(comparison) => report.comparison(comparison),
        None => report,
    }
}
