//! A trend as a page: one file without scripts, which opens offline.

use askama::Template;

use super::plot::{class, svg};
use super::wording::{answer, chance, method, notes, signed, subject, value};
use crate::analysis::trend::{LeftOut, Shown, Trend};
use crate::error::{Error, Result};
use crate::report::figures::{NONE, utc};

/// Rows of the table of runs at most: the newest.
const RUNS: usize = 200;
/// How wide the drawing is on a screen, and on a telephone.
const WIDTHS: (f64, f64) = (1130.0, 390.0);

#[derive(Template)]
#[template(path = "trend.html", config = "src/report/askama.toml")]
struct Page<'a> {
    figure: &'a str,
    subject: String,
    word: &'static str,
    word_class: &'static str,
    answer: String,
    notes: Vec<String>,
    method: String,
    style: &'static str,
    wide: String,
    narrow: String,
    tiles: Vec<(&'static str, String, String)>,
    changes: Vec<Row<'a>>,
    runs: Vec<(&'a str, String, u64, String)>,
    older: usize,
    left_out: &'a [LeftOut],
}

/// A row of the table of changes.
struct Row<'a> {
    run: &'a str,
    started: String,
    class: &'static str,
    effect: &'static str,
    size: String,
    before: String,
    after: String,
    chance: String,
    beside: String,
}

/// The page.
///
/// # Errors
///
/// Never; a failure is our mistake.
pub(crate) fn html(trend: &Trend) -> Result<String> {
    let last = trend.changes.last();
    let newest = trend.points.iter().rev();
    Page {
        figure: &trend.figure,
        subject: subject(trend),
        word: trend.shown.word(),
        word_class: match last {
            Some(change) => class(change.effect),
            None if trend.shown == Shown::CannotTell => "invalid",
            None => "neither",
        },
        answer: answer(trend),
        notes: notes(trend),
        method: method(trend),
        style: include_str!("../assets/report.css"),
        wide: svg(trend, WIDTHS.0),
        narrow: svg(trend, WIDTHS.1),
        tiles: tiles(trend),
        changes: rows(trend),
        runs: newest
            .take(RUNS)
            .map(|it| {
                let started = utc(it.started_wall_ms);
                (
                    it.run.as_str(),
                    started,
                    it.seed,
                    value(it.value, trend.unit),
                )
            })
            .collect(),
        older: trend.points.len().saturating_sub(RUNS),
        left_out: &trend.left_out,
    }
    .render()
    .map_err(|cause| Error::failed(format!("failed to write the page: {cause}")))
}

fn rows(trend: &Trend) -> Vec<Row<'_>> {
    let changes = trend.changes.iter();
    let mean = |mean, runs| format!("{} ({runs})", value(mean, trend.unit));
    changes
        .map(|change| Row {
            run: &change.run,
            started: utc(change.started_wall_ms),
            class: class(change.effect),
            effect: change.effect.word(),
            size: signed(change.change),
            before: mean(change.mean_before, change.runs_before),
            after: mean(change.mean_after, change.runs_after),
            chance: chance(change.p_value),
            beside: change.beside.join("; "),
        })
        .collect()
}

/// What stands above the drawing: label, value, note.
fn tiles(trend: &Trend) -> Vec<(&'static str, String, String)> {
    let last = trend.changes.last();
    let newest = trend.points.last();
    let mean = |mean: Option<f64>| mean.map_or(NONE.into(), |mean| value(mean, trend.unit));
    let runs = |runs: Option<usize>| runs.map_or(String::new(), |runs| format!("mean of {runs}"));
    vec![
        (
            "last change",
            last.map_or(NONE.into(), |it| signed(it.change)),
            last.map_or(String::new(), |it| chance(it.p_value)),
        ),
        (
            "before it",
            mean(last.map(|it| it.mean_before)),
            runs(last.map(|it| it.runs_before)),
        ),
        (
            "from it on",
            mean(last.map(|it| it.mean_after)),
            runs(last.map(|it| it.runs_after)),
        ),
        (
            "newest run",
            mean(newest.map(|it| it.value)),
            newest.map_or(String::new(), |it| it.run.clone()),
        ),
    ]
}
