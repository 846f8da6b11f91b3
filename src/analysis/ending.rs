//! How a run ended, and why its verdict is what it is: said once, for every format and
//! for the exit code.

use std::iter;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::findings::{Findings, Validity, Verdict};
use crate::error::{EXIT_EXPECTATION, EXIT_FAILED, EXIT_INVALID, EXIT_PASSED, EXIT_SIGNAL_BASE};
use crate::record::{Event, Record, StopCause, signal_name};
use crate::units::counted;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Ending {
    /// What ended it.
    pub by: EndedBy,
    /// The exit code of threadbare; null where it was killed, and so gave none.
    pub exit_code: Option<i32>,
    /// Why the verdict is what it is, one clause each without a full stop: in one clause
    /// first, then each thing that was amiss.
    pub reasons: Vec<String>,
}

/// What ended a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// It came to its planned end.
    Completed,
    /// A signal interrupted it.
    Interrupted,
    /// Its own stop condition held, or an expectation could no longer hold.
    Aborted,
    /// Somebody in the room ended it.
    Stopped,
    /// It failed.
    Failed,
    /// The record ends without an end: it was killed, or is still going on.
    #[default]
    Unknown,
}

impl Ending {
    /// Of a record whose findings are these, but for this part of them.
    pub(super) fn of(record: &Record, findings: &Findings) -> Self {
        let stop = stop_cause(record);
        let clauses: Vec<String> = stopped(record, stop)
            .into_iter()
            .chain(judged(findings))
            .collect();
        let details = details(findings);
        Self {
            by: ended_by(stop),
            exit_code: stop.map(|stop| exit_code(stop, findings)),
            reasons: iter::once(clauses.join("; ")).chain(details).collect(),
        }
    }
}

fn stop_cause(record: &Record) -> Option<&StopCause> {
    match record.events.last() {
        Some((_, Event::RunEnded { cause })) => Some(cause),
        _ => None,
    }
}

const fn ended_by(stop: Option<&StopCause>) -> EndedBy {
    match stop {
        Some(StopCause::Completed) => EndedBy::Completed,
        Some(StopCause::Interrupted { .. }) => EndedBy::Interrupted,
        Some(StopCause::Aborted { .. }) => EndedBy::Aborted,
        Some(StopCause::Stopped { .. }) => EndedBy::Stopped,
        Some(StopCause::Failed { .. }) => EndedBy::Failed,
        None => EndedBy::Unknown,
    }
}

/// The order in which one code stands for several things is that of docs/EXIT-CODES.md.
fn exit_code(stop: &StopCause, findings: &Findings) -> i32 {
    match (stop, findings.verdict) {
        (StopCause::Interrupted { signal }, _) => EXIT_SIGNAL_BASE + *signal,
        (StopCause::Failed { code, .. }, _) => *code,
        (
            StopCause::Aborted {
                expectation: false, ..
            },
            _,
        ) => EXIT_FAILED,
        // A run that an expectation or somebody in the room ended is judged like one that came to its end.
        (_, Verdict::Invalid) => EXIT_INVALID,
        (_, Verdict::Passed) => EXIT_PASSED,
        (StopCause::Completed | StopCause::Stopped { .. }, Verdict::Failed)
            if findings.nothing_succeeded() =>
        {
            EXIT_FAILED
        }
        (_, Verdict::Failed) => EXIT_EXPECTATION,
    }
}

/// What kept a run from its planned end.
fn stopped(record: &Record, stop: Option<&StopCause>) -> Option<String> {
    let at = record.events.last().map(|(at, _)| at.as_secs_f64());
    let at = at.map_or_else(String::new, |at| format!(" at {at:.1} s"));
    match stop {
        Some(StopCause::Completed) => None,
        Some(StopCause::Interrupted { signal }) => {
            Some(format!("interrupted by {}{at}", signal_name(*signal)))
        }
        Some(StopCause::Aborted {
            because,
            expectation,
        }) => {
            let why = StopCause::own_rule(because, *expectation);
            Some(format!("stopped{at} {why}"))
        }
        Some(StopCause::Stopped { by }) => Some(format!("stopped{at} by {by}")),
        Some(StopCause::Failed { reason, .. }) => Some(format!("the run failed{at}: {reason}")),
        None => Some("the run did not reach its planned end".into()),
    }
}

/// What was judged, or that nothing was.
fn judged(findings: &Findings) -> Option<String> {
    let all = findings.expectations.len();
    let seeds = findings.expectations.iter().filter(|it| it.is_of_seeds());
    let told = all - seeds.count();
    let missed = findings.missed_expectations();
    match findings.verdict {
        Verdict::Invalid => Some("the measurement is invalid, so nothing is judged".into()),
        Verdict::Passed if all == 0 => Some("this run has no expectations".into()),
        Verdict::Passed if told == 0 => {
            Some("what is expected is about shares of seeds, which one run cannot show".into())
        }
        Verdict::Passed if told < all => Some(format!(
            "{told} of {} held; of the others, which are about shares of seeds, one run cannot tell",
            counted(all as u64, "expectation")
        )),
        Verdict::Passed if all == 1 => Some("the one expectation held".into()),
        Verdict::Passed => Some(format!("all {all} expectations held")),
        Verdict::Failed if findings.steady_state_returned == Some(false) => {
            Some("the target did not serve after everything was undone".into())
        }
        Verdict::Failed if missed > 0 => {
            let all = counted(all as u64, "expectation");
            Some(format!("{missed} of {all} did not hold"))
        }
        Verdict::Failed if findings.expectations.iter().any(|it| it.passed.is_none()) => {
            Some("not every expectation could be shown to hold".into())
        }
        Verdict::Failed if findings.nothing_succeeded() => Some(nothing(findings)),
        Verdict::Failed => None,
    }
}

fn nothing(findings: &Findings) -> String {
    match findings.conservation.scheduled {
        0 => "nothing was sent".into(),
        all => format!("nothing succeeded: none of {}", counted(all, "operation")),
    }
}

/// Each thing that was amiss.
fn details(findings: &Findings) -> Vec<String> {
    if findings.measurement.validity == Validity::Invalid {
        let reasons = findings.measurement.reasons.iter();
        return reasons.map(|it| it.trim_end_matches('.').into()).collect();
    }
    let missed = findings
        .expectations
        .iter()
        .filter(|it| it.passed != Some(true));
    let details = missed.map(|it| {
        let (that, observed, required) = (&it.that, &it.observed, &it.required);
        format!("{that}: observed {observed}; required {required}")
    });
    details.collect()
}
