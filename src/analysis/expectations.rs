//! What the run was expected to show, and what came.
//!
//! A censored figure fails an upper bound, whatever the bound: "not seen in
//! 40 s" is no proof of "within 60 s". It passes a lower bound that it was
//! watched past. An invalid measurement judges nothing.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::findings::{ActionOutcome, ExpectationResult, Findings, Latency, Phase, Validity};
use super::observation::Observation;
use super::phases::{self, Stretch};
use super::series::Series;
use super::{failures, kinds, observed, windows};
use crate::model::{ActionName, FailureCause, FailuresOf, Word};
use crate::plan::{Bound, Expectation, Figure, Unit};
use crate::record::{Record, is_told, told_from};
use crate::units::Nanos;

/// What was seen of a run.
pub(super) struct Seen<'a> {
    pub record: &'a Record,
    pub series: &'a Series,
    pub observation: Observation,
    pub stretches: &'a [Stretch],
    /// All but what is expected.
    pub findings: &'a Findings,
}

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
    /// It cannot be told, and why: nothing follows from it.
    NotMeasured(String),
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
    ExpectationResult {
        that: named(expectation),
        passed: judged.then(|| holds(&observed, &expectation.bound)),
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
        required: match &expectation.bound {
            Bound::AtMost(most) => format!("at most {}", in_unit(*most, unit)),
            Bound::AtLeast(least) => format!("at least {}", in_unit(*least, unit)),
            Bound::Is(word) => word.text().to_owned(),
        },
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

/// What is looked at, in words.
fn named(expectation: &Expectation) -> String {
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
    let findings = seen.findings;
    let incident = &findings.incident;
    let observed = match expectation.that {
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
        // Also those whose operations were still waited for after the end of what is observed.
        Figure::Failures if expectation.phase.is_none() => {
            let failures = failures::between(seen.record, seen.observation.from, Nanos::MAX);
            let failures = failures.iter();
            let failures = failures.map(|it| (it.source.as_str(), it.cause, it.count));
            Observed::Number(failed(failures, &expectation.of))
        }
        over_time => return over(seen, expectation, over_time),
    };
    observed.into()
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
        observed: of_phase(seen.findings, &phase, figure, &expectation.of),
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
        let mut names = seen.record.header.plan.kinds.iter();
        let kind = names.position(|own| own == name);
        let kind = kind.ok_or_else(|| format!("there is no operation `{name}` of several"))?;
        let phase = kinds::phase(seen.record, seen.series, stretch, kind);
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

fn of_phase(findings: &Findings, phase: &Phase, figure: Figure, of: &FailuresOf) -> Observed {
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
    told(latency.count, quantile).unwrap_or(Observed::Number(millis / 1e3))
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
    let seen = time(
        over_all.p99.map(|millis| millis / 1e3),
        over_all.p99_censored_after.map(|millis| millis / 1e3),
    );
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
        (Some(seconds), _) => Observed::Number(seconds),
        (None, Some(after)) => Observed::Censored(after),
        (None, None) => Observed::Absent("not seen"),
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> f64 {
    items.count() as f64
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
