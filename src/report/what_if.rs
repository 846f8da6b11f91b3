//! The table of corrective measures, or of variants: on a terminal, in the page and in the
//! postmortem the same rows with the same digits.

use std::fmt::Write as _;

use askama::Template;

use super::drawing::escaped;
use super::figures::{NONE, maybe, number, percent, plural, words};
use crate::analysis::{Interval, Row, Spread, WhatIf};
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
        "trigger off → recovered: median of the seeds (least–most); > where it was not reached",
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
pub(super) fn cells(row: &Row) -> [String; 7] {
    let seeds: u64 = row.verdicts.iter().map(|(_, count)| count).sum();
    let verdicts: Vec<String> = row
        .verdicts
        .iter()
        .map(|(verdict, count)| {
            if *count == seeds {
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
        number(row.lost.median.round()),
        if row.measures.is_empty() {
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
    let censored = if row.not_recovered > 0 { "> " } else { "" };
    if max - min < 0.05 {
        format!("{censored}{median:.1}")
    } else {
        format!("{censored}{median:.1} ({min:.1}–{max:.1})")
    }
}

fn saved(saved: Interval) -> String {
    let half = saved
        .half_width
        .map_or_else(String::new, |half| format!(" ± {}", number(half.round())));
    format!("{}{half}", number(saved.mean.round()))
}

/// The rows that are shown: as it is, each alone, then the best pairs.
pub(super) fn rows(what_if: &WhatIf) -> Vec<[String; 7]> {
    let alone = what_if.alone.iter();
    std::iter::once(&what_if.base)
        .chain(alone)
        .chain(what_if.pairs.iter().take(ROWS))
        .map(cells)
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
    let changes = alone.filter_map(|row| Some((row.measures.first()?, row.changes.first()?)));
    let changes = changes.map(|(name, change)| (name.clone(), change.clone()));
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
            number(row.lost.median.round())
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
        bars: bars(table),
        pages,
    }
    .render()
    .map_err(|cause| Error::failed(format!("failed to write variants.html: {cause}")))
}
