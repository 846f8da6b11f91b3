//! The answer for a terminal, at the end of a run.
//!
//! At most 120 columns wide and readable without colour: colour repeats what
//! the words say. Whether there is colour is the caller's to know, who sees
//! `NO_COLOR` and whether there is a terminal.

use std::fmt::Write as _;
use std::path::Path;

use super::answer::{
    self, conservation_line, exhaustion_by_instance, expectation_named, expectation_required,
    expectation_sign, incident_line, measurement_line, verdict_reason, verdict_word,
};
use super::facts;
use super::figures::words;
use super::incidents;
use super::moments::{Moment, Sort, moments};
use super::observed::{self, Table};
use super::phase_table::{self, COLUMNS};
use crate::analysis::{Findings, Verdict};
use crate::record::{Record, printable};

/// Columns at most, where texts of the scenario's own do not need more.
pub(super) const WIDTH: usize = 120;
/// A phase's name keeps at least so many columns.
const NAME_MIN: usize = 10;
/// The place of the queue wait among [`COLUMNS`].
const QUEUE_WAIT: usize = 12;

/// The answer as text; `directory` is where the report's files lie.
pub fn render(
    record: &Record,
    findings: &Findings,
    directory: Option<&Path>,
    colour: bool,
) -> String {
    let paint = Paint(colour);
    let mut text = String::new();
    head(&mut text, findings, paint);
    figures(&mut text, findings, paint);
    let tables = observed::tables(findings);
    // How many incidents there were comes before the words about one of them.
    let (incidents, observed): (Vec<_>, Vec<_>) = tables
        .into_iter()
        .partition(|table| table.title == incidents::TITLE);
    self::tables(&mut text, incidents, paint);
    list(&mut text, "Findings", &findings.sentences, paint);
    phases(&mut text, findings, paint);
    self::tables(&mut text, observed, paint);
    clock(&mut text, &moments(record, findings), paint);
    exhaustion(&mut text, findings, paint);
    expectations(&mut text, findings, paint);
    measurement(&mut text, findings, paint);
    if !findings.command.is_empty() {
        heading(&mut text, "Again", paint);
        let _ = writeln!(text, "  {}", printable(&findings.command));
    }
    if let Some(directory) = directory {
        let path = directory.join("report.html").display().to_string();
        let _ = writeln!(text, "\nReport: {}", printable(&path));
    }
    text
}

/// The verdict alone, in one line.
pub fn verdict(findings: &Findings) -> String {
    let word = verdict_word(findings).to_uppercase();
    format!("{word}  {}\n", verdict_reason(findings))
}

fn head(text: &mut String, findings: &Findings, paint: Paint) {
    let title = printable(&findings.title);
    let _ = writeln!(text, "{}", paint.bold(&title));
    if findings.variant.is_some() {
        wrapped(text, "", &facts::claim(findings), str::to_owned);
    }
    for banner in answer::banners(findings) {
        wrapped(text, "!! ", &banner, |line| paint.yellow(line));
    }
    let word = verdict_word(findings).to_uppercase();
    let word = match findings.verdict {
        Verdict::Passed => paint.green(&word),
        Verdict::Failed => paint.red(&word),
        Verdict::Invalid => paint.yellow(&word),
    };
    let _ = writeln!(text, "{word}  {}", verdict_reason(findings));
    let _ = writeln!(text, "Incident: {}", incident_line(findings));
}

fn figures(text: &mut String, findings: &Findings, paint: Paint) {
    text.push('\n');
    for (index, figure) in answer::spans(findings).iter().enumerate() {
        let value = format!("{:>18}", figure.value);
        let value = if index == 0 {
            paint.bold(&value)
        } else {
            value
        };
        let line = format!("  {:<31}{value}  {}", figure.label, paint.dim(&figure.note));
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

fn phases(text: &mut String, findings: &Findings, paint: Paint) {
    if findings.phases.is_empty() {
        return;
    }
    heading(text, "Phases", paint);
    let mut rows = vec![
        COLUMNS.map(|(above, ..)| above.to_owned()).to_vec(),
        COLUMNS.map(|(_, below, _)| below.to_owned()).to_vec(),
    ];
    rows.extend(
        findings
            .phases
            .iter()
            .map(|phase| phase_table::cells(phase).to_vec()),
    );
    for row in &mut rows {
        // The page has it; here the names of the phases need the room more.
        row.remove(QUEUE_WAIT);
    }
    table(text, rows, 1, 2, paint);
}

/// Rows below each other: so many texts to the left, cut where the terminal is too
/// narrow, then figures to the right; the first so many are headings.
pub(super) fn table(
    text: &mut String,
    mut rows: Vec<Vec<String>>,
    texts: usize,
    headings: usize,
    paint: Paint,
) {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |rows: &[Vec<String>], column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let taken: usize = (texts..columns)
        .map(|column| width(&rows, column) + 1)
        .sum();
    let room = WIDTH.saturating_sub(taken + 1) / texts;
    for row in &mut rows {
        for cell in &mut row[..texts] {
            *cell = fitted(cell, room.saturating_sub(1).max(NAME_MIN));
        }
    }
    let widths: Vec<usize> = (0..columns).map(|column| width(&rows, column)).collect();
    for (index, row) in rows.iter().enumerate() {
        let mut line = String::from(" ");
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = if column < texts {
                write!(line, " {cell:<width$}")
            } else {
                write!(line, " {cell:>width$}")
            };
        }
        let mut line = line.trim_end().to_owned();
        if index < headings {
            line = paint.dim(&line);
        }
        let _ = writeln!(text, "{line}");
    }
}

fn clock(text: &mut String, moments: &[Moment], paint: Paint) {
    if moments.is_empty() {
        return;
    }
    heading(text, "Incident clock", paint);
    let what_width = moments
        .iter()
        .map(|moment| moment.what.chars().count())
        .max()
        .unwrap_or(0)
        .min(52);
    for moment in moments {
        let story = moment.story.as_deref().unwrap_or_default();
        let indent = format!("  {:>6.1} s  {story:<5}  ", moment.at_s);
        let what = format!("{:<what_width$}", fitted(&moment.what, what_width));
        let what = match moment.sort {
            Sort::Refused(_) | Sort::Impact | Sort::Trouble => paint.red(&what),
            Sort::Recovery => paint.green(&what),
            Sort::Alert => paint.yellow(&what),
            Sort::Done(_) | Sort::Ended | Sort::Said => what,
        };
        let room = WIDTH.saturating_sub(indent.chars().count() + what_width + 2);
        let mut lines = folded(&moment.detail, room).into_iter();
        let first = format!("{indent}{what}  {}", lines.next().unwrap_or_default());
        let _ = writeln!(text, "{}", first.trim_end());
        for line in lines {
            let blank = indent.chars().count() + what_width + 2;
            let _ = writeln!(text, "{:blank$}{line}", "");
        }
    }
}

fn exhaustion(text: &mut String, findings: &Findings, paint: Paint) {
    let rows = exhaustion_by_instance(findings);
    if rows.is_empty() {
        return;
    }
    heading(text, "Exhausted instances", paint);
    let width = rows.iter().map(|row| row.0.chars().count()).max();
    for (instance, windows) in &rows {
        let indent = format!("  {instance:<width$}  ", width = width.unwrap_or(0));
        wrapped(text, &indent, windows, str::to_owned);
    }
}

/// Tables that not every run has.
fn tables(text: &mut String, tables: Vec<Table>, paint: Paint) {
    for table in tables {
        heading(text, table.title, paint);
        wrapped(text, "  ", table.about, |line| paint.dim(line));
        let heads = table.columns.iter().map(|head| (*head).to_owned());
        let mut rows = vec![heads.collect::<Vec<_>>()];
        rows.extend(table.rows);
        self::table(text, rows, table.texts, 1, paint);
    }
}

fn expectations(text: &mut String, findings: &Findings, paint: Paint) {
    if findings.expectations.is_empty() {
        return;
    }
    heading(text, "Expectations", paint);
    let width = findings
        .expectations
        .iter()
        .map(|expectation| printable(&expectation_named(expectation)).chars().count())
        .max()
        .unwrap_or(0)
        .min(60);
    for expectation in &findings.expectations {
        let judged = expectation.judged();
        let sign = expectation_sign(judged);
        let sign = match judged {
            Some(true) => paint.green(sign),
            Some(false) => paint.red(sign),
            None => paint.yellow(sign),
        };
        let _ = writeln!(
            text,
            "  {sign} {:<width$}  {}  ({})",
            printable(&expectation_named(expectation)),
            printable(&words(&expectation.observed)),
            printable(&expectation_required(expectation))
        );
    }
}

fn measurement(text: &mut String, findings: &Findings, paint: Paint) {
    heading(text, "Measurement", paint);
    wrapped(text, "  ", &measurement_line(findings), str::to_owned);
    wrapped(text, "  ", &conservation_line(findings), str::to_owned);
}

fn list(text: &mut String, title: &str, sentences: &[String], paint: Paint) {
    if sentences.is_empty() {
        return;
    }
    heading(text, title, paint);
    for sentence in sentences {
        wrapped(text, "  • ", &printable(sentence), str::to_owned);
    }
}

fn heading(text: &mut String, title: &str, paint: Paint) {
    let _ = writeln!(text, "\n{}", paint.bold(title));
}

/// Writes a paragraph folded to the width; lines after the first are indented
/// as far as `indent` reaches.
fn wrapped(text: &mut String, indent: &str, paragraph: &str, paint: impl Fn(&str) -> String) {
    let blank = indent.chars().count();
    for (index, line) in folded(paragraph, WIDTH - blank).iter().enumerate() {
        let _ = if index == 0 {
            writeln!(text, "{}", paint(&format!("{indent}{line}")))
        } else {
            writeln!(text, "{:blank$}{}", "", paint(line))
        };
    }
}

/// The text in lines of at most `width` columns, broken at spaces; a longer
/// word keeps a line of its own.
pub(super) fn folded(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is a first line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// The text cut to the width, with an ellipsis where something is missing.
fn fitted(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Puts colour around words, or leaves them as they are.
#[derive(Clone, Copy)]
pub(super) struct Paint(pub(super) bool);

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.0 && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    pub(super) fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    pub(super) fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    pub(super) fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_fold_at_spaces() {
        assert_eq!(folded("one two three", 7), ["one two", "three"]);
        assert_eq!(
            folded("incomprehensibly long", 5),
            ["incomprehensibly", "long"]
        );
        assert_eq!(folded("", 5), [""]);
        assert_eq!(fitted("abcdef", 4), "abc…");
        assert_eq!(fitted("abcd", 4), "abcd");
    }
}
