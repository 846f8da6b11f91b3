//! The series as a drawing: a point for each run in the order of time, the mean between
//! two changes, and a mark at each change.
//!
//! Runs are drawn at equal distances, since their order is what counts: nights and
//! weekends without runs would leave nothing to see. The drawing needs no script.

use std::fmt::Write as _;

use super::wording::{signed, value};
use crate::analysis::trend::{Change, Effect, Trend};
use crate::report::drawing::{escaped, round_step};
use crate::report::figures::utc;

/// Points that are drawn one by one; of more there is the line alone.
const POINTS_MAX: usize = 1_000;
/// Lines of the grid at most.
const LINES: f64 = 6.0;
/// The height of a row of marks.
const ROW: f64 = 22.0;
/// Room at the right edge.
const MARGIN: f64 = 12.0;
/// From a mark to its label, and the width of a letter in it.
const LABEL: f64 = 13.0;
const LETTER: f64 = 7.5;
/// Rows of marks at most.
const ROWS: usize = 6;

/// Where the points are drawn.
struct Area {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    least: f64,
    most: f64,
    last: f64,
}

impl Area {
    /// Horizontally: the middle of the room that a point has.
    fn x(&self, place: f64) -> f64 {
        self.left + (place + 0.5) * (self.right - self.left) / (self.last + 1.0)
    }

    fn y(&self, value: f64) -> f64 {
        self.bottom - (value - self.least) / (self.most - self.least) * (self.bottom - self.top)
    }
}

/// A mark above the drawing, at a change.
struct Mark {
    x: f64,
    row: usize,
    /// Whether its label stands to its left, where there is no room to its right.
    leftward: bool,
}

/// The drawing, so many units wide; none without points.
pub(super) fn svg(trend: &Trend, width: f64) -> String {
    let (left, right) = (64.0_f64.min(width * 0.15), width - MARGIN);
    let spread = range(trend);
    let mut area = Area {
        left,
        right,
        top: 0.0,
        bottom: 0.0,
        least: spread.0,
        most: spread.1,
        last: trend.points.len().saturating_sub(1) as f64,
    };
    let marks = marks(trend, &area);
    let rows = marks.iter().map(|mark| mark.row + 1).max().unwrap_or(0);
    area.top = 10.0 + ROW * rows as f64;
    area.bottom = area.top + 240.0;
    let height = area.bottom + 30.0;
    let mut svg = format!(
        "<svg class=\"series\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} \
         {height:.0}\" role=\"img\" aria-label=\"the figure of each run\">\n"
    );
    grid(&mut svg, trend, &area);
    stretches(&mut svg, trend, &area);
    points(&mut svg, trend, &area);
    for ((place, change), mark) in trend.changes.iter().enumerate().zip(&marks) {
        draw(&mut svg, place + 1, change, mark, &area);
    }
    dates(&mut svg, trend, &area);
    svg.push_str("</svg>\n");
    svg
}

/// How a change looks.
pub(super) const fn class(effect: Effect) -> &'static str {
    match effect {
        Effect::Worse => "worse",
        Effect::Better => "better",
        Effect::Neither => "neither",
    }
}

/// The values that the drawing shows: those of the runs, and some room.
fn range(trend: &Trend) -> (f64, f64) {
    let values = || trend.points.iter().map(|point| point.value);
    let (least, most) = (
        values().fold(f64::INFINITY, f64::min),
        values().fold(f64::NEG_INFINITY, f64::max),
    );
    if !least.is_finite() {
        return (0.0, 1.0);
    }
    let room = match (most - least) * 0.08 {
        0.0 if most == 0.0 => 1.0,
        0.0 => most.abs() * 0.1,
        room => room,
    };
    // A figure that is never below zero is not drawn below it.
    let floor = if least >= 0.0 { 0.0 } else { f64::NEG_INFINITY };
    ((least - room).max(floor), most + room)
}

/// The marks, each in the lowest row in which it covers no other.
fn marks(trend: &Trend, area: &Area) -> Vec<Mark> {
    let mut ends = [f64::NEG_INFINITY; ROWS];
    let mark = |change: &Change| {
        let x = area.x(change.index as f64 - 0.5);
        let label = LABEL + LETTER * signed(change.change).chars().count() as f64;
        let leftward = x + label > area.right + MARGIN;
        let (from, to) = if leftward {
            (x - label, x + LABEL)
        } else {
            (x - LABEL, x + label)
        };
        let row = ends.iter().position(|end| from > *end).unwrap_or(0);
        ends[row] = to;
        Mark { x, row, leftward }
    };
    trend.changes.iter().map(mark).collect()
}

fn draw(svg: &mut String, number: usize, change: &Change, mark: &Mark, area: &Area) {
    let class = class(change.effect);
    let (x, y) = (mark.x, 14.0 + ROW * mark.row as f64);
    let (anchor, label) = if mark.leftward {
        ("end", x - LABEL)
    } else {
        ("start", x + LABEL)
    };
    let _ = writeln!(
        svg,
        "<line class=\"change {class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>\
         <circle class=\"number {class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"9\"/>\
         <text class=\"number\" x=\"{x:.1}\" y=\"{:.1}\">{number}</text>\
         <text class=\"size {class}\" text-anchor=\"{anchor}\" x=\"{label:.1}\" y=\"{:.1}\">{}</text>",
        y + 9.0,
        area.bottom,
        y + 4.0,
        y + 4.0,
        signed(change.change)
    );
}

fn grid(svg: &mut String, trend: &Trend, area: &Area) {
    let step = round_step((area.most - area.least) / LINES);
    let first = (area.least / step).ceil();
    for line in 0..=20 {
        let at = (first + f64::from(line)) * step;
        if at > area.most {
            break;
        }
        let y = area.y(at);
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            area.left,
            area.right,
            area.left - 6.0,
            y + 4.0,
            value(at, trend.unit)
        );
    }
}

/// Between two changes: the mean.
fn stretches(svg: &mut String, trend: &Trend, area: &Area) {
    let mut from = 0.0;
    let mut line = |to: f64, mean: f64| {
        let y = area.y(mean);
        let _ = writeln!(
            svg,
            "<line class=\"mean\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>",
            area.x(from - 0.5),
            area.x(to - 0.5)
        );
        from = to;
    };
    for change in &trend.changes {
        line(change.index as f64, change.mean_before);
    }
    if let Some(last) = trend.changes.last() {
        line(trend.points.len() as f64, last.mean_after);
    }
}

fn points(svg: &mut String, trend: &Trend, area: &Area) {
    let places = trend.points.iter().enumerate();
    let places = places.map(|(place, point)| (area.x(place as f64), area.y(point.value), point));
    svg.push_str("<polyline class=\"values\" points=\"");
    for (x, y, _) in places.clone() {
        let _ = write!(svg, "{x:.1},{y:.1} ");
    }
    svg.push_str("\"/>\n");
    if trend.points.len() > POINTS_MAX {
        return;
    }
    for (x, y, point) in places {
        let _ = writeln!(
            svg,
            "<circle class=\"value\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"><title>{}: {}, {}\
             </title></circle>",
            escaped(&point.run),
            value(point.value, trend.unit),
            utc(point.started_wall_ms)
        );
    }
}

/// When the first and the last run were started.
fn dates(svg: &mut String, trend: &Trend, area: &Area) {
    let [Some(first), Some(last)] = [trend.points.first(), trend.points.last()] else {
        return;
    };
    let day = |at: u64| utc(at).chars().take(10).collect::<String>();
    let y = area.bottom + 20.0;
    let _ = writeln!(
        svg,
        "<text class=\"date\" x=\"{:.1}\" y=\"{y:.1}\">{}</text>\
         <text class=\"date last\" x=\"{:.1}\" y=\"{y:.1}\">{}</text>",
        area.left,
        day(first.started_wall_ms),
        area.right,
        day(last.started_wall_ms)
    );
}
