//! Figures by name: what can be read out of a summary, of the whole run or of a phase.
//!
//! The names are those of expectations. What a summary does not tell is no figure: a
//! percentile of too few values, one that is not the target's alone, and a time that was
//! not seen to end. Each says why.

use std::fmt;
use std::str::FromStr;

use crate::analysis::Findings;
use crate::analysis::reading::{self, Observed};
use crate::model::{self, Direction, FailuresOf, Figure, Scope};
use crate::named::suggest;

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

impl Unit {
    /// As a summary states the values of a figure; a word is none.
    fn of(figure: Figure) -> Option<Self> {
        Some(match figure.unit() {
            model::Unit::Seconds if figure.is_latency() => Self::Milliseconds,
            model::Unit::Seconds => Self::Seconds,
            model::Unit::Share => Self::Share,
            model::Unit::PerSecond => Self::PerSecond,
            model::Unit::Number => Self::Number,
            model::Unit::Word => return None,
        })
    }
}

/// A figure's value, or why there is none, in a clause: "it has no phase `push`".
pub type Reading = Result<f64, String>;

/// A figure that has numbers, and of which phase; none: of the whole run.
#[derive(Clone)]
pub struct NamedFigure {
    figure: Figure,
    unit: Unit,
    phase: Option<String>,
}

/// The name, the unit and the meaning of every figure, and whether it can be asked of a
/// phase.
pub fn figures() -> impl Iterator<Item = (&'static str, Unit, &'static str, bool)> {
    Figure::ALL.into_iter().filter_map(|(figure, name)| {
        let of_phase = figure.scope() != Scope::Incident;
        Some((name, Unit::of(figure)?, figure.meaning(), of_phase))
    })
}

impl NamedFigure {
    /// What its values are in.
    pub const fn unit(&self) -> Unit {
        self.unit
    }

    /// Which way it becomes worse.
    pub const fn worse(&self) -> Direction {
        self.figure.worse()
    }

    /// Its value in these findings.
    ///
    /// # Errors
    ///
    /// Where there is none: why, in a clause.
    pub fn read(&self, findings: &Findings) -> Reading {
        match self.observe(findings)? {
            Observed::Number(value) => Ok(value),
            Observed::Censored(after) if self.figure.is_latency() => {
                Err(format!("it is censored: > {after:.1} ms"))
            }
            Observed::Censored(after) => Err(format!("it is censored: > {after:.1} s")),
            Observed::Absent(why) => Err(why.to_owned()),
            Observed::NotMeasured(why) => Err(why),
            Observed::Word(_) => Err("it is a word".to_owned()),
        }
    }

    fn observe(&self, findings: &Findings) -> Result<Observed, String> {
        let all = FailuresOf::default();
        let phase = match (self.figure.scope(), &self.phase) {
            (Scope::Incident, _) => return Ok(reading::of_incident(findings, self.figure)),
            (Scope::Phase, None) => return Ok(reading::failures(findings, &all)),
            (_, None) => findings.whole().ok_or_else(|| no_whole(findings))?,
            (_, Some(name)) => {
                let mut phases = findings.phases.iter();
                let found = phases.find(|phase| phase.name == *name);
                found.ok_or_else(|| no_phase(findings, name))?
            }
        };
        Ok(reading::of_phase(findings, phase, self.figure, &all))
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
    format!("it has no phase `{name}`; {}", suggest(name, &phases))
}

impl FromStr for NamedFigure {
    type Err = String;

    /// Reads `response p99`, `p99`, `response p99 in push`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, phase) = match text.split_once(" in ") {
            Some((name, phase)) => (name, Some(phase)),
            None => (text, None),
        };
        let name = name.trim().to_lowercase();
        let figure = Figure::named(&name, |figure| Unit::of(figure).is_some())?;
        let unit = Unit::of(figure).ok_or_else(|| format!("`{name}` is a word"))?;
        let phase = phase.map(|phase| {
            let phase = phase.trim();
            let phase = phase.strip_prefix("the phase ").unwrap_or(phase);
            phase.trim_matches(['`', '\'', '"']).to_owned()
        });
        if let (Scope::Incident, Some(phase)) = (figure.scope(), &phase) {
            return Err(format!(
                "`{name}` is a figure of the whole run; leave out `in {phase}`"
            ));
        }
        Ok(Self {
            figure,
            unit,
            phase,
        })
    }
}

impl fmt::Display for NamedFigure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.figure.word())?;
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
