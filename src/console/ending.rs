//! What pages are told at the end of a run: why it ended, and what the analysis found.

use super::marks::shown;
use super::message::{End, Mark};
use crate::analysis::Findings;
use crate::record::{Event, StopCause, signal_name};
use crate::units::Nanos;

/// How a run ended by its last event, with what was found, where something was, and where
/// its report lies.
pub(super) fn end_of(
    last: Option<&Event>,
    findings: Option<&Findings>,
    report: Option<String>,
) -> End {
    let (cause, sentence) = match last {
        Some(Event::RunEnded { cause }) => ended(cause),
        _ => (
            "interrupted",
            "The record is incomplete: the run was killed, or still goes on.".to_owned(),
        ),
    };
    let found = findings.and_then(|findings| findings.sentences.first());
    let detail = match found {
        Some(found) if cause == "completed" => found.clone(),
        _ => sentence,
    };
    let predicted = findings.and_then(|findings| findings.game_day.as_ref());
    let predicted = predicted.iter().flat_map(|day| &day.predictions);
    End {
        measured: predicted
            .map(|it| (it.question.word(), shown(&it.measured)))
            .collect(),
        cause,
        verdict: findings.map(|findings| findings.incident.verdict.word()),
        detail: shown(&detail),
        report,
    }
}

fn ended(cause: &StopCause) -> (&'static str, String) {
    match cause {
        StopCause::Completed => ("completed", "The run came to its planned end.".into()),
        StopCause::Stopped { by } => ("stopped", format!("{by} stopped the run.")),
        StopCause::Interrupted { signal } => {
            let by = signal_name(*signal);
            ("interrupted", format!("The run was interrupted by {by}."))
        }
        StopCause::Aborted {
            because,
            expectation,
        } => {
            let rule = StopCause::own_rule(because, *expectation);
            ("aborted", format!("The run was stopped {rule}."))
        }
        StopCause::Failed { reason, .. } => ("failed", format!("The run failed: {reason}.")),
    }
}

/// The instants that only the analysis knows: the others are on the incident's clock.
pub(super) fn findings_marks(findings: &Findings) -> Vec<(Nanos, Mark)> {
    let incident = &findings.incident;
    let found = [
        (incident.trigger_off_s, "the trigger was off"),
        (incident.relapsed_s, "service was lost again"),
    ];
    let found = found.into_iter().filter_map(|(at, what)| {
        let mark = Mark {
            sort: "finding",
            label: what.to_owned(),
            ..Mark::default()
        };
        Some((Nanos::from_secs_f64(at?), mark))
    });
    found.collect()
}
