//! Actions and findings as annotations: a line of JSON each, with what Grafana's API takes.
//!
//! `POST /api/annotations` has `time` and `timeEnd` in milliseconds since 1970, `tags` and a
//! `text` (<https://grafana.com/docs/grafana/latest/developers/http_api/annotations/>). An
//! action has a line when it begins, and one when it ends that spans it. What only the
//! analysis knows follows at the end. Pure: where the lines go is `outbox` and `telemetry`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::totals::{WallZero, outcome_word};
use crate::analysis::Findings;
use crate::model::{Outcome, SourceName, redact};
use crate::plan::{Action, Plan};
use crate::record::{Event, StopCause, outcome_text, printable, signal_name};
use crate::units::Nanos;

/// The first tag of every annotation, by which a dashboard finds them.
const TAG: &str = "threadbare";

/// An instant or a stretch of time with a text, as Grafana takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Annotation {
    /// When, or from when on, in milliseconds since 1970.
    pub time: u64,
    /// Until when, where it is a stretch.
    #[serde(rename = "timeEnd", skip_serializing_if = "Option::is_none")]
    pub time_end: Option<u64>,
    /// What it is: `threadbare`, the scenario, and the kind of thing.
    pub tags: Vec<String>,
    /// What happened, in words.
    pub text: String,
}

impl Annotation {
    /// The same as one line of JSON.
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Makes annotations of events.
#[derive(Debug)]
pub struct Annotator {
    scenario: String,
    /// The start of the load.
    zero: WallZero,
    /// Taken for it until something is heard, in milliseconds since 1970.
    made_wall_ms: u64,
    /// What has begun and not ended, by its place in the timeline.
    begun: BTreeMap<usize, (Nanos, Action)>,
    /// Who decided it, where somebody did.
    ordered: BTreeMap<usize, String>,
    /// When an alert began to fire.
    firing: BTreeMap<String, Nanos>,
    /// Sources whose gauges could not be read; each is told once.
    unread: Vec<SourceName>,
}

impl Annotator {
    /// Annotations of a run of this plan, whose load begins about now.
    pub fn new(plan: &Plan, wall_ms: u64) -> Self {
        Self {
            scenario: plan.scenario.clone(),
            zero: WallZero::default(),
            made_wall_ms: wall_ms,
            begun: BTreeMap::new(),
            ordered: BTreeMap::new(),
            firing: BTreeMap::new(),
            unread: Vec::new(),
        }
    }

    /// The annotation of an event, where it is worth one; `wall_ms`: now.
    pub fn event(&mut self, at: Nanos, event: &Event, wall_ms: u64) -> Option<Annotation> {
        if *event == Event::LoadStarted || self.zero.ms().is_some() {
            self.zero.hear(at, wall_ms);
        }
        Some(match event {
            Event::LoadStarted => self.point(at, &["load"], "load begins"),
            Event::LoadEnded => self.point(at, &["load"], "load ends"),
            Event::Ordered { by, entry, .. } => {
                self.ordered.insert(*entry, by.name.clone());
                return None;
            }
            Event::ActionStarted { entry, action } => {
                self.begun.insert(*entry, (at, action.clone()));
                let text = self.with_author(*entry, action.in_words());
                self.point(at, &["action", "started", action.name().word()], &text)
            }
            Event::ActionEnded { entry, outcome } => self.action_ended(at, *entry, outcome),
            Event::AlertFired { alert } => {
                self.firing.insert(alert.clone(), at);
                self.point(at, &["alert", "fired"], &format!("alert fired: {alert}"))
            }
            Event::AlertCleared { alert } => {
                let from = self.firing.remove(alert).unwrap_or(at);
                let text = format!("alert: {alert}");
                self.stretch(from, at, &["alert", "cleared"], &text)
            }
            Event::Scaled { from, to, reason } => {
                let text = format!("the autoscaler goes from {from} instances to {to}: {reason}");
                self.point(at, &["scaled"], &text)
            }
            Event::Died { source, status } => {
                self.point(at, &["died"], &format!("{source} died: {status}"))
            }
            Event::AgentLost(lost) => self.point(at, &["died"], &lost.in_words()),
            Event::Undone { undo, outcome } => {
                let text = format!("undone: {undo} ({})", outcome_text(outcome));
                self.point(at, &["undone", outcome_word(outcome)], &text)
            }
            Event::SteadyState { detail, .. } => {
                self.point(at, &["undone"], &format!("after the undo: {detail}"))
            }
            Event::Warning { text } => self.point(at, &["warning"], text),
            Event::ScrapeFailed { source, cause } => {
                if self.unread.contains(source) {
                    return None;
                }
                self.unread.push(source.clone());
                let text = format!("the gauges of {source} could not be read: {cause}");
                self.point(at, &["warning"], &text)
            }
            Event::FirstFailure(first) => {
                let text = format!("first failure: {}", first.cause.clause());
                self.point(first.at, &["failure"], &text)
            }
            Event::Held { by } => {
                let text = format!("{} holds the timeline; the load goes on", by.name);
                self.point(at, &["people"], &text)
            }
            Event::WentOn { by, held_ns } => {
                let text = format!("{} lets the timeline go on", by.name);
                self.stretch(at.saturating_sub(*held_ns), at, &["people"], &text)
            }
            Event::Noted { by, text } => {
                self.point(at, &["people", "note"], &format!("{}: {text}", by.name))
            }
            Event::Acknowledged { by, alert } => {
                let text = format!("{} acknowledges: {alert}", by.name);
                self.point(at, &["people", "alert"], &text)
            }
            Event::StopOrdered { by } => {
                let text = format!("{} stops the run and undoes everything", by.name);
                self.point(at, &["people"], &text)
            }
            Event::RunEnded { cause } => self.point(at, &["load"], &ended(cause)),
            Event::Serving { .. }
            | Event::Ended { .. }
            | Event::Stopped { .. }
            | Event::Armed { .. }
            | Event::Slowest { .. }
            | Event::AgentsBegan { .. }
            | Event::AgentsEnded { .. }
            | Event::Joined { .. }
            | Event::Declined { .. }
            | Event::Predicted { .. } => return None,
        })
    }

    /// What was found in the end: the verdict, the phases, the incident's clock, and each
    /// expectation that failed.
    pub fn findings(&self, findings: &Findings) -> Vec<Annotation> {
        let at = Nanos::from_secs_f64;
        let mut all: Vec<_> = findings
            .phases
            .iter()
            .map(|phase| {
                let text = format!("phase: {}", phase.name);
                self.stretch(at(phase.from_s), at(phase.to_s), &["phase"], &text)
            })
            .collect();
        let incident = &findings.incident;
        for (instant, what) in [
            (incident.impact_s, "service was lost"),
            (incident.detected_s, "detected by an alert"),
            (incident.trigger_off_s, "the trigger was off"),
            (incident.mitigated_s, "mitigated"),
            (incident.recovered_s, "recovered"),
            (incident.relapsed_s, "service was lost again"),
        ] {
            if let Some(instant) = instant {
                all.push(self.point(at(instant), &["finding"], what));
            }
        }
        let (from, to) = match (findings.phases.first(), findings.phases.last()) {
            (Some(first), Some(last)) => (at(first.from_s), at(last.to_s)),
            _ => (Nanos::ZERO, Nanos::ZERO),
        };
        for failed in findings
            .expectations
            .iter()
            .filter(|it| it.passed == Some(false))
        {
            let text = format!(
                "expected {} {}; observed {}",
                failed.that, failed.required, failed.observed
            );
            all.push(self.stretch(from, to, &["finding", "expectation"], &text));
        }
        if let Some(verdict) = findings.ending.reasons.first() {
            all.push(self.stretch(from, to, &["finding", "verdict"], verdict));
        }
        all
    }

    fn action_ended(&mut self, at: Nanos, entry: usize, outcome: &Outcome) -> Annotation {
        let begun = self.begun.remove(&entry);
        let (from, what, name) = match &begun {
            Some((from, action)) => (*from, action.in_words(), action.name().word()),
            None => (at, format!("entry {entry}"), "unknown"),
        };
        let text = format!(
            "{}: {}",
            self.with_author(entry, what),
            outcome_text(outcome)
        );
        let tags = ["action", outcome_word(outcome), name];
        self.stretch(from, at, &tags, &text)
    }

    fn with_author(&self, entry: usize, what: String) -> String {
        match self.ordered.get(&entry) {
            Some(by) => format!("{what} ({by})"),
            None => what,
        }
    }

    fn point(&self, at: Nanos, tags: &[&str], text: &str) -> Annotation {
        let zero = self.zero.ms().unwrap_or(self.made_wall_ms);
        let own = [TAG, self.scenario.as_str()];
        let tags = own.iter().chain(tags).map(|tag| (*tag).to_owned());
        Annotation {
            time: zero.saturating_add(at.0 / 1_000_000),
            time_end: None,
            tags: tags.collect(),
            text: printable(&redact::text(text)).into_owned(),
        }
    }

    fn stretch(&self, from: Nanos, to: Nanos, tags: &[&str], text: &str) -> Annotation {
        let end = self.point(to.max(from), &[], "").time;
        Annotation {
            time_end: Some(end),
            ..self.point(from, tags, text)
        }
    }
}

fn ended(cause: &StopCause) -> String {
    match cause {
        StopCause::Completed => "the run came to its planned end".into(),
        StopCause::Interrupted { signal } => {
            format!("the run was interrupted by {}", signal_name(*signal))
        }
        StopCause::Aborted {
            because,
            expectation,
        } => format!(
            "the run was stopped {}",
            StopCause::own_rule(because, *expectation)
        ),
        StopCause::Stopped { by } => format!("{by} stopped the run"),
        StopCause::Failed { reason, .. } => format!("the run failed: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_an_instant_and_then_a_stretch() {
        let mut annotator = Annotator::new(&Plan::default(), 5);
        let mut tell = |second, event: Event| {
            let at = Nanos::from_secs(second);
            annotator.event(at, &event, 1_000_000 + second * 1_000)
        };
        let alert = "errors\u{202e}".to_owned();
        let began = tell(0, Event::LoadStarted).unwrap();
        assert_eq!((began.time, began.time_end), (1_000_000, None));
        let fired = tell(
            2,
            Event::AlertFired {
                alert: alert.clone(),
            },
        )
        .unwrap();
        assert_eq!((fired.time, fired.time_end), (1_002_000, None));
        assert_eq!(fired.text, "alert fired: errors\\u{202e}");
        let cleared = tell(9, Event::AlertCleared { alert }).unwrap();
        assert_eq!(
            (cleared.time, cleared.time_end),
            (1_002_000, Some(1_009_000))
        );
        assert!(tell(9, Event::Armed { undo: "x".into() }).is_none());
        let said = "failed to reach postgres://shop:hunter2@127.0.0.1/".to_owned();
        let warned = tell(10, Event::Warning { text: said }).unwrap();
        assert!(!warned.text.contains("hunter2"), "{}", warned.text);
        let line = cleared.line();
        assert!(
            line.contains("\"timeEnd\":1009000") && !line.contains('\n'),
            "{line}"
        );
    }
}
