//! Events of the journal as marks: what was done, by whom, and what it led to.
//!
//! The page shows only what is recorded. What a person asked for is seen when the journal
//! has it, and under the name that the journal has.

use std::collections::BTreeMap;

use super::message::Mark;
use crate::model::{Offer, Outcome, Person, SourceName};
use crate::plan::{Action, Plan, offer_of};
use crate::record::{Event, outcome_text, printable};

/// Makes marks of events.
#[derive(Debug)]
pub(super) struct Marks {
    offers: Vec<Offer>,
    /// The phases that begin with the entries of the timeline.
    phases: Vec<String>,
    /// What has begun, by its place.
    begun: BTreeMap<usize, OpenAction>,
    /// Sources whose gauges could not be read; each is told once.
    unread: Vec<SourceName>,
}

#[derive(Debug, Clone)]
struct OpenAction {
    action: Option<Action>,
    phase: Option<String>,
    by: Option<Person>,
}

impl Marks {
    /// Marks of a run of this plan.
    pub(super) fn new(plan: &Plan) -> Self {
        let phases = plan.timeline.iter().map(|entry| entry.phase.clone());
        Self {
            offers: plan.offers(),
            phases: phases.collect(),
            begun: BTreeMap::new(),
            unread: Vec::new(),
        }
    }

    /// The mark of an event; none of what only the journal needs.
    pub(super) fn of(&mut self, event: &Event) -> Option<Mark> {
        let by = event.by().cloned();
        let mark = |sort: &'static str, label: &str| Mark {
            sort,
            label: shown(label),
            by: by.clone(),
            ..Mark::default()
        };
        Some(match event {
            Event::LoadStarted => mark("phase", "load begins"),
            Event::LoadEnded => mark("phase", "load ends"),
            Event::Ordered {
                by, entry, phase, ..
            } => {
                let begun = self.begun.entry(*entry).or_insert(OpenAction {
                    action: None,
                    phase: None,
                    by: None,
                });
                begun.by = Some(by.clone());
                begun.phase = Some(phase.clone());
                return None;
            }
            Event::ActionStarted { entry, action } => {
                let begun = self.begun.entry(*entry).or_insert_with(|| OpenAction {
                    action: None,
                    phase: self.phases.get(*entry).cloned(),
                    by: None,
                });
                begun.action = Some(action.clone());
                self.action(*entry, "started", "")
            }
            Event::ActionEnded { entry, outcome } => {
                self.action(*entry, outcome_word(outcome), &detail(outcome))
            }
            Event::AlertFired { alert } => outcome(mark("alert", alert), "fired", ""),
            Event::AlertCleared { alert } => outcome(mark("alert", alert), "cleared", ""),
            Event::Scaled { from, to, reason } => {
                detailed(mark("scaled", &format!("{from} → {to} instances")), reason)
            }
            Event::Died { source, status } => detailed(mark("died", &source.to_string()), status),
            Event::AgentLost(lost) => detailed(mark("died", &lost.agent), &lost.in_words()),
            Event::Undone { undo, outcome: it } => {
                outcome(mark("undone", undo), outcome_word(it), &detail(it))
            }
            Event::Warning { text } => mark("warning", text),
            Event::ScrapeFailed { source, .. } if self.unread.contains(source) => return None,
            Event::ScrapeFailed { source, cause } => {
                self.unread.push(source.clone());
                let label = format!("the gauges of {source} could not be read");
                detailed(mark("warning", &label), cause)
            }
            Event::SteadyState { returned, detail } => {
                let label = if *returned {
                    "the target serves after the undo"
                } else {
                    "the target does not serve after the undo"
                };
                let kind = if *returned { "undone" } else { "warning" };
                detailed(mark(kind, label), detail)
            }
            Event::Joined { by } => detailed(mark("joined", &by.name), by.role.word()),
            Event::Held { .. } => mark("held", "the timeline waits"),
            Event::WentOn { held_ns, .. } => detailed(
                mark("went_on", "the timeline goes on"),
                &format!("it was held for {:.1} s", held_ns.as_secs_f64()),
            ),
            Event::Declined {
                what,
                offer,
                reason,
                ..
            } => Mark {
                offer: *offer,
                ..detailed(mark("declined", what), reason)
            },
            Event::Noted { text, .. } => mark("note", text),
            Event::Predicted {
                question, answer, ..
            } => detailed(mark("prediction", question.in_words()), answer),
            Event::StopOrdered { .. } => mark("stop", "stop and undo everything"),
            _ => return None,
        })
    }

    /// The mark of something that is done.
    fn action(&self, entry: usize, outcome: &'static str, detail: &str) -> Mark {
        let begun = self.begun.get(&entry);
        let action = begun.and_then(|begun| begun.action.as_ref());
        let label = action.map_or_else(|| format!("entry {entry}"), Action::in_words);
        let elsewhere = matches!(action, Some(Action::Outside(_)));
        let mark = Mark {
            sort: if elsewhere { "elsewhere" } else { "action" },
            entry: Some(entry),
            offer: action.and_then(|action| offer_of(&self.offers, entry, action)),
            name: action.map(|action| action.name().word()),
            phase: begun.and_then(|begun| begun.phase.clone()),
            label: shown(&label),
            by: begun.and_then(|begun| begun.by.clone()),
            outcome: Some(outcome),
            ..Mark::default()
        };
        detailed(mark, detail)
    }
}

/// Text without what could steer or reorder what is beside it, in its own lines. The page
/// escapes the rest.
pub(super) fn shown(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(printable).collect();
    lines.join("\n")
}

fn detailed(mark: Mark, detail: &str) -> Mark {
    Mark {
        detail: shown(detail),
        ..mark
    }
}

fn outcome(mark: Mark, word: &'static str, detail: &str) -> Mark {
    detailed(
        Mark {
            outcome: Some(word),
            ..mark
        },
        detail,
    )
}

const fn outcome_word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Applied { .. } => "applied",
        Outcome::Rejected { .. } => "rejected",
        Outcome::Failed { .. } => "failed",
    }
}

/// What there is to say of an outcome besides its word.
fn detail(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Applied { detail } => detail.clone(),
        others => outcome_text(others),
    }
}
