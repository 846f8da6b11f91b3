//! What was done, when, and the result: the journal's actions in pairs.
//!
//! An action's instant is the one at which it *began*: nothing it does can be
//! felt earlier. Only a rollback is dated by its end, since until then the
//! fault still acts. What the plan wanted is not looked at: a timeline says
//! what was to be done, the journal what was.

use std::collections::BTreeMap;

use super::findings::{ActionOutcome, ActionTaken, ScrapeFailures};
use crate::model::Person;
use crate::plan::{Action, Plan};
use crate::record::{Event, Outcome, Record};
use crate::units::Nanos;

/// One action of the journal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken<'a> {
    /// What was done.
    pub action: &'a Action,
    /// The name of the phase that begins with it.
    pub phase: &'a str,
    /// Who decided it; none where the timeline did.
    pub by: Option<&'a Person>,
    /// When it began.
    pub at: Nanos,
    /// When it ended and how; none where the journal ends first.
    pub ended: Option<(Nanos, &'a Outcome)>,
}

impl Taken<'_> {
    /// When it had been applied; none where it was not.
    pub(super) fn applied(&self) -> Option<Nanos> {
        match self.ended {
            Some((at, Outcome::Applied { .. })) => Some(at),
            _ => None,
        }
    }

    /// When a check refused it; none where none did.
    pub(super) fn rejected(&self) -> Option<(Nanos, &str, &str)> {
        match self.ended {
            Some((at, Outcome::Rejected { check, reason })) => Some((at, check, reason)),
            _ => None,
        }
    }

    /// Whether it is one of the ways out that verdicts know. One that was
    /// refused or failed did nothing; one that has not ended, a restart under
    /// way, may have.
    pub(super) fn is_intervention(&self) -> bool {
        let acts = self.ended.is_none() || self.applied().is_some();
        acts && self.action.intervenes()
    }
}

/// Every action that began, in the order of time.
pub(super) fn taken(record: &Record) -> Vec<Taken<'_>> {
    let mut all: Vec<(usize, Taken<'_>)> = Vec::new();
    let mut ordered: BTreeMap<usize, (&Person, &str)> = BTreeMap::new();
    for (at, event) in &record.events {
        match event {
            Event::Ordered {
                by, entry, phase, ..
            } => {
                ordered.insert(*entry, (by, phase));
            }
            Event::ActionStarted { entry, action } => all.push((
                *entry,
                Taken {
                    action,
                    phase: ordered.get(entry).map_or_else(
                        || phase_name(&record.header.plan, *entry, action),
                        |(_, phase)| phase,
                    ),
                    by: ordered.get(entry).map(|(by, _)| *by),
                    at: *at,
                    ended: None,
                },
            )),
            Event::ActionEnded { entry, outcome } => {
                let begun = all.iter_mut().rev().find(|(begun, _)| begun == entry);
                if let Some((_, taken)) = begun {
                    taken.ended = Some((*at, outcome));
                }
            }
            _ => {}
        }
    }
    let mut taken: Vec<Taken<'_>> = all.into_iter().map(|(_, taken)| taken).collect();
    taken.sort_by_key(|taken| taken.at);
    taken
}

fn phase_name<'a>(plan: &'a Plan, entry: usize, action: &Action) -> &'a str {
    match plan.timeline.get(entry) {
        Some(planned) if !planned.phase.is_empty() => &planned.phase,
        _ => action.name().word(),
    }
}

/// The actions as the findings list them.
pub(super) fn actions(taken: &[Taken<'_>]) -> Vec<ActionTaken> {
    taken
        .iter()
        .map(|taken| {
            let (outcome, detail) = match taken.ended {
                None => (None, String::new()),
                Some((_, Outcome::Applied { detail })) => {
                    (Some(ActionOutcome::Applied), detail.clone())
                }
                Some((_, Outcome::Rejected { check, reason })) => (
                    Some(ActionOutcome::Rejected),
                    format!("`{check}`: {reason}"),
                ),
                Some((_, Outcome::Failed { reason })) => {
                    (Some(ActionOutcome::Failed), reason.clone())
                }
            };
            ActionTaken {
                at_s: taken.at.as_secs_f64(),
                ended_s: taken.ended.map(|(at, _)| at.as_secs_f64()),
                action: taken.action.name(),
                what: taken.action.in_words(),
                phase: taken.phase.to_owned(),
                by: taken.by.cloned(),
                outcome,
                detail,
            }
        })
        .collect()
}

/// Gauges that could not be read, counted by source and cause.
pub(super) fn scrape_failures(record: &Record) -> Vec<ScrapeFailures> {
    let mut all: Vec<ScrapeFailures> = Vec::new();
    for (at, event) in &record.events {
        let Event::ScrapeFailed { source, cause } = event else {
            continue;
        };
        let at_s = at.as_secs_f64();
        let known = all
            .iter_mut()
            .find(|known| known.source == *source && known.cause == *cause);
        if let Some(known) = known {
            known.count += 1;
            known.last_s = at_s;
        } else {
            all.push(ScrapeFailures {
                source: source.clone(),
                cause: cause.clone(),
                count: 1,
                first_s: at_s,
                last_s: at_s,
            });
        }
    }
    all
}

/// Whether the target served again after everything had been undone; none where
/// nobody asked.
pub(super) fn steady_state(record: &Record) -> Option<bool> {
    let mut events = record.events.iter().rev();
    events.find_map(|(_, event)| match event {
        Event::SteadyState { returned, .. } => Some(*returned),
        _ => None,
    })
}

/// What the run warned of: warnings, processes that died, why it stopped early.
pub(super) fn warnings(record: &Record) -> Vec<String> {
    use crate::record::{StopCause, signal_name};

    let seconds = |at: &Nanos| format!("{:.1} s", at.as_secs_f64());
    record
        .events
        .iter()
        .filter_map(|(at, event)| match event {
            Event::Warning { text } => Some(text.clone()),
            Event::AgentLost(lost) => {
                let words = lost.in_words();
                let mut letters = words.chars();
                let first = letters.next().map(|first| first.to_uppercase().to_string());
                Some(first.unwrap_or_default() + letters.as_str() + ".")
            }
            Event::Died { source, status } => Some(format!(
                "{source} ended on its own at {}: {status}.",
                seconds(at)
            )),
            Event::ActionEnded {
                outcome: Outcome::Failed { reason },
                ..
            } => Some(format!("An action at {} failed: {reason}.", seconds(at))),
            Event::RunEnded {
                cause: StopCause::Interrupted { signal },
            } => Some(format!(
                "The run was interrupted by {} at {}.",
                signal_name(*signal),
                seconds(at)
            )),
            Event::Undone {
                undo,
                outcome: Outcome::Failed { reason } | Outcome::Rejected { reason, .. },
            } => Some(format!("An undo failed ({undo}): {reason}.")),
            Event::SteadyState {
                returned: false,
                detail,
            } => Some(format!(
                "After everything was undone the target did not serve: {detail}."
            )),
            Event::RunEnded {
                cause:
                    StopCause::Aborted {
                        because,
                        expectation,
                    },
            } => Some(format!(
                "The run was stopped at {} {}, and everything was undone.",
                seconds(at),
                StopCause::own_rule(because, *expectation)
            )),
            Event::RunEnded {
                cause: StopCause::Stopped { by },
            } => Some(format!(
                "{by} stopped the run at {}, and everything was undone.",
                seconds(at)
            )),
            Event::RunEnded {
                cause: StopCause::Failed { reason, .. },
            } => Some(format!("The run failed at {}: {reason}.", seconds(at))),
            _ => None,
        })
        .collect()
}
