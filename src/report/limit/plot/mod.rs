//! The two pictures of a search, over one kind of axis: rates from zero on, so that
//! both can be compared. They need no script; what stands in them stands in a table too.

mod goodput;
mod returns;

use std::fmt::Write as _;

use super::wording::per_second;
use crate::analysis::limit::LimitVerdict;
use crate::report::drawing::{escaped, round_step};
use crate::report::figures::number;

pub(super) use goodput::{points, svg as goodput};
pub(super) use returns::svg as returns;

/// The height of a row of labels.
const ROW: f64 = 18.0;
/// Room at the right edge.
const MARGIN: f64 = 14.0;
/// The width of a letter in a label, of a font of 12 units: on the safe side.
const LETTER: f64 = 6.6;
/// Half of the size of a mark.
const HALF: f64 = 4.0;

/// A picture that is being drawn.
struct Picture {
    svg: String,
    width: f64,
    left: f64,
    right: f64,
    /// The highest rate that is shown.
    most_per_s: f64,
    /// How far labels reach from the top.
    top: f64,
}

/// A part of a picture, with an axis of its own upwards from zero.
#[derive(Clone, Copy)]
struct Panel {
    top: f64,
    bottom: f64,
    most: f64,
}

impl Panel {
    fn y(&self, value: f64) -> f64 {
        self.bottom - (value / self.most).clamp(0.0, 1.0) * (self.bottom - self.top)
    }
}

/// A rate that is marked by a line from top to bottom, and what it is called.
struct MarkedRate {
    rate_per_s: f64,
    class: &'static str,
    label: String,
}

impl Picture {
    /// An empty one, whose rates reach to the largest of these.
    fn new(width: f64, rates: impl Iterator<Item = f64>) -> Option<Self> {
        let most = rates.fold(0.0, f64::max);
        (most > 0.0).then(|| Self {
            svg: String::new(),
            width,
            left: 62.0_f64.min(width * 0.16),
            right: width - MARGIN,
            most_per_s: most * 1.06,
            top: 14.0,
        })
    }

    fn x(&self, rate: f64) -> f64 {
        self.left + (rate / self.most_per_s).clamp(0.0, 1.0) * (self.right - self.left)
    }

    /// Leaves room for a row with the label of each of these rates.
    fn room_for(&mut self, marks: &[MarkedRate]) {
        self.top += ROW * marks.len() as f64 + 4.0;
    }

    /// A line down to `bottom` for each of these rates, and then its label in a row of its
    /// own, so that no line crosses one.
    fn marked(&mut self, marks: &[MarkedRate], bottom: f64) {
        let first = self.top - 4.0 - ROW * marks.len() as f64;
        for (row, mark) in marks.iter().enumerate() {
            let x = self.x(mark.rate_per_s);
            let top = first + ROW * row as f64 + 4.0;
            self.line(mark.class, (x, top), (x, bottom));
        }
        for (row, mark) in marks.iter().enumerate() {
            let x = self.x(mark.rate_per_s);
            let y = first + ROW * (row + 1) as f64 - 5.0;
            let reaches = x + 4.0 + LETTER * mark.label.chars().count() as f64;
            let (anchor, x) = if reaches > self.width {
                ("end", x - 4.0)
            } else {
                ("start", x + 4.0)
            };
            self.text(x, y, anchor, mark.class, &mark.label);
        }
    }

    /// From one rate to another, over the whole height of a panel; at least wide enough
    /// to be seen.
    fn band(&mut self, class: &str, from: f64, to: f64, panel: Panel) {
        let (from, to) = (self.x(from), self.x(to));
        let _ = writeln!(
            self.svg,
            "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
            panel.top,
            (to - from).max(2.0),
            panel.bottom - panel.top
        );
    }

    /// Lines of a panel from left to right, with their values.
    fn grid(&mut self, panel: Panel, lines: f64, name: impl Fn(f64) -> String) {
        for value in ticks(panel.most, lines) {
            let y = panel.y(value);
            self.line("grid", (self.left, y), (self.right, y));
            self.text(self.left - 6.0, y + 4.0, "end", "tick", &name(value));
        }
    }

    /// The rates under the lowest panel.
    fn rates(&mut self, bottom: f64) {
        let lines = ((self.right - self.left) / 70.0).floor();
        for rate in ticks(self.most_per_s, lines) {
            let x = self.x(rate);
            self.line("grid", (x, bottom), (x, bottom + 4.0));
            self.text(x, bottom + 17.0, "middle", "tick", &number_short(rate));
        }
        let middle = f64::midpoint(self.left, self.right);
        self.text(
            middle,
            bottom + 34.0,
            "middle",
            "axis",
            "offered, operations per second",
        );
    }

    fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let _ = writeln!(
            self.svg,
            "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
            from.0, from.1, to.0, to.1
        );
    }

    fn text(&mut self, x: f64, y: f64, anchor: &str, class: &str, text: &str) {
        let _ = writeln!(
            self.svg,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>",
            escaped(text)
        );
    }

    /// An interval, upright.
    fn interval(&mut self, x: f64, (low, high): (f64, f64), panel: Panel) {
        let (low, high) = (panel.y(low), panel.y(high));
        self.line("interval", (x, low), (x, high));
        for y in [low, high] {
            self.line("interval", (x - 3.0, y), (x + 3.0, y));
        }
    }

    /// A point: a disc where it holds, a cross where it does not, a ring where it cannot
    /// be told; what it says where it is pointed at.
    fn mark(&mut self, at: (f64, f64), verdict: LimitVerdict, title: &str) {
        match verdict {
            LimitVerdict::Holds => self.dot("holds", at, title),
            LimitVerdict::DoesNot => self.cross(at, title),
            LimitVerdict::CannotTell => self.dot("unsure", at, title),
        }
    }

    fn dot(&mut self, class: &str, (x, y): (f64, f64), title: &str) {
        let _ = writeln!(
            self.svg,
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{HALF}\"><title>{}</title>\
             </circle>",
            escaped(title)
        );
    }

    fn cross(&mut self, (x, y): (f64, f64), title: &str) {
        let (left, top, size) = (x - HALF, y - HALF, 2.0 * HALF);
        let _ = writeln!(
            self.svg,
            "<path class=\"fails\" d=\"M{left:.1} {top:.1}l{size} {size}m0 -{size}l-{size} {size}\">\
             <title>{}</title></path>",
            escaped(title)
        );
    }

    /// All of it, so high.
    fn done(self, height: f64, about: &str) -> String {
        format!(
            "<svg class=\"picture\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0} \
             {height:.0}\" role=\"img\" aria-label=\"{about}\">\n{}</svg>\n",
            self.width, self.svg
        )
    }
}

/// Round values from zero up to the most, so many at most.
fn ticks(most: f64, lines: f64) -> impl Iterator<Item = f64> {
    let step = round_step(most / lines);
    (0..=100_u32)
        .map(move |line| f64::from(line) * step)
        .take_while(move |value| *value <= most)
}

/// A round number: `0`, `2.5`, `400`.
fn number_short(value: f64) -> String {
    let text = number(value);
    match text.split_once('.') {
        Some((whole, fraction)) if fraction.trim_end_matches('0').is_empty() => whole.to_owned(),
        Some((whole, fraction)) => format!("{whole}.{}", fraction.trim_end_matches('0')),
        None => text,
    }
}

/// A rate that a user named.
fn named_rate(rate: f64) -> MarkedRate {
    MarkedRate {
        rate_per_s: rate,
        class: "yours",
        label: format!("your rate: {}", per_second(rate)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_begin_at_zero_and_have_round_values() {
        let of = |most, lines| ticks(most, lines).map(number_short).collect::<Vec<_>>();
        assert_eq!(of(440.0, 5.0), ["0", "100", "200", "300", "400"]);
        assert_eq!(of(1.0, 2.0), ["0", "0.5", "1"]);
        assert_eq!(of(12_000.0, 3.0), ["0", "5,000", "10,000"]);
    }
}
