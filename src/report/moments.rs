//! The incident's clock: what was done and what came of it, in order.
//!
//! Actions and alerts come from the journal, impact and recovery from the
//! findings. A reader needs both in one column, since the question is always
//! what followed what.

use crate::analysis::Findings;
use crate::plan::{Action, Story};
use crate::record::{
    Event, Outcome, Record, StopCause, action_text, outcome_text, printable, story_time,
};
use crate::units::Nanos;

/// An action that takes longer than this is told twice: when it began and when
/// it ended. A second is the resolution of everything around it.
const LONG_ACTION: Nanos = Nanos::from_secs(1);

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
    /// What came of it, safe to print; empty where there is nothing to add.
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
            Sort::Trouble => "×".into(),
        }
    }
}

/// Every moment of the run, in order.
pub(super) fn moments(record: &Record, findings: &Findings) -> Vec<Moment> {
    let story = findings.story.as_ref();
    let mut moments = from_journal(record, story);
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

fn from_journal(record: &Record, story: Option<&Story>) -> Vec<Moment> {
    let mut moments = Vec::new();
    for (place, (at, event)) in record.events.iter().enumerate() {
        let mut tell = |at: Nanos, sort, what: &str, detail: &str| {
            moments.push(moment(story, at, sort, what, detail));
        };
        match event {
            Event::ActionStarted { entry, action } => {
                let ended = end_of(*entry, &record.events[place..]);
                tell_action(*at, action, ended, &mut tell);
            }
            Event::AlertFired { alert } => tell(*at, Sort::Alert, "alert fired", alert),
            Event::AlertCleared { alert } => tell(*at, Sort::Alert, "alert cleared", alert),
            Event::Died { source, status } => {
                tell(*at, Sort::Trouble, &format!("{source} died"), status);
            }
            Event::RunEnded { cause } => match cause {
                StopCause::Completed => {}
                StopCause::Interrupted { signal } => {
                    let signal = format!("signal {signal}");
                    tell(*at, Sort::Trouble, "the run was interrupted", &signal);
                }
                StopCause::Failed { reason } => {
                    tell(*at, Sort::Trouble, "the run failed", reason);
                }
            },
            _ => {}
        }
    }
    moments
}

/// When and how the action of this entry ended, if that was seen.
fn end_of(entry: usize, events: &[(Nanos, Event)]) -> Option<(Nanos, &Outcome)> {
    events.iter().find_map(|(at, event)| match event {
        Event::ActionEnded {
            entry: ended,
            outcome,
        } if *ended == entry => Some((*at, outcome)),
        _ => None,
    })
}

fn tell_action(
    started: Nanos,
    action: &Action,
    ended: Option<(Nanos, &Outcome)>,
    tell: &mut impl FnMut(Nanos, Sort, &str, &str),
) {
    let what = action_text(action);
    let Some((ended, outcome)) = ended else {
        tell(started, Sort::Done(0), &what, "begun; its end was not seen");
        return;
    };
    let detail = outcome_text(outcome);
    let sort = match outcome {
        Outcome::Applied { .. } => Sort::Done(0),
        Outcome::Rejected { .. } | Outcome::Failed { .. } => Sort::Refused(0),
    };
    if ended.saturating_sub(started) > LONG_ACTION {
        tell(started, Sort::Done(0), &what, "begun");
        tell(
            ended,
            Sort::Ended,
            &format!("{} ended", action.name()),
            &detail,
        );
    } else {
        tell(ended, sort, &what, &detail);
    }
}

fn from_findings(findings: &Findings) -> Vec<Moment> {
    let incident = &findings.incident;
    let rows = [
        (
            incident.impact_s,
            Sort::Impact,
            "impact",
            "the first operation that failed",
        ),
        (
            incident.mitigated_s,
            Sort::Recovery,
            "mitigated",
            "goodput is back at half of the baseline",
        ),
        (
            incident.recovered_s,
            Sort::Recovery,
            "recovered",
            "goodput, errors and p99 are back for the hold window that begins here",
        ),
    ];
    rows.into_iter()
        .filter_map(|(at_s, sort, what, detail)| {
            let at = Nanos::from_secs_f64(at_s?);
            Some(moment(findings.story.as_ref(), at, sort, what, detail))
        })
        .collect()
}

/// What a reader must know though nothing was done: warnings, and gauges that
/// could not be read, counted by whose they were.
pub(super) fn troubles(record: &Record) -> Vec<String> {
    let mut troubles = Vec::new();
    let mut unread: Vec<(&str, &str, u64)> = Vec::new();
    for (_, event) in &record.events {
        match event {
            Event::Warning { text } => troubles.push(printable(text).into_owned()),
            Event::ScrapeFailed { source, cause } => {
                match unread.iter_mut().find(|(known, ..)| known == source) {
                    Some((.., times)) => *times += 1,
                    None => unread.push((source, cause, 1)),
                }
            }
            _ => {}
        }
    }
    troubles.extend(unread.into_iter().map(|(source, cause, times)| {
        let text = format!("the gauges of {source} could not be read {times}×; first: {cause}");
        printable(&text).into_owned()
    }));
    troubles
}
