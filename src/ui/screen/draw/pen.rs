//! What screens are drawn with: text, sparklines, bars and big letters, each cut at the
//! edge of its place, so that no size of a terminal is too small to draw on.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use super::letters;
use crate::record::printable;
use crate::ui::screen::series::{Point, level};
use crate::units::whole;

const EIGHTHS_UP: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const EIGHTHS_RIGHT: [&str; 9] = [" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"];

/// What something is drawn as; colours only where there are any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Plain,
    Pale,
    Bold,
    Good,
    Warning,
    Bad,
    Live,
    Gone,
    Detached,
    Cold,
    Probes,
    Bar,
}

/// A buffer and how it is drawn on.
pub(super) struct Pen<'a> {
    pub buffer: &'a mut Buffer,
    pub color: bool,
}

impl Pen<'_> {
    /// The style of an ink.
    pub(super) fn style(&self, ink: Ink) -> Style {
        let plain = Style::new();
        let colored = |color: Color| if self.color { plain.fg(color) } else { plain };
        match ink {
            Ink::Plain => plain,
            Ink::Pale => plain.add_modifier(Modifier::DIM),
            Ink::Bold => plain.add_modifier(Modifier::BOLD),
            Ink::Good => colored(Color::Green).add_modifier(Modifier::BOLD),
            Ink::Warning => colored(Color::Yellow).add_modifier(Modifier::BOLD),
            Ink::Bad => colored(Color::Red).add_modifier(Modifier::BOLD),
            Ink::Live => colored(Color::Green),
            Ink::Gone => colored(Color::Red),
            Ink::Detached => colored(Color::Magenta),
            Ink::Cold => colored(Color::Blue),
            Ink::Probes => colored(Color::Yellow),
            Ink::Bar => plain.add_modifier(Modifier::REVERSED),
        }
    }

    /// Writes text in a row of an area from a column on, and returns the column after it.
    pub(super) fn text(
        &mut self,
        area: Rect,
        (column, row): (u16, u16),
        text: &str,
        ink: Ink,
    ) -> u16 {
        let area = area.intersection(self.buffer.area);
        if column >= area.width || row >= area.height {
            return column;
        }
        let style = self.style(ink);
        let (x, y) = (area.x + column, area.y + row);
        let room = usize::from(area.width - column);
        let (end, _) = self.buffer.set_stringn(x, y, printable(text), room, style);
        end - area.x
    }

    /// Writes text that ends at the right edge of an area.
    pub(super) fn right(&mut self, area: Rect, row: u16, text: &str, ink: Ink) {
        let width = u16::try_from(text.chars().count()).unwrap_or(u16::MAX);
        self.text(area, (area.width.saturating_sub(width), row), text, ink);
    }

    /// Writes text over several rows between words; returns how many it took.
    pub(super) fn wrapped(&mut self, area: Rect, row: u16, text: &str, ink: Ink) -> u16 {
        let lines = wrap(text, area.width);
        let mut next = row;
        for line in lines {
            if next >= area.height {
                break;
            }
            self.text(area, (0, next), &line, ink);
            next += 1;
        }
        next - row
    }

    /// One cell; nothing outside of the area.
    fn cell(&mut self, area: Rect, (column, row): (u16, u16), symbol: &str, ink: Ink) {
        let style = self.style(ink);
        if column >= area.width || row >= area.height {
            return;
        }
        if let Some(cell) = self.buffer.cell_mut((area.x + column, area.y + row)) {
            cell.set_symbol(symbol).set_style(style);
        }
    }

    /// A sparkline that fills an area from the left; what is not settled is pale.
    pub(super) fn spark(&mut self, area: Rect, points: &[Option<Point>], most: f64, ink: Ink) {
        let levels = u64::from(area.height) * 8;
        for (column, point) in (0..area.width).zip(points) {
            let Some(point) = point else { continue };
            let ink = if point.settled { ink } else { Ink::Pale };
            // Nothing is a thin line, so that it differs from what is not known.
            let height = level(point.value, most, levels).max(1);
            for up in 0..area.height {
                let filled = height.saturating_sub(u64::from(up) * 8).min(8);
                let symbol = EIGHTHS_UP[usize::try_from(filled).unwrap_or(0)];
                if filled > 0 {
                    self.cell(area, (column, area.height - 1 - up), symbol, ink);
                }
            }
        }
    }

    /// A bar of so many columns at most, for a share of 1.
    pub(super) fn bar(
        &mut self,
        area: Rect,
        (column, row): (u16, u16),
        width: u16,
        share: f64,
        ink: Ink,
    ) {
        let eighths = level(share.clamp(0.0, 1.0), 1.0, u64::from(width) * 8);
        for step in 0..width {
            let filled = eighths.saturating_sub(u64::from(step) * 8).min(8);
            let (symbol, ink) = if filled == 0 {
                ("·", Ink::Pale)
            } else {
                (EIGHTHS_RIGHT[usize::try_from(filled).unwrap_or(0)], ink)
            };
            self.cell(area, (column.saturating_add(step), row), symbol, ink);
        }
    }

    /// A word in letters of three rows, or where `tall` of five; returns the columns it takes.
    pub(super) fn word(&mut self, area: Rect, word: &str, tall: bool, ink: Ink) -> u16 {
        let mut column = 1;
        for letter in word.chars() {
            let glyph = letters::glyph(letter);
            column = if tall {
                self.tall(area, column, glyph, ink)
            } else {
                self.low(area, column, glyph, ink)
            };
        }
        column
    }

    /// A letter of three rows: two pixels on top of each other in each cell.
    fn low(&mut self, area: Rect, column: u16, glyph: letters::Glyph, ink: Ink) -> u16 {
        for row in 0..3_u16 {
            for x in 0..letters::WIDTH {
                let upper = letters::is_set(glyph, x, 2 * row);
                let lower = letters::is_set(glyph, x, 2 * row + 1);
                let symbol = match (upper, lower) {
                    (true, true) => "█",
                    (true, false) => "▀",
                    (false, true) => "▄",
                    (false, false) => continue,
                };
                self.cell(area, (column + x, row), symbol, ink);
            }
        }
        column + letters::WIDTH + 1
    }

    /// A letter of five rows: each pixel is two cells wide.
    fn tall(&mut self, area: Rect, column: u16, glyph: letters::Glyph, ink: Ink) -> u16 {
        for row in 0..letters::HEIGHT {
            for x in (0..letters::WIDTH).filter(|x| letters::is_set(glyph, *x, row)) {
                self.cell(area, (column + 2 * x, row), "█", ink);
                self.cell(area, (column + 2 * x + 1, row), "█", ink);
            }
        }
        column + 2 * letters::WIDTH + 2
    }

    /// Fills an area with one ink and no text.
    pub(super) fn clear(&mut self, area: Rect, ink: Ink) {
        let style = self.style(ink);
        let area = area.intersection(self.buffer.area);
        for y in area.top()..area.bottom() {
            for x in area.left()..area.right() {
                if let Some(cell) = self.buffer.cell_mut((x, y)) {
                    cell.reset();
                    cell.set_style(style);
                }
            }
        }
    }
}

/// The rows of an area from one on, at most so many.
pub(super) const fn rows(area: Rect, from: u16, count: u16) -> Rect {
    let from = if from < area.height {
        from
    } else {
        area.height
    };
    let left = area.height - from;
    Rect {
        x: area.x,
        y: area.y + from,
        width: area.width,
        height: if count < left { count } else { left },
    }
}

/// The columns of an area from one on, at most so many.
pub(super) const fn columns(area: Rect, from: u16, count: u16) -> Rect {
    let from = if from < area.width { from } else { area.width };
    let left = area.width - from;
    Rect {
        x: area.x + from,
        y: area.y,
        width: if count < left { count } else { left },
        height: area.height,
    }
}

/// Lines of at most so many characters, broken between words where that is possible.
pub(super) fn wrap(text: &str, width: u16) -> Vec<String> {
    let width = usize::from(width).max(1);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        if used > 0 && used + 1 + word.len() > width {
            lines.push(String::new());
            used = 0;
        }
        while used == 0 && word.len() > width {
            let rest = word.split_off(width);
            let part: String = word.into_iter().collect();
            if let Some(line) = lines.last_mut() {
                line.push_str(&part);
            }
            lines.push(String::new());
            word = rest;
        }
        if let Some(line) = lines.last_mut() {
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            used += word.len();
            line.extend(word);
        }
    }
    lines
}

/// A share in percent, for a reader.
pub(super) fn percent(share: Option<f64>) -> String {
    match share {
        None => "–".into(),
        Some(share) if share > 0.0 && share < 0.1 => format!("{:.1} %", share * 100.0),
        Some(share) => format!("{:.0} %", share * 100.0),
    }
}

/// A rate per second, likewise.
pub(super) fn per_second(rate: Option<f64>) -> String {
    match rate {
        None => "–".into(),
        Some(rate) if rate > 0.0 && rate < 10.0 => format!("{rate:.1}/s"),
        Some(rate) => format!("{}/s", grouped(whole(rate.round()))),
    }
}

/// A duration, likewise.
pub(super) fn millis(time: Option<crate::units::Nanos>) -> String {
    let Some(time) = time else {
        return "–".into();
    };
    let ms = time.as_millis_f64();
    if ms < 10.0 {
        format!("{ms:.2} ms")
    } else if ms < 10_000.0 {
        format!("{ms:.0} ms")
    } else {
        format!("{:.1} s", ms / 1e3)
    }
}

/// A count with its thousands apart.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_between_words_and_within_long_ones() {
        for (text, width, lines) in [
            ("a bb ccc", 4, vec!["a bb", "ccc"]),
            ("abcdefgh i", 3, vec!["abc", "def", "gh", "i"]),
            ("abcdef", 3, vec!["abc", "def"]),
            ("", 3, vec![""]),
            ("ab", 0, vec!["a", "b"]),
        ] {
            assert_eq!(wrap(text, width), lines, "{text} at {width}");
        }
    }

    #[test]
    fn figures_are_for_readers() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(123), "123");
        assert_eq!(percent(Some(0.004)), "0.4 %");
        assert_eq!(percent(Some(0.456)), "46 %");
        assert_eq!(per_second(Some(0.25)), "0.2/s");
        assert_eq!(per_second(Some(30_000.4)), "30,000/s");
    }

    #[test]
    fn nothing_that_steers_a_terminal_is_drawn() {
        let area = Rect::new(0, 0, 40, 2);
        let mut buffer = Buffer::empty(area);
        let mut pen = Pen {
            buffer: &mut buffer,
            color: false,
        };
        pen.text(area, (0, 0), "\u{1b}[31mred\u{7}\u{202e}", Ink::Plain);
        pen.wrapped(area, 1, "\u{9b}2J", Ink::Plain);
        let all: String = buffer
            .content()
            .iter()
            .map(ratatui::buffer::Cell::symbol)
            .collect();
        assert!(!all.chars().any(char::is_control) && !all.contains('\u{202e}'));
        assert!(all.contains("\\u{1b}[31mred"));
    }
}
