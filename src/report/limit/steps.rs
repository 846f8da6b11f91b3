//! The steps of a search, a row each.

use super::wording::{milliseconds, per_second};
use crate::analysis::limit::{LimitStage, LimitStep, LimitVerdict};
use crate::record::printable;
use crate::report::figures::{maybe, number, percent};

/// The columns of the table.
pub(super) const COLUMNS: [&str; 9] = [
    "step",
    "rate",
    "verdict",
    "goodput",
    "errors",
    "p50",
    "p99",
    "in flight",
    "why",
];

/// The cells of a step, in the order of [`COLUMNS`].
pub(super) fn cells(step: &LimitStep) -> [String; 9] {
    let figures = &step.figures;
    [
        step.number.to_string(),
        per_second(step.rate_per_s),
        verdict(step).to_owned(),
        per_second(figures.goodput_per_s),
        maybe(figures.error_share, percent),
        maybe(figures.response_p50_ms, milliseconds),
        maybe(figures.response_p99_ms, milliseconds),
        maybe(figures.in_flight, number),
        printable(&step.why).into_owned(),
    ]
}

/// The verdict of a step in words: with a trigger, whether service came back.
pub(super) const fn verdict(step: &LimitStep) -> &'static str {
    match (step.stage, step.verdict) {
        (LimitStage::Returns | LimitStage::Advice, LimitVerdict::Holds) => "comes back",
        (LimitStage::Returns | LimitStage::Advice, LimitVerdict::DoesNot) => "does not come back",
        (_, verdict) => verdict.words(),
    }
}

/// How a verdict looks.
pub(super) const fn class(verdict: LimitVerdict) -> &'static str {
    match verdict {
        LimitVerdict::Holds => "passed",
        LimitVerdict::DoesNot => "failed",
        LimitVerdict::CannotTell => "invalid",
    }
}

/// Which question a step was tried for: `advice: no retries`.
pub(super) fn question(step: &LimitStep) -> String {
    match &step.measure {
        Some(measure) => format!("{}: {}", step.stage.word(), printable(measure)),
        None => step.stage.word().to_owned(),
    }
}
