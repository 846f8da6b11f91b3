//! A run as a gate: several times with other seeds, and held against a baseline.

use std::path::{Path, PathBuf};

use super::ab::withhold;
use super::series::{InSeries, Series, why_ended, within_the_line};
use super::sets::{digest, runs};
use crate::analysis::compare::{Comparison, Options, compare};
use crate::analysis::{Findings, RepeatedRuns, SeedFindings, SeedShares};
use crate::clock;
use crate::error::{EXIT_PASSED, Error, Result};
use crate::plan::Plan;
use crate::record::{Backend, write_private};
use crate::report;
use crate::run;

/// The files of what was expected, over several runs.
const REPEATED: &str = "repeated.json";
const JUNIT: &str = "junit.xml";

/// How a plan is run.
pub(crate) struct Gate<'a> {
    /// How often at most.
    pub repeat: u32,
    /// What it is held against.
    pub baseline: Option<&'a str>,
    /// How.
    pub judged: Options,
    /// How runs are watched and where they land.
    pub options: &'a run::Options,
}

/// What it came to.
pub(crate) struct Gated {
    /// The one run; none where there were several.
    pub one: Option<Box<Findings>>,
    /// The runs, where several were asked for.
    pub several: Option<RepeatedRuns>,
    /// The comparison with the baseline; none where no run counts.
    pub comparison: Option<Comparison>,
    /// Where the runs lie.
    pub directory: PathBuf,
    /// What ended several before their time: the exit code of a signal, or a failure.
    pub ended: Option<Result<i32>>,
}

impl Gated {
    /// The exit code of the runs themselves; [`EXIT_PASSED`] where none says otherwise.
    pub(crate) fn code(&self) -> i32 {
        let one = self.one.as_ref().map(|findings| findings.exit_code());
        let several = self.several.as_ref().map(RepeatedRuns::exit_code);
        one.or(several).unwrap_or(EXIT_PASSED)
    }
}

/// Runs a plan as often as is needed, and holds it against a baseline.
///
/// # Errors
///
/// Where the first run fails, or the baseline cannot be read: that is known before the first.
pub(crate) fn gate(
    gate: &Gate<'_>,
    plan: &Plan,
    one: &mut dyn FnMut(Plan, &run::Options) -> Result<Findings>,
) -> Result<Gated> {
    let base = gate.baseline.map(runs).transpose()?;
    let directory = gate.options.out.clone().unwrap_or_else(|| {
        let stamp = clock::stamp(clock::wall_millis());
        Path::new("reports").join(format!("{}-{stamp}", plan.scenario))
    });
    let mut gated = Gated {
        one: None,
        several: None,
        comparison: None,
        directory: directory.clone(),
        ended: None,
    };
    let places = if gate.repeat <= 1 {
        let options = run::Options {
            out: Some(directory.clone()),
            ..gate.options.clone()
        };
        gated.one = Some(Box::new(one(plan.clone(), &options)?));
        vec![directory]
    } else {
        let (runs, places, ended) = several(gate, plan, &directory, one)?;
        gated.several = Some(runs);
        gated.ended = ended;
        places
    };
    if let Some(base) = base.filter(|_| !places.is_empty()) {
        let digests = places.iter().map(|run| digest(run));
        let digests: Vec<_> = digests.collect::<Result<_>>()?;
        let mut comparison = compare(&base, &digests, &gate.judged);
        if let Some(why) = &gated.ended {
            withhold(&mut comparison, why_ended(why));
        }
        gated.comparison = Some(comparison);
    }
    Ok(gated)
}

/// Several runs, where those that count lie, and what ended them before their time.
type Several = (RepeatedRuns, Vec<PathBuf>, Option<Result<i32>>);

/// Runs it until everything that is expected is settled.
fn several(
    gate: &Gate<'_>,
    plan: &Plan,
    directory: &Path,
    one: &mut dyn FnMut(Plan, &run::Options) -> Result<Findings>,
) -> Result<Several> {
    let mut series = Series::begin(1)?;
    let (mut found, mut places) = (Vec::new(), Vec::new());
    let mut left_out = Vec::new();
    let mut ended = None;
    let looks = RepeatedRuns::looks(usize::try_from(gate.repeat).unwrap_or(usize::MAX));
    let judged =
        |found: &[Findings]| RepeatedRuns::of(&plan.scenario, &plan.expectations, found, looks);
    for number in 1..=gate.repeat {
        let out = directory.join(format!("run-{number:02}"));
        let plan = Plan {
            seed: plan.seed.wrapping_add(u64::from(number) - 1),
            ..plan.clone()
        };
        let options = run::Options {
            out: Some(out.clone()),
            quiet: true,
            ..gate.options.clone()
        };
        let (all, seed) = (gate.repeat, plan.seed);
        run::say(format!("run {number} of {all}, seed {seed}: "))?;
        // What does not count says nothing of the target: the next seed is run in its place.
        match series.run(&within_the_line, || one(plan, &options)) {
            InSeries::Counts(findings) => {
                found.push(*findings);
                places.push(out);
            }
            InSeries::Invalid(why) => left_out.push(format!(
                "run {number} is left out: its measurement is invalid: {why}"
            )),
            InSeries::Unfit(why) => {
                run::say("left out\n")?;
                left_out.push(format!("run {number} is left out: {why}"));
            }
            // Where nothing was run the failure says it all.
            InSeries::Ends(Err(error)) if number == 1 => return Err(error),
            InSeries::Ends(why) => {
                ended = Some((number - 1, why));
                break;
            }
        }
        if RepeatedRuns::is_look(found.len()) && judged(&found).is_settled() {
            break;
        }
    }
    let seeds: Vec<_> = found.iter().map(SeedFindings::of).collect();
    let simulated = found.iter().any(|run| run.backend == Backend::Sim);
    let shares = SeedShares::of(&plan.expectations, &seeds, !simulated);
    let mut runs = judged(&found);
    runs.left_out = left_out;
    if let Some((after, why)) = &ended {
        let told = why_ended(why);
        runs.ended = format!("ended after {after} of {} runs: {told}", gate.repeat);
    }
    write(directory, &runs, &shares, gate.options)?;
    Ok((runs, places, ended.map(|(_, why)| why)))
}

/// Writes what the runs came to, and prints it.
fn write(
    directory: &Path,
    runs: &RepeatedRuns,
    shares: &SeedShares,
    options: &run::Options,
) -> Result<()> {
    std::fs::create_dir_all(directory).map_err(|cause| {
        Error::failed(format!("failed to make {}: {cause}", directory.display()))
    })?;
    let text = serde_json::to_string_pretty(&runs.expectations)
        .map_err(|cause| Error::failed(format!("failed to write {REPEATED}: {cause}")))?;
    write_private(directory, REPEATED, text.as_bytes())?;
    write_private(directory, JUNIT, report::repeated::junit(runs)?.as_bytes())?;
    // A load without an incident has no verdict.
    let told = shares.is_told();
    if told {
        run::write_seeds(directory, shares)?;
    }
    if !options.quiet {
        if told {
            run::say(report::seeds::verdicts(shares))?;
        }
        run::say(report::repeated::text(runs, options.color))?;
    }
    Ok(())
}
