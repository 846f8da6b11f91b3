//! A run as a gate: several times with other seeds, and held against a baseline.

use std::path::{Path, PathBuf};

use super::sets::{digest, runs};
use crate::analysis::compare::{Comparison, Options, compare};
use crate::analysis::{Findings, RepeatedExpectation, Validity, repeated};
use crate::clock;
use crate::error::{EXIT_EXPECTATION, EXIT_INVALID, EXIT_PASSED, Error, Result};
use crate::plan::Plan;
use crate::record::write_private;
use crate::report;
use crate::run;

/// The file of what was expected, over several runs.
const REPEATED: &str = "repeated.json";

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
    /// The exit code of the runs; [`EXIT_PASSED`] where none says otherwise.
    pub code: i32,
    /// The comparison with the baseline.
    pub comparison: Option<Comparison>,
    /// Where the runs lie.
    pub directory: PathBuf,
}

/// Runs a plan as often as is needed, and holds it against a baseline.
///
/// # Errors
///
/// Where a run fails, or the baseline cannot be read: that is known before the first.
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
    let (code, runs) = match gate.repeat {
        0 | 1 => {
            let options = run::Options {
                out: Some(directory.clone()),
                ..gate.options.clone()
            };
            let findings = one(plan.clone(), &options)?;
            (findings.exit_code(), vec![directory.clone()])
        }
        _ => several(gate, plan, &directory, one)?,
    };
    let comparison = match base {
        None => None,
        Some(base) => {
            let digests = runs.iter().map(|run| digest(run));
            let digests: Vec<_> = digests.collect::<Result<_>>()?;
            Some(compare(&base, &digests, &gate.judged))
        }
    };
    Ok(Gated {
        code,
        comparison,
        directory,
    })
}

/// Runs it until everything that is expected is settled; the exit code and where they lie.
fn several(
    gate: &Gate<'_>,
    plan: &Plan,
    directory: &Path,
    one: &mut dyn FnMut(Plan, &run::Options) -> Result<Findings>,
) -> Result<(i32, Vec<PathBuf>)> {
    let mut found: Vec<Findings> = Vec::new();
    let mut places = Vec::new();
    let mut results = Vec::new();
    let mut left_out = 0;
    for number in 0..gate.repeat {
        let out = directory.join(format!("run-{:02}", number + 1));
        let plan = Plan {
            seed: plan.seed.wrapping_add(u64::from(number)),
            ..plan.clone()
        };
        let options = run::Options {
            out: Some(out.clone()),
            quiet: true,
            ..gate.options.clone()
        };
        run::say(format!(
            "run {} of {}, seed {}: ",
            number + 1,
            gate.repeat,
            plan.seed
        ))?;
        let expected = plan.expectations.clone();
        let findings = one(plan, &options)?;
        if findings.measurement.validity == Validity::Invalid {
            // It says nothing of the target, so the next seed takes its place.
            left_out += 1;
            continue;
        }
        found.push(findings);
        places.push(out);
        results = repeated(&expected, &found);
        let settled = !results.is_empty() && results.iter().all(|it| it.passed.is_some());
        if settled {
            break;
        }
    }
    let text = serde_json::to_string_pretty(&results)
        .map_err(|cause| Error::failed(format!("failed to write {REPEATED}: {cause}")))?;
    write_private(directory, REPEATED, text.as_bytes())?;
    if !gate.options.quiet {
        run::say(report::repeated::text(&results, gate.options.color))?;
    }
    if left_out > 0 {
        run::say(format!(
            "  {left_out} of {} runs are left out: their measurement is invalid\n",
            left_out + found.len()
        ))?;
    }
    let settled = results.iter().all(|it| it.passed.is_some());
    let code = match code(&found, &results) {
        _ if found.is_empty() || (left_out > 0 && !settled) => EXIT_INVALID,
        code => code,
    };
    Ok((code, places))
}

/// What is expected over several runs decides; else each run's own ending.
fn code(found: &[Findings], results: &[RepeatedExpectation]) -> i32 {
    let own = found.iter().map(Findings::exit_code);
    // One that failed to run is told as such.
    let worst = own
        .filter(|code| ![EXIT_PASSED, EXIT_EXPECTATION].contains(code))
        .max();
    match worst {
        Some(code) => code,
        None if results.iter().all(|it| it.passed == Some(true)) => EXIT_PASSED,
        None => EXIT_EXPECTATION,
    }
}
