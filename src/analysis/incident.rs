//! The clock of each incident, its verdict, and what sustained it.
//!
//! `episodes` tells the incidents apart. The verdict is the first that fits, in a fixed
//! order (docs/TERMS.md), so that every incident has exactly one. An honest
//! "undetermined" comes first: without a baseline, a trigger that went off, or a valid
//! measurement, no other word has a meaning.

use super::amplification;
use super::baseline::Baseline;
use super::episodes::{self, Episode};
use super::findings::Incident;
use super::harm::{AfterRecovery, Harm, Relapse};
use super::journal::Taken;
use super::observation::Observation;
use super::phases::Stretch;
use super::recovery::Service;
use super::series::{Series, bad, share};
use super::stuck;
use super::totals::{Totals, millis};
use super::trigger::{self, Causes};
use crate::model::IncidentVerdict;
use crate::plan::{Cause, SurgeChange};
use crate::record::{Event, Record};
use crate::units::Nanos;

/// What incidents are judged from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence<'a> {
    pub record: &'a Record,
    pub series: &'a Series,
    pub observation: Observation,
    pub taken: &'a [Taken<'a>],
    /// When the load surged and when that was over, as far as it was observed.
    pub surges: &'a [SurgeChange],
    /// The run in phases.
    pub stretches: &'a [Stretch],
    /// The baseline, or why there is none.
    pub baseline: &'a Result<Baseline, String>,
    /// Whether the measurement is valid.
    pub valid: bool,
}

/// An incident within its part of the run.
#[derive(Debug)]
struct Story<'a> {
    evidence: &'a Evidence<'a>,
    service: Option<&'a Service<'a>>,
    episode: Episode,
    /// Where the incident before it had ended.
    from: Nanos,
    /// Where the next one begins, or the observation ends.
    until: Nanos,
}

impl<'a> Evidence<'a> {
    /// What users got, held against the baseline; none without one.
    pub(super) fn service(&self) -> Option<Service<'a>> {
        let baseline = self.baseline.as_ref().ok()?;
        let rule = &self.record.header.plan.recovery;
        Some(Service::new(self.series, self.observation, baseline, rule))
    }

    fn first_alert(&self, from: Nanos, until: Nanos) -> Option<Nanos> {
        let events = self.record.events.iter();
        events
            .filter(|(at, event)| {
                matches!(event, Event::AlertFired { .. }) && (from..=until).contains(at)
            })
            .map(|(at, _)| *at)
            .min()
    }
}

/// The incidents of a run, in the order of time: one of which nobody felt anything where
/// there was none.
pub(super) fn incidents(evidence: &Evidence<'_>) -> Vec<Incident> {
    let causes = Causes::of(evidence.taken, evidence.surges);
    let service = evidence.service();
    let patience = evidence.record.header.plan.load.client.timeout;
    let mut all = match (&service, evidence.baseline) {
        (Some(service), Ok(baseline)) => {
            // Where nothing was done, the whole run is its own baseline.
            let whole = baseline.to >= evidence.observation.to;
            let from = if whole { baseline.from } else { baseline.to };
            episodes::episodes(service, &causes, from, patience)
        }
        _ => Vec::new(),
    };
    if all.is_empty() {
        all.push(Episode::harmless(&causes));
    }
    let mut from = Nanos::ZERO;
    let begins: Vec<_> = all.iter().map(Episode::begins).collect();
    let stories = all.into_iter().enumerate().map(|(place, episode)| {
        let next = begins.get(place + 1).copied().flatten();
        let story = Story {
            evidence,
            service: service.as_ref(),
            episode,
            from,
            until: next.unwrap_or(evidence.observation.to),
        };
        from = story.until;
        story.told()
    });
    stories.collect()
}

/// The incident that a run is judged by: the worst that the run itself began, and of
/// equals the one that lasted longest.
pub(super) fn main(incidents: &[Incident]) -> Incident {
    let compare = |one: &&Incident, other: &&Incident| {
        let lasted = |it: &Incident| {
            let seen = it.time_to_recover_s.or(it.time_to_recover_censored_after_s);
            seen.unwrap_or(0.0)
        };
        let rank = |it: &Incident| (it.trigger.is_some(), severity(it.verdict));
        rank(one)
            .cmp(&rank(other))
            .then(lasted(one).total_cmp(&lasted(other)))
    };
    // Of equals `max_by` takes the last; the first is the cause of the others, if any is.
    let worst = incidents.iter().rev().max_by(compare);
    worst.cloned().unwrap_or_default()
}

/// Those in which something was lost.
pub(super) fn harmful(mut incidents: Vec<Incident>) -> Vec<Incident> {
    incidents.retain(|incident| incident.impact_s.is_some());
    incidents
}

/// How bad a verdict is; what cannot be told is worse than what was told to be good.
const fn severity(verdict: IncidentVerdict) -> u8 {
    match verdict {
        IncidentVerdict::NoImpact => 0,
        IncidentVerdict::RecoveredWithTheTrigger => 1,
        IncidentVerdict::RecoveredByIntervention => 2,
        IncidentVerdict::SlowDrain => 3,
        IncidentVerdict::Undetermined => 4,
        IncidentVerdict::Relapsed => 5,
        IncidentVerdict::NotRecovered => 6,
        IncidentVerdict::Metastable => 7,
    }
}

impl Story<'_> {
    fn off(&self) -> Option<Nanos> {
        self.episode.off().and_then(Result::ok)
    }

    fn trigger_at(&self) -> Option<Nanos> {
        self.episode.trigger.map(|trigger| trigger.from)
    }

    /// What was done within its part of the run.
    fn taken(&self) -> impl DoubleEndedIterator<Item = &Taken<'_>> {
        let last = self.until >= self.evidence.observation.to;
        let taken = self.evidence.taken.iter();
        taken.filter(move |it| it.at >= self.from && (last || it.at < self.until))
    }

    /// When the first rollback of the first push had been applied.
    fn rollback(&self) -> Option<Nanos> {
        let own = self.taken();
        let mut pushes =
            own.filter(|it| it.action.begins() == Some(Cause::Push) && it.applied().is_some());
        let push = pushes.next()?;
        trigger::ended(push, self.evidence.taken)
    }

    fn wrongly_allowed(&self) -> u64 {
        let series = self.evidence.series;
        let trigger = self.trigger_at().unwrap_or(Nanos::ZERO).max(self.from);
        let since = series.between(series.edge_before(trigger), self.until);
        Totals::over(since).operations.failed_wrongly_allowed
    }

    /// Whether users or the service came to harm: there is something to recover from.
    fn harmed(&self) -> bool {
        self.episode.impact.is_some() || self.wrongly_allowed() > 0
    }

    fn next_intervention(&self, off: Nanos) -> Option<Nanos> {
        let mut later = self
            .taken()
            .filter(|taken| taken.is_intervention() && taken.at > off);
        later.next().map(|taken| taken.at)
    }

    fn told(mut self) -> Incident {
        if self.episode.impact.is_none() && self.wrongly_allowed() > 0 {
            let service = self.service;
            self.episode.recovered = self.off().and_then(|off| service?.back(off));
        }
        let mut incident = self.clock();
        self.judge(&mut incident);
        if self.evidence.baseline.is_ok() && self.harmed() {
            self.measure(&mut incident);
        }
        incident
    }

    /// The instants.
    fn clock(&self) -> Incident {
        let episode = &self.episode;
        let rejected = self
            .taken()
            .filter(|it| it.action.rolls_back())
            .find_map(Taken::rejected);
        Incident {
            trigger: episode.trigger.map(|trigger| trigger.cause),
            trigger_s: seconds(self.trigger_at()),
            causes: episode.causes.iter().map(|acting| acting.cause).collect(),
            trigger_off_s: seconds(self.off()),
            impact_s: seconds(episode.impact),
            detected_s: seconds(self.detected()),
            acknowledged_s: seconds(self.acknowledged()),
            rollback_rejected_s: rejected.map(|(at, ..)| at.as_secs_f64()),
            rollback_rejected_because: rejected
                .map(|(_, check, reason)| format!("refused by the check `{check}`: {reason}")),
            rollback_applied_s: seconds(self.rollback()),
            mitigated_s: seconds(self.mitigated()),
            last_action_s: seconds(self.taken().next_back().map(|last| last.at)),
            back_early_s: seconds(episode.back_early),
            recovered_s: seconds(episode.recovered),
            relapsed_s: seconds(episode.relapses.first().map(|relapse| relapse.lost)),
            relapses: self.relapses(),
            returned_s: seconds(episode.relapses.last().and_then(|relapse| relapse.back)),
            ..Incident::default()
        }
    }

    fn detected(&self) -> Option<Nanos> {
        self.evidence.first_alert(self.episode.impact?, self.until)
    }

    /// When somebody on call looked at an alert.
    fn acknowledged(&self) -> Option<Nanos> {
        let span = self.episode.impact?..=self.until;
        let mut events = self.evidence.record.events.iter();
        let found = events
            .find(|(at, event)| matches!(event, Event::Acknowledged { .. }) && span.contains(at));
        found.map(|(at, _)| *at)
    }

    /// Since when an acknowledgement is waited for; none where nobody is on call.
    fn on_call_from(&self) -> Option<Nanos> {
        let plan = &self.evidence.record.header.plan;
        self.episode.impact.filter(|_| !plan.responders.is_empty())
    }

    /// When goodput was below half of the baseline's.
    fn out(&self) -> Option<Nanos> {
        let from = self.evidence.series.edge_before(self.episode.impact?);
        let until = self.episode.recovered.unwrap_or(self.until);
        self.service?.out(from, until)
    }

    /// When it was back at half.
    fn mitigated(&self) -> Option<Nanos> {
        self.service?.mitigated(self.out()?)
    }

    fn relapses(&self) -> Vec<Relapse> {
        let told = |relapse: &episodes::Relapse| {
            let until = relapse.back.unwrap_or(self.until);
            let from = self.evidence.series.edge_before(relapse.lost);
            Relapse {
                lost_s: relapse.lost.as_secs_f64(),
                back_s: seconds(relapse.back),
                harm: self.harm(from, until, until),
            }
        };
        self.episode.relapses.iter().map(told).collect()
    }

    /// What users got from an instant on: figures for as long as they were hurt until
    /// `worst_until`, and counts until `until`.
    fn harm(&self, from: Nanos, worst_until: Nanos, until: Nanos) -> Option<Harm> {
        let (service, series) = (self.service?, self.evidence.series);
        let next = from.saturating_add(series.interval);
        let to = service.hurt_until(from, worst_until).unwrap_or(next);
        let totals = Totals::over(series.between(from, to));
        let operations = &totals.operations;
        let length = to.saturating_sub(from).as_secs_f64();
        let counts = service.between(from, to);
        let outages = service.outages(from, until);
        let out = outages.iter().map(|(from, to)| to.saturating_sub(*from));
        Some(Harm {
            from_s: from.as_secs_f64(),
            to_s: to.as_secs_f64(),
            offered_per_s: operations.scheduled as f64 / length,
            goodput_per_s: operations.succeeded as f64 / length,
            error_share: share(bad(operations), operations.ended()),
            response_p99_marked: totals.marked().p99,
            response_p99_ms: totals
                .response
                .and_then(|response| response.told_quantile(0.99))
                .map(millis),
            latency_alone: service.bounds().is_slow(&counts)
                && !service.bounds().is_failing(&counts),
            failed: service.between(from, until).failed(),
            outages: outages.len() as u64,
            outages_s: out.fold(Nanos::ZERO, Nanos::saturating_add).as_secs_f64(),
        })
    }

    /// The harm until the end of the phase in which the impact was.
    fn harm_of_impact(&self) -> Option<Harm> {
        let series = self.evidence.series;
        let impact = self.episode.impact?;
        let until = self.episode.recovered.unwrap_or(self.until);
        let acted = self.trigger_at().unwrap_or(impact).max(impact);
        let within = series.edge_before(acted).saturating_add(series.interval);
        let mut stretches = self.evidence.stretches.iter();
        let phase = stretches.find(|stretch| stretch.to >= within);
        let worst_until = phase.map_or(until, |phase| phase.to.min(until));
        self.harm(series.edge_before(impact), worst_until, until)
    }

    /// What failed after service was back for good.
    fn after_recovery(&self) -> Option<AfterRecovery> {
        let service = self.service?;
        let back = self.episode.returned()?;
        let counts = service.between(back, self.until);
        Some(AfterRecovery {
            from_s: back.as_secs_f64(),
            to_s: self.until.as_secs_f64(),
            operations: counts.scheduled,
            failed: counts.failed(),
            beyond_chance: service.bounds().is_unusual(&counts),
            outages: service.outages(back, self.until).len() as u64,
        })
    }

    /// Why no verdict can be given; none where one can.
    fn undetermined(&self, by_rollback: bool) -> Option<String> {
        if self.episode.trigger.is_none() {
            return Some(self.without_trigger());
        }
        if let Err(reason) = self.evidence.baseline {
            return Some(reason.clone());
        }
        let off = match self.episode.off()? {
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
        if !self.evidence.valid {
            return Some("the measurement is invalid".into());
        }
        let service = self.service?;
        if !self.harmed() && self.trigger_at().is_some_and(|at| service.was_out(at)) {
            return Some(
                "whether service was lost cannot be told: goodput was low, and before the trigger \
                 operations failed in bursts that explain as much"
                    .into(),
            );
        }
        let begun = self.episode.impact.map_or(off, |impact| off.max(impact));
        match service.load_back(begun) {
            _ if self.is_silent(service, off) => Some(format!(
                "too few operations followed the {} to tell whether service came back",
                self.last_of(off, by_rollback)
            )),
            Some(true) if self.cannot_tell(service) => Some(format!(
                "whether service came back cannot be told: its last window misses the bounds by \
                 no more than chance may, against a baseline of {} operations",
                service.bounds().baseline.operations.scheduled
            )),
            Some(true) => None,
            Some(false) => Some(format!(
                "after the {} the load never returned to the baseline's level",
                self.last_of(off, by_rollback)
            )),
            None => Some(format!(
                "the observation stopped before a full hold window had passed after the {}",
                self.last_of(off, by_rollback)
            )),
        }
    }

    /// Whether too little was offered since to see a recovery.
    fn is_silent(&self, service: &Service<'_>, off: Nanos) -> bool {
        let since = service.between(off, service.end());
        let needed = service.bounds().rule.operations_min.max(1);
        self.harmed() && self.episode.recovered.is_none() && since.scheduled < needed
    }

    /// From what on a recovery was waited for.
    fn last_of(&self, off: Nanos, by_rollback: bool) -> &'static str {
        match (self.episode.impact > Some(off), by_rollback) {
            (true, _) => "impact",
            (false, true) => "rollback",
            (false, false) => "end of the trigger",
        }
    }

    fn cannot_tell(&self, service: &Service<'_>) -> bool {
        self.harmed() && self.episode.recovered.is_none() && !service.ends_lost()
    }

    fn without_trigger(&self) -> String {
        match self.episode.impact {
            None => "there was no trigger: no push was applied, nothing was slowed or paused, and \
                     the load did not surge"
                .into(),
            Some(impact) => {
                let by = impact.saturating_add(self.evidence.series.interval);
                let last = self.taken().take_while(|it| it.at <= by).last();
                let why = last.map_or_else(
                    || "nothing that this run did can have caused it".to_owned(),
                    |it| {
                        format!(
                            "no fault, push or surge of this run came before it: the last thing \
                             that was done is `{}` at {:.1} s",
                            it.action.in_words(),
                            it.at.as_secs_f64()
                        )
                    },
                );
                format!(
                    "service was lost at {:.1} s, and {why} (a fault injected by hand is not \
                     known, nor what a hook without `as` does)",
                    impact.as_secs_f64()
                )
            }
        }
    }

    /// The first word that fits, given that one does.
    fn verdict(&self) -> IncidentVerdict {
        let (Some(off), Some(service)) = (self.off(), self.service) else {
            return IncidentVerdict::Undetermined;
        };
        if !self.harmed() {
            return IncidentVerdict::NoImpact;
        }
        let Some(recovered) = self.episode.recovered else {
            return if service.ends_stuck() {
                IncidentVerdict::Metastable
            } else {
                IncidentVerdict::NotRecovered
            };
        };
        if !self.episode.relapses.is_empty() {
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

    /// Sets the verdict, the shares and the sustaining effect.
    fn judge(&self, incident: &mut Incident) {
        incident.undetermined_because = self.undetermined(incident.ended_by_rollback());
        incident.verdict = match incident.undetermined_because {
            Some(_) => IncidentVerdict::Undetermined,
            None => self.verdict(),
        };
        let (Some(off), Some(service)) = (self.off(), self.service) else {
            return;
        };
        let recovered = self.episode.recovered;
        let until = [recovered, self.next_intervention(off)]
            .into_iter()
            .flatten()
            .fold(self.until, Nanos::min);
        let series = self.evidence.series;
        incident.sustaining_shares = amplification::sustaining_shares(series, off, until);
        let lasted =
            recovered.is_none_or(|recovered| recovered.saturating_sub(off) > service.hold());
        let judged = !matches!(
            incident.verdict,
            IncidentVerdict::Undetermined | IncidentVerdict::NoImpact
        );
        // Nothing sustains a loss that is over until the next thing that was done.
        let lost = !service.was_back(off, until);
        if judged && lasted && lost {
            let trigger = self.trigger_at().unwrap_or(off);
            let stuck = stuck::stuck(self.evidence, trigger, (off, until), service.hold());
            let shares = incident.sustaining_shares.as_ref();
            // What is held for nothing does not come back when a loop is broken.
            let (effect, held) = match stuck {
                Some((effect, held)) => (Some(effect), Some(held)),
                None => (shares.and_then(amplification::sustaining), None),
            };
            let monitors = &self.evidence.record.header.plan.monitors;
            let effect = effect.map(|effect| amplification::whose(effect, monitors));
            incident.sustaining = effect;
            incident.held = held;
        }
    }

    /// Sets the spans between the instants, and what users got.
    fn measure(&self, incident: &mut Incident) {
        let (impact, off) = (self.episode.impact, self.off());
        let recovered = self.episode.recovered;
        let (detected, mitigated) = (self.detected(), self.mitigated());
        // Where goodput was never below half nothing was to be mitigated.
        let bad_from = impact.filter(|_| self.out().is_some());
        let last_action = self.taken().next_back().map(|last| last.at);
        for (from, to, figure, censored) in [
            (
                impact,
                detected,
                &mut incident.time_to_detect_s,
                &mut incident.time_to_detect_censored_after_s,
            ),
            (
                self.on_call_from(),
                self.acknowledged(),
                &mut incident.time_to_acknowledge_s,
                &mut incident.time_to_acknowledge_censored_after_s,
            ),
            (
                bad_from,
                mitigated,
                &mut incident.time_to_mitigate_s,
                &mut incident.time_to_mitigate_censored_after_s,
            ),
            (
                impact,
                recovered,
                &mut incident.time_to_recover_s,
                &mut incident.time_to_recover_censored_after_s,
            ),
            (
                off,
                recovered,
                &mut incident.recovery_after_trigger_off_s,
                &mut incident.recovery_after_trigger_off_censored_after_s,
            ),
            // Where something else still acts after it, no recovery was waited for yet.
            (
                off.and(self.rollback()),
                recovered,
                &mut incident.recovery_after_rollback_s,
                &mut incident.recovery_after_rollback_censored_after_s,
            ),
            // Without a trigger that went off, no recovery was waited for.
            (
                off.and(last_action),
                recovered,
                &mut incident.recovery_after_last_action_s,
                &mut incident.recovery_after_last_action_censored_after_s,
            ),
        ] {
            (*figure, *censored) = span(from, to, self.until);
        }
        incident.detected_censored_after_s = incident.time_to_detect_censored_after_s;
        incident.mitigated_censored_after_s = incident.time_to_mitigate_censored_after_s;
        incident.recovered_censored_after_s = incident.recovery_after_trigger_off_censored_after_s;
        incident.harm = self.harm_of_impact();
        incident.after_recovery = self.after_recovery();
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
