//! Figures by name: what can be read out of a summary, of the whole run or of a phase.
//!
//! A name is a figure's in `docs/TERMS.md`. What a summary does not tell is no figure: a
//! percentile of too few values, one that is not the target's alone, and a time that was
//! not seen to end. Each says why.

use std::fmt;
use std::str::FromStr;

use crate::analysis::{Findings, Latency, Phase};
use crate::record::is_told;

/// What a figure's values are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub enum Unit {
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// A share of 1.
    #[serde(rename = "share")]
    Share,
    /// Per second.
    #[serde(rename = "per second")]
    PerSecond,
    /// A bare number.
    #[serde(rename = "number")]
    Number,
}

/// Which way a figure becomes worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// A higher value is worse.
    Higher,
    /// A lower value is worse.
    Lower,
    /// Neither is.
    Neither,
}

/// A figure's value, or why there is none, in a clause: "it has no phase `push`".
pub type Reading = Result<f64, String>;

/// A figure of the table, and of which phase; none: of the whole run.
#[derive(Clone)]
pub struct NamedFigure {
    row: &'static Row,
    phase: Option<String>,
}

struct Row {
    name: &'static str,
    unit: Unit,
    worse: Direction,
    meaning: &'static str,
    read: Source,
}

/// Where a figure is read.
enum Source {
    /// In the whole run or a phase.
    Part(fn(&Phase) -> Reading),
    /// In the whole run only.
    Run(fn(&Findings) -> Reading),
}

const fn part(
    name: &'static str,
    unit: Unit,
    worse: Direction,
    meaning: &'static str,
    read: fn(&Phase) -> Reading,
) -> Row {
    Row {
        name,
        unit,
        worse,
        meaning,
        read: Source::Part(read),
    }
}

const fn span(name: &'static str, meaning: &'static str, read: fn(&Findings) -> Reading) -> Row {
    Row {
        name,
        unit: Unit::Seconds,
        worse: Direction::Higher,
        meaning,
        read: Source::Run(read),
    }
}

use Direction::{Higher, Lower, Neither};
use Quantile::{P50, P90, P99, P999};
use Unit::{Milliseconds, Number, PerSecond, Share};

/// Every figure.
static ROWS: [Row; 21] = [
    part(
        "response p50",
        Milliseconds,
        Higher,
        "median of the response time",
        |it| percentile(&it.response_ms, P50),
    ),
    part(
        "response p90",
        Milliseconds,
        Higher,
        "its 90th percentile",
        |it| percentile(&it.response_ms, P90),
    ),
    part(
        "response p99",
        Milliseconds,
        Higher,
        "its 99th percentile",
        |it| percentile(&it.response_ms, P99),
    ),
    part(
        "response p99.9",
        Milliseconds,
        Higher,
        "its 99.9th percentile",
        |it| percentile(&it.response_ms, P999),
    ),
    part(
        "service p50",
        Milliseconds,
        Higher,
        "median of the service time",
        |it| percentile(&it.service_ms, P50),
    ),
    part(
        "service p90",
        Milliseconds,
        Higher,
        "its 90th percentile",
        |it| percentile(&it.service_ms, P90),
    ),
    part(
        "service p99",
        Milliseconds,
        Higher,
        "its 99th percentile",
        |it| percentile(&it.service_ms, P99),
    ),
    part(
        "service p99.9",
        Milliseconds,
        Higher,
        "its 99.9th percentile",
        |it| percentile(&it.service_ms, P999),
    ),
    part(
        "error share",
        Share,
        Higher,
        "operations that ended without success / that ended",
        |it| {
            it.error_share
                .ok_or_else(|| "no operation ended in it".into())
        },
    ),
    part(
        "goodput",
        PerSecond,
        Lower,
        "operations per second that succeeded",
        |it| Ok(it.goodput_per_s),
    ),
    part(
        "goodput share",
        Share,
        Lower,
        "goodput / offered load",
        |it| match it.offered_per_s {
            0.0 => Err("nothing was offered in it".into()),
            offered => Ok(it.goodput_per_s / offered),
        },
    ),
    part(
        "offered load",
        PerSecond,
        Neither,
        "operations per second that were scheduled",
        |it| Ok(it.offered_per_s),
    ),
    part(
        "attempts per operation",
        Number,
        Higher,
        "users' attempts / first tries",
        |it| {
            it.attempts_per_operation
                .ok_or_else(|| "no attempt was made in it".into())
        },
    ),
    part(
        "saturation",
        Share,
        Higher,
        "busy worker-time / worker-time",
        |it| {
            it.saturation
                .ok_or_else(|| "no worker was read in it".into())
        },
    ),
    part(
        "queue depth",
        Number,
        Higher,
        "most jobs that waited",
        |it| {
            let most = it.queue_depth.max.map(|most| most as f64);
            most.ok_or_else(|| "no queue was read in it".into())
        },
    ),
    span(
        "recovery after rollback",
        "rollback applied → recovered",
        |it| {
            let incident = &it.incident;
            watched(
                incident.recovery_after_rollback_s,
                incident.recovery_after_rollback_censored_after_s,
            )
        },
    ),
    span(
        "recovery after trigger off",
        "trigger off → recovered",
        |it| {
            let incident = &it.incident;
            watched(
                incident.recovery_after_trigger_off_s,
                incident.recovery_after_trigger_off_censored_after_s,
            )
        },
    ),
    span(
        "recovery after the last action",
        "last action → recovered",
        |it| {
            let incident = &it.incident;
            watched(
                incident.recovery_after_last_action_s,
                incident.recovery_after_last_action_censored_after_s,
            )
        },
    ),
    span("time to detect", "impact → first alert", |it| {
        watched(
            it.incident.time_to_detect_s,
            it.incident.time_to_detect_censored_after_s,
        )
    }),
    span(
        "time to mitigate",
        "impact → half of the baseline's goodput",
        |it| {
            watched(
                it.incident.time_to_mitigate_s,
                it.incident.time_to_mitigate_censored_after_s,
            )
        },
    ),
    span("time to recover", "impact → recovered", |it| {
        watched(
            it.incident.time_to_recover_s,
            it.incident.time_to_recover_censored_after_s,
        )
    }),
];

/// The name, the unit and the meaning of every figure, and whether it can be asked of a
/// phase.
pub fn figures() -> impl Iterator<Item = (&'static str, Unit, &'static str, bool)> {
    ROWS.iter().map(|row| {
        let of_phase = matches!(row.read, Source::Part(_));
        (row.name, row.unit, row.meaning, of_phase)
    })
}

/// Which percentile.
#[derive(Clone, Copy)]
enum Quantile {
    P50,
    P90,
    P99,
    P999,
}

impl Quantile {
    const fn share(self) -> f64 {
        match self {
            P50 => 0.5,
            P90 => 0.9,
            P99 => 0.99,
            P999 => 0.999,
        }
    }

    const fn of(self, latency: &Latency) -> Option<f64> {
        match self {
            P50 => latency.p50,
            P90 => latency.p90,
            P99 => latency.p99,
            P999 => latency.p999,
        }
    }

    const fn is_marked(self, latency: &Latency) -> bool {
        match self {
            P50 => latency.marked.p50,
            P90 => latency.marked.p90,
            P99 => latency.marked.p99,
            P999 => latency.marked.p999,
        }
    }
}

/// A percentile that is the target's alone, where there are values enough to tell it.
fn percentile(latency: &Latency, quantile: Quantile) -> Reading {
    let value = quantile.of(latency).ok_or("it has no value")?;
    let count = latency.count;
    if quantile.is_marked(latency) {
        return Err("more than a tenth of it is the generator's own lag".into());
    }
    if !is_told(quantile.share(), count) {
        return Err(format!(
            "it has {count} values, too few for this percentile"
        ));
    }
    Ok(value)
}

/// A time that was waited for.
fn watched(seen: Option<f64>, censored_after: Option<f64>) -> Reading {
    match (seen, censored_after) {
        (Some(seconds), _) => Ok(seconds),
        (None, Some(after)) => Err(format!("it is censored: > {after:.1} s")),
        (None, None) => Err("nothing in the run begins or ends it".into()),
    }
}

impl NamedFigure {
    /// What its values are in.
    pub const fn unit(&self) -> Unit {
        self.row.unit
    }

    /// Which way it becomes worse.
    pub const fn worse(&self) -> Direction {
        self.row.worse
    }

    /// Its value in these findings.
    ///
    /// # Errors
    ///
    /// Where there is none: why, in a clause.
    pub fn read(&self, findings: &Findings) -> Reading {
        match (&self.row.read, &self.phase) {
            (Source::Run(read), _) => read(findings),
            (Source::Part(read), None) => read(findings.whole().ok_or_else(|| no_whole(findings))?),
            (Source::Part(read), Some(name)) => {
                let mut phases = findings.phases.iter();
                let found = phases.find(|phase| phase.name == *name);
                read(found.ok_or_else(|| no_phase(findings, name))?)
            }
        }
    }
}

fn no_whole(findings: &Findings) -> String {
    if findings.phases.is_empty() {
        return "its summary has no figures".into();
    }
    "its summary is of an older version, without figures of the whole run: `threadbare \
     report` of its directory adds them"
        .into()
}

fn no_phase(findings: &Findings, name: &str) -> String {
    let phases: Vec<&str> = findings.phases.iter().map(|it| it.name.as_str()).collect();
    let instead = match nearest(name, phases.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are: {}", phases.join(", ")),
    };
    format!("it has no phase `{name}`; {instead}")
}

/// The name that is most like this one, if any is.
fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|other| (strsim::jaro_winkler(name, other), other))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, other)| other)
}

impl FromStr for NamedFigure {
    type Err = String;

    /// Reads `response p99`, `p99`, `response p99 in push`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, phase) = match text.split_once(" in ") {
            Some((name, phase)) => (name, Some(phase)),
            None => (text, None),
        };
        let short = name.trim().to_lowercase();
        let percentile = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
        let name = match short.strip_prefix('p') {
            Some(rest) if percentile(rest) => format!("response {short}"),
            _ => short,
        };
        let Some(row) = ROWS.iter().find(|row| row.name == name) else {
            let names = || ROWS.iter().map(|row| row.name);
            let instead = match nearest(&name, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are: {}", names().collect::<Vec<_>>().join(", ")),
            };
            return Err(format!("there is no figure `{name}`; {instead}"));
        };
        let phase = phase.map(|phase| {
            let phase = phase.trim();
            let phase = phase.strip_prefix("the phase ").unwrap_or(phase);
            phase.trim_matches(['`', '\'', '"']).to_owned()
        });
        if let (Source::Run(_), Some(phase)) = (&row.read, &phase) {
            return Err(format!(
                "`{name}` is a figure of the whole run; leave out `in {phase}`"
            ));
        }
        Ok(Self { row, phase })
    }
}

impl fmt::Display for NamedFigure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row.name)?;
        match &self.phase {
            Some(phase) => write!(f, " in {phase}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for NamedFigure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}
