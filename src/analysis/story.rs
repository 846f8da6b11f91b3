//! Incidents in words: what began each, how bad it was, how it ended.
//!
//! A word fits a size. An outage is less than half of the baseline's goodput; what is
//! less bad degraded service, or slowed it. Of several incidents each has one sentence,
//! and the sentences after these are of the one that the run is judged by.

use super::expectations::decimal;
use super::findings::{ActionOutcome, ActionTaken, Incident, Phase};
use super::harm::{Harm, Relapse};
use super::sentences::{Teller, percent};
use super::sized::{NOT_MEASURED, OUTAGE_BELOW, SAME_LOAD, Sized, same_load};
use super::stuck;
use crate::model::{ActionName, IncidentVerdict};
use crate::plan::Cause;
use crate::units::counted;

/// Goodput at this share of the baseline's explains no late recovery: something was slow.
const UNHURT_FROM: f64 = 0.995;
/// Incidents, and relapses of one, that are told; the findings list them all.
const TOLD_MOST: usize = 8;

impl<'a> Teller<'a> {
    /// Where there are several incidents: one sentence for each.
    pub(super) fn overview(&self) -> Vec<String> {
        let all = &self.findings.incidents;
        if all.len() < 2 {
            return Vec::new();
        }
        let told = all.iter().take(TOLD_MOST).enumerate();
        let mut told: Vec<String> = told
            .filter_map(|(place, incident)| {
                let begun = lower(&self.begun(incident)?);
                let begun = begun.trim_end_matches('.');
                let (number, of) = (place + 1, all.len());
                let ending = self.ending(incident);
                let verdict = incident.verdict.word().replace('_', " ");
                Some(format!(
                    "Incident {number} of {of} ({verdict}): {begun}; {ending}."
                ))
            })
            .collect();
        if all.len() > TOLD_MOST {
            let more = counted((all.len() - TOLD_MOST) as u64, "more incident");
            told.push(format!("There were {more}; summary.json has them all."));
        }
        if let Some(place) = all.iter().position(|it| it == self.incident()) {
            told.push(format!(
                "The run is judged by incident {}, and the sentences below are about it.",
                place + 1
            ));
        }
        told
    }

    /// How an incident ended, as a clause.
    fn ending(&self, incident: &Incident) -> String {
        let early = incident.back_early_s;
        if let Some(back) = early.filter(|_| incident.relapses.is_empty()) {
            let at = self.at(back);
            return format!("service was back at {at}, while its cause still acted");
        }
        let back = match incident.recovered_s {
            Some(recovered) => format!("service was back at {}", self.at(recovered)),
            None => return "service was not seen to be back".into(),
        };
        match &incident.relapses[..] {
            [] => back,
            relapses => {
                let count = relapses.len() as u64;
                let finally = match incident.returned_s {
                    Some(at) => format!("back for good at {}", self.at(at)),
                    None => "not seen to be back".into(),
                };
                format!("{back}, lost again {}, and {finally}", times(count))
            }
        }
    }

    /// What began the incident, and what it did to users; told before where there are
    /// several.
    pub(super) fn trigger(&self) -> Option<String> {
        if self.findings.incidents.len() > 1 {
            return None;
        }
        let incident = self.incident();
        if incident.impact_s.is_some() {
            return self.begun(incident);
        }
        let Some(trigger) = incident.trigger_s else {
            return self.calm();
        };
        let phase = self.phase_at(trigger)?;
        let begin = format!("The {} at {}", self.cause(incident), self.at(trigger));
        let Some(baseline) = self.findings.baseline else {
            return Some(format!(
                "{begin} left goodput at {:.0}/s of {:.0}/s offered.",
                phase.goodput_per_s, phase.offered_per_s
            ));
        };
        let marked = phase.response_ms.marked.p99 || baseline.response_p99_marked;
        let p99 = phase.response_ms.told_p99();
        let bound = baseline.response_p99_allowed_ms;
        let slow = p99.zip(bound).is_some_and(|(p99, bound)| p99 > bound);
        // As a product: nothing may have been offered.
        let usual = baseline.goodput_per_s / baseline.offered_per_s;
        let so = if phase.goodput_per_s < OUTAGE_BELOW * usual * phase.offered_per_s {
            "cannot be told from the bursts of failures before it"
        } else if slow {
            "hurt users by less than is called an incident"
        } else {
            "hurt users by no more than the bounds allow"
        };
        let p99 = match p99 {
            None => String::new(),
            Some(_) if marked => format!(", {NOT_MEASURED}"),
            Some(p99) => match baseline.told_p99_ms() {
                Some(before) => format!(
                    ", p99 {} ms before and {} ms after",
                    decimal(before, 1),
                    decimal(p99, 1)
                ),
                None => format!(", p99 {} ms after", decimal(p99, 1)),
            },
        };
        let failed = phase.error_share.filter(|share| *share > 0.0);
        let failed = failed.map_or_else(String::new, |share| {
            format!(
                ", and {} of the operations ended without success ({} before)",
                percent(share),
                percent(baseline.error_share)
            )
        });
        let told_from = baseline.smallest_loss.map_or_else(String::new, |share| {
            format!(
                " Failures would have been called an incident from {} of the operations of a \
                 hold window on.",
                percent(share)
            )
        });
        let (before, after) = (baseline.goodput_per_s, phase.goodput_per_s);
        let goodput = if same_load(phase.offered_per_s, &baseline) {
            format!("goodput was {before:.0}/s before and {after:.0}/s after")
        } else {
            format!(
                "goodput was {before:.0}/s of {:.0}/s offered before and {after:.0}/s of {:.0}/s \
                 after",
                baseline.offered_per_s, phase.offered_per_s
            )
        };
        Some(format!("{begin} {so}: {goodput}{p99}{failed}.{told_from}"))
    }

    /// A run in which nothing happened.
    fn calm(&self) -> Option<String> {
        let baseline = self.findings.baseline?;
        let completed = self.completed_per_s().map_or_else(String::new, |per_s| {
            format!(" Answers came at {}/s.", decimal(per_s, 1))
        });
        let within = match baseline.told_p99_ms() {
            None => String::new(),
            Some(_) if baseline.response_p99_marked => format!("; {NOT_MEASURED}"),
            Some(p99) => format!(", 99 % of them within {} ms", decimal(p99, 1)),
        };
        Some(format!(
            "Of {:.0} operations per second {:.0} succeeded{within}.{completed}",
            baseline.offered_per_s, baseline.goodput_per_s,
        ))
    }

    /// Operations that ended with success per second, by the instant at which they did,
    /// where that differs from goodput.
    fn completed_per_s(&self) -> Option<f64> {
        let phases = || self.findings.phases.iter();
        let seconds: f64 = phases().map(|phase| phase.to_s - phase.from_s).sum();
        let over = |of: fn(&Phase) -> f64| {
            let sum: f64 = phases()
                .map(|phase| of(phase) * (phase.to_s - phase.from_s))
                .sum();
            sum / seconds
        };
        let completed = over(|phase| phase.completed_per_s.unwrap_or(0.0));
        let goodput = over(|phase| phase.goodput_per_s);
        let differs = completed > 0.0 && (completed - goodput).abs() > SAME_LOAD * goodput;
        differs.then_some(completed)
    }

    /// What began an incident, and what it did to users.
    fn begun(&self, incident: &Incident) -> Option<String> {
        let impact = incident.impact_s?;
        let harm = incident.harm.as_ref()?;
        let baseline = self.findings.baseline.as_ref()?;
        let sized = Sized {
            harm,
            baseline,
            part: self.is_part(harm),
        };
        let lost = format!("Service was lost at {}", self.at(impact));
        let mut told = match (incident.trigger_s, incident.trigger_off_s) {
            (None, _) => format!("{lost}: {}", sized.noun()),
            (Some(_), Some(off)) if off < impact => {
                let after = decimal(impact - off, 1);
                format!(
                    "{lost}, {after} s after {}: {}",
                    self.end_of(incident),
                    sized.noun()
                )
            }
            (Some(trigger), _) => {
                let begin = format!("The {} at {}", self.cause(incident), self.at(trigger));
                let later = impact - trigger;
                if later > 2.0 * self.findings.interval_s.max(1.0) {
                    let (verb, rates) = (sized.verb_of(), sized.rates());
                    format!("{begin} {verb}, {later:.1} s later{rates}")
                } else {
                    format!("{begin} {}{}", sized.verb_of(), sized.rates())
                }
            }
        };
        told.push('.');
        if harm.outages > 1 {
            let (often, seconds) = (times(harm.outages), decimal(harm.outages_s, 1));
            told = format!(
                "{told} Goodput was below half of the baseline's {often}, {seconds} s in all."
            );
        }
        if let [_, _, ..] = incident.causes[..] {
            told = format!("{told} What acted in it: {}.", each_once(&incident.causes));
        }
        Some(told)
    }

    /// Whether users were hurt for only a part of the phase.
    fn is_part(&self, harm: &Harm) -> bool {
        let phase = self.phase_at(harm.from_s);
        phase.is_none_or(|phase| harm.to_s + self.findings.interval_s / 2.0 < phase.to_s)
    }

    /// What ended the cause, in words.
    fn end_of(&self, incident: &Incident) -> String {
        if incident.ended_by_rollback() {
            "the rollback".into()
        } else if incident.causes.len() > 1 {
            "the end of the last cause".into()
        } else {
            format!("the end of the {}", self.cause(incident))
        }
    }

    /// What began an incident: what was done, or the cause's name.
    fn cause(&self, incident: &Incident) -> &'a str {
        let cause = incident.trigger.unwrap_or(Cause::Push);
        // Of these it is said what was done; of the others the name is enough.
        let action = match cause {
            Cause::Push => ActionName::Push,
            Cause::Fault => ActionName::Fault,
            Cause::Occupation => ActionName::Occupy,
            _ => return cause.name(),
        };
        let mut taken = self.findings.actions.iter();
        taken
            .find(|it| {
                it.action == action
                    && it.outcome == Some(ActionOutcome::Applied)
                    && Some(it.at_s) == incident.trigger_s
            })
            .map_or(cause.name(), |taken| taken.what.as_str())
    }

    pub(super) fn detection(&self) -> Option<String> {
        let incident = self.incident();
        if let Some(after) = incident.time_to_detect_s {
            let seen = incident.time_to_acknowledge_s;
            let seen = seen.map_or_else(String::new, |seen| {
                format!(", and acknowledged {seen:.1} s after it")
            });
            return Some(format!(
                "The incident was detected {after:.1} s after the impact began{seen}."
            ));
        }
        let after = incident.time_to_detect_censored_after_s?;
        Some(format!(
            "The incident was undetected: no alert fired in the {after:.1} s after the impact \
             began."
        ))
    }

    pub(super) fn rejection(&self) -> Option<String> {
        let at = self.incident().rollback_rejected_s?;
        let because = self.incident().rollback_rejected_because.as_deref()?;
        Some(format!("The rollback at {} was {because}.", self.at(at)))
    }

    /// What the end of the trigger did, where it came after the impact.
    pub(super) fn trigger_off(&self) -> Option<String> {
        let incident = self.incident();
        let off = incident.trigger_off_s?;
        let early = incident.back_early_s.is_some();
        if incident.impact_s? >= off || early || incident.verdict == IncidentVerdict::Relapsed {
            return None;
        }
        let at = self.at(off);
        let what = if incident.ended_by_rollback() {
            format!("The rollback applied at {at}")
        } else {
            let end = self.end_of(incident).replacen('t', "T", 1);
            format!("{end} at {at}")
        };
        match incident.verdict {
            IncidentVerdict::RecoveredWithTheTrigger => {
                return Some(format!("{what} restored service by itself."));
            }
            IncidentVerdict::Undetermined => return None,
            _ => {}
        }
        let after = incident.recovery_after_trigger_off_s;
        if after.is_some_and(|after| after <= self.findings.interval_s) {
            return None;
        }
        let sustained = incident.sustaining.map_or_else(String::new, |effect| {
            format!(", sustained by {}", effect.in_words())
        });
        // The bucket in which it was applied may still belong to the phase before.
        let phase = self
            .phase_at(off + self.findings.interval_s)
            .or_else(|| self.phase_at(off))?;
        let Some(shown) = self.shown_by(phase) else {
            return Some(format!(
                "{what} did not bring service back for a whole hold window at once."
            ));
        };
        Some(format!(
            "{what} did not restore service at once{shown}{sustained}."
        ))
    }

    /// What was held for nothing.
    pub(super) fn held(&self) -> Option<String> {
        let incident = self.incident();
        stuck::sentence(incident.sustaining?, incident.held.as_ref()?)
    }

    /// The figure of a phase that shows that service was not back; none where its figures are
    /// those of the baseline.
    fn shown_by(&self, phase: &Phase) -> Option<String> {
        let name = &phase.name;
        let share = self.of_baseline(phase).filter(|share| *share < UNHURT_FROM);
        if let Some(share) = share {
            let share = percent(share);
            return Some(format!(
                ": in the phase `{name}` goodput was {share} of the baseline's"
            ));
        }
        let slow = phase.response_ms.told_p99().zip(self.findings.baseline);
        let Some((p99, baseline)) = slow else {
            return Some(String::new());
        };
        if phase.response_ms.marked.p99 || baseline.response_p99_marked {
            return Some(format!(": in the phase `{name}` {NOT_MEASURED}"));
        }
        let allowed = baseline.response_p99_allowed_ms;
        if p99 <= allowed.unwrap_or(baseline.response_p99_ms) {
            return None;
        }
        let (p99, before) = (decimal(p99, 1), baseline.p99_before());
        Some(format!(": in the phase `{name}` p99 was {p99} ms{before}"))
    }

    /// The phase's goodput, scaled to its load, as a share of the baseline's.
    fn of_baseline(&self, phase: &Phase) -> Option<f64> {
        let baseline = self.findings.baseline?;
        let usual = baseline.goodput_per_s / baseline.offered_per_s;
        let share = phase.goodput_per_s / phase.offered_per_s / usual;
        share.is_finite().then_some(share)
    }

    pub(super) fn recovery(&self) -> Option<String> {
        let incident = self.incident();
        let end = if incident.ended_by_rollback() {
            "the rollback"
        } else {
            "the trigger ended"
        };
        let within = decimal(self.findings.interval_s, 3);
        let late = incident.impact_s > incident.trigger_off_s;
        if let Some(back) = incident.back_early_s {
            let good = match (incident.recovered_s, incident.trigger_off_s) {
                (Some(recovered), Some(off)) if recovered - off <= self.findings.interval_s => {
                    let end = self.end_of(incident);
                    format!(", and still so after {end} at {}", self.at(off))
                }
                _ => String::new(),
            };
            return Some(format!(
                "Service was back at {}, while its cause still acted{good}.",
                self.at(back)
            ));
        }
        let Some(recovered) = incident.recovered_s else {
            if late && let Some(after) = incident.time_to_recover_censored_after_s {
                return Some(format!(
                    "Service was not back {after:.1} s after it was lost, when the observation \
                     ended."
                ));
            }
            let after = incident.recovery_after_trigger_off_censored_after_s?;
            if incident.verdict == IncidentVerdict::Undetermined {
                return Some(format!(
                    "A recovery was not seen in the {after:.1} s after {end}."
                ));
            }
            return Some(format!(
                "Service had not recovered {after:.1} s after {end}, when the observation ended."
            ));
        };
        let Some(after_off) = incident.recovery_after_trigger_off_s else {
            let after = incident.time_to_recover_s?;
            return Some(format!(
                "Service was back at {}: {after:.1} s after it was lost, to within {within} s.",
                self.at(recovered)
            ));
        };
        let after_impact = incident.time_to_recover_s.filter(|_| late);
        let after_impact = after_impact.map_or_else(String::new, |after| {
            format!("{after:.1} s after it was lost and ")
        });
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
            "Service recovered at {}: {after_impact}{after_off:.1} s after {end}{after_action}, \
             to within {within} s.",
            self.at(recovered),
        ))
    }

    /// Each time that service was lost again.
    pub(super) fn relapse(&self) -> Option<String> {
        let relapses = &self.incident().relapses;
        let told = relapses.iter().take(TOLD_MOST);
        let mut told: Vec<String> = told.map(|relapse| self.lost_again(relapse)).collect();
        if relapses.len() > TOLD_MOST {
            let more = counted((relapses.len() - TOLD_MOST) as u64, "more relapse");
            told.push(format!("There were {more}."));
        }
        (!told.is_empty()).then(|| told.join(" "))
    }

    fn lost_again(&self, relapse: &Relapse) -> String {
        let size = relapse.harm.map_or_else(String::new, |harm| {
            let failed = counted(harm.failed, "operation");
            let outages = match harm.outages {
                0 => String::new(),
                1 => format!(", in an outage of {} s", decimal(harm.outages_s, 1)),
                many => format!(
                    ", in {many} outages of {} s in all",
                    decimal(harm.outages_s, 1)
                ),
            };
            if harm.latency_alone {
                " (operations were slow)".into()
            } else {
                format!(" ({failed} did not succeed{outages})")
            }
        });
        let back = match relapse.back_s {
            Some(at) => format!("was back at {}", self.at(at)),
            None => "was not seen to be back".into(),
        };
        format!(
            "Service was lost again at {}{size}, and {back}.",
            self.at(relapse.lost_s)
        )
    }

    /// What failed after service was back, where that is more than chance.
    pub(super) fn after_recovery(&self) -> Option<String> {
        let after = self.incident().after_recovery?;
        let baseline = self.findings.baseline?;
        let usual = 1.0 - baseline.goodput_per_s / baseline.offered_per_s;
        if after.outages == 0 && !after.beyond_chance {
            return None;
        }
        let short = match after.outages {
            0 => String::new(),
            outages => format!(
                "; {} too short to be called a relapse",
                counted(outages, "outage")
            ),
        };
        Some(format!(
            "After service was back, {} of {} did not succeed ({}; {} in the baseline){short}.",
            after.failed,
            counted(after.operations, "operation"),
            percent(after.failed as f64 / after.operations.max(1) as f64),
            percent(usual)
        ))
    }

    pub(super) fn wrongly_allowed(&self) -> Option<String> {
        let count = self.findings.wrongly_allowed();
        (count > 0).then(|| {
            format!(
                "{} should have been refused and got through.",
                counted(count, "operation")
            )
        })
    }

    pub(super) fn undetermined(&self) -> Option<String> {
        let because = self.incident().undetermined_because.as_deref()?;
        Some(format!(
            "The incident's verdict is undetermined: {because}."
        ))
    }
}

/// `once`, `twice`, `7 times`.
fn times(count: u64) -> String {
    match count {
        1 => "once".into(),
        2 => "twice".into(),
        _ => format!("{count} times"),
    }
}

/// These causes, each once, and how often it acted where that was more than once.
fn each_once(causes: &[Cause]) -> String {
    let mut names: Vec<(&str, u64)> = Vec::new();
    for cause in causes {
        let name = cause.name();
        match names.iter_mut().find(|(own, _)| *own == name) {
            Some((_, count)) => *count += 1,
            None => names.push((name, 1)),
        }
    }
    let names = names.into_iter().map(|(name, count)| match count {
        1 => name.to_owned(),
        _ => format!("{name} ({})", times(count)),
    });
    names.collect::<Vec<_>>().join(", ")
}

/// A sentence within a sentence.
fn lower(sentence: &str) -> String {
    let mut characters = sentence.chars();
    let first = characters.next().map(char::to_lowercase);
    first.into_iter().flatten().chain(characters).collect()
}
