//! The agents that sent a load, and those that wait at a server: a row each.

use serde::Serialize;

use super::figures::{NONE, count, maybe, number, percent, seconds};
use super::observed::Table;
use super::text::{Paint, table as laid_out};
use crate::analysis::{AgentFigures, Findings};
use crate::error::{Error, Result};
use crate::record::printable;

/// What the table is called.
const TITLE: &str = "Agents";

/// One row for each agent; no rows where the load was sent from here.
pub(super) fn table(findings: &Findings) -> Table {
    let agents = findings.agents.iter().flat_map(|it| &it.agents);
    Table {
        title: TITLE,
        about: "Who sent the load. What they counted is added up in every figure; the begin of \
                each counts from the run’s zero, by the clocks’ offset that was measured.",
        columns: vec![
            "agent",
            "share",
            "threads",
            "began, ms",
            "±",
            "busy",
            "machine",
            "send lag p99, ms",
            "deliveries",
            "repeated",
            "lost",
        ],
        texts: 1,
        rows: agents.map(row).collect(),
    }
}

fn row(agent: &AgentFigures) -> Vec<String> {
    let millis = |us: Option<f64>| maybe(us, |us| format!("{:.3}", us / 1e3));
    vec![
        printable(&agent.name).into_owned(),
        percent(agent.share),
        agent.threads.to_string(),
        millis(agent.skew_us),
        millis(agent.skew_bound_us),
        maybe(agent.busy_max, percent),
        maybe(agent.machine_busy_max, percent),
        maybe(agent.send_lag_p99_us, |us| number(us / 1e3)),
        maybe(agent.deliveries, count),
        maybe(agent.repeated, count),
        agent.lost_s.map_or_else(|| NONE.to_owned(), seconds),
    ]
}

/// An agent that waits at a server.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Line {
    /// Its name.
    pub(crate) name: String,
    /// The version of threadbare that it is.
    pub(crate) version: String,
    /// Its processors.
    pub(crate) cores: u32,
    /// What they are called.
    pub(crate) processor: String,
    /// Its kernel.
    pub(crate) kernel: String,
    /// How far its clock is ahead of this program's, in microseconds: each counts from the
    /// start of its own program, so only changes of it mean anything.
    pub(crate) offset_us: Option<f64>,
    /// How far that may be off.
    pub(crate) offset_bound_us: Option<f64>,
    /// What it does; none: it waits for work.
    pub(crate) busy: Option<String>,
    /// Whether nobody else can read what it is sent.
    pub(crate) secure: bool,
}

/// As a table.
pub(crate) fn text(lines: &[Line], server: &str, quiet: bool) -> String {
    if quiet {
        let names = lines.iter().flat_map(|line| [line.name.as_str(), "\n"]);
        return names.collect();
    }
    if lines.is_empty() {
        return format!("No agent waits at {server}; start one with `threadbare agent`.\n");
    }
    let heading = ["agent", "does", "version", "cores", "clock, s", "± ms"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    rows.extend(lines.iter().map(|line| {
        vec![
            printable(&line.name).into_owned(),
            line.busy
                .as_deref()
                .map_or_else(|| "waits".to_owned(), |busy| printable(busy).into_owned()),
            printable(&line.version).into_owned(),
            line.cores.to_string(),
            maybe(line.offset_us, |us| format!("{:+.6}", us / 1e6)),
            maybe(line.offset_bound_us, |us| format!("{:.3}", us / 1e3)),
        ]
    }));
    let mut text = String::new();
    laid_out(&mut text, rows, 2, 1, Paint(false));
    text
}

/// As JSON.
///
/// # Errors
///
/// Where it cannot be written as such, which is a bug.
pub(crate) fn json(lines: &[Line]) -> Result<String> {
    serde_json::to_string_pretty(lines)
        .map(|text| text + "\n")
        .map_err(|cause| Error::failed(format!("failed to write the agents: {cause}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_has_a_row() {
        let line = |name: &str, busy: Option<&str>| Line {
            name: name.into(),
            version: "0.1.0".into(),
            cores: 8,
            processor: "a processor".into(),
            kernel: "Linux".into(),
            offset_us: Some(-1_500_000.25),
            offset_bound_us: Some(120.0),
            busy: busy.map(str::to_owned),
            secure: true,
        };
        let lines = [line("east-1", None), line("west-1", Some("a load, mine"))];
        let told = text(&lines, "nats://a", false);
        let rows: Vec<Vec<&str>> = told
            .lines()
            .map(|row| row.split_whitespace().collect())
            .collect();
        assert_eq!(rows.len(), 3, "{told}");
        assert_eq!(
            rows[1],
            ["east-1", "waits", "0.1.0", "8", "-1.500000", "0.120"]
        );
        assert!(told.contains("a load, mine"));
        assert_eq!(text(&lines, "nats://a", true), "east-1\nwest-1\n");
        assert!(text(&[], "nats://a", false).contains("No agent waits at nats://a"));
        let read: serde_json::Value = serde_json::from_str(&json(&lines).unwrap()).unwrap();
        assert_eq!(read[1]["busy"], "a load, mine");
    }
}
