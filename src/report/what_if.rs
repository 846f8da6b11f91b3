//! The table of corrective measures, or of variants: on a terminal, in the page and in the
//! postmortem the same rows with the same digits.

use std::fmt::Write as _;

use askama::Template;

use super::drawing::escaped;
use super::figures::{NONE, count, maybe, number, percent, plural, words};
use super::seeds;
use crate::analysis::{ExpectationShare, Interval, Row, Spread, WhatIf};
use crate::error::{Error, Result};
use crate::model::IncidentVerdict;
use crate::record::printable;

/// Rows that are shown of each kind; `what-if.json` has them all.
const ROWS: usize = 12;

/// The columns and what they mean.
pub(super) const COLUMNS: [(&str, &str); 7] = [
    ("measure", "the corrective measure; + joins two"),
    (
        "verdict",
        "the incident’s verdict, and how many of the seeds gave it where not all did",
    ),
    (
        "recovery s",
        "trigger off → recovered for good: median of the seeds (least–most); > where it was not \
         reached until the end of the run",
    ),
    (
        "lost",
        "operations that ended without success or not at all: median of the seeds",
    ),
    (
        "saved",
        "operations lost without the measure minus those lost with it, per seed: mean ± 95 % \
         confidence",
    ),
    (
        "calm p99 ms",
        "p99 of the response time before the first action: what the measure costs in good times",
    ),
    (
        "calm busy",
        "busy share of the workers before the first action",
    ),
];

/// A declared verdict, with the least share of seeds that must have it where not all must.
pub(super) fn in_words(verdict: IncidentVerdict, share: Option<f64>) -> String {
    let word = words(verdict.word());
    let share = share.map(|share| format!(" in at least {} of seeds", percent(share)));
    word + &share.unwrap_or_default()
}

/// The cells of a row, in the order of [`COLUMNS`].
///
/// `of`: the seeds that the scenario as it is was tried with.
pub(super) fn cells(row: &Row, of: u64) -> [String; 7] {
    let seeds: u64 = row.verdicts.iter().map(|(_, count)| count).sum();
    let verdicts: Vec<String> = row
        .verdicts
        .iter()
        .map(|(verdict, count)| {
            if *count == seeds && seeds == of {
                words(verdict.word())
            } else {
                format!("{} {count}/{seeds}", words(verdict.word()))
            }
        })
        .collect();
    let declared = row.declared.filter(|declared| {
        let mut others = row.verdicts.iter();
        others.any(|(verdict, _)| verdict != declared)
    });
    let declared = declared.map_or_else(String::new, |declared| {
        format!(" (declared: {})", in_words(declared, row.declared_share))
    });
    [
        name(row),
        verdicts.join(", ") + &declared,
        recovery(row),
        whole(row.lost.median),
        if row.measures.is_empty() || row.other_end_s.is_some() {
            NONE.to_owned()
        } else {
            saved(row.saved)
        },
        maybe(row.calm_p99_ms, |p99| number(p99.median)),
        maybe(row.calm_saturation, |busy| percent(busy.median)),
    ]
}

fn name(row: &Row) -> String {
    if row.measures.is_empty() {
        "unchanged".to_owned()
    } else {
        row.measures.join(" + ")
    }
}

fn recovery(row: &Row) -> String {
    let Some(Spread { median, min, max }) = row.recovery_s else {
        return NONE.to_owned();
    };
    let seeds: u64 = row.verdicts.iter().map(|(_, count)| count).sum();
    let harmed = row.harmed.unwrap_or(seeds);
    let most = if row.not_recovered > 0 { "> " } else { "" };
    // Those that did not recover come last: the median is one of them where they are half.
    let middle = if 2 * row.not_recovered >= harmed {
        most
    } else {
        ""
    };
    if max - min < 0.05 && middle == most {
        format!("{middle}{median:.1}")
    } else {
        format!("{middle}{median:.1} ({min:.1}–{most}{max:.1})")
    }
}

fn saved(saved: Interval) -> String {
    let half = saved
        .half_width
        .map_or_else(String::new, |half| format!(" ± {}", whole(half)));
    format!("{}{half}", whole(saved.mean))
}

/// Operations, in the mean or the median of the seeds.
pub(super) fn whole(operations: f64) -> String {
    let sign = if operations <= -0.5 { "-" } else { "" };
    let whole = crate::units::whole(operations.abs().round());
    format!("{sign}{}", count(whole))
}

/// The rows that are shown: as it is, each alone, then the best pairs.
pub(super) fn rows(what_if: &WhatIf) -> Vec<[String; 7]> {
    let alone = what_if.alone.iter();
    std::iter::once(&what_if.base)
        .chain(alone)
        .chain(what_if.pairs.iter().take(ROWS))
        .map(|row| cells(row, what_if.seeds.len() as u64))
        .collect()
}

/// What stands above the table.
pub(super) fn heading(what_if: &WhatIf) -> String {
    if what_if.live {
        return live_heading(what_if.seeds.len() as u64);
    }
    if what_if.variants {
        return format!(
            "Each variant was simulated with {}, the arrivals of a seed the same for all.",
            plural(what_if.seeds.len() as u64, "seed")
        );
    }
    format!(
        "Each measure alone, then the pairs that lose less than either of the two, ranked by \
         operations lost; simulated with {} each. Interventions that would begin after the \
         recovery are left out.",
        plural(what_if.seeds.len() as u64, "seed")
    )
}

/// What each measure changes: its name and a sentence.
pub(super) fn legend(what_if: &WhatIf) -> Vec<(String, String)> {
    let alone = what_if.alone.iter();
    let changes = alone.filter_map(|row| Some((row, row.measures.first()?, row.changes.first()?)));
    let changes = changes.map(|(row, name, change)| {
        let ends = row.other_end_s.map_or_else(String::new, |end| {
            format!(
                " It ends at {end:.0} s, at another instant than the scenario as it is, so that \
                 what the two lost is not compared."
            )
        });
        (name.clone(), format!("{change}{ends}"))
    });
    let others = what_if.inapplicable.iter();
    let others = others.map(|(name, why)| (name.clone(), format!("left out: {why}")));
    changes.chain(others).collect()
}

fn live_heading(seeds: u64) -> String {
    if seeds == 1 {
        "Each variant was run live once, in this order. Of one run each, a small difference may \
         be chance: --seeds runs more."
            .to_owned()
    } else {
        format!(
            "Each variant was run live with {}, in this order.",
            plural(seeds, "seed")
        )
    }
}

/// The table for a terminal.
pub(crate) fn text(what_if: &WhatIf) -> String {
    let heading = heading(what_if);
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{}: what could have been different\n{heading}\n",
        what_if.title
    );
    let rows = rows(what_if);
    let names = COLUMNS.map(|(name, _)| name.to_owned());
    let width = |place: usize| {
        let cells = rows.iter().chain([&names]).map(|row| &row[place]);
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    for row in std::iter::once(&names).chain(&rows) {
        let mut line = String::new();
        for (place, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let gap = " ".repeat(width - cell.chars().count());
            // Words to the left, figures to the right.
            let _ = if place < 2 {
                write!(line, "  {cell}{gap}")
            } else {
                write!(line, "  {gap}{cell}")
            };
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let each = if what_if.variants {
        "variants"
    } else {
        "measures"
    };
    let _ = writeln!(text, "\nThe {each}");
    for (name, what) in legend(what_if) {
        let _ = writeln!(text, "  {name}: {what}");
    }
    let failed = failed(what_if);
    if !failed.is_empty() {
        text.push_str("\nExpectations that did not hold\n");
    }
    for (name, what) in failed {
        let _ = writeln!(text, "  {name}: {what}");
    }
    text
}

/// The expectations that did not hold: the name of the variant and a line each.
fn failed(what_if: &WhatIf) -> Vec<(String, String)> {
    let rows = std::iter::once(&what_if.base).chain(&what_if.alone);
    let failed = rows.flat_map(|row| {
        let failed = row.failed.iter();
        failed.map(|it| (name(row), seeds::expectation(it)))
    });
    failed.collect()
}

/// What is said where nothing failed and yet not everything could be judged; `untold`: the
/// variant's name and the expectation of which it cannot be told.
pub(crate) fn untold(untold: &[(String, ExpectationShare)]) -> String {
    let mut text = "Cannot tell: nothing failed, and not everything could be judged.\n".to_owned();
    for (name, it) in untold {
        let _ = writeln!(text, "  {name}: {}", seeds::expectation(it));
    }
    text
}

/// A bar's height, the room for its name and the length of the longest, in pixels.
const BAR: (f64, f64, f64) = (24.0, 220.0, 520.0);
/// Characters of a name that fit into its room.
const NAME_MAX: usize = 30;

/// A bar for each row: the operations that were lost.
fn bars(what_if: &WhatIf) -> String {
    let rows: Vec<&Row> = std::iter::once(&what_if.base)
        .chain(&what_if.alone)
        .collect();
    let most = rows.iter().map(|row| row.lost.median).fold(1.0, f64::max);
    let (width, height) = (BAR.1 + BAR.2 + 110.0, BAR.0 * rows.len() as f64);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"operations lost by \
         each variant\" font-size=\"13\" fill=\"currentColor\">\n"
    );
    for (place, row) in rows.iter().enumerate() {
        let y = BAR.0 * place as f64;
        let long = BAR.2 * row.lost.median / most;
        let name: String = name(row).chars().take(NAME_MAX).collect();
        let _ = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{:.0}\" y=\"{:.0}\" width=\"{long:.1}\" height=\"{:.0}\" fill=\"#d55e00\"/>\
             <text x=\"{:.1}\" y=\"{:.0}\">{}</text>",
            BAR.1 - 8.0,
            y + BAR.0 - 7.0,
            escaped(&printable(&name)),
            BAR.1,
            y + 4.0,
            BAR.0 - 8.0,
            BAR.1 + long + 6.0,
            y + BAR.0 - 7.0,
            whole(row.lost.median)
        );
    }
    svg.push_str("</svg>\n");
    svg
}

#[derive(Template)]
#[template(path = "variants.html", config = "src/report/askama.toml")]
struct Page<'a> {
    table: &'a WhatIf,
    style: &'static str,
    how: &'static str,
    heading: String,
    columns: [(&'static str, &'static str); 7],
    rows: Vec<[String; 7]>,
    legend: Vec<(String, String)>,
    failed: Vec<(String, String)>,
    bars: String,
    pages: &'a [(String, String)],
}

/// The table as a page of its own, with links to the reports of the runs.
///
/// # Errors
///
/// Never; a failure is our mistake.
pub(crate) fn html(table: &WhatIf, pages: &[(String, String)]) -> Result<String> {
    Page {
        table,
        style: include_str!("assets/report.css"),
        how: if table.live { "run live" } else { "simulated" },
        heading: heading(table),
        columns: COLUMNS,
        rows: rows(table),
        legend: legend(table),
        failed: failed(table),
        bars: bars(table),
        pages,
    }
    .render()
    .map_err(|cause| Error::failed(format!("failed to write variants.html: {cause}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Outcome;

    /// The row of these outcomes: how long each was watched, and whether it recovered by then.
    fn row(waits: &[(f64, bool)]) -> Row {
        let outcomes = waits.iter().map(|(wait, recovered)| Outcome {
            verdict: IncidentVerdict::Relapsed,
            recovery_s: recovered.then_some(*wait),
            recovery_censored_after_s: (!recovered).then_some(*wait),
            lost: 7,
            scheduled: 9,
            calm_p99_ms: None,
            calm_saturation: None,
        });
        let outcomes: Vec<Outcome> = outcomes.collect();
        Row::of(&[("a", "b")], &outcomes, &outcomes).unwrap()
    }

    #[test]
    fn a_recovery_that_was_not_reached_comes_last_and_is_marked_where_it_stands() {
        let seen = |waits: &[(f64, bool)]| recovery(&row(waits));
        assert_eq!(
            seen(&[(3.0, true), (4.0, true), (9.0, true)]),
            "4.0 (3.0–9.0)"
        );
        // Watched for less long than another took: it is longer than that all the same.
        assert_eq!(
            seen(&[(5.0, false), (4.0, true), (9.0, true)]),
            "9.0 (4.0–> 5.0)"
        );
        assert_eq!(seen(&[(5.0, false), (4.0, true)]), "> 4.5 (4.0–> 5.0)");
        assert_eq!(seen(&[(39.0, false), (39.0, false)]), "> 39.0");
    }

    #[test]
    fn what_ends_at_another_instant_saves_nothing_and_says_so() {
        let mut row = row(&[(3.0, true)]);
        assert_eq!(cells(&row, 1)[4], "0");
        row.other_end_s = Some(110.0);
        assert_eq!(cells(&row, 1)[4], NONE);
        // One seed of five is said to be one.
        assert_eq!(cells(&row, 5)[1], "relapsed 1/1");
    }
}
