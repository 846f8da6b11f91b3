//! Which scenario, with which seed and settings: arguments of most subcommands.

use std::path::Path;

use clap::Args;

use super::View;
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::run;
use crate::scenario::{self, Changes, Opened, Setting};

#[derive(Debug, Clone, Args)]
pub(super) struct Chosen {
    /// A scenario file, the name of one that `threadbare list` shows, or the directory of a run
    /// of the built-in fleet, which is done again as it was, people's decisions included
    pub(super) scenario: String,
    /// Seed of every random stream [default: the scenario's]
    #[arg(long)]
    pub(super) seed: Option<u64>,
    /// Give a key of the scenario another value, such as load.rate=500/s or
    /// timeline.3.at=20s (lists count from 0); may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<Setting>,
    /// Apply the settings of one of the scenario's profiles, such as `ci`: shorter, with the
    /// same verdict
    #[arg(long, value_name = "NAME")]
    pub(super) profile: Option<String>,
    /// Run one of the scenario's variants, with what it expects; after the profile and
    /// before --set
    #[arg(long, value_name = "NAME")]
    pub(super) variant: Option<String>,
    /// Expect this too, such as 'p99 in the 10 s before trigger <= 50ms'; may be repeated
    /// (docs/EXPECTATIONS.md)
    #[arg(long, value_name = "EXPECTATION")]
    pub(super) expect: Vec<String>,
}

impl Chosen {
    /// The plan that these lead to, with some more settings.
    pub(super) fn plan(&self, view: &View, more: &[Setting]) -> Result<Plan> {
        let settings = [self.set.as_slice(), more].concat();
        let directory = Path::new(&self.scenario);
        if run::is_run(directory) {
            return self.again(directory, &settings);
        }
        let changes = self.changes(&settings);
        let plan = scenario::load_changed(&self.scenario, &changes, colour(view))?;
        Ok(self.seeded(plan))
    }

    /// The plans of all variants of the scenario, each with these changes.
    pub(super) fn variants(&self, view: &View) -> Result<Vec<Plan>> {
        if run::is_run(Path::new(&self.scenario)) {
            return Ok(Vec::new());
        }
        let changes = self.changes(&self.set);
        let plans = scenario::variants(&self.scenario, &changes, colour(view))?;
        Ok(plans.into_iter().map(|plan| self.seeded(plan)).collect())
    }

    /// Its plan and those of its variants; what is read is read once, so that a pipe will do.
    pub(super) fn plan_and_variants(&self, view: &View) -> Result<(Plan, Vec<Plan>)> {
        if run::is_run(Path::new(&self.scenario)) {
            return Ok((self.plan(view, &[])?, Vec::new()));
        }
        let opened = Opened::new(&self.scenario, None)?;
        let changes = self.changes(&self.set);
        let plan = self.seeded(opened.plan(&changes, colour(view))?);
        let variants = match self.variant {
            None => opened.variants(&changes, colour(view))?,
            Some(_) => Vec::new(),
        };
        Ok((plan, variants))
    }

    fn changes<'a>(&'a self, settings: &'a [Setting]) -> Changes<'a> {
        Changes {
            profile: self.profile.as_deref(),
            variant: self.variant.as_deref(),
            settings,
            expected: &self.expect,
        }
    }

    fn seeded(&self, plan: Plan) -> Plan {
        let seed = self.seed.unwrap_or(plan.seed);
        Plan { seed, ..plan }
    }

    /// The plan of a run as it was carried out.
    fn again(&self, directory: &Path, settings: &[Setting]) -> Result<Plan> {
        let changed = self.profile.is_some() || self.variant.is_some();
        if !settings.is_empty() || changed || !self.expect.is_empty() {
            return Err(Error::usage(format!(
                "{} is a run, which is done again as it was; settings, profiles and expectations \
                 need the scenario's file",
                directory.display()
            )));
        }
        let plan = run::carried_out(directory)?;
        let seed = self.seed.unwrap_or(plan.seed);
        Ok(Plan { seed, ..plan })
    }
}

fn colour(view: &View) -> bool {
    view.color(&std::io::stderr())
}
