//! Failures by cause: a table for the reports, and lines for what has no tables.

use super::figures::count;
use super::observed::Table;
use crate::analysis::{FailureExample, Failures, Findings};
use crate::record::printable;

/// Letters of an example in a table: counts and instants stay in sight beside it.
const TABLE_EXAMPLE_MAX: usize = 48;

/// The table of a run; without a row where nothing failed.
pub(super) fn table(findings: &Findings) -> Table {
    let rows = findings.failures.iter().map(|failures| {
        vec![
            what(failures),
            count(failures.count),
            since(failures),
            cut(&example(failures), TABLE_EXAMPLE_MAX),
        ]
    });
    Table {
        title: "Failures by cause",
        about: "Attempts that had no usable answer, or one that was not expected, with when the \
                first was seen and how it looked; `failures` in summary.json has that whole.",
        columns: vec!["what happened", "attempts", "first", "how it looked"],
        texts: 1,
        rows: rows.collect(),
    }
}

/// The same as lines of text, at most so many columns wide.
pub(super) fn lines(findings: &Findings, width: usize) -> Vec<String> {
    let failures = &findings.failures;
    let widest = |text: fn(&Failures) -> String| {
        let widths = failures.iter().map(|it| text(it).chars().count());
        widths.max().unwrap_or(0)
    };
    let (counts, whats) = (widest(|it| count(it.count)), widest(what));
    let lines = failures.iter().map(|it| {
        let (count, what, since) = (count(it.count), what(it), since(it));
        let line = format!("{count:>counts$}  {what:<whats$}  from {since}");
        let room = width.saturating_sub(line.chars().count() + 2);
        let shown = cut(&example(it), room);
        format!("{line}  {shown}").trim_end().to_owned()
    });
    lines.collect()
}

/// The text in at most so many letters.
fn cut(whole: &str, most: usize) -> String {
    let mut shown: String = whole.chars().take(most).collect();
    if shown.len() < whole.len() {
        shown.pop();
        shown.push('…');
    }
    shown
}

fn what(failures: &Failures) -> String {
    let clause = failures.cause.clause();
    match failures.source.as_str() {
        "user" => clause.to_owned(),
        "monitor" => format!("probe: {clause}"),
        source => format!("{source}: {clause}"),
    }
}

fn since(failures: &Failures) -> String {
    format!("{:.2} s", failures.first_s)
}

fn example(failures: &Failures) -> String {
    let shown = failures.examples.iter().filter_map(one);
    let shown: Vec<String> = shown.collect();
    printable(&shown.join(" | ")).into_owned()
}

fn one(example: &FailureExample) -> Option<String> {
    match (example.status, example.seen.as_str()) {
        (None, "") => None,
        (Some(status), "") => Some(status.to_string()),
        (None, seen) => Some(seen.to_owned()),
        (Some(status), seen) => Some(format!("{status}: {seen}")),
    }
}
