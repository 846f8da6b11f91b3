//! The table of phases: its columns and how each figure in it is written.

use super::figures::{MARK, count, maybe, number, percent, rate};
use crate::analysis::Phase;
use crate::record::printable;

/// A phase's figures as text, in the order of [`COLUMNS`].
pub(super) fn cells(phase: &Phase) -> [String; 14] {
    let marks = phase.response_ms.marked;
    [
        printable(&phase.name).into_owned(),
        format!("{:.1}–{:.1}", phase.from_s, phase.to_s),
        rate(phase.offered_per_s),
        rate(phase.goodput_per_s),
        maybe(phase.error_share, percent),
        maybe(phase.attempts_per_operation, number),
        maybe(phase.probes_per_operation, number),
        maybe(phase.saturation, percent),
        maybe(phase.queue_depth.mean, number),
        maybe(phase.queue_depth.max, count),
        maybe(phase.response_ms.p50, |it| marked(it, marks.p50)),
        maybe(phase.response_ms.told_p99(), |it| marked(it, marks.p99)),
        maybe(phase.queue_wait_ms.told_p99(), number),
        maybe(phase.machine_busy, percent),
    ]
}

/// A number, with a star where it is not the target's alone.
pub(super) fn marked(value: f64, marked: bool) -> String {
    let star = if marked { MARK } else { "" };
    format!("{}{star}", number(value))
}

/// What the figures of a phase are: two lines of heading, and the definition.
pub(super) const COLUMNS: [(&str, &str, &str); 14] = [
    ("", "phase", "the run between two actions"),
    ("from–to", "s", "seconds from the start of the load"),
    ("offered", "/s", "operations scheduled per second"),
    (
        "goodput",
        "/s",
        "operations that succeeded per second, by intended start",
    ),
    (
        "errors",
        "share",
        "operations that ended without success / that ended",
    ),
    ("attempts", "/op", "users’ attempts / first tries"),
    ("probes", "/op", "monitor probes / operations"),
    (
        "satura-",
        "tion",
        "busy worker-time / worker-time, over the fleet",
    ),
    (
        "queue",
        "mean",
        "jobs waiting in the fleet, time-weighted mean",
    ),
    ("queue", "max", "most jobs waiting in the fleet"),
    (
        "response",
        "p50 ms",
        "end minus intended start, of operations that succeeded; *: more than a tenth of it is \
         the generator’s own lag, so it is not the target’s",
    ),
    (
        "response",
        "p99 ms",
        "end minus intended start, of operations that succeeded; *: as in the p50",
    ),
    ("wait", "p99 ms", "time a job waited for a worker"),
    ("machine", "busy", "busy share of the whole machine"),
];

/// A column's name on one line.
pub(super) fn name(above: &str, below: &str) -> String {
    match above.strip_suffix('-') {
        Some(begun) => format!("{begun}{below}"),
        None => format!("{above} {below}").trim().to_owned(),
    }
}
