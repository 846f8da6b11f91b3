//! What the run was expected to show, and what came.
//!
//! A censored figure fails an upper bound, whatever the bound: "not seen in
//! 40 s" is no proof of "within 60 s". It passes a lower bound that it was
//! watched past. An invalid measurement judges nothing.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::findings::{ActionOutcome, ExpectationResult, Findings, Phase, Validity};
use super::observed;
use crate::model::{ActionName, FailureCause, FailuresOf, Word};
use crate::plan::{Bound, Expectation, Figure, Unit};

/// What a figure was seen to be.
#[derive(Debug, Clone, PartialEq)]
enum Observed {
    Number(f64),
    /// None where there is no such word: nothing sustained it.
    Word(Option<Word>),
    /// Watched for so long in vain.
    Censored(f64),
    /// There is no such figure in this run, and why.
    Absent(&'static str),
    /// There is one, which is not the target's: nothing follows from it.
    NotMeasured(f64),
}

/// Holds every expectation against the findings, whose own are not read.
pub(super) fn results(findings: &Findings, expected: &[Expectation]) -> Vec<ExpectationResult> {
    expected
        .iter()
        .map(|expectation| result(findings, expectation))
        .collect()
}

fn result(findings: &Findings, expectation: &Expectation) -> ExpectationResult {
    let unit = expectation.that.unit();
    let observed = observe(findings, expectation);
    let valid = findings.measurement.validity == Validity::Valid;
    let judged = valid && !matches!(observed, Observed::NotMeasured(_));
    ExpectationResult {
        that: named(expectation),
        passed: judged.then(|| holds(&observed, &expectation.bound)),
        observed: match observed {
            Observed::Number(value) => in_unit(value, unit),
            Observed::Word(word) => word.map_or("none", Word::text).to_owned(),
            Observed::Censored(after) => format!("> {}", in_unit(after, unit)),
            Observed::Absent(why) => why.to_owned(),
            Observed::NotMeasured(value) => format!(
                "not measured: of {} more than a tenth is the generator's own lag",
                in_unit(value, unit)
            ),
        },
        required: match &expectation.bound {
            Bound::AtMost(most) => format!("at most {}", in_unit(*most, unit)),
            Bound::AtLeast(least) => format!("at least {}", in_unit(*least, unit)),
            Bound::Is(word) => word.text().to_owned(),
        },
    }
}

/// What is looked at, in words.
fn named(expectation: &Expectation) -> String {
    let mut name = expectation.that.word().to_owned();
    if let Some(source) = &expectation.of.source {
        let _ = write!(name, " of `{source}`");
    }
    if let Some(cause) = expectation.of.cause {
        let _ = write!(name, " by `{}`", cause.word());
    }
    if let Some(phase) = &expectation.phase {
        let _ = write!(name, " in the phase `{phase}`");
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

fn observe(findings: &Findings, expectation: &Expectation) -> Observed {
    let incident = &findings.incident;
    match expectation.that {
        Figure::RecoveryAfterRollback => time(
            incident.recovery_after_rollback_s,
            incident.recovery_after_rollback_censored_after_s,
        ),
        Figure::RecoveryAfterTriggerOff => time(
            incident.recovery_after_trigger_off_s,
            incident.recovery_after_trigger_off_censored_after_s,
        ),
        Figure::RecoveryAfterLastAction => time(
            incident.recovery_after_last_action_s,
            incident.recovery_after_last_action_censored_after_s,
        ),
        Figure::TimeToDetect => time(
            incident.time_to_detect_s,
            incident.time_to_detect_censored_after_s,
        ),
        Figure::TimeToRecover => time(
            incident.time_to_recover_s,
            incident.time_to_recover_censored_after_s,
        ),
        Figure::IncidentVerdict => Observed::Word(Some(Word::Verdict(incident.verdict))),
        Figure::Sustaining => Observed::Word(incident.sustaining.map(Word::Sustaining)),
        Figure::RejectedRollbacks => {
            Observed::Number(count(findings.actions.iter().filter(|taken| {
                taken.action == ActionName::Rollback
                    && taken.outcome == Some(ActionOutcome::Rejected)
            })))
        }
        Figure::Failures if expectation.phase.is_none() => {
            let failures = findings.failures.iter();
            let failures = failures.map(|it| (it.source.as_str(), it.cause, it.count));
            Observed::Number(failed(failures, &expectation.of))
        }
        by_phase => {
            let name = expectation.phase.as_deref().unwrap_or_default();
            let phase = findings.phases.iter().find(|phase| phase.name == name);
            phase.map_or(Observed::Absent("the phase was not seen"), |phase| {
                of_phase(findings, phase, by_phase, &expectation.of)
            })
        }
    }
}

fn of_phase(findings: &Findings, phase: &Phase, figure: Figure, of: &FailuresOf) -> Observed {
    let value = match figure {
        Figure::GoodputShare => {
            (phase.offered_per_s > 0.0).then(|| phase.goodput_per_s / phase.offered_per_s)
        }
        Figure::ErrorShare => phase.error_share,
        Figure::Saturation => phase.saturation.or_else(|| observed::saturation(phase)),
        Figure::AttemptsPerOperation => phase.attempts_per_operation,
        Figure::QueueDepthMax => {
            let own = phase.queue_depth.max.map(|max| max as f64);
            own.or_else(|| observed::queue_max(phase))
        }
        Figure::ResponseP99 => {
            let p99 = phase.response_ms.p99.map(|millis| millis / 1e3);
            if phase.response_ms.marked.p99 {
                return p99.map_or(Observed::Absent("no value"), Observed::NotMeasured);
            }
            p99
        }
        Figure::Failures => {
            let failures = phase.failures.iter();
            let failures = failures.map(|it| (it.source.as_str(), it.cause, it.count));
            Some(failed(failures, of))
        }
        Figure::ExhaustedInstances => Some(exhausted(findings, phase) as f64),
        _ => None,
    };
    value.map_or(Observed::Absent("no value"), Observed::Number)
}

/// How many of these failures are meant.
fn failed<'a>(
    failures: impl Iterator<Item = (&'a str, FailureCause, u64)>,
    of: &FailuresOf,
) -> f64 {
    let source = of.source().to_string();
    let meant = failures.filter(|(whose, cause, _)| {
        *whose == source && of.cause.is_none_or(|wanted| wanted == *cause)
    });
    meant.map(|(.., count)| count).sum::<u64>() as f64
}

/// How many instances have an exhaustion window that overlaps the phase.
fn exhausted(findings: &Findings, phase: &Phase) -> usize {
    let windows = findings.exhaustion.iter();
    let overlaps = windows.filter(|it| it.from_s < phase.to_s && it.to_s > phase.from_s);
    let names: BTreeSet<_> = overlaps.map(|window| &window.instance).collect();
    names.len()
}

fn time(seen: Option<f64>, censored_after: Option<f64>) -> Observed {
    match (seen, censored_after) {
        (Some(seconds), _) => Observed::Number(seconds),
        (None, Some(after)) => Observed::Censored(after),
        (None, None) => Observed::Absent("not seen"),
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> f64 {
    items.count() as f64
}

fn in_unit(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Seconds => format!("{} s", decimal(value, 3)),
        Unit::Share => format!("{} %", decimal(value * 100.0, 2)),
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
