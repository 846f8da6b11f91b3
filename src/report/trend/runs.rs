//! The list of runs, a line each.

use std::fmt::Write as _;

use serde::Serialize;

use super::wording::{machine, significant};
use crate::analysis::trend::RunLine;
use crate::error::Result;
use crate::record::{Backend, printable};
use crate::report::figures::{NONE, maybe, utc};

/// What stands above the columns.
const HEADS: [&str; 9] = [
    "run", "started", "scenario", "made", "verdict", "p99", "errors", "outcome", "machine",
];

/// The list for a terminal.
pub(crate) fn text(lines: &[RunLine]) -> String {
    let mut rows = vec![HEADS.map(str::to_owned)];
    rows.extend(lines.iter().map(cells));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..HEADS.len()).map(|it| width(it).unwrap_or(0)).collect();
    let mut text = String::new();
    for (row, line) in rows
        .iter()
        .zip([None].into_iter().chain(lines.iter().map(Some)))
    {
        let mut written = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(written, "{cell:<width$}  ");
        }
        let _ = writeln!(text, "{}", written.trim_end());
        if let Some(problem) = line.and_then(|line| line.problem.as_deref()) {
            let _ = writeln!(text, "    {problem}");
        }
    }
    text
}

fn cells(line: &RunLine) -> [String; 9] {
    let backend = line.backend.map(|it| match it {
        Backend::Live => "live",
        Backend::Sim => "simulated",
    });
    let made = backend.zip(line.seed);
    [
        line.directory.clone(),
        maybe(line.started_wall_ms, utc),
        maybe(line.scenario.as_deref(), |it| printable(it).into_owned()),
        maybe(made, |(backend, seed)| format!("{backend}, seed {seed}")),
        line.verdict.word().to_owned(),
        maybe(line.response_p99_ms, |it| format!("{} ms", significant(it))),
        maybe(line.error_share, |it| {
            format!("{} %", significant(it * 100.0))
        }),
        outcome(line),
        match line.backend {
            Some(Backend::Live) => maybe(line.machine.as_ref(), machine),
            _ => NONE.to_owned(),
        },
    ]
}

/// How long service took to recover, where it was to; else how much succeeded.
fn outcome(line: &RunLine) -> String {
    match (line.recovery_s, line.recovery_censored_after_s) {
        (Some(seconds), _) => format!("recovered in {} s", significant(seconds)),
        (None, Some(after)) => format!("not recovered in {} s", significant(after)),
        (None, None) => maybe(line.goodput_per_s, |it| format!("{}/s", significant(it))),
    }
}

/// The list for programs.
///
/// # Errors
///
/// Never; a failure is our mistake.
pub(crate) fn json(lines: &[RunLine]) -> Result<String> {
    #[derive(Serialize)]
    struct Dated<'a> {
        #[serde(flatten)]
        line: &'a RunLine,
        started: Option<String>,
    }
    let dated = lines.iter().map(|line| Dated {
        line,
        started: line.started_wall_ms.map(utc),
    });
    super::json(&dated.collect::<Vec<_>>())
}
