//! What the run was expected to show, and what came.
//!
//! A censored figure fails an upper bound, whatever the bound: "not seen in
//! 40 s" is no proof of "within 60 s". It passes a lower bound that it was
//! watched past. An invalid measurement judges nothing.

use std::borrow::Cow;
use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::findings::{Findings, Phase, Validity};
use super::observation::Observation;
use super::phases::{self, Stretch};
use super::reading::{self, Observed};
use super::series::Series;
use super::{kinds, windows};
use crate::model::{Scope, Word};
use crate::plan::{Bound, Expectation, Figure, Unit};
use crate::record::Record;

/// An expectation and its result.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ExpectationResult {
    /// The figure, with its phase.
    pub that: String,
    /// Whether it held; null where that was not measured: the measurement is invalid, the
    /// figure is not the target's alone, has too few values, or its window was not reached.
    /// One that is about a share of seeds passes wherever it was measured: no single run
    /// can fail it.
    pub passed: Option<bool>,
    /// What was observed, as text with its unit; `> 40 s` where it is censored.
    pub observed: String,
    /// The same as a number: seconds, a share of 1, per second, or a count; null where it
    /// is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// What was required, as text with its unit.
    pub required: String,
    /// How far the observed figure is from the bound, as text with its unit: `+` is room
    /// that is left, `-` what it missed by; only where both are numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<String>,
    /// The start of the window that it was taken over, on an edge of the buckets; only
    /// where it was a window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_s: Option<f64>,
    /// Its end, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_s: Option<f64>,
    /// Of one that is about a share of seeds: whether it held in this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<bool>,
}

impl ExpectationResult {
    /// Whether it held in this run; none where that was not measured.
    pub fn held(&self) -> Option<bool> {
        self.held.or(self.passed)
    }

    /// Whether this run shows that it holds or fails; none where it shows neither, as of a
    /// share of seeds.
    pub fn judged(&self) -> Option<bool> {
        self.passed.filter(|_| !self.is_of_seeds())
    }

    /// Whether it is about a share of seeds, of which one run is a part.
    pub const fn is_of_seeds(&self) -> bool {
        self.held.is_some()
    }
}

/// What was seen of a run.
pub(super) struct Seen<'a> {
    pub record: &'a Record,
    pub series: &'a Series,
    pub observation: Observation,
    pub stretches: &'a [Stretch],
    /// All but what is expected.
    pub findings: &'a Findings,
}

/// What a figure was seen to be, and over which window.
struct Reading {
    observed: Observed,
    window: Option<(f64, f64)>,
}

impl From<Observed> for Reading {
    fn from(observed: Observed) -> Self {
        Self {
            observed,
            window: None,
        }
    }
}

/// Holds every expectation against what was seen.
pub(super) fn results(seen: &Seen<'_>) -> Vec<ExpectationResult> {
    let expected = seen.record.header.plan.expectations.iter();
    expected.map(|it| result(seen, it)).collect()
}

fn result(seen: &Seen<'_>, expectation: &Expectation) -> ExpectationResult {
    let unit = expectation.that.unit();
    let Reading { observed, window } = observe(seen, expectation);
    let valid = seen.findings.measurement.validity == Validity::Valid;
    let judged = valid && !matches!(observed, Observed::NotMeasured(_));
    let held = judged.then(|| holds(&observed, &expectation.bound));
    // Of a share of seeds one run is a part.
    let of_seeds = expectation.share.is_some();
    ExpectationResult {
        that: named(expectation),
        passed: held.map(|held| held || of_seeds),
        held: held.filter(|_| of_seeds),
        margin: margin(&observed, &expectation.bound, unit),
        value: match observed {
            Observed::Number(value) => Some(value),
            _ => None,
        },
        observed: match observed {
            Observed::Number(value) => in_unit(value, unit),
            Observed::Word(word) => word.map_or("none", Word::text).to_owned(),
            Observed::Censored(after) => format!("> {}", in_unit(after, unit)),
            Observed::Absent(why) => why.to_owned(),
            Observed::NotMeasured(why) => format!("not measured: {why}"),
        },
        required: required(expectation),
        from_s: window.map(|(from, _)| from),
        to_s: window.map(|(_, to)| to),
    }
}

/// What is left up to the bound, or is missing.
fn margin(observed: &Observed, bound: &Bound, unit: Unit) -> Option<String> {
    let Observed::Number(value) = observed else {
        return None;
    };
    let left = match bound {
        Bound::AtMost(most) => most - value,
        Bound::AtLeast(least) => value - least,
        Bound::Is(_) => return None,
    };
    let sign = if left < 0.0 { "-" } else { "+" };
    Some(format!("{sign}{}", in_unit(left.abs(), unit)))
}

/// What it must be, in words.
pub(super) fn required(expectation: &Expectation) -> String {
    let unit = expectation.that.unit();
    let bound = match &expectation.bound {
        Bound::AtMost(most) => format!("at most {}", in_unit(*most, unit)),
        Bound::AtLeast(least) => format!("at least {}", in_unit(*least, unit)),
        Bound::Is(word) => word.text().to_owned(),
    };
    expectation.share.map_or(bound.clone(), |share| {
        let share = in_unit(share.get(), Unit::Share);
        format!("{bound}, in at least {share} of seeds")
    })
}

/// What is looked at, in words.
pub(super) fn named(expectation: &Expectation) -> String {
    let mut name = expectation.that.word().to_owned();
    if let Some(kind) = &expectation.kind {
        let _ = write!(name, " of `{kind}`");
    }
    if let Some(source) = &expectation.of.source {
        let _ = write!(name, " of `{source}`");
    }
    if let Some(cause) = expectation.of.cause {
        let _ = write!(name, " by `{}`", cause.word());
    }
    if let Some(phase) = &expectation.phase {
        let _ = write!(name, " in the phase `{phase}`");
    }
    if let Some(window) = &expectation.window {
        let _ = write!(name, " {window}");
    }
    name
}

fn holds(observed: &Observed, bound: &Bound) -> bool {
    match (bound, observed) {
        (Bound::AtMost(most), Observed::Number(value)) => value <= most,
        (Bound::AtLeast(least), Observed::Number(value) | Observed::Censored(value)) => {
            value >= least
        }
        (Bound::Is(word), Observed::Word(seen)) => Some(*word) == *seen,
        _ => false,
    }
}

fn observe(seen: &Seen<'_>, expectation: &Expectation) -> Reading {
    let (findings, figure) = (seen.findings, expectation.that);
    match figure.scope() {
        Scope::Incident => reading::of_incident(findings, figure).into(),
        Scope::Phase if expectation.phase.is_none() => {
            reading::failures(findings, &expectation.of).into()
        }
        _ => over(seen, expectation, figure),
    }
}

/// A figure over a window, a phase, or the whole run.
fn over(seen: &Seen<'_>, expectation: &Expectation, figure: Figure) -> Reading {
    let stretch = match (&expectation.window, &expectation.phase) {
        (Some(window), _) => windows::stretch(window, seen),
        (None, Some(name)) => {
            let mut stretches = seen.stretches.iter();
            match stretches.find(|stretch| stretch.name == *name) {
                Some(stretch) => Ok(stretch.clone()),
                // It may have come later.
                None if !seen.findings.complete => Err("the phase was not reached".into()),
                None => return Observed::Absent("the phase was not seen").into(),
            }
        }
        (None, None) => Ok(Stretch::whole(seen.observation)),
    };
    let stretch = match stretch {
        Ok(stretch) if stretch.from < stretch.to => stretch,
        Ok(_) => return Observed::NotMeasured("nothing was observed".into()).into(),
        Err(why) => return Observed::NotMeasured(why).into(),
    };
    let phase = match phase(seen, expectation, &stretch) {
        Ok(phase) => phase,
        Err(why) => return Observed::NotMeasured(why).into(),
    };
    Reading {
        observed: reading::of_phase(seen.findings, &phase, figure, &expectation.of)
            .in_seconds(figure),
        window: expectation
            .window
            .is_some()
            .then_some((phase.from_s, phase.to_s)),
    }
}

/// The figures of a stretch: of all operations, or of one kind.
fn phase<'a>(
    seen: &Seen<'a>,
    expectation: &Expectation,
    stretch: &Stretch,
) -> Result<Cow<'a, Phase>, String> {
    if let Some(name) = &expectation.kind {
        let source = kinds::source(&seen.record.header.plan, name);
        let source = source.ok_or_else(|| format!("there is no operation `{name}` of several"))?;
        let phase = kinds::phase(seen.record, seen.series, stretch, &source);
        return Ok(Cow::Owned(phase));
    }
    let known = expectation.phase.as_deref();
    let mut phases = seen.findings.phases.iter();
    Ok(
        match phases.find(|phase| Some(phase.name.as_str()) == known) {
            Some(phase) => Cow::Borrowed(phase),
            None => Cow::Owned(phases::phase(seen.record, seen.series, stretch)),
        },
    )
}

pub(super) fn in_unit(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Seconds if value < 0.1 => format!("{} ms", decimal(value * 1e3, 2)),
        Unit::Seconds => format!("{} s", decimal(value, 3)),
        Unit::Share => format!("{} %", decimal(value * 100.0, 2)),
        Unit::PerSecond => format!("{}/s", decimal(value, 2)),
        Unit::Number | Unit::Word => decimal(value, 2),
    }
}

/// A number with so many decimals at most, and no zeros at its end.
pub(super) fn decimal(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}
