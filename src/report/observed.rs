//! Tables that not every run has: failures, and of the user's target its gauges, its
//! process, what is inferred.
//!
//! Every row names its source, and every table says how its figures are known:
//! point samples are no time integrals, and what is inferred was not measured.

use super::figures::{NONE, count, maybe, number, percent, rate, seconds};
use super::{agents, failures, incidents, kinds, people, seeds, steps, traces};
use crate::analysis::{
    DependencyFigures, Estimate, Findings, GaugeFigures, Latency, Phase, ProbeFigures,
    ProcessFigures,
};
use crate::record::printable;

/// A table as text: what it is called, what must be known of it, its heading,
/// its rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    /// What it shows.
    pub title: &'static str,
    /// How its figures are known, in one sentence.
    pub about: &'static str,
    /// The names of its columns; texts first, then figures.
    pub columns: Vec<&'static str>,
    /// How many columns are texts.
    pub texts: usize,
    /// One row for each phase and source.
    pub rows: Vec<Vec<String>>,
}

/// The tables that there is something for.
pub(super) fn tables(findings: &Findings) -> Vec<Table> {
    let all = [
        incidents::table(findings),
        seeds::table(findings),
        people::predictions(findings),
        people::said(findings),
        people::without(findings),
        steps::table(findings),
        kinds::kinds(findings),
        kinds::urls(findings),
        failures::table(findings),
        traces::table(findings),
        agents::table(findings),
        times(findings),
        gauges(findings),
        processes(findings),
        dependencies(findings),
        probes(findings),
        inferred(findings),
    ];
    let filled = all.into_iter().filter(|table| !table.rows.is_empty());
    filled.collect()
}

fn text(text: &str) -> String {
    printable(text).into_owned()
}

fn times(findings: &Findings) -> Table {
    // Without connections that were made the service time says it all.
    let made = findings.phases.iter();
    let made = made.filter(|phase| phase.connect_ms.is_some() || phase.tls_ms.is_some());
    let rows = made.map(|phase| {
        let cells = |latency: Option<Latency>| {
            let p50 = latency.and_then(|it| it.p50);
            let p99 = latency.and_then(|it| it.told_p99());
            [maybe(p50, number), maybe(p99, number)]
        };
        let opened = phase.connect_ms.map(|it| it.count);
        let mut row = vec![text(&phase.name), maybe(opened, count)];
        row.extend(cells(phase.connect_ms));
        row.extend(cells(phase.tls_ms));
        row.extend(cells(phase.first_byte_ms));
        row
    });
    Table {
        title: "Connecting, encryption and the first byte",
        about: "In milliseconds: until a connection was made, from then until encryption was \
                agreed on, and from the send of an answered attempt to its answer’s first byte.",
        columns: vec![
            "phase",
            "connections",
            "connect p50",
            "p99",
            "TLS p50",
            "p99",
            "first byte p50",
            "p99",
        ],
        texts: 1,
        rows: rows.collect(),
    }
}

fn gauges(findings: &Findings) -> Table {
    let row = |phase: &Phase, gauges: &GaugeFigures| {
        let workers = maybe(gauges.workers, number);
        vec![
            text(&phase.name),
            text(&gauges.source.to_string()),
            count(gauges.readings),
            count(gauges.failed),
            seconds(findings.unread_s(&gauges.source, phase)),
            maybe(gauges.busy, number),
            maybe(gauges.busy_max, number),
            if gauges.workers_stated {
                format!("{workers}*")
            } else {
                workers
            },
            maybe(gauges.saturation, percent),
            maybe(gauges.queue, number),
            maybe(gauges.queue_max, number),
        ]
    };
    let rows = findings.phases.iter().flat_map(|phase| {
        let own = phase.gauges.iter();
        own.map(move |gauges| row(phase, gauges))
    });
    Table {
        title: "The target’s own gauges",
        about: "Point samples, averaged over the readings; what happened between two readings is \
                unknown. No value: how long a gauge was missing or could not be read. * a number \
                that was stated, not read.",
        columns: vec![
            "phase",
            "source",
            "readings",
            "failed",
            "no value",
            "busy",
            "busy max",
            "workers",
            "saturation",
            "queue",
            "queue max",
        ],
        texts: 2,
        rows: rows.collect(),
    }
}

fn processes(findings: &Findings) -> Table {
    let row = |phase: &str, process: &ProcessFigures| {
        vec![
            text(phase),
            text(&process.source.to_string()),
            count(process.readings),
            maybe(process.processes, number),
            maybe(process.threads, number),
            maybe(process.threads_max, count),
            maybe(process.threads_running, number),
            maybe(process.processors, number),
            maybe(process.memory_bytes_max, |bytes| count(bytes >> 20)),
            maybe(process.files_max, count),
            maybe(process.listen_queue, number),
            maybe(process.listen_queue_max, count),
        ]
    };
    let rows = findings.phases.iter().flat_map(|phase| {
        let own = phase.processes.iter();
        own.map(move |process| row(&phase.name, process))
    });
    Table {
        title: "The target’s process",
        about: "With its descendants, from /proc; point samples, except for the processors used. \
                Accept queue: connections that the program has not accepted yet.",
        columns: vec![
            "phase",
            "source",
            "readings",
            "processes",
            "threads",
            "threads max",
            "running",
            "processors",
            "MiB max",
            "files max",
            "accept queue",
            "max",
        ],
        texts: 2,
        rows: rows.collect(),
    }
}

fn dependencies(findings: &Findings) -> Table {
    let row = |phase: &str, dependency: &DependencyFigures| {
        vec![
            text(phase),
            text(&dependency.source.to_string()),
            rate(dependency.begun_per_s),
            maybe(dependency.waiting, number),
            count(dependency.waiting_max),
            maybe(dependency.time_ms, number),
        ]
    };
    let rows = findings.phases.iter().flat_map(|phase| {
        let own = phase.dependencies.iter();
        own.map(move |dependency| row(&phase.name, dependency))
    });
    Table {
        title: "What the target waited for",
        about: "Exchanges with dependencies behind a proxy: from what the target sends until the \
                first byte of an answer comes back to it, with what faults add. In progress: a \
                time integral; the time of one is its mean, by Little’s law.",
        columns: vec![
            "phase",
            "source",
            "begun per second",
            "in progress",
            "max",
            "time, ms",
        ],
        texts: 2,
        rows: rows.collect(),
    }
}

fn probes(findings: &Findings) -> Table {
    let row = |phase: &str, probes: &ProbeFigures| {
        let ProbeFigures {
            monitor,
            probe,
            probes,
            failed,
        } = probes;
        let texts = [phase, monitor, probe].map(text);
        let figures = [*probes, *failed].map(count);
        texts.into_iter().chain(figures).collect()
    };
    let rows = findings.phases.iter().flat_map(|phase| {
        let own = phase.probes.iter();
        own.map(move |probes| row(&phase.name, probes))
    });
    Table {
        title: "Monitors one by one",
        about: "Probes by the instant at which they ended. One that fails while another does not \
                needs something that is short.",
        columns: vec!["phase", "monitor", "path", "probes", "failed"],
        texts: 3,
        rows: rows.collect(),
    }
}

/// A figure with its interval: `13.3 (13.1–13.5)`.
fn estimate(it: Estimate) -> String {
    format!("{} ({}–{})", rate(it.value), rate(it.low), rate(it.high))
}

fn inferred(findings: &Findings) -> Table {
    let mut rows = Vec::new();
    if let Some(capacity) = &findings.inferred_capacity {
        let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
        row("capacity per second", estimate(capacity.per_s));
        row("workers", maybe(capacity.workers, estimate));
        row(
            "uncontended service time, ms",
            maybe(capacity.service_ms, number),
        );
        row("buckets on the plateau", count(capacity.buckets));
        row(
            "requests in flight there",
            format!(
                "{}–{}",
                number(capacity.in_flight_min),
                number(capacity.in_flight_max)
            ),
        );
        row(
            "capacity by the scalability law",
            maybe(capacity.usl, |usl| estimate(usl.per_s)),
        );
        for phase in &findings.phases {
            let saturation = maybe(phase.saturation_inferred, percent);
            if saturation != NONE {
                row(
                    &format!("saturation in “{}”", text(&phase.name)),
                    saturation,
                );
            }
        }
    }
    Table {
        title: "Capacity, inferred",
        about: "Not measured, because the target does not publish it. Inferred from the plateau \
                on which completions stayed while requests in flight grew; in brackets, 95 % \
                intervals.",
        columns: vec!["figure", "value"],
        texts: 1,
        rows,
    }
}
