//! A game day: who took part, what they decided, said and expected, and what was measured of
//! what they expected.
//!
//! What they did is among the actions, each with its author; here is what only people do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::actions::ActionTaken;
use super::expectations::decimal;
use super::findings::Incident;
use super::study::Outcome;
use crate::model::{ActionName, IncidentVerdict, Person, Question};
use crate::record::{Event, Record};
use crate::units::Nanos;

/// Who took part in a run, and what they said.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct GameDay {
    /// Whether people decided when each entry of the timeline was carried out.
    pub manual: bool,
    /// Everybody who took part, in the order in which they joined or first did something.
    pub people: Vec<Person>,
    /// What they wrote down.
    pub notes: Vec<Note>,
    /// What they expected.
    pub predictions: Vec<Prediction>,
    /// When the timeline was held.
    pub holds: Vec<Hold>,
    /// What was asked for and not done.
    pub declined: Vec<Declined>,
    /// Who ended the run before its planned end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_by: Option<String>,
    /// The same plan with its timeline as written, simulated: what the run would have been
    /// without the people. Only of the built-in fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_written: Option<AsWritten>,
    /// For how long the load went on, in seconds.
    #[serde(default)]
    pub load_s: f64,
}

/// What the simulator gives for the plan with its timeline as written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AsWritten {
    /// For how long its load goes on, in seconds.
    pub load_s: f64,
    /// What it came to.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// Something that somebody wrote down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// When, in seconds since the load began.
    pub at_s: f64,
    /// Who.
    pub by: Person,
    /// What.
    pub text: String,
}

/// What somebody expected, beside what was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Prediction {
    /// When it was written down.
    pub at_s: f64,
    /// Who expected it.
    pub by: Person,
    /// Of what: `first_seen`, `recovery`, `held_down`.
    pub question: Question,
    /// What they expected.
    pub answer: String,
    /// What was measured, in words.
    pub measured: String,
}

/// A time in which the timeline was held, and the load went on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hold {
    /// When it began.
    pub from_s: f64,
    /// When it went on; null where it did not.
    pub to_s: Option<f64>,
    /// Who held it.
    pub by: Person,
}

/// Something that was asked for and not done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Declined {
    /// When.
    pub at_s: f64,
    /// Who asked.
    pub by: Person,
    /// For what.
    pub what: String,
    /// Why it was not done.
    pub reason: String,
}

/// What people did in a run; none where nobody took part.
pub(super) fn game_day(
    record: &Record,
    actions: &[ActionTaken],
    incident: &Incident,
) -> Option<GameDay> {
    let mut day = GameDay {
        manual: record.header.plan.manual,
        load_s: record.load_seen_to().as_secs_f64(),
        ..GameDay::default()
    };
    for (at, event) in &record.events {
        // Those on call are part of the plan.
        let on_call = |by: &Person| {
            let mut planned = record.header.plan.responders.iter();
            planned.any(|own| own.name == by.name)
        };
        let planned = matches!(event, Event::Ordered { .. } | Event::Acknowledged { .. });
        if let Some(by) = event.by().filter(|by| !planned || !on_call(by))
            && !day.people.contains(by)
        {
            day.people.push(by.clone());
        }
        day.take(at.as_secs_f64(), event);
    }
    let measured = Measured {
        actions,
        incident,
        alert: first_alert(record, incident),
        notes: &day.notes,
    };
    let told: Vec<String> = day
        .predictions
        .iter()
        .map(|it| measured.in_words(it.question))
        .collect();
    for (prediction, measured) in day.predictions.iter_mut().zip(told) {
        prediction.measured = measured;
    }
    (day.manual || !day.people.is_empty()).then_some(day)
}

impl GameDay {
    fn take(&mut self, at_s: f64, event: &Event) {
        match event.clone() {
            Event::Noted { by, text } => self.notes.push(Note { at_s, by, text }),
            Event::Predicted {
                by,
                question,
                answer,
            } => self.predictions.push(Prediction {
                at_s,
                by,
                question,
                answer,
                measured: String::new(),
            }),
            Event::Held { by } => self.holds.push(Hold {
                from_s: at_s,
                to_s: None,
                by,
            }),
            Event::WentOn { .. } => {
                if let Some(hold) = self.holds.last_mut() {
                    hold.to_s = Some(at_s);
                }
            }
            Event::Declined {
                by, what, reason, ..
            } => self.declined.push(Declined {
                at_s,
                by,
                what,
                reason,
            }),
            Event::StopOrdered { by } => self.stopped_by = Some(by.name),
            _ => {}
        }
    }
}

/// The first alert that fired once the incident had begun.
fn first_alert(record: &Record, incident: &Incident) -> Option<(f64, String)> {
    let from = incident.trigger_s?;
    record.events.iter().find_map(|(at, event)| match event {
        Event::AlertFired { alert } if at.as_secs_f64() >= from => {
            Some((at.as_secs_f64(), alert.clone()))
        }
        _ => None,
    })
}

/// What the run measured of what people predict.
struct Measured<'a> {
    actions: &'a [ActionTaken],
    incident: &'a Incident,
    alert: Option<(f64, String)>,
    notes: &'a [Note],
}

impl Measured<'_> {
    fn in_words(&self, question: Question) -> String {
        match question {
            Question::FirstSeen => self.first_seen(),
            Question::Recovery => self.recovery(),
            Question::HeldDown => self.held_down(),
        }
    }

    /// The first sign of the incident that anybody or anything gave.
    fn first_seen(&self) -> String {
        let Some(from) = self.incident.trigger_s else {
            return "nothing was triggered".into();
        };
        let alert = self
            .alert
            .iter()
            .map(|(at, name)| (*at, format!("the alert `{name}`")));
        let notes = self.notes.iter().filter(|note| note.at_s >= from);
        let notes = notes.map(|note| (note.at_s, format!("{}, by a note", note.by.name)));
        // Who brings another fault, or reports one, shows no sign of having seen the first.
        let acted = self
            .actions
            .iter()
            .filter(|it| it.at_s > from && !brings(it));
        let acted = acted.filter_map(|it| {
            let by = it.by.as_ref()?;
            Some((it.at_s, format!("{}, by `{}`", by.name, it.what)))
        });
        let signs = alert.chain(notes).chain(acted);
        signs
            .min_by(|one, other| one.0.total_cmp(&other.0))
            .map_or_else(
                || "no alert fired, and nobody wrote or did anything".into(),
                |(at, who)| format!("{who}, {} s after the trigger", decimal(at - from, 1)),
            )
    }

    fn recovery(&self) -> String {
        let (begun, recovered) = (self.incident.trigger_s, self.incident.recovered_s);
        let after = begun
            .zip(recovered)
            .map(|(begun, recovered)| recovered - begun);
        match (after, self.incident.verdict) {
            (Some(seconds), _) => format!("{} s after the trigger", decimal(seconds, 1)),
            (None, IncidentVerdict::NoImpact) => "nobody was harmed".into(),
            (None, _) => "not within the run".into(),
        }
    }

    fn held_down(&self) -> String {
        self.incident.sustaining.map_or_else(
            || "nothing was named that held it down after the trigger had ended".into(),
            |effect| effect.word().replace('_', " "),
        )
    }
}

/// Whether it is of those that bring trouble.
const fn brings(taken: &ActionTaken) -> bool {
    use ActionName::{Break, Configure, Fault, Happened, Occupy, Pause, Process, Push, Slow};
    matches!(
        taken.action,
        Break | Configure | Fault | Happened | Occupy | Pause | Process | Push | Slow
    )
}

impl Record {
    /// The plan as it was carried out: what began, when it began, and nothing else. Another run
    /// of it needs nobody in the room.
    pub fn as_carried_out(&self) -> crate::plan::Plan {
        use crate::plan::{Entry, When};

        let plan = &self.header.plan;
        let taken = super::journal::taken(self);
        let timeline = taken.iter().map(|taken| Entry {
            when: When::At(taken.at),
            action: taken.action.clone(),
            phase: taken.phase.to_owned(),
            inject: None,
        });
        crate::plan::Plan {
            timeline: timeline.collect(),
            // What those on call did is among it.
            responders: Vec::new(),
            manual: false,
            game_end: None,
            end: self.load_seen_to(),
            ..plan.clone()
        }
    }

    /// When the load ended, planned or not.
    fn load_seen_to(&self) -> Nanos {
        let ended = self.events.iter().find_map(|(at, event)| match event {
            Event::LoadEnded | Event::StopOrdered { .. } => Some(*at),
            _ => None,
        });
        ended.map_or(self.header.plan.end, |at| at.min(self.header.plan.end))
    }
}
