//! What makes a run a gate: repetition, a baseline, and an end as soon as it is lost.

use std::io;

use clap::Args;

use super::compare::Judged;
use super::{Code, View, ci};
use crate::analysis::Findings;
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
        let gated = compare::gate(
            &Gate {
                repeat: self.repeat,
                baseline: self.baseline.as_deref(),
                judged: self.judged.options(),
                options,
            },
            plan,
            &mut |plan, options| {
                let findings = one(plan, options)?;
                ci::tell_run(&findings)?;
                Ok(findings)
            },
        )?;
        let Some(comparison) = &gated.comparison else {
            return Ok(gated.code);
        };
        let text = if view.quiet {
            report::compare::line(comparison)
        } else {
            format!(
                "\n{}",
                report::compare::text(comparison, view.color(&io::stdout()))
            )
        };
        super::answer(text.as_bytes())?;
        let page = compare::write(&gated.directory, comparison)?;
        if !view.quiet {
            super::answer(format!("\nReport: {}\n", page.display()).as_bytes())?;
        }
        ci::tell_comparison(comparison)?;
        Ok(match gated.code {
            EXIT_PASSED => self.judged.code(comparison),
            code => code,
        })
    }
}
