//! A run's line in a list of runs.

use serde::Serialize;

use super::figure::NamedFigure;
use super::stored::{RunVerdict, StoredRun};
use crate::analysis::Findings;
use crate::record::{Backend, MachineFacts};

/// What a list says of a run. Figures are those of the whole run, and only of one that
/// was judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunLine {
    /// Its directory, as it was named.
    pub directory: String,
    /// When it was started, in milliseconds since 1970 UTC; null where nobody knows.
    pub started_wall_ms: Option<u64>,
    /// The scenario's short name.
    pub scenario: Option<String>,
    /// Which backend ran it.
    pub backend: Option<Backend>,
    /// The seed.
    pub seed: Option<u64>,
    /// `passed`, `failed`, `invalid`, `incomplete` or `damaged`.
    pub verdict: RunVerdict,
    /// 99th percentile of the response time, in milliseconds.
    pub response_p99_ms: Option<f64>,
    /// Operations that ended without success / that ended.
    pub error_share: Option<f64>,
    /// Operations per second that succeeded.
    pub goodput_per_s: Option<f64>,
    /// Seconds until service had recovered; null where it was not lost or not seen back.
    pub recovery_s: Option<f64>,
    /// How long it was waited for without success.
    pub recovery_censored_after_s: Option<f64>,
    /// On what machine.
    pub machine: Option<MachineFacts>,
    /// Why it cannot be read, in a sentence.
    pub problem: Option<String>,
}

impl RunLine {
    /// The line of this run.
    pub fn of(run: &StoredRun) -> Self {
        let verdict = run.verdict();
        let judged = matches!(verdict, RunVerdict::Passed | RunVerdict::Failed);
        let findings = run.findings.as_ref();
        let judged = findings.filter(|_| judged);
        let of_whole = |name: &str| {
            let figure: NamedFigure = name.parse().ok()?;
            figure.read(judged?).ok()
        };
        let recovery = judged.map(Findings::recovery);
        let made = run.header.as_ref().map(|header| {
            let plan = &header.plan;
            (&plan.scenario, header.backend, plan.seed, &header.machine)
        });
        let told = findings.map(|it| (&it.scenario, it.backend, it.seed, &it.machine));
        let made = made.or(told);
        Self {
            directory: run.directory.clone(),
            started_wall_ms: run.started_wall_ms(),
            scenario: made.map(|(scenario, ..)| scenario.clone()),
            backend: made.map(|(_, backend, ..)| backend),
            seed: made.map(|(_, _, seed, _)| seed),
            verdict,
            response_p99_ms: of_whole("response p99"),
            error_share: of_whole("error share"),
            goodput_per_s: of_whole("goodput"),
            recovery_s: recovery.and_then(|it| it.seen_s),
            recovery_censored_after_s: recovery.and_then(|it| it.censored_after_s),
            machine: made.map(|(.., machine)| machine.clone()),
            problem: run.damage.clone(),
        }
    }
}
