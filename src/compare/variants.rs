//! Variants of a scenario held beside the scenario as it is: live one after the other, or
//! simulated.
//!
//! All variants with one seed are run before the next seed: what the machine does meanwhile
//! falls on all of them. The arrivals of a seed are the same for each, since they are drawn
//! from a stream of their own.
//!
//! Each live run asks by itself for a machine that is not busy, a target that is ready, and a
//! baseline that is healthy before the first fault: what one run leaves behind is no part
//! of the next. Where that is not so, the variant is left out of the table with the reason:
//! minutes of load are not lost with the one that could not be run.

use std::path::{Path, PathBuf};

use super::series::{InSeries, Series};
use crate::analysis::{
    EndedBy, ExpectationShare, Findings, Outcome, Row, SeedFindings, SeedShares, Validity, WhatIf,
};
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::record::{Record, claim_directory, write_private};
use crate::report;
use crate::run;
use crate::{analysis, clock};

/// The files of a table of variants, in a directory of its own.
const JSON: &str = "variants.json";
const PAGE: &str = "variants.html";

/// What is tried.
pub(crate) struct Tries<'a> {
    /// The scenario as it is, and each variant of it.
    pub plans: &'a [Plan],
    /// Seeds for each, from the plan's own on.
    pub seeds: u64,
    /// The directory of the runs and of the table.
    pub directory: PathBuf,
    /// Whether runs that lie there already are not made again.
    pub resume: bool,
}

/// A variant that was tried with a seed.
struct Tried {
    /// Its place among the plans.
    place: usize,
    seed: u64,
    /// Its run directory, where it has one.
    directory: Option<PathBuf>,
    /// What it came to, or why it counts for nothing.
    found: std::result::Result<SeedFindings, String>,
}

/// What variants came to.
pub(crate) struct Variants {
    plans: Vec<Plan>,
    tried: Vec<Tried>,
    /// Whether they were run live.
    live: bool,
    /// Where they lie.
    pub directory: PathBuf,
    /// Whether the target did not serve after one of them.
    broken: bool,
    /// What ended them before their time: the exit code of a signal, or a failure.
    pub ended: Option<Result<i32>>,
}

impl Tries<'_> {
    /// The directory that was named, or a new one under `reports/` that begins so.
    pub(crate) fn directory(out: Option<&Path>, named: &str) -> PathBuf {
        out.map_or_else(
            || {
                let stamp = clock::stamp(clock::wall_millis());
                Path::new("reports").join(format!("{named}-{stamp}"))
            },
            Path::to_owned,
        )
    }

    /// Takes the directory for a table alone, so that nothing is computed in vain.
    ///
    /// # Errors
    ///
    /// Wrong usage, where it is not empty or cannot be made.
    pub(crate) fn claim(&self) -> Result<()> {
        let claimed = claim_directory(&self.directory, JSON);
        if claimed.is_ok_and(|claimed| claimed) {
            return Ok(());
        }
        Err(Error::usage(format!(
            "{} is not empty or cannot be created; name another directory with --out",
            self.directory.display()
        )))
    }

    /// Runs each by `one`, live; `tell` is told what comes next.
    ///
    /// # Errors
    ///
    /// Where signals cannot be listened for.
    pub(crate) fn live(
        &self,
        one: &mut dyn FnMut(Plan, &Path) -> Result<Findings>,
        tell: &dyn Fn(&str),
    ) -> Result<Variants> {
        let mut variants = Variants {
            plans: self.plans.to_vec(),
            tried: Vec::new(),
            live: true,
            directory: self.directory.clone(),
            broken: false,
            ended: None,
        };
        // The scenario as it is must be possible.
        let mut series = Series::begin(1)?;
        let all = self.seeds * self.plans.len() as u64;
        for more in 0..self.seeds {
            for (place, plan) in self.plans.iter().enumerate() {
                let seed = plan.seed.wrapping_add(more);
                let number = more * self.plans.len() as u64 + place as u64 + 1;
                tell(&format!("{number} of {all}: {}, seed {seed}", name(plan)));
                let named = if self.seeds > 1 {
                    format!("{place}-seed-{seed}")
                } else {
                    place.to_string()
                };
                let plan = Plan {
                    seed,
                    ..plan.clone()
                };
                let mut run = || {
                    let (directory, found) = place_of(&variants.directory.join(&named), &plan);
                    let came = match found.filter(|_| self.resume) {
                        Some(findings) => InSeries::Counts(Box::new(findings)),
                        None => series.run(tell, || one(plan.clone(), &directory)),
                    };
                    (came, directory)
                };
                let (mut came, mut directory) = run();
                if let InSeries::Invalid(why) = &came {
                    tell(&format!(
                        "once more, since the measurement is invalid: {why}"
                    ));
                    (came, directory) = run();
                }
                let found = match came {
                    InSeries::Counts(findings) => {
                        if findings.steady_state_returned == Some(false) {
                            variants.broken = true;
                            tell("the target did not serve after everything was undone");
                        }
                        counted(&findings)
                    }
                    InSeries::Invalid(why) => Err(format!("its measurement is invalid: {why}")),
                    InSeries::Unfit(why) => Err(format!("it could not be run: {why}")),
                    InSeries::Ends(why) => {
                        variants.ended = Some(why);
                        return Ok(variants);
                    }
                };
                variants.tried.push(Tried {
                    place,
                    seed,
                    directory: Some(directory),
                    found,
                });
            }
        }
        Ok(variants)
    }

    /// What each came to in virtual time: one list for each plan.
    pub(crate) fn simulated(&self, found: Vec<Vec<SeedFindings>>) -> Variants {
        let each = found.into_iter().enumerate();
        let tried = each.flat_map(|(place, seeds)| {
            seeds.into_iter().map(move |found| Tried {
                place,
                seed: found.seed,
                directory: None,
                found: Ok(found),
            })
        });
        Variants {
            plans: self.plans.to_vec(),
            tried: tried.collect(),
            live: false,
            directory: self.directory.clone(),
            broken: false,
            ended: None,
        }
    }
}

/// Where a run of this plan lies that is whole and valid, with what it is found to show by what
/// is expected now; or else the first place that is free.
fn place_of(named: &Path, plan: &Plan) -> (PathBuf, Option<Findings>) {
    let mut directory = named.to_owned();
    loop {
        if !directory.exists() {
            return (directory, None);
        }
        let found = found_in(&directory, plan);
        if found.is_some() {
            return (directory, found);
        }
        directory.as_mut_os_string().push("-again");
    }
}

/// What a run is found to show, where it is one of this plan, whole and valid.
fn found_in(directory: &Path, plan: &Plan) -> Option<Findings> {
    let mut record = Record::open(directory).ok()?;
    let own = &mut record.header.plan;
    if own.seed != plan.seed || own.fingerprint() != plan.fingerprint() {
        return None;
    }
    own.expectations.clone_from(&plan.expectations);
    let findings = analysis::findings(&record);
    let whole = findings.ending.by == EndedBy::Completed;
    (whole && findings.measurement.validity == Validity::Valid).then_some(findings)
}

/// What a run came to, where it was not cut off: what a shorter one lost is no figure of a
/// whole one.
fn counted(findings: &Findings) -> std::result::Result<SeedFindings, String> {
    if findings.ending.by == EndedBy::Completed {
        Ok(SeedFindings::of(findings))
    } else {
        Err(format!(
            "it ended early: {}",
            findings.ending.reasons.join("; ")
        ))
    }
}

/// How a plan is called among others of its scenario.
fn name(plan: &Plan) -> &str {
    let variant = plan.variant.as_ref();
    variant.map_or("unchanged", |variant| variant.name.as_str())
}

impl Variants {
    /// The run directory of the scenario as it is, where it has one that counts.
    pub(crate) fn first(&self) -> Option<&Path> {
        let own = self.valid(0).next();
        own.and_then(|(it, _)| it.directory.as_deref())
    }

    /// Whether each did what is expected of it; `None` where not all could be judged.
    pub(crate) fn passed(&self) -> Option<bool> {
        if self.broken {
            return Some(false);
        }
        let places = 0..self.plans.len();
        let judged: Vec<_> = places.map(|place| self.shares(place).judged()).collect();
        if judged.contains(&Some(false)) {
            return Some(false);
        }
        let whole = self.tried.iter().all(|it| it.found.is_ok());
        (whole && !judged.contains(&None)).then_some(true)
    }

    /// How often what is expected of a plan held.
    fn shares(&self, place: usize) -> SeedShares {
        let found: Vec<_> = self.valid(place).map(|(_, found)| found.clone()).collect();
        SeedShares::of(&self.plans[place].expectations, &found, self.live)
    }

    /// The expectations of which it cannot be told whether they hold, each with the name of
    /// its plan.
    pub(crate) fn untold(&self) -> Vec<(String, ExpectationShare)> {
        let plans = self.plans.iter().enumerate();
        let untold = plans.flat_map(|(place, plan)| {
            let shares = self.shares(place).expectations.into_iter();
            let untold = shares.filter(|it| it.passed.is_none());
            untold.map(|it| (name(plan).to_owned(), it))
        });
        untold.collect()
    }

    /// The valid trials of a plan.
    fn valid(&self, place: usize) -> impl Iterator<Item = (&Tried, &SeedFindings)> {
        let own = self.tried.iter().filter(move |it| it.place == place);
        own.filter_map(|it| Some((it, it.found.as_ref().ok()?)))
    }

    /// The table; what was not measured validly is left out of it, with the reason.
    ///
    /// # Errors
    ///
    /// Where the scenario as it is has no valid measurement.
    pub(crate) fn table(&self) -> Result<WhatIf> {
        let Some(base) = self.row(0) else {
            let why = self.tried.iter().find_map(|it| it.found.as_ref().err());
            return Err(Error::unfit(format!(
                "failed to measure the scenario as it is, so there is nothing to compare with: {}",
                why.map_or("it was not run", String::as_str)
            )));
        };
        let left_out = self.tried.iter().filter_map(|it| {
            let why = it.found.as_ref().err()?;
            let name = format!("{}, seed {}", name(&self.plans[it.place]), it.seed);
            Some((name, why.clone()))
        });
        Ok(WhatIf {
            scenario: self.plans[0].scenario.clone(),
            title: self.plans[0].title.clone(),
            live: self.live,
            variants: true,
            seeds: self.valid(0).map(|(it, _)| it.seed).collect(),
            base,
            alone: (1..self.plans.len())
                .filter_map(|place| self.row(place))
                .collect(),
            pairs: Vec::new(),
            inapplicable: left_out.collect(),
        })
    }

    /// A plan's row, of the seeds that were measured validly with it and without it;
    /// none where there is no such seed.
    fn row(&self, place: usize) -> Option<Row> {
        let pairs = self.valid(0).filter_map(|(own, without)| {
            let mut all = self.valid(place);
            let (_, with) = all.find(|(it, _)| it.seed == own.seed)?;
            Some((with.outcome.clone(), without.outcome.clone()))
        });
        let (with, without): (Vec<Outcome>, Vec<Outcome>) = pairs.unzip();
        let plan = &self.plans[place];
        let named = plan.variant.as_ref();
        let named: Vec<(&str, &str)> = named
            .map(|it| (it.name.as_str(), it.about.as_str()))
            .into_iter()
            .collect();
        let row = Row::of(&named, &with, &without)?;
        let mut failed = self.shares(place).expectations;
        failed.retain(|it| it.passed == Some(false));
        let other_end = plan.end != self.plans[0].end;
        Some(Row {
            failed,
            expected: plan.expected(),
            other_end_s: other_end.then(|| plan.end.as_secs_f64()),
            plan: plan.fingerprint(),
            ..row.declaring(plan)
        })
    }

    /// Where the reports of the runs lie, with the name of each, from the table's directory.
    fn pages(&self) -> Vec<(String, String)> {
        let run = self.tried.iter().filter_map(|it| {
            let directory = it.directory.as_ref()?.file_name()?.to_string_lossy();
            let name = name(&self.plans[it.place]);
            Some((
                format!("{name}, seed {}", it.seed),
                format!("{directory}/report.html"),
            ))
        });
        run.collect()
    }

    /// Writes the table as JSON and as a page; where the page lies.
    ///
    /// # Errors
    ///
    /// Where they cannot be written.
    pub(crate) fn write(&self, table: &WhatIf) -> Result<PathBuf> {
        let directory = &self.directory;
        std::fs::create_dir_all(directory).map_err(|cause| {
            Error::failed(format!("failed to make {}: {cause}", directory.display()))
        })?;
        let text = serde_json::to_string_pretty(table)
            .map_err(|cause| Error::failed(format!("failed to write {JSON}: {cause}")))?;
        write_private(directory, JSON, text.as_bytes())?;
        let page = report::what_if::html(table, &self.pages())?;
        write_private(directory, PAGE, page.as_bytes())?;
        Ok(directory.join(PAGE))
    }

    /// Puts the table into the report of the scenario as it is, where it was run; where the
    /// page lies.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub(crate) fn beside_the_first(&self, table: &WhatIf) -> Result<Option<PathBuf>> {
        let first = self.first();
        first.map(|place| run::with_table(place, table)).transpose()
    }
}
