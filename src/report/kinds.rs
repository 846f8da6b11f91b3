//! Kinds of operation one by one, for every format.

use super::figures::{count, maybe, number, percent};
use super::observed::Table;
use crate::analysis::{Findings, KindFigures};
use crate::record::printable;

/// The table of a run; without a row where there is one kind only.
pub(super) fn table(findings: &Findings) -> Table {
    Table {
        title: "Kinds of operation",
        about: "Over the whole run without its warm-up. Response times are of operations that \
                succeeded.",
        columns: vec![
            "operation",
            "scheduled",
            "offered/s",
            "goodput/s",
            "errors",
            "p50 ms",
            "p99 ms",
        ],
        texts: 1,
        rows: findings.kinds.iter().map(row).collect(),
    }
}

fn row(kind: &KindFigures) -> Vec<String> {
    vec![
        printable(&kind.kind).into_owned(),
        count(kind.operations),
        number(kind.offered_per_s),
        number(kind.goodput_per_s),
        maybe(kind.error_share, percent),
        maybe(kind.response_ms.p50, number),
        maybe(kind.response_ms.told_p99(), number),
    ]
}
