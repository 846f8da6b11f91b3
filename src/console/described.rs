//! `GET /plan`: what a run does, as the page needs it, for whoever asks.
//!
//! An inject is in it for facilitators only. Nothing of the target's secrets is: actions are
//! told in words, as everywhere.

use serde_json::{Value, json};

use super::marks::shown;
use super::message::seconds;
use crate::model::{GameRole, Offer, Person, Question};
use crate::plan::{Plan, Trigger, When};
use crate::units::Nanos;

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Viewer<'a> {
    /// The most that their key opens.
    pub role: GameRole,
    /// Who they said they are.
    pub person: Option<&'a Person>,
}

impl Viewer<'_> {
    /// The part of an answer that says who asks.
    pub(super) fn described(&self) -> Value {
        json!({
            "role": self.role.word(),
            "joined": self.person.is_some(),
            "person": self.person,
        })
    }
}

/// What a run of this plan is: `mode` is `live` or `finished`, `width` the length of a frame.
pub(super) fn described(plan: &Plan, mode: &str, width: Nanos, viewer: Viewer<'_>) -> Value {
    let story = plan
        .story
        .map(|story| json!({ "starts_s": story.starts.as_seconds(), "scale": story.scale }));
    let fleet = plan.fleet.as_ref();
    let leads = viewer.role.leads();
    let offers = plan.offers().into_iter();
    let offers: Vec<Value> = offers
        .filter(|offer| leads || offer.inject.is_none())
        .map(|offer| offered(plan, &offer))
        .collect();
    let questions =
        Question::ALL.map(|(question, word)| json!({ "id": word, "text": question.in_words() }));
    json!({
        "mode": mode,
        "scenario": shown(&plan.scenario),
        "title": shown(&plan.title),
        "claim": shown(&plan.claim),
        "source": shown(&plan.source),
        "story": story,
        "interval_s": seconds(width),
        "warm_up_s": seconds(plan.warm_up),
        "end_s": seconds(plan.end),
        "drain_s": seconds(plan.drain),
        "target": if fleet.is_some() { "fleet" } else { "target" },
        "instances": fleet.map(|fleet| fleet.instances),
        "workers": fleet.map(|fleet| u64::from(fleet.instances) * u64::from(fleet.workers)),
        "manual": plan.manual,
        "you": viewer.described(),
        "questions": questions,
        "offers": offers,
    })
}

fn offered(plan: &Plan, offer: &Offer) -> Value {
    let when = plan.timeline.get(offer.entry).map(|entry| &entry.when);
    let (at, after) = match when {
        _ if plan.manual => (None, None),
        Some(When::At(at)) => (Some(seconds(*at)), None),
        Some(When::After { event, delay }) => (None, Some(after(event, *delay))),
        Some(When::Offered) | None => (None, None),
    };
    json!({
        "id": offer.id,
        "name": offer.action.name().word(),
        "label": shown(&offer.action.in_words()),
        "phase": shown(&offer.phase),
        "entry": offer.entry,
        "at_s": at,
        "after": after,
        "does": offer.does,
        "undone_by": offer.undone_by,
        "dangerous": offer.dangerous,
        "hidden": offer.inject.is_some(),
        "say": offer.inject.as_deref().map(shown),
    })
}

/// What an entry waits for, in words.
fn after(event: &Trigger, delay: Nanos) -> String {
    let event = shown(&event.in_words());
    if delay.is_zero() {
        event
    } else {
        format!("{delay} after {event}")
    }
}
