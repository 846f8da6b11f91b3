//! What one step shows: whether its objectives hold, or service came back in it.
//!
//! Three answers. An objective holds, or does not, where its whole interval says so;
//! else it cannot be told. A rate at which the number of operations in flight still grows
//! is not served, whatever else holds. Where the generator or the machine was the limit
//! nothing is judged.

use super::causes;
use super::found::{LimitFigures, LimitObjective, LimitRecovery, LimitVerdict};
use super::growth::{Growth, growth};
use super::interval::interval;
use super::parts::LimitCause;
use crate::analysis::compare::blocks::{Block, Blocks, FIGURES};
use crate::analysis::expectations::in_unit;
use crate::analysis::phases::Stretch;
use crate::analysis::{ExpectationResult, Findings, Phase, Validity, observation, series};
use crate::model::{IncidentVerdict, Unit};
use crate::plan::{Bound, Expectation};
use crate::record::{Backend, Record};

/// What a step is held against.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The objectives, as they were written; the plan of the step expects them in this
    /// order.
    pub objectives: &'a [String],
    /// The share by which rates are told apart.
    pub tolerance: f64,
    /// With a trigger: service is back so many seconds after it, or it is not back.
    pub return_within_s: Option<f64>,
}

/// What a step came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The verdict.
    pub verdict: LimitVerdict,
    /// Why, in a few words.
    pub why: String,
    /// Each objective.
    pub objectives: Vec<LimitObjective>,
    /// What was measured.
    pub figures: LimitFigures,
    /// How service came back, with a trigger.
    pub recovery: Option<LimitRecovery>,
    /// What was at its limit.
    pub limited_by: Vec<LimitCause>,
}

/// Judges the record of a step, in which this was found.
pub fn judge(record: &Record, findings: &Findings, rules: &Rules<'_>) -> Judged {
    let series = series(record);
    let observed = observation::observation(record, &series);
    let whole = Stretch::whole(observed);
    let grown = growth(&series, &whole).filter(|_| rules.return_within_s.is_none());
    let mut judged = Judged {
        verdict: LimitVerdict::CannotTell,
        why: String::new(),
        objectives: Vec::new(),
        figures: figures(findings, grown),
        recovery: None,
        limited_by: causes::seen(findings),
    };
    if findings.measurement.validity == Validity::Invalid {
        judged.why = findings.measurement.reasons.join(" ");
        judged
            .limited_by
            .insert(0, causes::of_measurement(findings));
        return judged;
    }
    if let Some(cause) = causes::connections(record, findings) {
        judged.why.clone_from(&cause.sentence);
        judged.limited_by.insert(0, cause);
        return judged;
    }
    if let Some(within) = rules.return_within_s {
        judged.returned(findings, within);
        return judged;
    }
    let blocks = Blocks::of(&series, &whole).blocks;
    judged.served(record, findings, rules, (&blocks, grown));
    // Clients wait for so long at most, or it is so long that nobody would.
    if observed.cut_short(record.load_end()).is_some() {
        let drain = record.header.plan.drain;
        // Its figures end with the first operation that did not, and say nothing of those.
        judged.figures.error_share = None;
        judged.verdict = LimitVerdict::DoesNot;
        judged.why = format!("operations were still in flight {drain} after the load had ended");
    }
    judged
}

impl Judged {
    /// That of a step that showed nothing, and why.
    pub fn untold(why: String) -> Self {
        Self {
            verdict: LimitVerdict::CannotTell,
            why,
            objectives: Vec::new(),
            figures: LimitFigures::default(),
            recovery: None,
            limited_by: Vec::new(),
        }
    }

    fn served(
        &mut self,
        record: &Record,
        findings: &Findings,
        rules: &Rules<'_>,
        (blocks, grown): (&[Block], Option<Growth>),
    ) {
        let noisy = record.header.backend == Backend::Live;
        let expected = record.header.plan.expectations.iter();
        let results = expected.zip(&findings.expectations).zip(rules.objectives);
        let objectives = results
            .map(|((expectation, seen), text)| objective(text, expectation, seen, (blocks, noisy)));
        self.objectives = objectives.collect();
        let (verdict, why) = still_grows(grown, self.figures.offered_per_s, rules.tolerance);
        let all = self.objectives.iter().map(|it| (it.verdict, it.words()));
        let all: Vec<(LimitVerdict, String)> = all.chain([(verdict, why)]).collect();
        self.decide(&all);
    }

    /// One that does not hold decides, then one that cannot be told.
    fn decide(&mut self, all: &[(LimitVerdict, String)]) {
        let of = |wanted: LimitVerdict| {
            let those = all.iter().filter(|(verdict, _)| *verdict == wanted);
            let words = those.map(|(_, why)| why.as_str());
            words.filter(|why| !why.is_empty()).collect::<Vec<_>>()
        };
        let decisive = [LimitVerdict::DoesNot, LimitVerdict::CannotTell];
        let found = decisive
            .into_iter()
            .find(|verdict| all.iter().any(|(own, _)| own == verdict));
        self.verdict = found.unwrap_or(LimitVerdict::Holds);
        self.why = of(self.verdict).join("; ");
    }

    fn returned(&mut self, findings: &Findings, within: f64) {
        let recovery = recovery(findings, within);
        (self.verdict, self.why) = match (recovery.returned, recovery.after_s) {
            (Some(true), Some(after)) if after > 0.0 => (
                LimitVerdict::Holds,
                format!("service was back {after:.1} s after the trigger"),
            ),
            (Some(true), _) => (
                LimitVerdict::Holds,
                match findings.incident.verdict {
                    IncidentVerdict::NoImpact => "the trigger took no service away".into(),
                    _ => "service was back before the trigger was over".into(),
                },
            ),
            (Some(false), Some(after)) => (
                LimitVerdict::DoesNot,
                format!("service was back only {after:.1} s after the trigger"),
            ),
            (Some(false), None) => (
                LimitVerdict::DoesNot,
                format!(
                    "service was not back {within:.0} s after the trigger: {}",
                    recovery.verdict.word().replace('_', " ")
                ),
            ),
            (None, _) => {
                let because = findings.incident.undetermined_because.clone();
                let because = because.unwrap_or_else(|| "it was not watched long enough".into());
                (LimitVerdict::CannotTell, because)
            }
        };
        self.recovery = Some(recovery);
    }
}

impl LimitObjective {
    /// Whether it does not hold.
    pub fn is_broken(&self) -> bool {
        self.verdict == LimitVerdict::DoesNot
    }

    /// What was seen, and what is required.
    fn words(&self) -> String {
        if !self.why.is_empty() {
            return format!("`{}`: {}", self.objective, self.why);
        }
        let unit = match self.unit.as_str() {
            "s" => Unit::Seconds,
            "share" => Unit::Share,
            "/s" => Unit::PerSecond,
            _ => Unit::Number,
        };
        let told = |value: f64| in_unit(value, unit);
        let value = self.value.map_or_else(|| "unknown".into(), told);
        let range = match (self.low, self.high) {
            (Some(low), Some(high)) => format!(" ({} to {})", told(low), told(high)),
            _ => String::new(),
        };
        format!("`{}`: {value}{range}", self.objective)
    }
}

/// An objective over the window of a step.
fn objective(
    text: &str,
    expectation: &Expectation,
    seen: &ExpectationResult,
    (blocks, noisy): (&[Block], bool),
) -> LimitObjective {
    let unit = match expectation.that.unit() {
        Unit::Seconds => "s",
        Unit::Share => "share",
        Unit::PerSecond => "/s",
        Unit::Number | Unit::Word => "",
    };
    let (bound, most) = match expectation.bound {
        Bound::AtMost(bound) => (bound, true),
        Bound::AtLeast(bound) => (bound, false),
        Bound::Is(_) => (0.0, true),
    };
    let mut told = LimitObjective {
        objective: text.to_owned(),
        value: seen.value,
        low: None,
        high: None,
        unit: unit.to_owned(),
        bound,
        verdict: LimitVerdict::CannotTell,
        why: String::new(),
    };
    if expectation.kind.is_some() || !FIGURES.contains(&expectation.that) {
        told.verdict = match seen.passed {
            Some(true) => LimitVerdict::Holds,
            Some(false) => LimitVerdict::DoesNot,
            None => LimitVerdict::CannotTell,
        };
        if seen.value.is_none() {
            told.why.clone_from(&seen.observed);
        }
        return told;
    }
    match interval(blocks, expectation.that, noisy) {
        Ok(found) => {
            (told.value, told.low, told.high) =
                (Some(found.value), Some(found.low), Some(found.high));
            told.verdict = held(found.low, found.high, bound, most);
        }
        Err(why) => told.why = why,
    }
    told
}

/// Whether an interval lies on the right side of a bound.
fn held(low: f64, high: f64, bound: f64, most: bool) -> LimitVerdict {
    let (right, wrong) = if most {
        (high <= bound, low > bound)
    } else {
        (low >= bound, high < bound)
    };
    match (right, wrong) {
        (true, _) => LimitVerdict::Holds,
        (_, true) => LimitVerdict::DoesNot,
        _ => LimitVerdict::CannotTell,
    }
}

/// A third of what rates are told apart by: less growth than that is not the service's
/// limit at this rate.
const GROWTH_DIVISOR: f64 = 3.0;

fn still_grows(grown: Option<Growth>, offered: f64, tolerance: f64) -> (LimitVerdict, String) {
    let Some(grown) = grown else {
        let why = "too few intervals tell whether the operations in flight grow";
        return (LimitVerdict::CannotTell, why.into());
    };
    let matters = grown.per_s > tolerance / GROWTH_DIVISOR * offered;
    let told = format!("operations in flight grow by {:.1} a second", grown.per_s);
    match (matters, grown.low_per_s > 0.0) {
        (false, _) => (LimitVerdict::Holds, String::new()),
        (true, true) => (LimitVerdict::DoesNot, told),
        (true, false) => (
            LimitVerdict::CannotTell,
            format!("{told}, perhaps by chance"),
        ),
    }
}

fn figures(findings: &Findings, grown: Option<Growth>) -> LimitFigures {
    let first = findings.phases.first();
    let Some(phase) = findings.whole().filter(|_| grown.is_some()).or(first) else {
        return LimitFigures::default();
    };
    LimitFigures {
        offered_per_s: phase.offered_per_s,
        goodput_per_s: phase.completed_per_s.unwrap_or(phase.goodput_per_s),
        error_share: phase.error_share,
        response_p50_ms: phase.response_ms.p50,
        response_p99_ms: phase.response_ms.told_p99(),
        in_flight: grown.map(|grown| grown.mean),
        in_flight_growth_per_s: grown.map(|grown| grown.per_s),
        attempts_per_operation: phase.attempts_per_operation,
        saturation: busy(phase),
        machine_busy: phase.machine_busy,
        generator_busy: findings.measurement.generator_busy,
        dependencies: phase.dependencies.clone(),
    }
}

/// The busy share of the workers: measured, or by the gauge that is the busiest.
fn busy(phase: &Phase) -> Option<f64> {
    let gauges = phase.gauges.iter().filter_map(|gauge| gauge.saturation);
    phase.saturation.or_else(|| gauges.reduce(f64::max))
}

fn recovery(findings: &Findings, within: f64) -> LimitRecovery {
    let incident = &findings.incident;
    let censored = incident.recovery_after_trigger_off_censored_after_s;
    let after = match incident.verdict {
        IncidentVerdict::NoImpact => Some(0.0),
        _ if incident.back_early_s.is_some() => Some(0.0),
        _ => incident.recovery_after_trigger_off_s,
    };
    let returned = match (incident.verdict, after) {
        (IncidentVerdict::Undetermined, _) => None,
        (IncidentVerdict::Relapsed, _) => Some(false),
        (_, Some(after)) => Some(after <= within),
        // A bucket is the resolution of every instant.
        (_, None) if censored.is_some_and(|it| it + findings.interval_s < within) => None,
        (_, None) => Some(false),
    };
    LimitRecovery {
        returned,
        after_s: after,
        censored_after_s: censored,
        verdict: incident.verdict,
        sustaining: incident.sustaining,
    }
}
