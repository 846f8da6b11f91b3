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
use super::trigger::{self, Causes, Trigger};
use crate::model::IncidentVerdict;
use crate::plan::{Cause, RecoveryRule, SurgeChange};
use crate::record::{Event, Record};
use crate::units::Nanos;

/// What the incident is judged from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence<'a> {
    pub record: &'a Record,
    pub series: &'a Series,
    pub observation: Observation,
    pub taken: &'a [Taken<'a>],
    /// When the load surged and when that was over, as far as it was observed.
    pub surges: &'a [SurgeChange],
    /// The baseline, or why there is none.
    pub baseline: &'a Result<Baseline, String>,
    /// Whether the measurement is valid.
    pub valid: bool,
}

/// The instants of the clock.
#[derive(Debug, Clone, Copy, Default)]
struct Clock {
    trigger: Option<Trigger>,
    /// When the first rollback after the first push had been applied.
    rollback: Option<Nanos>,
    /// When the last cause ceased to act.
    off: Option<Nanos>,
    last_action: Option<Nanos>,
    impact: Option<Nanos>,
    detected: Option<Nanos>,
    mitigated: Option<Nanos>,
    recovered: Option<Nanos>,
    relapsed: Option<Nanos>,
}

impl Clock {
    fn trigger_at(&self) -> Option<Nanos> {
        self.trigger.map(|trigger| trigger.at)
    }
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
        let causes = Causes::of(self.taken, self.surges);
        let trigger = causes.trigger();
        let mut pushes = self.taken.iter().filter(|taken| {
            taken.action.begins() == Some(Cause::Push) && taken.applied().is_some()
        });
        let off = trigger.and_then(|trigger| trigger.off.ok());
        let mut clock = Clock {
            trigger,
            rollback: pushes
                .next()
                .and_then(|push| trigger::ended(push, self.taken)),
            off,
            last_action: self.taken.last().map(|last| last.at),
            ..Clock::default()
        };
        let Some(service) = self.service() else {
            return clock;
        };
        clock.impact = trigger.and_then(|trigger| service.impact(trigger.at));
        if let Some(impact) = clock.impact {
            let patience = self.record.header.plan.load.client.timeout;
            clock.trigger = causes.trigger_of(impact, patience);
        }
        clock.detected = clock.impact.and_then(|impact| self.first_alert(impact));
        clock.mitigated = clock.impact.and_then(|impact| service.mitigated(impact));
        // Where nothing was lost there is nothing to recover from, unless somebody got in.
        if clock.impact.is_some() || self.wrongly_allowed(&clock) > 0 {
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

    fn wrongly_allowed(&self, clock: &Clock) -> u64 {
        let trigger = clock.trigger_at().unwrap_or(Nanos::ZERO);
        let from = self.series.edge_before(trigger);
        let since = self.series.between(from, self.observation.to);
        Totals::over(since).operations.failed_wrongly_allowed
    }

    /// Why no verdict can be given; none where one can.
    fn undetermined(&self, clock: &Clock, by_rollback: bool) -> Option<String> {
        let Some(trigger) = clock.trigger else {
            return Some(
                "there was no trigger: no push was applied, nothing was slowed or paused, and \
                 the load did not surge"
                    .into(),
            );
        };
        if let Err(reason) = self.baseline {
            return Some(reason.clone());
        }
        let off = match trigger.off {
            Ok(off) => off,
            Err(Cause::Push) => {
                return Some(
                    "the fault was never cleared: no rollback was applied after the push".into(),
                );
            }
            Err(cause) => {
                return Some(format!(
                    "the fault was never cleared: the {cause} did not end"
                ));
            }
        };
        if !self.valid {
            return Some("the measurement is invalid".into());
        }
        let end = if by_rollback {
            "rollback"
        } else {
            "end of the trigger"
        };
        match self.service()?.load_back(off) {
            Some(true) => None,
            Some(false) => Some(format!(
                "after the {end} the load never returned to the baseline's level"
            )),
            None => Some(format!(
                "the observation stopped before a full hold window had passed after the {end}"
            )),
        }
    }

    /// The first word that fits, given that one does.
    fn verdict(&self, clock: &Clock) -> IncidentVerdict {
        let (Some(off), Some(service)) = (clock.off, self.service()) else {
            return IncidentVerdict::Undetermined;
        };
        if clock.impact.is_none() && self.wrongly_allowed(clock) == 0 {
            return IncidentVerdict::NoImpact;
        }
        let Some(recovered) = clock.recovered else {
            return if service.ends_stuck() {
                IncidentVerdict::Metastable
            } else {
                IncidentVerdict::NotRecovered
            };
        };
        if clock.relapsed.is_some() {
            IncidentVerdict::Relapsed
        } else if recovered.saturating_sub(off) <= service.hold() {
            IncidentVerdict::RecoveredWithTheTrigger
        } else if self
            .next_intervention(off)
            .is_some_and(|at| at <= recovered)
        {
            IncidentVerdict::RecoveredByIntervention
        } else {
            IncidentVerdict::SlowDrain
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
        trigger: clock.trigger.map(|trigger| trigger.cause),
        trigger_s: seconds(clock.trigger_at()),
        trigger_off_s: seconds(clock.off),
        impact_s: seconds(clock.impact),
        detected_s: seconds(clock.detected),
        rollback_rejected_s: rejected.map(|(at, ..)| at.as_secs_f64()),
        rollback_rejected_because: rejected
            .map(|(_, check, reason)| format!("refused by the check `{check}`: {reason}")),
        rollback_applied_s: seconds(clock.rollback),
        mitigated_s: seconds(clock.mitigated),
        last_action_s: seconds(clock.last_action),
        recovered_s: seconds(clock.recovered),
        relapsed_s: seconds(clock.relapsed),
        ..Incident::default()
    };
    judge(evidence, &clock, &mut incident);
    let lost = clock.impact.is_some() || evidence.wrongly_allowed(&clock) > 0;
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
            &mut incident.recovery_after_trigger_off_s,
            &mut incident.recovery_after_trigger_off_censored_after_s,
        ),
        // Where something else still acts after it, no recovery was waited for yet.
        (
            clock.off.and(clock.rollback),
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
    incident.recovered_censored_after_s = incident.recovery_after_trigger_off_censored_after_s;
    incident
}

/// Sets the verdict, the shares and the sustaining effect.
fn judge(evidence: &Evidence<'_>, clock: &Clock, incident: &mut Incident) {
    incident.undetermined_because = evidence.undetermined(clock, incident.ended_by_rollback());
    incident.verdict = match incident.undetermined_because {
        Some(_) => IncidentVerdict::Undetermined,
        None => evidence.verdict(clock),
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
    let judged = !matches!(
        incident.verdict,
        IncidentVerdict::Undetermined | IncidentVerdict::NoImpact
    );
    if judged && lasted {
        let shares = incident.sustaining_shares.as_ref();
        incident.sustaining = shares.and_then(amplification::sustaining);
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
