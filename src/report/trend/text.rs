//! A trend on a terminal: the answer, the series as a row of bars, every change, and what
//! was left out.

use std::fmt::Write as _;

use super::wording::{answer, change, method, notes, subject};
use crate::analysis::trend::{LeftOut, Shown, Trend};
use crate::report::figures::utc;
use crate::units::counted;

/// Bars at most: the newest runs.
const BARS: usize = 90;
/// Runs that are named for each reason; `--json` has them all.
const NAMED: usize = 5;

/// The whole answer.
pub(crate) fn text(trend: &Trend) -> String {
    let mut text = format!("{}\n", answer(trend));
    let _ = writeln!(text, "\n  {}", subject(trend));
    if let (Some(first), Some(last)) = (trend.points.first(), trend.points.last()) {
        let _ = writeln!(
            text,
            "  {}, {} to {}",
            counted(trend.points.len() as u64, "run"),
            utc(first.started_wall_ms),
            utc(last.started_wall_ms)
        );
        let _ = writeln!(text, "\n  {}", bars(trend));
    }
    if trend.shown == Shown::Changed {
        text.push('\n');
    }
    for (place, found) in trend.changes.iter().enumerate() {
        let _ = writeln!(
            text,
            "  {}  {}; {} before it, {} from it on",
            place + 1,
            change(found, trend.unit),
            counted(found.runs_before as u64, "run"),
            found.runs_after
        );
        for beside in &found.beside {
            let _ = writeln!(text, "     new in this run: {beside}");
        }
    }
    left_out(&mut text, &trend.left_out);
    for note in notes(trend) {
        let _ = writeln!(text, "\n{note}");
    }
    let _ = writeln!(text, "\n{}", method(trend));
    text
}

/// A bar for each run, and a stroke before each that changed.
fn bars(trend: &Trend) -> String {
    let from = trend.points.len().saturating_sub(BARS);
    let shown = &trend.points[from..];
    let least = shown
        .iter()
        .map(|it| it.value)
        .fold(f64::INFINITY, f64::min);
    let most = shown
        .iter()
        .map(|it| it.value)
        .fold(f64::NEG_INFINITY, f64::max);
    let mut bars = String::new();
    for (place, point) in shown.iter().enumerate() {
        if trend.changes.iter().any(|it| it.index == from + place) {
            bars.push('│');
        }
        bars.push(bar(point.value, least, most));
    }
    bars
}

/// The bar of a value between the least and the most.
fn bar(value: f64, least: f64, most: f64) -> char {
    let bars = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let height = bars
        .iter()
        .enumerate()
        .rfind(|(place, _)| (value - least) * 8.0 >= *place as f64 * (most - least));
    match height {
        Some((_, bar)) if most > least => *bar,
        _ => '▄',
    }
}

/// The runs that are no points, by reason.
fn left_out(text: &mut String, left_out: &[LeftOut]) {
    if left_out.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "\nNot comparable, so left out: {}",
        counted(left_out.len() as u64, "run")
    );
    for left in left_out.iter().rev().take(NAMED) {
        let _ = writeln!(
            text,
            "  {}: {} ({})",
            left.run,
            left.reason,
            left.why.word()
        );
    }
    let more = left_out.len().saturating_sub(NAMED);
    if more > 0 {
        let _ = writeln!(text, "  and {more} older; --json names them all");
    }
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn a_bar_is_as_high_as_its_value() {
        assert_eq!(
            [1.0, 1.5, 2.0].map(|value| bar(value, 1.0, 2.0)),
            ['▁', '▅', '█']
        );
        assert_eq!(bar(1.0, 1.0, 1.0), '▄');
    }
}
