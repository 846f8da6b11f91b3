//! What was found, for people on a terminal: a table of steps, then what follows from
//! them, and one sentence at the end.

use std::fmt::Write as _;

use super::steps::{COLUMNS, cells, question};
use super::wording::{banners, effect, limited_by, machine, per_second, probability, trials};
use crate::analysis::limit::{LimitFound, LimitMeasure, LimitReturnRate, LimitStep, LimitVerdict};
use crate::record::printable;
use crate::report::answer::expectation_sign;
use crate::report::figures::{plural, seconds};
use crate::report::text::{Paint, WIDTH, folded};

/// The answer in one line.
pub fn line(found: &LimitFound) -> String {
    format!("{}\n", printable(&found.sentence))
}

/// The steps, what they come to, and all of it in one sentence.
pub fn text(found: &LimitFound, color: bool) -> String {
    let paint = Paint(color);
    let mut text = String::new();
    for banner in banners(found) {
        folded_after(&mut text, "!! ", &paint.yellow(&banner));
    }
    let _ = writeln!(text, "{}", paint.bold("Steps"));
    steps(&mut text, &found.steps, paint);
    for (heading, lines) in sections(found) {
        if lines.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{}", paint.bold(heading));
        for line in lines {
            folded_after(&mut text, "  ", &printable(&line));
        }
    }
    // In one line, to be copied.
    let again = (paint.bold("Again"), printable(&found.command));
    let _ = writeln!(text, "\n{}\n  {}", again.0, again.1);
    let _ = writeln!(text, "\n{}", paint.bold(&printable(&found.sentence)));
    text
}

/// The steps of each question, under its name.
fn steps(text: &mut String, steps: &[LimitStep], paint: Paint) {
    if steps.is_empty() {
        text.push_str("  No step was tried.\n");
    }
    let rows: Vec<_> = steps.iter().map(cells).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([COLUMNS[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..COLUMNS.len() - 1).map(width).collect();
    if !steps.is_empty() {
        line_of(text, &COLUMNS.map(str::to_owned), &widths);
    }
    let mut last = String::new();
    for (step, row) in steps.iter().zip(&rows) {
        let question = question(step);
        if question != last {
            let _ = writeln!(text, "  {}", paint.dim(&question));
            last = question;
        }
        line_of(text, row, &widths);
    }
}

/// A row; the last cell is folded beside the others.
fn line_of(text: &mut String, cells: &[String; 9], widths: &[usize]) {
    let mut begin = String::new();
    for (place, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let _ = match place {
            // The verdict is the only word among figures.
            2 => write!(begin, "  {cell:<width$}"),
            _ => write!(begin, "  {cell:>width$}"),
        };
    }
    begin.push_str("  ");
    folded_after(text, &begin, &cells[cells.len() - 1]);
}

/// What the steps come to: a heading and its lines each.
fn sections(found: &LimitFound) -> [(&'static str, Vec<String>); 8] {
    let beyond = found.beyond.as_ref().map(|it| it.sentence.clone());
    let returns = match (&found.returns, &found.sought.trigger) {
        (Some(it), _) => {
            let rates = it.rates.iter().map(returned);
            [it.sentence.clone()].into_iter().chain(rates).collect()
        }
        (None, Some(_)) => vec!["It was not tried.".to_owned()],
        (None, None) => Vec::new(),
    };
    let headroom = found.headroom.iter().map(|it| it.sentence.clone());
    let ended = format!(
        "{} after {}, {}",
        found.ended.word(),
        plural(found.steps.len() as u64, "step"),
        machine(found)
    );
    [
        ("Served", vec![found.served.sentence.clone()]),
        ("What limits it", limited_by(found)),
        (
            "Beyond",
            vec![beyond.unwrap_or_else(|| "It was not tried.".into())],
        ),
        ("Returns", returns),
        ("Headroom", headroom.collect()),
        ("Advice", found.advice.iter().map(advice).collect()),
        ("Expected", expected(found)),
        ("How it ended", vec![ended, found.ended_because.clone()]),
    ]
}

fn returned(rate: &LimitReturnRate) -> String {
    let longest = rate.after_s.iter().copied().reduce(f64::max);
    let after = longest.map_or_else(String::new, |it| format!(", within {}", seconds(it)));
    format!(
        "{}: {} of {} trials came back{after} (probability {})",
        per_second(rate.rate_per_s),
        rate.returned,
        rate.trials,
        probability(rate)
    )
}

fn advice(measure: &LimitMeasure) -> String {
    let tried = match trials(&measure.rates) {
        tried if tried.is_empty() => String::new(),
        tried => format!(" ({tried})"),
    };
    format!(
        "{}: {}{tried}. {}",
        measure.name,
        effect(measure),
        measure.change
    )
}

fn expected(found: &LimitFound) -> Vec<String> {
    let all = found.expectations.iter();
    all.map(|it| {
        format!(
            "{} `{}` {}: observed {}",
            expectation_sign(passed(it.verdict)),
            it.expectation,
            it.verdict.words(),
            it.observed
        )
    })
    .collect()
}

pub(super) const fn passed(verdict: LimitVerdict) -> Option<bool> {
    match verdict {
        LimitVerdict::Holds => Some(true),
        LimitVerdict::DoesNot => Some(false),
        LimitVerdict::CannotTell => None,
    }
}

/// A paragraph folded to the width; lines after the first begin under it.
fn folded_after(text: &mut String, begin: &str, paragraph: &str) {
    let blank = begin.chars().count();
    for (place, line) in folded(paragraph, WIDTH.saturating_sub(blank))
        .iter()
        .enumerate()
    {
        let begin = if place == 0 { begin } else { "" };
        let line = format!("{begin:<blank$}{line}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
}
