//! Two runs against each other: on a terminal, as a page, and as a summary for a review.

use std::fmt::Write as _;

use askama::Template;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde_json::Value;

use super::figures::{NONE, count, maybe, number};
use super::text::{Paint, table};
use crate::analysis::compare::{
    Comparison, ComparisonSide, ComparisonVerdict, FigureComparison, Picture,
};
use crate::error::{Error, Result};
use crate::record::printable;
use crate::units::{Nanos, whole};

/// Heights of a bar, from nothing to the most.
const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// What changed, at most so many keys of it; the JSON has them all.
const CHANGES: usize = 20;
/// Figures that a reviewer is shown: those that moved most.
const MOVED: usize = 3;

/// The columns of the table.
const COLUMNS: [&str; 7] = [
    "figure",
    "base",
    "candidate",
    "difference",
    "interval",
    "matters from",
    "verdict",
];

/// The answer in one line.
pub(crate) fn line(comparison: &Comparison) -> String {
    let word = comparison.verdict.words().to_uppercase();
    format!("{word}  {}\n", printable(&comparison.reason))
}

/// The answer on a terminal.
pub(crate) fn text(comparison: &Comparison, color: bool) -> String {
    let paint = Paint(color);
    let word = comparison.verdict.words().to_uppercase();
    let word = match comparison.verdict {
        ComparisonVerdict::Worse | ComparisonVerdict::NotComparable => paint.red(&word),
        ComparisonVerdict::CannotTell => paint.yellow(&word),
        _ => paint.green(&word),
    };
    let mut text = format!("{word}  {}\n", printable(&comparison.reason));
    let _ = writeln!(text, "  base       {}", printable(&side(&comparison.base)));
    let _ = writeln!(
        text,
        "  candidate  {}",
        printable(&side(&comparison.candidate))
    );
    for line in amiss(comparison) {
        let _ = writeln!(text, "  ! {}", printable(line));
    }
    text.push_str("\nWhat changed\n");
    for line in changed(comparison) {
        let _ = writeln!(text, "  {}", printable(&line));
    }
    text.push_str("\nFigures\n");
    let heading = COLUMNS.map(str::to_owned).to_vec();
    let rows = comparison.figures.iter().map(|row| cells(row).to_vec());
    table(
        &mut text,
        [heading].into_iter().chain(rows).collect(),
        1,
        1,
        paint,
    );
    for line in untold(comparison) {
        let _ = writeln!(text, "  {}", printable(&line));
    }
    text.push_str("\nResponse times\n");
    for line in bars(&comparison.picture) {
        let _ = writeln!(text, "  {line}");
    }
    let _ = writeln!(text, "\nMethod\n  {}", method(comparison));
    text
}

fn side(side: &ComparisonSide) -> String {
    let runs = match side.runs.as_slice() {
        [one] => one.clone(),
        [first, .., last] => format!("{} runs, {first} … {last}", side.runs.len()),
        [] => "no run".to_owned(),
    };
    format!("{runs}: {} operations", count(side.operations))
}

fn changed(comparison: &Comparison) -> Vec<String> {
    let mut lines: Vec<String> = comparison
        .changed
        .iter()
        .take(CHANGES)
        .map(|change| {
            let [base, candidate] =
                [&change.base, &change.candidate].map(|it| value(&change.key, it));
            format!("{}: {base} → {candidate}", change.key)
        })
        .collect();
    match comparison.changed.len() {
        0 => lines.push("nothing in plan, machine and version".to_owned()),
        all if all > CHANGES => lines.push(format!("and {} more keys", all - CHANGES)),
        _ => {}
    }
    lines
}

/// A whole number of a plan from which on it is a duration.
const NANOS_FROM: u64 = 100_000;
/// Characters of a value that are shown.
const LONGEST: usize = 40;

/// Keys that count something, and may be as large as a duration is in nanoseconds.
const COUNTS: [&str; 9] = [
    "backlog",
    "bytes",
    "capacity",
    "connections",
    "operations",
    "seed",
    "users",
    "weight",
    "count",
];

/// A value of a plan, shortened where it is long. A large whole number is a duration in
/// nanoseconds, but for what is counted.
fn value(key: &str, value: &Value) -> String {
    let last = key.rsplit(['.', '_']).next().unwrap_or(key);
    let counted = COUNTS.contains(&last);
    if let Some(nanos) = value.as_u64().filter(|it| *it >= NANOS_FROM && !counted) {
        return Nanos(nanos).to_string();
    }
    let text = match value {
        Value::Null => NONE.to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A figure with its phase.
pub(super) fn named(row: &FigureComparison) -> String {
    match &row.phase {
        Some(phase) => format!("{} in {}", row.figure, printable(phase)),
        None => row.figure.clone(),
    }
}

/// The cells of a row, in the order of [`COLUMNS`].
fn cells(row: &FigureComparison) -> [String; 7] {
    let interval = row
        .low
        .zip(row.high)
        .map(|(low, high)| format!("{} … {}", moved(row, low), moved(row, high)));
    [
        named(row),
        maybe(row.base, |it| own(row, it)),
        maybe(row.candidate, |it| own(row, it)),
        maybe(row.difference, |it| moved(row, it)),
        maybe(interval, |it| it),
        maybe(row.bound, |it| match row.unit.as_str() {
            "share" => format!("{} points", number(it * 100.0)),
            _ => format!("{:.1} %", it * 100.0),
        }),
        row.verdict.words().to_owned(),
    ]
}

/// A value with its unit.
fn own(row: &FigureComparison, value: f64) -> String {
    match row.unit.as_str() {
        "s" => format!("{} ms", number(value * 1e3)),
        "share" => format!("{:.2} %", value * 100.0),
        unit => format!("{}{unit}", number(value)),
    }
}

/// A difference with its sign.
fn moved(row: &FigureComparison, value: f64) -> String {
    match row.unit.as_str() {
        "share" => format!("{:+.2} pts", value * 100.0),
        _ => format!("{:+.1} %", value * 100.0),
    }
}

/// Why figures cannot be told, each reason once.
fn untold(comparison: &Comparison) -> Vec<String> {
    let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
    for row in comparison.figures.iter().filter(|row| !row.why.is_empty()) {
        match lines.iter_mut().find(|(why, _)| *why == row.why) {
            Some((_, names)) => names.push(&row.figure),
            None => lines.push((row.why.clone(), vec![&row.figure])),
        }
    }
    let lines = lines.into_iter().map(|(why, mut names)| {
        names.dedup();
        format!("{}: {why}", names.join(", "))
    });
    lines.collect()
}

/// Both spreads as bars over the same axis.
fn bars(picture: &Picture) -> Vec<String> {
    let (Some(first), Some(last)) = (picture.edges_ms.first(), picture.edges_ms.last()) else {
        return vec!["no operation succeeded".to_owned()];
    };
    let all = picture.base.iter().chain(&picture.candidate);
    let most = all.copied().fold(0.0, f64::max);
    let bar = |share: &f64| {
        let steps = (BARS.len() - 1) as f64;
        let height = whole((share / most * steps).ceil().clamp(0.0, steps));
        usize::try_from(height).map_or(BARS[0], |height| BARS[height])
    };
    let row = |name: &str, shares: &[f64]| {
        let bars: String = shares
            .iter()
            .take(shares.len().saturating_sub(1))
            .map(bar)
            .collect();
        format!("{name:<10} |{bars}|")
    };
    let width = picture.base.len().saturating_sub(1);
    let left = format!("{} ms", number(*first));
    let right = format!("{} ms", number(*last));
    let gap = (width + 2)
        .saturating_sub(left.chars().count())
        .max(right.chars().count() + 1);
    vec![
        row("base", &picture.base),
        row("candidate", &picture.candidate),
        format!("{:<10} {left}{right:>gap$}", ""),
    ]
}

fn method(comparison: &Comparison) -> String {
    let method = &comparison.method;
    let between = method.between_runs.map_or_else(String::new, |share| {
        format!(
            ", with an allowance of {:.0} % for what differs from run to run",
            share * 100.0
        )
    });
    let draws = match method.draws {
        0 => String::new(),
        draws => format!(", {draws} draws with seed {}", method.seed),
    };
    format!(
        "{}{between}; {} and {} {}{draws}; {} % confidence intervals; false alarms in the whole \
         table at most {:.0} % (Holm).",
        method.sentence,
        method.base_units,
        method.candidate_units,
        method.unit,
        // 95, or 98.75 for one of four looks.
        (method.confidence * 1e4).round() / 100.0,
        method.alarm * 100.0
    )
}

/// The figures that moved most, for their bounds.
fn most_moved(comparison: &Comparison) -> Vec<&FigureComparison> {
    let told = comparison
        .figures
        .iter()
        .filter(|row| row.difference.is_some());
    let mut told: Vec<&FigureComparison> = told.collect();
    let weight = |row: &FigureComparison| {
        let decided = matches!(
            row.verdict,
            ComparisonVerdict::Worse | ComparisonVerdict::Better
        );
        let moved = row.difference.unwrap_or_default() / row.bound.unwrap_or(1.0).max(1e-12);
        (decided, moved.abs())
    };
    told.sort_by(|a, b| {
        let (a, b) = (weight(a), weight(b));
        b.0.cmp(&a.0).then(b.1.total_cmp(&a.1))
    });
    told.truncate(MOVED);
    told
}

/// What a reviewer reads in ten seconds: verdict, what moved most, the picture, the command.
pub(crate) fn summary(comparison: &Comparison) -> String {
    let sign = match comparison.verdict {
        ComparisonVerdict::Worse => "❌",
        ComparisonVerdict::Better | ComparisonVerdict::NoDifferenceShown => "✅",
        ComparisonVerdict::CannotTell | ComparisonVerdict::NotComparable => "❔",
    };
    let mut text = format!(
        "### {sign} {}\n\n{}\n",
        comparison.verdict.words(),
        markdown(&comparison.reason)
    );
    for line in amiss(comparison) {
        let _ = writeln!(text, "\n- {}", markdown(line));
    }
    text.push_str("\n| figure | base | candidate | difference | interval | verdict |\n");
    text.push_str("|---|---|---|---|---|---|\n");
    for row in most_moved(comparison) {
        let [name, base, candidate, difference, interval, _, verdict] = cells(row);
        let cells = [name, base, candidate, difference, interval, verdict];
        let cells = cells.map(|cell| markdown(&cell));
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text.push_str("\n```text\n");
    for line in bars(&comparison.picture) {
        let _ = writeln!(text, "{line}");
    }
    text.push_str("```\n\nWhat changed:\n\n");
    for line in changed(comparison) {
        let _ = writeln!(text, "- {}", markdown(&line));
    }
    for side in [&comparison.base, &comparison.candidate] {
        text.push_str(&command(&side.command));
    }
    text
}

/// Obstacles, and what does not count.
fn amiss(comparison: &Comparison) -> impl Iterator<Item = &String> {
    comparison.obstacles.iter().chain(&comparison.left_out)
}

/// A command as a block of code in Markdown, behind an empty line: its fence is longer than
/// any in the command. Nothing where it is not known.
pub(super) fn command(command: &str) -> String {
    if command.is_empty() {
        return String::new();
    }
    let command = printable(command);
    let runs = command.split(|c| c != '`').map(str::len);
    let fence = "`".repeat(runs.max().unwrap_or(0).max(2) + 1);
    format!("\n{fence}text\n{command}\n{fence}\n")
}

/// A figure in one line.
pub(super) fn row(row: &FigureComparison) -> String {
    let [name, base, candidate, difference, interval, _, verdict] = cells(row);
    format!("{name}: {base} → {candidate}, {difference} ({interval}): {verdict}")
}

/// The comparison as a build server reads it: a test case for each figure. What cannot be
/// told is skipped, with the reason; with `strict` the whole is an error then, as its exit
/// code says.
pub(crate) fn junit(comparison: &Comparison, strict: bool) -> Result<String> {
    let mut suite = TestSuite::new("comparison");
    for figure in &comparison.figures {
        let told = match figure.verdict {
            ComparisonVerdict::CannotTell => figure.why.clone(),
            _ => row(figure),
        };
        let status = status(figure.verdict, false, &told);
        suite.add_test_case(TestCase::new(named(figure), status));
    }
    let whole = status(comparison.verdict, strict, &comparison.reason);
    suite.add_test_case(TestCase::new("the comparison", whole));
    suite.set_system_out(text(comparison, false));
    let mut report = Report::new("threadbare");
    report.add_test_suite(suite);
    report
        .to_string()
        .map_err(|cause| Error::failed(format!("failed to write the comparison: {cause}")))
}

fn status(verdict: ComparisonVerdict, strict: bool, message: &str) -> TestCaseStatus {
    let mut status = match verdict {
        ComparisonVerdict::Worse => TestCaseStatus::non_success(NonSuccessKind::Failure),
        ComparisonVerdict::NotComparable => TestCaseStatus::non_success(NonSuccessKind::Error),
        ComparisonVerdict::CannotTell if strict => {
            TestCaseStatus::non_success(NonSuccessKind::Error)
        }
        ComparisonVerdict::CannotTell => TestCaseStatus::skipped(),
        ComparisonVerdict::Better | ComparisonVerdict::NoDifferenceShown => {
            return TestCaseStatus::success();
        }
    };
    status.set_message(printable(message).into_owned());
    status
}

/// Text that stands in Markdown as it reads.
pub(super) fn markdown(text: &str) -> String {
    let mut safe = String::new();
    for c in printable(text).chars() {
        match c {
            '\n' => safe.push(' '),
            '|' | '*' | '_' | '`' | '<' | '>' | '[' | ']' | '\\' | '#' => {
                safe.push('\\');
                safe.push(c);
            }
            c => safe.push(c),
        }
    }
    safe
}

#[derive(Template)]
#[template(path = "compare.html", config = "src/report/askama.toml")]
struct Page<'a> {
    style: &'static str,
    word: &'static str,
    class: &'static str,
    reason: &'a str,
    base: String,
    candidate: String,
    amiss: Vec<&'a String>,
    changed: Vec<String>,
    columns: [&'static str; 7],
    rows: Vec<([String; 7], &'static str)>,
    untold: Vec<String>,
    svg: String,
    method: String,
    commands: Vec<&'a str>,
}

/// The answer as a page of its own.
pub(crate) fn html(comparison: &Comparison) -> Result<String> {
    let commands = [&comparison.base.command, &comparison.candidate.command];
    let commands = commands.into_iter().filter(|it| !it.is_empty());
    Page {
        style: include_str!("assets/report.css"),
        word: comparison.verdict.words(),
        class: class(comparison.verdict),
        reason: &comparison.reason,
        base: side(&comparison.base),
        candidate: side(&comparison.candidate),
        amiss: amiss(comparison).collect(),
        changed: changed(comparison),
        columns: COLUMNS,
        rows: comparison
            .figures
            .iter()
            .map(|row| (cells(row), class(row.verdict)))
            .collect(),
        untold: untold(comparison),
        svg: svg(&comparison.picture),
        method: method(comparison),
        commands: commands.map(String::as_str).collect(),
    }
    .render()
    .map_err(|cause| Error::failed(format!("failed to write the page: {cause}")))
}

const fn class(verdict: ComparisonVerdict) -> &'static str {
    match verdict {
        ComparisonVerdict::Worse => "failed",
        ComparisonVerdict::Better | ComparisonVerdict::NoDifferenceShown => "passed",
        ComparisonVerdict::CannotTell | ComparisonVerdict::NotComparable => "invalid",
    }
}

/// Both spreads as steps over one axis, which is logarithmic.
fn svg(picture: &Picture) -> String {
    const WIDTH: f64 = 760.0;
    const HEIGHT: f64 = 200.0;
    const BELOW: f64 = 24.0;
    let bins = picture.base.len().saturating_sub(1);
    if bins == 0 {
        return String::new();
    }
    let all = picture.base.iter().chain(&picture.candidate);
    let most = all.copied().fold(f64::MIN_POSITIVE, f64::max);
    let step = WIDTH / bins as f64;
    let line = |shares: &[f64]| {
        let mut path = format!("M0 {HEIGHT:.1}");
        for (place, share) in shares.iter().take(bins).enumerate() {
            let (x, y) = (place as f64 * step, HEIGHT * (1.0 - share / most));
            let _ = write!(path, "L{x:.1} {y:.1}H{:.1}", x + step);
        }
        let _ = write!(path, "V{HEIGHT:.1}");
        path
    };
    let mut drawn = format!(
        "<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"Response times of base and \
         candidate\" style=\"width:100%;height:auto\">",
        HEIGHT + BELOW
    );
    for (shares, colour) in [(&picture.base, "#0072b2"), (&picture.candidate, "#d55e00")] {
        let _ = write!(
            drawn,
            "<path d=\"{}\" fill=\"{colour}\" fill-opacity=\"0.15\" stroke=\"{colour}\" \
             stroke-width=\"2\"/>",
            line(shares)
        );
    }
    // A label for every fifth part of the axis at most.
    let every = bins.div_ceil(6).max(1);
    for (place, edge) in picture.edges_ms.iter().enumerate().step_by(every) {
        let _ = write!(
            drawn,
            "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"12\" fill=\"currentColor\">{} ms</text>",
            (place as f64 * step).min(WIDTH - 50.0),
            HEIGHT + BELOW - 6.0,
            number(*edge)
        );
    }
    drawn + "</svg>"
}

#[cfg(test)]
mod tests {
    use super::command;

    #[test]
    fn a_command_is_code_whatever_it_holds() {
        assert_eq!(command(""), "");
        assert_eq!(command("load -R 5"), "\n```text\nload -R 5\n```\n");
        assert_eq!(
            command("sh -c 'a `b` ```` c'"),
            "\n`````text\nsh -c 'a `b` ```` c'\n`````\n"
        );
    }
}
