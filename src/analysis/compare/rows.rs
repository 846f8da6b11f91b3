//! Rows that no blocks are drawn for: figures of the incident, and phases that one side has
//! not; and which of the others are to be doubted.

use std::collections::BTreeSet;

use super::blocks::{FIGURES, INCIDENT, percentile};
use super::differences::{Sides, mean};
use super::judge::{ComparisonVerdict, FigureComparison, row, stretches};
use super::{Digest, Options};
use crate::plan::Figure;

/// Phases that not every run has: nothing is compared there, and that is said.
pub(super) fn missing(
    base: &[Digest],
    candidate: &[Digest],
    comparable: bool,
) -> Vec<FigureComparison> {
    let shared = stretches(base, candidate);
    let all = base.iter().chain(candidate).flat_map(|run| &run.stretches);
    let all: BTreeSet<&str> = all.map(|blocks| blocks.name.as_str()).collect();
    let missing = all
        .into_iter()
        .filter(|name| !shared.iter().any(|it| it == name));
    let rows = missing.map(|name| {
        let mut runs = base.iter().chain(candidate);
        let run = runs.find(|run| run.stretch(name).is_none());
        let run = run.map_or("a run", |run| run.name.as_str());
        let why = format!("{run} has no such phase");
        let mut row = row(Figure::Goodput, name, Err(why), 0.0, &Options::default());
        if !comparable {
            row.verdict = ComparisonVerdict::NotComparable;
        }
        row
    });
    rows.collect()
}

/// The figures of the incident, where some run has one.
pub(super) fn incident(
    sides: &Sides<'_>,
    options: &Options,
    comparable: bool,
) -> Vec<FigureComparison> {
    let rows = INCIDENT.iter().filter_map(|figure| {
        let difference = sides.incident(*figure)?;
        let mut row = row(*figure, "", difference, 0.0, options);
        // Whether it was seen at all is shown, also where no difference can be told.
        row.base = row.base.or_else(|| mean(*figure, sides.base));
        row.candidate = row.candidate.or_else(|| mean(*figure, sides.candidate));
        if !comparable {
            row.verdict = ComparisonVerdict::NotComparable;
            row.p = None;
        }
        Some(row)
    });
    rows.collect()
}

/// Percentiles are of the operations that succeeded. Where so many more failed that they
/// may be the slow ones, a percentile that fell shows nothing.
pub(super) fn doubt_what_lost_its_tail(figures: &mut [FigureComparison]) {
    let share = Figure::ErrorShare.word();
    let errors: Vec<(Option<String>, f64)> = figures
        .iter()
        .filter(|row| row.figure == share)
        .map(|row| (row.phase.clone(), row.difference.unwrap_or_default()))
        .collect();
    for row in figures {
        let more = errors.iter().find(|(phase, _)| *phase == row.phase);
        let more = more.map_or(0.0, |(_, more)| *more);
        let timed = FIGURES.iter().find(|figure| figure.word() == row.figure);
        let Some((_, quantile)) = timed.and_then(|figure| percentile(*figure)) else {
            continue;
        };
        if row.verdict == ComparisonVerdict::Better && more > (1.0 - quantile) / 2.0 {
            row.verdict = ComparisonVerdict::CannotTell;
            row.why = "more operations failed, and they may be the slow ones".into();
        }
    }
}
