//! The findings in words: what a reader should know, the cause first.
//!
//! Every sentence follows from the findings and from nothing else, so that no
//! text can claim what no figure shows. A sentence without its figure is left
//! out instead of being filled up.

use super::agents::AgentsFigures;
use super::expectations::decimal;
use super::findings::{ActionOutcome, Findings, Incident, Phase, Validity};
use super::validity::MACHINE_BUSY_WARNING;
use super::{observed, probes};
use crate::model::SustainingEffect;
use crate::record::story_time;
use crate::units::{Nanos, counted};

/// Fewer extra attempts or probes per operation than this are not worth a sentence.
const AMPLIFICATION_TOLD_FROM: f64 = 0.1;

/// Below this share of busy workers nothing points to them.
const IDLE_BELOW: f64 = 0.5;

/// Warnings told at most; the findings list them all.
const WARNINGS_TOLD: usize = 3;

/// All sentences, in order.
pub(super) fn sentences(findings: &Findings) -> Vec<String> {
    let teller = Teller { findings };
    let mut all = teller.overview();
    let told = [
        teller.trigger(),
        teller.failed_action(),
        teller.exhaustion(),
        teller.gauges(),
        teller.gaps(),
        findings.not_taken(),
        teller.listen_queue(),
        findings.capacity_sentence(),
        teller.amplification(),
        probes::sentence(findings),
        observed::waits_within(&findings.phases),
        teller.detection(),
        teller.rejection(),
        teller.trigger_off(),
        teller.held(),
        teller.recovery(),
        teller.relapse(),
        teller.after_recovery(),
        teller.wrongly_allowed(),
        teller.undetermined(),
        teller.invalid(),
        teller.busy_machine(),
        teller.scrape_failures(),
        teller.incomplete(),
        findings.agents.as_ref().map(AgentsFigures::sentence),
    ];
    all.extend(told.into_iter().flatten());
    all.extend(findings.warnings.iter().take(WARNINGS_TOLD).cloned());
    all
}

/// Puts findings into words; those of incidents are in `story`.
#[derive(Debug)]
pub(super) struct Teller<'a> {
    pub(super) findings: &'a Findings,
}

impl<'a> Teller<'a> {
    pub(super) fn incident(&self) -> &'a Incident {
        &self.findings.incident
    }

    /// An instant in real seconds, and the story's time where there is one.
    pub(super) fn at(&self, seconds: f64) -> String {
        let real = format!("{seconds:.1} s");
        let Some(story) = self.findings.story else {
            return real;
        };
        let time = story_time(&story, Nanos::from_secs_f64(seconds));
        format!("{real} ({time})")
    }

    /// The phase that holds an instant.
    pub(super) fn phase_at(&self, seconds: f64) -> Option<&'a Phase> {
        let mut phases = self.findings.phases.iter();
        phases.find(|phase| phase.from_s <= seconds && seconds < phase.to_s)
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
        if self.incident().sustaining == Some(SustainingEffect::Reconnections) {
            let phase = &worst.phase.name;
            return Some(format!(
                "Clients that had lost their sessions added {} attempts per operation, in the \
                 phase `{phase}`.",
                decimal(probes, 1)
            ));
        }
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

pub(super) fn percent(share: f64) -> String {
    // Whole per cents hide the difference between 99.6 % and all of it, and between
    // 0.4 % and nothing.
    let digits = usize::from((share > 0.99 && share < 1.0) || (share > 0.0 && share < 0.1));
    format!("{} %", decimal(share * 100.0, digits))
}
