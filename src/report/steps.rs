//! The rows of a load in steps, for every format.

use super::figures::{maybe, number, percent};
use super::observed::Table;
use super::phase_table::marked;
use crate::analysis::{Findings, LoadStep, StepLimiter};

/// The table of a load; without a row where its rate never changes.
pub(super) fn table(findings: &Findings) -> Table {
    Table {
        title: "Steps of the load",
        about: "Offered: operations scheduled in the step; completed: answers that came in it, \
                whenever their operations were scheduled. Response times are of operations that \
                were scheduled in it and succeeded; *: more than a tenth of it is the \
                generator's own lag.",
        columns: vec![
            "rate",
            "seconds",
            "offered/s",
            "completed/s",
            "succeeded",
            "p50 ms",
            "p99 ms",
            "in flight",
            "saturation",
            "limited by",
        ],
        texts: 1,
        rows: findings.steps.iter().map(row).collect(),
    }
}

fn row(step: &LoadStep) -> Vec<String> {
    let response = &step.response_ms;
    vec![
        step.rate.clone(),
        format!("{}–{}", number(step.from_s), number(step.to_s)),
        number(step.offered_per_s),
        number(step.completed_per_s),
        maybe(step.succeeded_share, percent),
        maybe(response.p50, |it| marked(it, response.marked.p50)),
        maybe(response.p99, |it| marked(it, response.marked.p99)),
        step.in_flight.to_string(),
        maybe(step.saturation, percent),
        limiter(step.limiter).to_owned(),
    ]
}

const fn limiter(limiter: StepLimiter) -> &'static str {
    match limiter {
        StepLimiter::Nothing => "nothing",
        StepLimiter::Target => "target",
        StepLimiter::Generator => "generator",
        StepLimiter::Machine => "machine",
    }
}
