//! The screen of a load on the user's server: how far it is, what users get, where their
//! times lie, why attempts failed, and whether the generator kept up.

use ratatui::layout::Rect;

use super::pen::{Ink, Pen, columns, grouped, millis, percent, rows};
use super::{events, heading, machine, users};
use crate::ui::screen::board::Board;
use crate::ui::screen::series::Sums;
use crate::units::Nanos;

/// What the spectrum has, and its names.
const QUANTILES: [(&str, f64); 6] = [
    ("p50", 0.5),
    ("p75", 0.75),
    ("p90", 0.9),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("p99.99", 0.9999),
];

pub(super) fn draw(board: &Board, area: Rect, pen: &mut Pen<'_>) {
    title(board, pen, rows(area, 0, 2));
    let body = rows(area, 2, area.height.saturating_sub(3));
    let left = (area.width * 11 / 20).max(46);
    let own = columns(body, 0, left);
    let more = own.height.saturating_sub(20);
    heading(
        pen,
        own,
        0,
        "users",
        "by intended start; pale: not all ended",
    );
    let row = users(board, pen, own, 1, 1 + u16::from(more >= 5));
    heading(
        pen,
        own,
        row,
        "response times so far",
        "of successes, log scale",
    );
    let row = spectrum(board, pen, own, row + 1);
    heading(pen, own, row, "generator", "");
    machine(board, pen, own, row + 1);
    connections(board, pen, own, row + 2);
    let right = columns(body, left + 1, area.width);
    let row = failures(board, pen, rows(right, 0, right.height / 2));
    heading(pen, right, row, "events", "");
    events(board, pen, rows(right, row + 1, right.height));
}

/// Of how much of the load is done, as far as that is known: by its time, or where the
/// operations are counted by those.
fn progress(board: &Board, all: &Sums) -> f64 {
    let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 1.0 };
    let by_time = share(board.time().as_secs_f64(), board.plan.end.as_secs_f64());
    let wanted = board.plan.load.drive.operations;
    let by_count = wanted.map_or(0.0, |wanted| share(all.due as f64, wanted as f64));
    by_time.max(by_count).min(1.0)
}

fn title(board: &Board, pen: &mut Pen<'_>, area: Rect) {
    let bar = rows(area, 0, 1);
    pen.clear(bar, Ink::Bar);
    let time = format!(
        "{:.1} of {:.1} s ",
        board.time().min(board.plan.end).as_secs_f64(),
        board.plan.end.as_secs_f64()
    );
    pen.text(
        bar,
        (0, 0),
        &format!(" load {}", board.plan.title),
        Ink::Bar,
    );
    pen.right(bar, 0, &format!("  {time}"), Ink::Bar);
    let all = board.series.between(0, u64::MAX);
    let done = progress(board, &all);
    let width = area.width.saturating_sub(14);
    pen.bar(area, (1, 1), width, done, Ink::Live);
    let word = if board.interrupted {
        "ending".to_owned()
    } else {
        percent(Some(done))
    };
    pen.right(rows(area, 1, 1), 0, &format!("{word} "), Ink::Bold);
}

fn spectrum(board: &Board, pen: &mut Pen<'_>, area: Rect, mut row: u16) -> u16 {
    let times = &board.series.response;
    let (least, most) = (times.quantile(0.0), times.max());
    let named = QUANTILES.map(|(name, quantile)| (name, times.told_quantile(quantile)));
    for (name, time) in named.into_iter().chain([("max", most)]) {
        pen.text(area, (1, row), name, Ink::Plain);
        pen.right(rows(area, row, 1), 0, &millis(time), Ink::Bold);
        if let (Some(time), Some(least), Some(most)) = (time, least, most) {
            let share = on_a_log_scale(time, least, most);
            pen.bar(
                area,
                (super::NAME, row),
                super::chart_width(area),
                share,
                Ink::Live,
            );
        }
        row += 1;
    }
    row
}

/// Where a time lies between half of the least and the most.
fn on_a_log_scale(time: Nanos, least: Nanos, most: Nanos) -> f64 {
    let log = |time: Nanos| (time.0.max(1) as f64).ln();
    let from = log(Nanos(least.0 / 2));
    let span = log(most) - from;
    if span > 0.0 {
        (log(time) - from) / span
    } else {
        1.0
    }
}

fn connections(board: &Board, pen: &mut Pen<'_>, area: Rect, row: u16) {
    let last = board.series.last(board.time());
    let text = format!(
        "connections {}  most waiting for one {}",
        grouped(last.connections),
        grouped(last.backlog)
    );
    let ink = if last.backlog > 0 {
        Ink::Warning
    } else {
        Ink::Plain
    };
    pen.text(area, (1, row), &text, ink);
}

/// Users' failed attempts by cause, the most frequent first; returns the rows.
fn failures(board: &Board, pen: &mut Pen<'_>, area: Rect) -> u16 {
    let mut causes: Vec<_> = board.failures.iter().collect();
    causes.sort_by_key(|(cause, count)| (std::cmp::Reverse(*count), cause.word()));
    let all: u64 = causes.iter().map(|(_, count)| count).sum();
    heading(pen, area, 0, "failed attempts by cause", &grouped(all));
    if causes.is_empty() {
        pen.text(area, (1, 1), "none so far", Ink::Pale);
        return 2.min(area.height);
    }
    let mut row = 1;
    for (cause, count) in causes {
        if row >= area.height {
            break;
        }
        let line = rows(area, row, 1);
        let count = format!(" {}", grouped(count));
        let room = u16::try_from(count.chars().count()).unwrap_or(0);
        let name = columns(line, 0, line.width.saturating_sub(room));
        pen.text(name, (1, 0), cause.clause(), Ink::Plain);
        pen.right(line, 0, &count, Ink::Bad);
        row += 1;
    }
    row
}
