//! Runs with people in the room: what they did is judged as if the timeline had done it, with
//! their names; what they said and expected is told.

use threadbare::analysis::{self, Findings};
use threadbare::model::{GameRole, Person, Question};
use threadbare::plan::{Plan, When};
use threadbare::record::{Event, Outcome, Record};
use threadbare::scenario;
use threadbare::units::Nanos;

use crate::simulated::simulated;

fn shipped() -> Plan {
    scenario::load("missing-await", false).unwrap()
}

fn ana() -> Person {
    Person {
        name: "Ana".into(),
        role: GameRole::Responder,
    }
}

/// The same run, in which people did by hand what its timeline did: each action is one more
/// than the plan has, and is ordered before it begins.
fn by_hand(record: &Record) -> Record {
    let mut record = record.clone();
    let planned = record.header.plan.timeline.len();
    record.header.plan.manual = true;
    let timeline = record.header.plan.timeline.clone();
    let events = std::mem::take(&mut record.events);
    for (at, event) in events {
        match event {
            Event::ActionStarted { entry, action } => {
                let ordered = Event::Ordered {
                    by: ana(),
                    entry: planned + entry,
                    action: action.clone(),
                    phase: timeline[entry].phase.clone(),
                };
                record.events.push((at, ordered));
                let entry = planned + entry;
                record
                    .events
                    .push((at, Event::ActionStarted { entry, action }));
            }
            Event::ActionEnded { entry, outcome } => {
                let entry = planned + entry;
                record
                    .events
                    .push((at, Event::ActionEnded { entry, outcome }));
            }
            other => record.events.push((at, other)),
        }
    }
    record
}

/// Findings without what tells that people took part.
fn without_people(mut findings: Findings) -> Findings {
    findings.game_day = None;
    for action in &mut findings.actions {
        action.by = None;
    }
    findings
}

#[test]
fn what_people_did_is_judged_as_what_the_timeline_did() {
    let record = simulated(shipped());
    let by_people = by_hand(&record);
    let told = analysis::findings(&by_people);
    assert!(told.actions.len() > 5);
    assert!(told.actions.iter().all(|it| it.by == Some(ana())));
    let day = told.game_day.clone().unwrap();
    assert!(day.manual);
    assert_eq!(day.people, [ana()]);
    assert_eq!(without_people(told), analysis::findings(&record));
}

#[test]
fn a_run_by_hand_is_done_again_as_it_was_carried_out() {
    let plan = shipped();
    let record = simulated(plan.clone());
    let again = by_hand(&record).as_carried_out();
    assert!(!again.manual);
    let instants = |plan: &Plan| {
        let entries = plan.timeline.iter();
        let entries = entries.map(|it| (it.when.clone(), it.action.clone()));
        entries.collect::<Vec<_>>()
    };
    assert_eq!(instants(&again), instants(&plan));
    assert_eq!(again.end, plan.end);
    let told = |record: &Record| analysis::findings(record).incident;
    assert_eq!(told(&simulated(again)), told(&record));
}

#[test]
fn a_plan_by_hand_does_nothing_by_itself_and_is_what_it_was_without_people() {
    let plan = shipped();
    let by_hand = plan.clone().by_hand();
    assert_eq!(by_hand.end, Nanos::from_secs(3_000));
    assert_eq!(by_hand.as_written(), plan);
    let offers = by_hand.offers();
    // Both rollbacks are one button.
    assert_eq!(offers.len(), plan.timeline.len() - 1);
    let mut short = by_hand;
    short.end = Nanos::from_secs(30);
    let record = simulated(short);
    let acted = |event: &Event| matches!(event, Event::ActionStarted { .. });
    assert!(!record.events.iter().any(|(_, event)| acted(event)));
}

#[test]
fn predictions_stand_beside_what_was_measured() {
    let record = simulated(shipped());
    let mut record = by_hand(&record);
    let predicted = |question, answer: &str| Event::Predicted {
        by: ana(),
        question,
        answer: answer.into(),
    };
    let early = Nanos::from_secs(1);
    let at = |place: usize| record.events.get(place).unwrap().0;
    let begun = at(0);
    for (question, answer) in [
        (Question::FirstSeen, "the alert, in a minute"),
        (Question::Recovery, "five minutes"),
        (Question::HeldDown, "the database"),
    ] {
        record
            .events
            .insert(1, (begun.max(early), predicted(question, answer)));
    }
    let findings = analysis::findings(&record);
    let day = findings.game_day.unwrap();
    let measured = |question: Question| {
        let mut all = day.predictions.iter();
        all.find(|it| it.question == question)
            .unwrap()
            .measured
            .clone()
    };
    // The push is Ana's own; what was done first after it came later than the alert.
    let seen = measured(Question::FirstSeen);
    assert!(seen.starts_with("the alert `users refused`, "), "{seen}");
    let recovered = findings.incident.recovered_s.unwrap() - findings.incident.trigger_s.unwrap();
    let recovery = measured(Question::Recovery);
    assert_eq!(recovery, format!("{recovered:.1} s after the trigger"));
    let effect = findings.incident.sustaining.unwrap().word();
    assert_eq!(measured(Question::HeldDown), effect.replace('_', " "));
}

#[test]
fn what_is_only_offered_comes_by_itself_in_no_run() {
    let text = |more: &str| {
        format!(
            "{}\n[[timeline]]\noffered = true\ndo = \"restart\"\n{more}",
            std::fs::read_to_string("scenarios/missing-await.toml").unwrap()
        )
    };
    let read = |more: &str| scenario::parse("mine", "mine.toml", &text(more));
    let plan = read("").unwrap();
    assert_eq!(plan.timeline.last().unwrap().when, When::Offered);
    let restarts = simulated(plan).events;
    let restarts = restarts.iter().filter(|(_, event)| match event {
        Event::ActionEnded { entry, outcome } => {
            *entry == 9 && matches!(outcome, Outcome::Applied { .. })
        }
        _ => false,
    });
    assert_eq!(restarts.count(), 0);
    let told = |more: &str| read(more).unwrap_err().to_string();
    let timed = told("at = \"20s\"");
    assert!(
        timed.contains("an entry that is only offered has no time"),
        "{timed}"
    );
    let text = std::fs::read_to_string("scenarios/missing-await.toml").unwrap();
    let injected = text.replacen("do     = \"push\"", "inject = \"x\"\ndo     = \"push\"", 1);
    let injected = scenario::parse("mine", "mine.toml", &injected).unwrap_err();
    assert!(
        injected.to_string().contains("this entry comes by itself"),
        "{injected}"
    );
}

/// What a run records of its plan is the plan: it is simulated again by it, and what it would
/// have been without people is computed from it.
#[test]
fn every_shipped_plan_is_read_back_as_it_was() {
    for (name, _) in scenario::shipped() {
        let variants = scenario::variants(name, &scenario::Changes::default(), false).unwrap();
        let plans = std::iter::once(scenario::load(name, false).unwrap()).chain(variants);
        for plan in plans {
            let text = serde_json::to_string(&plan).unwrap();
            let read: Plan = serde_json::from_str(&text).unwrap();
            assert_eq!(read, plan, "{name}");
        }
    }
}
