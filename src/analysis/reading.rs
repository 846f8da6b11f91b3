//! What a figure was seen to be, read out of the findings: the one way for all who ask for
//! figures by name, expectations and trends alike.
//!
//! Values are as the summary states them: latencies in milliseconds, other times in seconds.

use std::collections::BTreeSet;

use super::expectations::in_unit;
use super::findings::{ActionOutcome, Findings, Latency, Phase};
use super::observed;
use crate::model::{ActionName, FailureCause, FailuresOf, Word};
use crate::plan::{Figure, Unit};
use crate::record::{is_told, told_from};

/// What a figure was seen to be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Observed {
    Number(f64),
    /// None where there is no such word: nothing sustained it.
    Word(Option<Word>),
    /// Watched for so long in vain.
    Censored(f64),
    /// There is no such figure in this run, and why.
    Absent(&'static str),
    /// It cannot be told, and why: nothing follows from it.
    NotMeasured(String),
}

impl Observed {
    /// The same with latencies in seconds.
    pub(super) fn in_seconds(self, figure: Figure) -> Self {
        match self {
            Self::Number(millis) if figure.is_latency() => Self::Number(millis / 1e3),
            Self::Censored(millis) if figure.is_latency() => Self::Censored(millis / 1e3),
            other => other,
        }
    }
}

/// A figure of the whole incident.
pub(super) fn of_incident(findings: &Findings, figure: Figure) -> Observed {
    let incident = &findings.incident;
    match figure {
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
        Figure::TimeToAcknowledge => time(
            incident.time_to_acknowledge_s,
            incident.time_to_acknowledge_censored_after_s,
        ),
        Figure::TimeToMitigate => time(
            incident.time_to_mitigate_s,
            incident.time_to_mitigate_censored_after_s,
        ),
        Figure::TimeToRecover => time(
            incident.time_to_recover_s,
            incident.time_to_recover_censored_after_s,
        ),
        Figure::IncidentVerdict => Observed::Word(Some(Word::Verdict(incident.verdict))),
        Figure::Sustaining => Observed::Word(incident.sustaining.map(Word::Sustaining)),
        Figure::RejectedRollbacks => {
            let rejected = findings.actions.iter().filter(|taken| {
                taken.action == ActionName::Rollback
                    && taken.outcome == Some(ActionOutcome::Rejected)
            });
            Observed::Number(rejected.count() as f64)
        }
        _ => Observed::Absent("no value"),
    }
}

/// Failures over the whole run, warm-up and drain included.
pub(super) fn failures(findings: &Findings, of: &FailuresOf) -> Observed {
    let all = findings.failures.iter();
    let all = all.map(|it| (it.source.as_str(), it.cause, it.count));
    Observed::Number(failed(all, of))
}

/// A figure of a phase, or of another stretch of a run.
pub(super) fn of_phase(
    findings: &Findings,
    phase: &Phase,
    figure: Figure,
    of: &FailuresOf,
) -> Observed {
    let response = &phase.response_ms;
    let value = match figure {
        Figure::GoodputShare => {
            (phase.offered_per_s > 0.0).then(|| phase.goodput_per_s / phase.offered_per_s)
        }
        Figure::ErrorShare => phase.error_share,
        Figure::OfferedRate => Some(phase.offered_per_s),
        Figure::Goodput => Some(phase.goodput_per_s),
        Figure::Saturation => phase.saturation.or_else(|| observed::saturation(phase)),
        Figure::ZombieShare => phase.zombie_share,
        Figure::AttemptsPerOperation => phase.attempts_per_operation,
        Figure::WronglyAllowed => Some(phase.wrongly_allowed as f64),
        Figure::QueueDepthMax => {
            let own = phase.queue_depth.max.map(|max| max as f64);
            own.or_else(|| observed::queue_max(phase))
        }
        Figure::ResponseP50 => return percentile(response, 0.5, response.p50, response.marked.p50),
        Figure::ResponseP90 => return percentile(response, 0.9, response.p90, response.marked.p90),
        Figure::ResponseP99 => {
            return percentile(response, 0.99, response.p99, response.marked.p99);
        }
        Figure::ResponseP999 => {
            return percentile(response, 0.999, response.p999, response.marked.p999);
        }
        Figure::OverAllP99 => return over_all(phase),
        Figure::ServiceP50 => return plain(Some(&phase.service_ms), 0.5, |it| it.p50),
        Figure::ServiceP90 => return plain(Some(&phase.service_ms), 0.9, |it| it.p90),
        Figure::ServiceP99 => return plain(Some(&phase.service_ms), 0.99, |it| it.p99),
        Figure::ServiceP999 => return plain(Some(&phase.service_ms), 0.999, |it| it.p999),
        Figure::FirstByteP99 => return plain(phase.first_byte_ms.as_ref(), 0.99, |it| it.p99),
        Figure::ConnectP99 => return plain(phase.connect_ms.as_ref(), 0.99, |it| it.p99),
        Figure::QueueWaitP99 => return plain(Some(&phase.queue_wait_ms), 0.99, |it| it.p99),
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

fn plain(latency: Option<&Latency>, quantile: f64, value: fn(&Latency) -> Option<f64>) -> Observed {
    latency.map_or(Observed::Absent("no value"), |latency| {
        percentile(latency, quantile, value(latency), false)
    })
}

/// A percentile, where there are values enough and it is the target's.
fn percentile(latency: &Latency, quantile: f64, millis: Option<f64>, marked: bool) -> Observed {
    let Some(millis) = millis else {
        return Observed::Absent("no value");
    };
    if marked {
        return Observed::NotMeasured(format!(
            "of {} more than a tenth is the generator's own lag",
            in_unit(millis / 1e3, Unit::Seconds)
        ));
    }
    told(latency.count, quantile).unwrap_or(Observed::Number(millis))
}

/// Why a percentile of so many values cannot be told; none where it can.
fn told(count: u64, quantile: f64) -> Option<Observed> {
    (!is_told(quantile, count)).then(|| {
        Observed::NotMeasured(format!(
            "{count} values are too few, this percentile needs {}",
            told_from(quantile)
        ))
    })
}

fn over_all(phase: &Phase) -> Observed {
    let Some(over_all) = &phase.over_all_ms else {
        return Observed::Absent("no value");
    };
    if phase.response_ms.marked.p99 {
        return Observed::NotMeasured("more than a tenth is the generator's own lag".into());
    }
    let seen = time(over_all.p99, over_all.p99_censored_after);
    told(over_all.count, 0.99).unwrap_or(seen)
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
        (Some(value), _) => Observed::Number(value),
        (None, Some(after)) => Observed::Censored(after),
        (None, None) => Observed::Absent("not seen"),
    }
}
