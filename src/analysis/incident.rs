//! The incident's clock, its verdict, and what sustained it.
//!
//! The verdict is the first that fits, in a fixed order (docs/TERMS.md), so
//! that every incident has exactly one. An honest "undetermined" comes first:
//! without a baseline, a trigger that went off, or a valid measurement, no
//! other word has a meaning.

use super::amplification;
use super::findings::Incident;
use super::journal::Taken;
use super::observation::Observation;
use super::recovery::{Baseline, Service};
use super::series::Series;
use super::totals::Totals;
use crate::plan::RecoveryRule;
use crate::record::{Event, Record};
use crate::units::Nanos;

/// What the incident is judged from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence<'a> {
    pub record: &'a Record,
    pub series: &'a Series,
    pub observation: Observation,
    pub taken: &'a [Taken<'a>],
    /// The baseline, or why there is none.
    pub baseline: &'a Result<Baseline, String>,
    /// Whether the measurement is valid.
    pub valid: bool,
}

/// The instants of the clock.
#[derive(Debug, Clone, Copy, Default)]
struct Clock {
    trigger: Option<Nanos>,
    /// The rollback that was applied after the trigger.
    off: Option<Nanos>,
    last_action: Option<Nanos>,
    impact: Option<Nanos>,
    detected: Option<Nanos>,
    mitigated: Option<Nanos>,
    recovered: Option<Nanos>,
    relapsed: Option<Nanos>,
}

impl Evidence<'_> {
    fn rule(&self) -> &RecoveryRule {
        &self.record.header.plan.recovery
    }

    fn service(&self) -> Option<Service<'_>> {
        let baseline = self.baseline.as_ref().ok()?;
        Some(Service::new(
            self.series,
            self.observation,
            baseline,
            self.rule(),
        ))
    }

    fn clock(&self) -> Clock {
        let begun = self
            .taken
            .iter()
            .find(|taken| taken.action.begins().is_some() && taken.applied().is_some());
        let trigger = begun.map(|begun| begun.at);
        let off = begun.and_then(|begun| {
            let ends = |taken: &&Taken<'_>| taken.action.ends(begun.action);
            let ends = self.taken.iter().filter(ends).filter_map(Taken::applied);
            ends.filter(|at| *at > begun.at).min()
        });
        let mut clock = Clock {
            trigger,
            off,
            last_action: self.taken.last().map(|last| last.at),
            ..Clock::default()
        };
        let Some(service) = self.service() else {
            return clock;
        };
        clock.impact = trigger.and_then(|trigger| service.impact(trigger));
        clock.detected = clock.impact.and_then(|impact| self.first_alert(impact));
        clock.mitigated = clock.impact.and_then(|impact| service.mitigated(impact));
        // Where nothing was lost there is nothing to recover from, unless somebody got in.
        if clock.impact.is_some() || self.wrongly_allowed(trigger) > 0 {
            clock.recovered = off.and_then(|off| service.recovered(off));
        }
        clock.relapsed = clock.recovered.and_then(|at| service.lost_again(at));
        clock
    }

    fn rollbacks(&self) -> impl Iterator<Item = &Taken<'_>> {
        self.taken.iter().filter(|taken| taken.action.rolls_back())
    }

    fn first_alert(&self, impact: Nanos) -> Option<Nanos> {
        let events = self.record.events.iter();
        events
            .filter(|(at, event)| {
                matches!(event, Event::AlertFired { .. })
                    && (impact..=self.observation.to).contains(at)
            })
            .map(|(at, _)| *at)
            .min()
    }

    fn wrongly_allowed(&self, trigger: Option<Nanos>) -> u64 {
        let from = self.series.edge_before(trigger.unwrap_or(Nanos::ZERO));
        let since = self.series.between(from, self.observation.to);
        Totals::over(since).operations.failed_wrongly_allowed
    }

    /// Why no verdict can be given; none where one can.
    fn undetermined(&self, clock: &Clock) -> Option<String> {
        if clock.trigger.is_none() {
            return Some("no push was applied, so there is no incident to judge".into());
        }
        if let Err(reason) = self.baseline {
            return Some(reason.clone());
        }
        let Some(off) = clock.off else {
            return Some("the trigger was never off: no rollback was applied after it".into());
        };
        if !self.valid {
            return Some("the measurement is invalid".into());
        }
        match self.service()?.load_back(off) {
            Some(true) => None,
            Some(false) => {
                Some("after the rollback the load was never back at the baseline's".into())
            }
            None => Some(
                "the observation stopped before a hold window after the rollback had passed".into(),
            ),
        }
    }

    /// The first word that fits, given that one does.
    fn verdict(&self, clock: &Clock) -> &'static str {
        let (Some(off), Some(service)) = (clock.off, self.service()) else {
            return "undetermined";
        };
        if clock.impact.is_none() && self.wrongly_allowed(clock.trigger) == 0 {
            return "no_impact";
        }
        let Some(recovered) = clock.recovered else {
            return if service.ends_stuck() {
                "metastable"
            } else {
                "not_recovered"
            };
        };
        if clock.relapsed.is_some() {
            "relapsed"
        } else if recovered.saturating_sub(off) <= service.hold() {
            "recovered_with_the_trigger"
        } else if self
            .next_intervention(off)
            .is_some_and(|at| at <= recovered)
        {
            "recovered_by_intervention"
        } else {
            "slow_drain"
        }
    }

    fn next_intervention(&self, off: Nanos) -> Option<Nanos> {
        let mut later = self
            .taken
            .iter()
            .filter(|taken| taken.is_intervention() && taken.at > off);
        later.next().map(|taken| taken.at)
    }
}

/// The incident's clock, verdict and sustaining effect.
pub(super) fn incident(evidence: &Evidence<'_>) -> Incident {
    let clock = evidence.clock();
    let end = evidence.observation.to;
    let rejected = evidence.rollbacks().find_map(Taken::rejected);
    let mut incident = Incident {
        trigger_s: seconds(clock.trigger),
        impact_s: seconds(clock.impact),
        detected_s: seconds(clock.detected),
        rollback_rejected_s: rejected.map(|(at, ..)| at.as_secs_f64()),
        rollback_rejected_because: rejected
            .map(|(_, check, reason)| format!("refused by the check `{check}`: {reason}")),
        rollback_applied_s: seconds(clock.off),
        mitigated_s: seconds(clock.mitigated),
        last_action_s: seconds(clock.last_action),
        recovered_s: seconds(clock.recovered),
        relapsed_s: seconds(clock.relapsed),
        ..Incident::default()
    };
    judge(evidence, &clock, &mut incident);
    let lost = clock.impact.is_some() || evidence.wrongly_allowed(clock.trigger) > 0;
    if evidence.baseline.is_err() || !lost {
        return incident;
    }
    let recovered = clock.recovered;
    for (from, to, figure, censored) in [
        (
            clock.impact,
            clock.detected,
            &mut incident.time_to_detect_s,
            &mut incident.time_to_detect_censored_after_s,
        ),
        (
            clock.impact,
            clock.mitigated,
            &mut incident.time_to_mitigate_s,
            &mut incident.time_to_mitigate_censored_after_s,
        ),
        (
            clock.impact,
            recovered,
            &mut incident.time_to_recover_s,
            &mut incident.time_to_recover_censored_after_s,
        ),
        (
            clock.off,
            recovered,
            &mut incident.recovery_after_rollback_s,
            &mut incident.recovery_after_rollback_censored_after_s,
        ),
        // Without a trigger that went off, no recovery was waited for.
        (
            clock.off.and(clock.last_action),
            recovered,
            &mut incident.recovery_after_last_action_s,
            &mut incident.recovery_after_last_action_censored_after_s,
        ),
    ] {
        (*figure, *censored) = span(from, to, end);
    }
    incident.detected_censored_after_s = incident.time_to_detect_censored_after_s;
    incident.mitigated_censored_after_s = incident.time_to_mitigate_censored_after_s;
    incident.recovered_censored_after_s = incident.recovery_after_rollback_censored_after_s;
    incident
}

/// Sets the verdict, the shares and the sustaining effect.
fn judge(evidence: &Evidence<'_>, clock: &Clock, incident: &mut Incident) {
    incident.undetermined_because = evidence.undetermined(clock);
    incident.verdict = match incident.undetermined_because {
        Some(_) => "undetermined".to_owned(),
        None => evidence.verdict(clock).to_owned(),
    };
    let (Some(off), Some(service)) = (clock.off, evidence.service()) else {
        return;
    };
    let until = [clock.recovered, evidence.next_intervention(off)]
        .into_iter()
        .flatten()
        .fold(evidence.observation.to, Nanos::min);
    incident.sustaining_shares = amplification::sustaining_shares(evidence.series, off, until);
    let lasted = clock
        .recovered
        .is_none_or(|recovered| recovered.saturating_sub(off) > service.hold());
    let judged = !matches!(incident.verdict.as_str(), "undetermined" | "no_impact");
    if judged && lasted {
        let shares = incident.sustaining_shares.as_ref();
        incident.sustaining = shares
            .and_then(amplification::sustaining)
            .map(str::to_owned);
    }
}

/// The time between two instants, or how long the second was waited for in
/// vain. What came first is zero: nothing was left to wait for.
fn span(from: Option<Nanos>, to: Option<Nanos>, end: Nanos) -> (Option<f64>, Option<f64>) {
    let after = |to: Nanos| from.map(|from| to.saturating_sub(from).as_secs_f64());
    match to {
        Some(to) => (after(to), None),
        None => (None, after(end)),
    }
}

fn seconds(at: Option<Nanos>) -> Option<f64> {
    at.map(Nanos::as_secs_f64)
}
