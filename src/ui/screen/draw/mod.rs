//! Screens: each a pure function of a board onto a frame, at any size.

mod letters;
mod load;
mod pen;
mod prompt;
mod run;

use ratatui::Frame;
use ratatui::layout::Rect;

use super::board::{Board, Tone};
use super::series::{Point, Sums, rate};
use crate::units::Nanos;
use pen::{Ink, Pen, columns, rows, wrap};

/// The least terminal that a screen is drawn on.
const LEAST: (u16, u16) = (80, 24);
/// Columns of the name of a figure.
const NAME: u16 = 14;
/// Columns of a figure.
const FIGURE: u16 = 10;

/// Draws a run, or a load on the user's server.
pub(super) fn draw(board: &Board, is_load: bool, frame: &mut Frame<'_>) {
    let area = frame.area();
    let mut pen = Pen {
        buffer: frame.buffer_mut(),
        color: board.color,
    };
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let text = format!(
            "The screen needs {} × {} characters, and this terminal has {} × {}. The run goes on.",
            LEAST.0, LEAST.1, area.width, area.height
        );
        pen.wrapped(area, 0, &text, Ink::Plain);
        return;
    }
    if is_load {
        load::draw(board, area, &mut pen);
    } else {
        run::draw(board, area, &mut pen);
    }
    prompt::draw(board, area, &mut pen);
}

/// A figure with its name, its sparkline and its last value.
struct Row<'a> {
    name: &'a str,
    points: Vec<Option<Point>>,
    /// What fills the sparkline's height; none: the highest of them.
    most: Option<f64>,
    value: String,
    ink: Ink,
}

/// Draws a figure over so many rows.
fn figure(pen: &mut Pen<'_>, area: Rect, row: u16, height: u16, of: &Row<'_>) {
    let own = rows(area, row, height);
    let last = own.height.saturating_sub(1);
    pen.text(own, (1, last), of.name, Ink::Plain);
    pen.right(own, last, &of.value, Ink::Bold);
    let chart = columns(own, NAME, chart_width(area));
    let highest = of.points.iter().flatten().map(|point| point.value);
    let most = of.most.unwrap_or_else(|| highest.fold(0.0, f64::max));
    pen.spark(chart, &of.points, most, of.ink);
}

/// Columns of a sparkline in an area.
const fn chart_width(area: Rect) -> u16 {
    area.width.saturating_sub(NAME + FIGURE)
}

/// A heading, with something at its end.
fn heading(pen: &mut Pen<'_>, area: Rect, row: u16, text: &str, end: &str) {
    let bar = rows(area, row, 1);
    for column in 0..bar.width {
        pen.text(bar, (column, 0), "─", Ink::Pale);
    }
    pen.text(bar, (0, 0), &format!("{text} "), Ink::Bold);
    if !end.is_empty() {
        pen.right(bar, 0, &format!(" {end}"), Ink::Pale);
    }
}

/// Points of a figure of every column.
fn points(
    sums: &[Option<Sums>],
    settles: bool,
    figure: impl Fn(&Sums) -> Option<f64>,
) -> Vec<Option<Point>> {
    let point = |sums: &Option<Sums>| {
        let sums = sums.as_ref()?;
        Some(Point {
            value: figure(sums)?,
            settled: !settles || sums.is_settled(),
        })
    };
    sums.iter().map(point).collect()
}

/// The rows on users, which begin every screen; returns the row after them.
fn users(board: &Board, pen: &mut Pen<'_>, area: Rect, row: u16, height: u16) -> u16 {
    let series = &board.series;
    let sums = series.columns(board.time(), chart_width(area), board.span());
    let last = series.last(board.time());
    let per = |sums: &Sums, count| rate(series, sums, count);
    let time = |time: Option<Nanos>| time.map(Nanos::as_millis_f64);
    let offered = points(&sums, false, |it| per(it, it.due));
    let most = offered
        .iter()
        .flatten()
        .map(|it| it.value)
        .fold(0.0, f64::max);
    let bad = last.error_share().is_some_and(|share| share > 0.01);
    let figures = [
        Row {
            name: "offered",
            value: pen::per_second(per(&last, last.due)),
            points: offered,
            most: Some(most),
            ink: Ink::Plain,
        },
        Row {
            name: "goodput",
            value: pen::per_second(per(&last, last.good())),
            points: points(&sums, true, |it| per(it, it.good())),
            // On the scale of what was offered, so that the two compare.
            most: Some(most),
            ink: Ink::Live,
        },
        Row {
            name: "errors",
            value: pen::percent(last.error_share()),
            points: points(&sums, true, Sums::error_share),
            most: Some(1.0),
            ink: if bad { Ink::Bad } else { Ink::Gone },
        },
        Row {
            name: "p50",
            value: pen::millis(last.p50),
            points: points(&sums, true, |it| time(it.p50)),
            most: None,
            ink: Ink::Plain,
        },
        Row {
            name: "p99",
            value: pen::millis(last.p99),
            points: points(&sums, true, |it| time(it.p99)),
            most: None,
            ink: Ink::Warning,
        },
    ];
    let mut row = row;
    for of in &figures {
        figure(pen, area, row, height, of);
        row += height;
    }
    row
}

/// The last events, the newest at the bottom.
fn events(board: &Board, pen: &mut Pen<'_>, area: Rect) {
    const TIME: u16 = 7;
    let width = area.width.saturating_sub(TIME + 1);
    let mut bottom = area.height;
    for line in board.lines.iter().rev() {
        let mut lines = wrap(&line.text, width);
        // The first words say what it is; the report has it whole.
        lines.truncate(if area.height > 12 { 3 } else { 2 });
        let count = u16::try_from(lines.len()).unwrap_or(1);
        let Some(top) = bottom.checked_sub(count) else {
            break;
        };
        let ink = match line.tone {
            Tone::Plain => Ink::Plain,
            Tone::Good => Ink::Good,
            Tone::Bad => Ink::Bad,
            Tone::Warning => Ink::Warning,
        };
        pen.text(
            area,
            (0, top),
            &format!("{:>6.1}", line.at.as_secs_f64()),
            Ink::Pale,
        );
        for (row, text) in (top..).zip(&lines) {
            pen.text(area, (TIME, row), text, ink);
        }
        bottom = top;
    }
}

/// The machine and the generator, in one row.
fn machine(board: &Board, pen: &mut Pen<'_>, area: Rect, row: u16) {
    let last = board.series.last(board.time());
    let (cpu, threads) = last.generator;
    let span = board.series.seconds(last.buckets) * threads as f64 * 1e9;
    let generator = (span > 0.0).then(|| cpu as f64 / span);
    let mut column = 1;
    for (name, value, bad) in [
        (
            "machine",
            pen::percent(last.machine_share()),
            last.machine_share().is_some_and(|share| share > 0.9),
        ),
        ("generator", pen::percent(generator), false),
        ("lag p99", pen::millis(last.send_lag), false),
    ] {
        column = pen.text(area, (column, row), &format!("{name} "), Ink::Plain);
        let ink = if bad { Ink::Bad } else { Ink::Bold };
        column = pen.text(area, (column, row), &value, ink) + 1;
    }
}
