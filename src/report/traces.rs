//! The slowest operations of each phase by their traces, for every format.

use super::figures::number;
use super::observed::Table;
use crate::analysis::Findings;
use crate::record::printable;

/// The table of a run; without a row where no request told its trace.
pub(super) fn table(findings: &Findings) -> Table {
    let slow = findings
        .phases
        .iter()
        .flat_map(|phase| phase.slowest.iter().map(move |slow| (&phase.name, slow)));
    let rows = slow.map(|(phase, slow)| {
        let result = if slow.succeeded { "success" } else { "failure" };
        vec![
            printable(phase).into_owned(),
            printable(&slow.trace).into_owned(),
            format!("{:.2}", slow.at_s),
            number(slow.response_ms),
            result.to_owned(),
        ]
    });
    Table {
        title: "Slowest operations by trace",
        about: "Of each phase, among the operations whose trace is recorded (`--trace`): when \
                they were due, in seconds, and how long they took or were waited for, in \
                milliseconds.",
        columns: vec!["phase", "trace", "due", "took", "result"],
        texts: 2,
        rows: rows.collect(),
    }
}
