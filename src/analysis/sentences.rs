//! The findings in words: what a reader should know, the cause first.
//!
//! Every sentence follows from the findings and from nothing else, so that no
//! text can claim what no figure shows. A sentence without its figure is left
//! out instead of being filled up.

use super::expectations::decimal;
use super::findings::{ActionOutcome, ActionTaken, Findings, Incident, Phase, Validity};
use super::validity::MACHINE_BUSY_WARNING;
use crate::model::{ActionName, IncidentVerdict};
use crate::plan::Cause;
use crate::record::story_time;
use crate::units::{Nanos, counted};

/// Fewer extra attempts or probes per operation than this are not worth a sentence.
const AMPLIFICATION_TOLD_FROM: f64 = 0.1;

/// Below this share of busy workers nothing points to them.
const IDLE_BELOW: f64 = 0.5;

/// Goodput below this share of the baseline's is called an outage: fewer than half of
/// the users are served, which is also the default bound of "mitigated".
const OUTAGE_BELOW: f64 = 0.5;

/// Warnings told at most; the findings list them all.
const WARNINGS_TOLD: usize = 3;

/// All sentences, in order.
pub(super) fn sentences(findings: &Findings) -> Vec<String> {
    let teller = Teller { findings };
    let mut all: Vec<String> = [
        teller.trigger(),
        teller.failed_action(),
        teller.exhaustion(),
        teller.gauges(),
        findings.not_taken(),
        teller.listen_queue(),
        findings.capacity_sentence(),
        teller.amplification(),
        teller.detection(),
        teller.rejection(),
        teller.trigger_off(),
        teller.recovery(),
        teller.relapse(),
        teller.wrongly_allowed(),
        teller.undetermined(),
        teller.invalid(),
        teller.busy_machine(),
        teller.scrape_failures(),
        teller.incomplete(),
    ]
    .into_iter()
    .flatten()
    .collect();
    all.extend(findings.warnings.iter().take(WARNINGS_TOLD).cloned());
    all
}

struct Teller<'a> {
    findings: &'a Findings,
}

impl<'a> Teller<'a> {
    fn incident(&self) -> &'a Incident {
        &self.findings.incident
    }

    /// An instant in real seconds, and the story's time where there is one.
    fn at(&self, seconds: f64) -> String {
        let real = format!("{seconds:.1} s");
        let Some(story) = self.findings.story else {
            return real;
        };
        let time = story_time(&story, Nanos::from_secs_f64(seconds));
        format!("{real} ({time})")
    }

    /// The phase that holds an instant.
    fn phase_at(&self, seconds: f64) -> Option<&'a Phase> {
        let mut phases = self.findings.phases.iter();
        phases.find(|phase| phase.from_s <= seconds && seconds < phase.to_s)
    }

    /// The phase's goodput, scaled to its load, as a share of the baseline's.
    fn of_baseline(&self, phase: &Phase) -> Option<f64> {
        let baseline = self.findings.baseline?;
        let usual = baseline.goodput_per_s / baseline.offered_per_s;
        let share = phase.goodput_per_s / phase.offered_per_s / usual;
        share.is_finite().then_some(share)
    }

    fn trigger(&self) -> Option<String> {
        let Some(trigger) = self.incident().trigger_s else {
            let baseline = self.findings.baseline?;
            return Some(format!(
                "Of {:.0} operations per second {:.0} succeeded, 99 % of them within {} ms.",
                baseline.offered_per_s,
                baseline.goodput_per_s,
                decimal(baseline.response_p99_ms, 1)
            ));
        };
        let begin = format!("The {} at {}", self.cause(), self.at(trigger));
        let phase = self.phase_at(trigger)?;
        let Some(baseline) = self.findings.baseline else {
            return Some(format!(
                "{begin} left goodput at {:.0}/s of {:.0}/s offered.",
                phase.goodput_per_s, phase.offered_per_s
            ));
        };
        if self.incident().impact_s.is_none() {
            return Some(format!(
                "{begin} had no visible effect on users: goodput was {:.0}/s before and {:.0}/s \
                 after.",
                baseline.goodput_per_s, phase.goodput_per_s
            ));
        }
        let bad = phase.error_share.unwrap_or(0.0);
        let harm = match self.of_baseline(phase) {
            Some(share) if share >= OUTAGE_BELOW => "degraded service",
            _ => "caused an outage",
        };
        Some(format!(
            "{begin} {harm}: goodput went from {:.0}/s to {:.0}/s, and {} of the \
             operations ended without success.",
            baseline.goodput_per_s,
            phase.goodput_per_s,
            percent(bad)
        ))
    }

    /// What began the incident: a push with what it changed, or the cause's name.
    fn cause(&self) -> &'a str {
        let cause = self.incident().trigger.unwrap_or(Cause::Push);
        // Of these it is said what was done; of the others the name is enough.
        let action = match cause {
            Cause::Push => ActionName::Push,
            Cause::Fault => ActionName::Fault,
            Cause::Occupation => ActionName::Occupy,
            _ => return cause.name(),
        };
        let taken = self.findings.actions.iter();
        taken
            .filter(|it| it.action == action && it.outcome == Some(ActionOutcome::Applied))
            .map(|taken| taken.what.as_str())
            .next()
            .unwrap_or(cause.name())
    }

    /// What was to be done and could not be: what followed is not its doing.
    fn failed_action(&self) -> Option<String> {
        let mut failed = self.findings.actions.iter();
        let failed = failed.find(|taken| taken.outcome == Some(ActionOutcome::Failed))?;
        Some(format!(
            "The {} at {} failed: {}.",
            failed.what,
            self.at(failed.at_s),
            failed.detail
        ))
    }

    fn exhaustion(&self) -> Option<String> {
        self.incident().trigger_s?;
        let Some(exhausted) = self.findings.exhausted() else {
            let (phase, most) = self
                .findings
                .phases_since_trigger()
                .filter_map(|phase| Some((phase, phase.saturation?)))
                .max_by(|(_, one), (_, other)| one.total_cmp(other))?;
            return Some(format!(
                "No instance was exhausted: workers were at most {} busy, in the phase `{}`.",
                percent(most),
                phase.name
            ));
        };
        let names = &exhausted.instances;
        let all = counted(self.findings.instances, "instance");
        let who = match names[..] {
            [name] if self.findings.instances == 1 => format!("{name} was"),
            [name] => format!("1 of {all} ({name}) was"),
            _ if names.len() as u64 == self.findings.instances => format!("All {all} were"),
            _ => format!("{} of {all} were", names.len()),
        };
        Some(format!(
            "{who} exhausted between {} and {}; the longest unbroken stretch was {} s.",
            self.at(exhausted.from_s),
            self.at(exhausted.to_s),
            decimal(exhausted.longest_s, 1)
        ))
    }

    /// The phase in which a target's own gauges told most.
    fn gauges(&self) -> Option<String> {
        let phases = self.findings.phases.iter();
        let told = phases.flat_map(|phase| {
            let told = phase.gauges.iter();
            told.filter_map(move |gauges| Some((phase, gauges, gauges.saturation?)))
        });
        let (phase, gauges, saturation) = told
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .max_by(|one, other| one.2.total_cmp(&other.2))?;
        if saturation < IDLE_BELOW {
            return Some(format!(
                "By its own gauges `{}` was at most {} busy, in the phase `{}`. These are point \
                 samples, and workers that wait for a client may not count as busy.",
                gauges.source,
                percent(saturation),
                phase.name
            ));
        }
        let stated = if gauges.workers_stated {
            " (a number that was stated, not read)"
        } else {
            ""
        };
        let waiting = gauges.queue.map_or_else(String::new, |queue| {
            format!(", and a queue of {}", decimal(queue, 1))
        });
        Some(format!(
            "By its own gauges `{}` had {} of {} workers busy on average{stated}, {}{waiting}, in \
             the phase `{}`: {} point samples.",
            gauges.source,
            decimal(gauges.busy?, 1),
            decimal(gauges.workers?, 1),
            percent(saturation),
            phase.name,
            gauges.readings
        ))
    }

    /// The most connections in a server's accept queue.
    fn listen_queue(&self) -> Option<String> {
        let phases = self.findings.phases.iter();
        let told = phases.flat_map(|phase| {
            let told = phase.processes.iter();
            told.filter_map(move |it| Some((phase, it, it.listen_queue_max?)))
        });
        let (phase, process, most) = told.max_by_key(|(_, _, most)| *most)?;
        (most > 1).then(|| {
            format!(
                "The accept queue of `{}` held up to {}, in the phase `{}`.",
                process.source,
                counted(most, "connection"),
                phase.name
            )
        })
    }

    fn amplification(&self) -> Option<String> {
        self.incident().trigger_s?;
        let worst = self.findings.worst_amplification()?;
        let (attempts, probes) = (worst.attempts, worst.probes);
        let made = format!("{} attempts per operation", decimal(attempts, 1));
        let added = format!("{} probes per operation", decimal(probes, 1));
        let who = match (
            attempts - 1.0 >= AMPLIFICATION_TOLD_FROM,
            probes >= AMPLIFICATION_TOLD_FROM,
        ) {
            (true, true) => format!("Retries led to {made}, and monitors added {added}"),
            (true, false) => format!("Retries led to {made}"),
            (false, true) => format!("Monitors added {added}"),
            (false, false) => return None,
        };
        Some(format!("{who}, in the phase `{}`.", worst.phase.name))
    }

    fn detection(&self) -> Option<String> {
        let incident = self.incident();
        if let Some(after) = incident.time_to_detect_s {
            return Some(format!(
                "The incident was detected {after:.1} s after the impact began."
            ));
        }
        let after = incident.time_to_detect_censored_after_s?;
        Some(format!(
            "The incident was undetected: no alert fired in the {after:.1} s after the impact \
             began."
        ))
    }

    fn rejection(&self) -> Option<String> {
        let at = self.incident().rollback_rejected_s?;
        let because = self.incident().rollback_rejected_because.as_deref()?;
        Some(format!("The rollback at {} was {because}.", self.at(at)))
    }

    fn trigger_off(&self) -> Option<String> {
        let incident = self.incident();
        let off = incident.trigger_off_s?;
        incident.impact_s?;
        let at = self.at(off);
        let what = if incident.ended_by_rollback() {
            format!("The rollback applied at {at}")
        } else {
            format!("The end of the {} at {at}", self.cause())
        };
        if incident.verdict == IncidentVerdict::RecoveredWithTheTrigger {
            return Some(format!("{what} restored service by itself."));
        }
        // The bucket in which it was applied may still belong to the phase before.
        let phase = self
            .phase_at(off + self.findings.interval_s)
            .or_else(|| self.phase_at(off))?;
        let share = percent(self.of_baseline(phase)?);
        let sustained = incident.sustaining.map_or_else(String::new, |effect| {
            format!(", sustained by {}", effect.word().replace('_', " "))
        });
        Some(format!(
            "{what} did not restore service at once: in the phase `{}` goodput was {share} of the \
             baseline's{sustained}.",
            phase.name
        ))
    }

    fn recovery(&self) -> Option<String> {
        let incident = self.incident();
        let end = if self.incident().ended_by_rollback() {
            "the rollback"
        } else {
            "the trigger ended"
        };
        let Some(recovered) = incident.recovered_s else {
            let after = incident.recovery_after_trigger_off_censored_after_s?;
            return Some(format!(
                "Service had not recovered {after:.1} s after {end}, when the observation ended."
            ));
        };
        let after_off = incident.recovery_after_trigger_off_s?;
        let before = self.findings.actions.iter().rev();
        let last = before.skip_while(|taken| taken.at_s > recovered);
        let since = |taken: &ActionTaken| {
            let after = recovered - taken.at_s;
            format!(" and {after:.1} s after `{}` began", taken.what)
        };
        let after_action = last
            .take(1)
            .find(|taken| incident.trigger_off_s.is_none_or(|off| taken.at_s > off))
            .map_or_else(String::new, since);
        Some(format!(
            "Service recovered at {}: {after_off:.1} s after {end}{after_action}, to within {} s.",
            self.at(recovered),
            decimal(self.findings.interval_s, 3)
        ))
    }

    fn relapse(&self) -> Option<String> {
        let at = self.incident().relapsed_s?;
        Some(format!("Service was lost again at {}.", self.at(at)))
    }

    fn wrongly_allowed(&self) -> Option<String> {
        let count = self.findings.wrongly_allowed();
        (count > 0).then(|| {
            format!(
                "{} should have been refused and got through.",
                counted(count, "operation")
            )
        })
    }

    fn undetermined(&self) -> Option<String> {
        let because = self.incident().undetermined_because.as_deref()?;
        Some(format!(
            "The incident's verdict is undetermined: {because}."
        ))
    }

    fn invalid(&self) -> Option<String> {
        let measurement = &self.findings.measurement;
        (measurement.validity == Validity::Invalid).then(|| {
            format!(
                "The measurement is invalid, so nothing is judged. {}",
                measurement.reasons.join(" ")
            )
        })
    }

    fn busy_machine(&self) -> Option<String> {
        let busy = self.findings.measurement.machine_busy_max?;
        (busy > MACHINE_BUSY_WARNING).then(|| {
            format!(
                "The machine was {} busy in its busiest phase: above {} a shortage of CPU may have \
                 affected the figures.",
                percent(busy),
                percent(MACHINE_BUSY_WARNING)
            )
        })
    }

    fn scrape_failures(&self) -> Option<String> {
        let failures = &self.findings.scrape_failures;
        let first = failures.first()?;
        let count = failures
            .iter()
            .fold(0_u64, |sum, failure| sum.saturating_add(failure.count));
        Some(format!(
            "{} failed, the first of {} at {}: {}.",
            counted(count, "gauge reading"),
            first.source,
            self.at(first.first_s),
            first.cause
        ))
    }

    fn incomplete(&self) -> Option<String> {
        (!self.findings.complete).then(|| {
            format!(
                "The record is incomplete: it covers {:.1} s, and anything later is unknown.",
                self.findings.seen_to_s()
            )
        })
    }
}

fn percent(share: f64) -> String {
    // Whole per cents hide the difference between 99.6 % and all of it.
    let digits = usize::from(share > 0.99 && share < 1.0);
    format!("{} %", decimal(share * 100.0, digits))
}
