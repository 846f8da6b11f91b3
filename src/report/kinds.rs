//! Kinds of operation one by one, and URLs that share the load, for every format.

use super::figures::{count, maybe, number, percent};
use super::observed::Table;
use crate::analysis::{Findings, PartFigures};
use crate::record::printable;

/// How the figures of both tables are known.
const ABOUT: &str = "Over the whole run without its warm-up. Response times are of operations \
                     that succeeded.";

/// The table of a run; without a row where there is one kind only.
pub(super) fn kinds(findings: &Findings) -> Table {
    let parts = findings.kinds.iter();
    let rows = parts.map(|it| row(&it.kind, &it.figures)).collect();
    table("Kinds of operation", "operation", rows)
}

/// The same of URLs; without a row where there is one only.
pub(super) fn urls(findings: &Findings) -> Table {
    let parts = findings.urls.iter();
    let rows = parts.map(|it| row(&it.url, &it.figures)).collect();
    table("URLs", "URL", rows)
}

fn table(title: &'static str, name: &'static str, rows: Vec<Vec<String>>) -> Table {
    Table {
        title,
        about: ABOUT,
        columns: vec![
            name,
            "scheduled",
            "offered/s",
            "goodput/s",
            "errors",
            "p50 ms",
            "p99 ms",
        ],
        texts: 1,
        rows,
    }
}

fn row(name: &str, figures: &PartFigures) -> Vec<String> {
    vec![
        printable(name).into_owned(),
        count(figures.operations),
        number(figures.offered_per_s),
        number(figures.goodput_per_s),
        maybe(figures.error_share, percent),
        maybe(figures.response_ms.p50, number),
        maybe(figures.response_ms.told_p99(), number),
    ]
}
