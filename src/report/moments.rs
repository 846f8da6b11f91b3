//! The incident's clock: what was done and the result, in order.
//!
//! Actions, impact and recovery come from the findings, alerts and accidents
//! from the journal. A reader needs both in one column, since the question is always
//! what followed what.

use super::figures::seconds;
use crate::analysis::{ActionOutcome, Findings, Incident};
use crate::model::ActionName;
use crate::plan::Story;
use crate::record::{Event, Record, StopCause, outcome_text, printable, signal_name, story_time};
use crate::units::Nanos;

/// An action that takes longer than this is told twice: when it began and when
/// it ended. A second is the resolution of everything around it.
const LONG_ACTION_S: f64 = 1.0;

/// What sort of moment it is; it decides how it is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// Somebody did something; the number counts such moments from 1.
    Done(usize),
    /// Somebody tried to, and it was refused or failed.
    Refused(usize),
    /// An action that began earlier came to its end.
    Ended,
    /// An alert fired or cleared.
    Alert,
    /// Users began to be harmed.
    Impact,
    /// Service came back, in part or whole.
    Recovery,
    /// Somebody said something.
    Said,
    /// Something went wrong that no one asked for.
    Trouble,
}

/// One line of the incident's clock.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moment {
    /// Seconds from the start of the load.
    pub at_s: f64,
    /// The story's time, where there is a story.
    pub story: Option<String>,
    /// What sort.
    pub sort: Sort,
    /// What happened, in a few words, safe to print.
    pub what: String,
    /// The result, safe to print; empty where there is nothing to add.
    pub detail: String,
}

impl Moment {
    /// What stands for it on a chart: a number for what was done, a sign otherwise.
    pub(super) fn mark(&self) -> String {
        match self.sort {
            Sort::Done(number) | Sort::Refused(number) => number.to_string(),
            Sort::Impact => "!".into(),
            Sort::Recovery => "✓".into(),
            Sort::Alert => "△".into(),
            Sort::Ended => "·".into(),
            Sort::Said => "✎".into(),
            Sort::Trouble => "×".into(),
        }
    }

    /// Its instant with the unit.
    pub(super) fn at(&self) -> String {
        seconds(self.at_s)
    }

    /// What the page's style sheet calls its sort.
    pub(super) fn class(&self) -> &'static str {
        match self.sort {
            Sort::Done(_) => "done",
            Sort::Refused(_) => "refused",
            Sort::Ended => "ended",
            Sort::Alert => "alert",
            Sort::Impact => "impact",
            Sort::Recovery => "recovery",
            Sort::Said => "said",
            Sort::Trouble => "trouble",
        }
    }
}

/// Every moment of the run, in order.
pub(super) fn moments(record: &Record, findings: &Findings) -> Vec<Moment> {
    let story = findings.story.as_ref();
    let mut moments = from_actions(findings);
    moments.extend(from_load(record, findings));
    moments.extend(from_journal(record, story));
    moments.extend(from_findings(findings));
    moments.sort_by(|one, other| one.at_s.total_cmp(&other.at_s));
    let mut number = 0;
    for moment in &mut moments {
        if let Sort::Done(place) | Sort::Refused(place) = &mut moment.sort {
            number += 1;
            *place = number;
        }
    }
    moments
}

fn moment(story: Option<&Story>, at: Nanos, sort: Sort, what: &str, detail: &str) -> Moment {
    Moment {
        at_s: at.as_secs_f64(),
        story: story.map(|story| story_time(story, at)),
        sort,
        what: printable(what).into_owned(),
        detail: printable(detail).into_owned(),
    }
}

fn from_actions(findings: &Findings) -> Vec<Moment> {
    let mut moments = Vec::new();
    for taken in &findings.actions {
        let by = taken.by.as_ref().map(|by| format!("by {}", by.name));
        let mut tell = |at_s: f64, sort, what: &str, detail: &str| {
            let at = Nanos::from_secs_f64(at_s);
            let detail = match &by {
                Some(by) if detail.is_empty() => by.clone(),
                Some(by) => format!("{by}: {detail}"),
                None => detail.to_owned(),
            };
            let detail = detail.as_str();
            moments.push(moment(findings.story.as_ref(), at, sort, what, detail));
        };
        let (Some(ended_s), Some(outcome)) = (taken.ended_s, taken.outcome) else {
            let unseen = "started; its end was not observed";
            tell(taken.at_s, Sort::Done(0), &taken.what, unseen);
            continue;
        };
        let (sort, ending) = match outcome {
            ActionOutcome::Applied => (Sort::Done(0), ""),
            ActionOutcome::Rejected => (Sort::Refused(0), " refused"),
            ActionOutcome::Failed => (Sort::Refused(0), " failed"),
        };
        let detail = &taken.detail;
        if ended_s - taken.at_s > LONG_ACTION_S {
            tell(taken.at_s, Sort::Done(0), &taken.what, "begun");
            let ending = if ending.is_empty() { " ended" } else { ending };
            let ended = format!("{}{ending}", taken.action);
            tell(ended_s, Sort::Ended, &ended, detail);
        } else {
            // As in the findings: nothing acts before it began, but a fault acts
            // until its rollback has ended.
            let ends = matches!(taken.action, ActionName::Rollback | ActionName::Continue);
            let at_s = if ends { ended_s } else { taken.at_s };
            tell(at_s, sort, &format!("{}{ending}", taken.what), detail);
        }
    }
    moments
}

/// When the load surged, and when that was over, as far as it was observed.
fn from_load(record: &Record, findings: &Findings) -> Vec<Moment> {
    let seen_to = findings.seen_to_s();
    let changes = record.header.plan.surge_changes().into_iter();
    changes
        .filter(|change| change.at.as_secs_f64() < seen_to)
        .map(|change| {
            let detail = if change.begins {
                "the load rises above that of the baseline"
            } else {
                "the load is back at the baseline"
            };
            let story = findings.story.as_ref();
            moment(story, change.at, Sort::Done(0), &change.phase, detail)
        })
        .collect()
}

fn from_journal(record: &Record, story: Option<&Story>) -> Vec<Moment> {
    let mut moments = Vec::new();
    for (at, event) in &record.events {
        let (sort, what, detail) = match event {
            Event::AlertFired { alert } => {
                (Sort::Alert, format!("alert fired: {alert}"), String::new())
            }
            Event::AlertCleared { alert } => (
                Sort::Alert,
                format!("alert cleared: {alert}"),
                String::new(),
            ),
            Event::Acknowledged { by, alert } => {
                let what = format!("{} acknowledged the alert", by.name);
                (Sort::Alert, what, alert.clone())
            }
            Event::Noted { by, text } => {
                (Sort::Said, format!("{}: {text}", by.name), String::new())
            }
            Event::Held { by } => {
                let what = format!("{} held the timeline", by.name);
                (Sort::Said, what, "the load went on".to_owned())
            }
            Event::WentOn { by, held_ns } => {
                let what = format!("{} let the timeline go on", by.name);
                let detail = format!("after {}", seconds(held_ns.as_secs_f64()));
                (Sort::Said, what, detail)
            }
            Event::Declined {
                by, what, reason, ..
            } => {
                let what = format!("{} asked for `{what}`", by.name);
                (Sort::Said, what, format!("not done: {reason}"))
            }
            Event::StopOrdered { by } => {
                let what = format!("{} stopped the run", by.name);
                (Sort::Trouble, what, "everything was undone".to_owned())
            }
            Event::Scaled { from, to, reason } => {
                let what = format!("the autoscaler went from {from} instances to {to}");
                (Sort::Said, what, reason.clone())
            }
            Event::Died { source, status } => {
                (Sort::Trouble, format!("{source} died"), status.clone())
            }
            Event::AgentLost(lost) => {
                let what = format!("the agent {} was lost", lost.agent);
                (Sort::Trouble, what, lost.reason.clone())
            }
            Event::RunEnded {
                cause: StopCause::Interrupted { signal },
            } => {
                let what = "the run was interrupted".to_owned();
                (Sort::Trouble, what, signal_name(*signal))
            }
            Event::Undone { undo, outcome } => (
                Sort::Ended,
                format!("undone: {undo}"),
                outcome_text(outcome),
            ),
            Event::SteadyState { returned, detail } => {
                let (sort, what) = match returned {
                    true => (Sort::Recovery, "the target serves after the undo"),
                    false => (Sort::Trouble, "the target does not serve after the undo"),
                };
                (sort, what.to_owned(), detail.clone())
            }
            Event::RunEnded {
                cause:
                    StopCause::Aborted {
                        because,
                        expectation,
                    },
            } => {
                let what = if *expectation {
                    "the run was stopped: an expectation can no longer hold"
                } else {
                    "the run was stopped by its stop condition"
                };
                (Sort::Trouble, what.to_owned(), because.clone())
            }
            Event::RunEnded {
                cause: StopCause::Failed { reason, .. },
            } => (Sort::Trouble, "the run failed".to_owned(), reason.clone()),
            _ => continue,
        };
        moments.push(moment(story, *at, sort, &what, &detail));
    }
    moments
}

fn from_findings(findings: &Findings) -> Vec<Moment> {
    let all = &findings.incidents;
    let story = findings.story.as_ref();
    if all.is_empty() {
        return of_incident(story, &findings.incident, "");
    }
    let told = all.iter().enumerate().flat_map(|(place, incident)| {
        let which = match all.len() {
            1 => String::new(),
            _ => format!(" (incident {})", place + 1),
        };
        of_incident(story, incident, &which)
    });
    told.collect()
}

fn of_incident(story: Option<&Story>, incident: &Incident, which: &str) -> Vec<Moment> {
    const BACK: &str = "goodput, errors and p99 are back for the hold window that begins here";
    let acts = |at_s: &f64| incident.trigger_off_s.is_none_or(|off| *at_s < off);
    let early = incident.trigger.is_some() && incident.mitigated_s.is_some_and(|at| acts(&at));
    let mitigated = if early {
        "goodput is back at half of the baseline or more, by intended start; the cause acts still"
    } else {
        "goodput is back at half of the baseline or more"
    };
    let mut rows = vec![
        (
            incident.impact_s,
            Sort::Impact,
            "impact",
            "the first bucket in which users were affected",
        ),
        (incident.mitigated_s, Sort::Recovery, "mitigated", mitigated),
        (
            incident.back_early_s,
            Sort::Recovery,
            "back",
            "goodput, errors and p99 are back, and the cause acts still",
        ),
        (incident.recovered_s, Sort::Recovery, "recovered", BACK),
    ];
    for relapse in &incident.relapses {
        let lost = (
            Some(relapse.lost_s),
            Sort::Impact,
            "relapsed",
            "service was lost again",
        );
        rows.extend([lost, (relapse.back_s, Sort::Recovery, "back again", BACK)]);
    }
    rows.into_iter()
        .filter_map(|(at_s, sort, what, detail)| {
            let at = Nanos::from_secs_f64(at_s?);
            Some(moment(story, at, sort, &format!("{what}{which}"), detail))
        })
        .collect()
}

/// What went wrong along the way: warnings, and gauges that could not be read.
pub(super) fn troubles(findings: &Findings) -> Vec<String> {
    let unread = findings.scrape_failures.iter().map(|failure| {
        let span = if failure.count > 1 {
            format!("{:.1}–{:.1} s", failure.first_s, failure.last_s)
        } else {
            format!("{:.1} s", failure.first_s)
        };
        format!(
            "The gauges of {} could not be read {}× ({span}): {}",
            failure.source, failure.count, failure.cause
        )
    });
    findings
        .warnings
        .iter()
        .cloned()
        .chain(unread)
        .map(|text| printable(&text).into_owned())
        .collect()
}
