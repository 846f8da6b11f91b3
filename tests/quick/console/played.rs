//! A finished run as messages: its figures are those of the findings, its marks those of the
//! journal.

use std::sync::Arc;

use serde_json::Value;
use threadbare::analysis::findings;
use threadbare::console::{Feed, Teller, playback};
use threadbare::model::{ClientsAction, GameRole, Outcome, Person, Question};
use threadbare::plan::{Action, Entry, Plan, When};
use threadbare::record::{Event, Observer as _, Record};

use crate::plan::{ms, plan};
use crate::simulated::simulated;

fn carried_out() -> Record {
    let action = Action::Clients(ClientsAction::Retries { retries: 1 });
    simulated(Plan {
        warm_up: ms(1_000),
        timeline: vec![Entry {
            when: When::At(ms(4_000)),
            action,
            phase: "retries".into(),
            inject: None,
        }],
        ..plan(200.0, ms(8_050))
    })
}

fn messages(feed: &Feed) -> Vec<Value> {
    let batch = feed.after(0, usize::MAX);
    let texts = batch.messages.iter();
    texts
        .map(|(seq, text)| {
            let message: Value = serde_json::from_str(text).unwrap();
            assert_eq!(message["seq"], *seq);
            message
        })
        .collect()
}

#[test]
fn whoever_holds_the_timeline_is_seen() {
    let feed = Arc::new(Feed::default());
    let mut teller = Teller::new(&Plan::default(), Arc::clone(&feed));
    let by = Person {
        name: "Ana".into(),
        role: GameRole::Facilitator,
    };
    teller.event(ms(1_000), &Event::Held { by: by.clone() });
    let held_ns = ms(3_000);
    teller.event(ms(4_000), &Event::WentOn { by, held_ns });
    let messages = messages(&feed);
    let held: Vec<bool> = of_kind(&messages, "state")
        .iter()
        .map(|it| it["held"].as_bool().unwrap())
        .collect();
    assert_eq!(held, [false, true, false]);
}

fn of_kind<'a>(messages: &'a [Value], kind: &str) -> Vec<&'a Value> {
    messages.iter().filter(|it| it["kind"] == kind).collect()
}

fn sum(frames: &[&Value], key: &str) -> u64 {
    frames.iter().map(|it| it[key].as_u64().unwrap()).sum()
}

#[test]
fn a_finished_run_is_told_whole_and_its_figures_are_the_findings() {
    let record = carried_out();
    let found = findings(&record);
    let feed = playback(&record, &found, Some("reports/x/report.html".into()));
    let messages = messages(&feed);
    let frames = of_kind(&messages, "frame");
    assert_eq!(sum(&frames, "scheduled"), found.conservation.scheduled);
    assert_eq!(sum(&frames, "succeeded"), found.conservation.succeeded);
    assert!(frames.iter().all(|it| it["settled"] == true));
    let rate = |it: &&&Value| it["t"].as_f64().unwrap() > 2.0 && it["offered"].is_number();
    let offered = frames.iter().find(rate).unwrap()["offered"].as_f64();
    assert!((offered.unwrap() - 200.0).abs() < 11.0, "{offered:?}");
    let marks = of_kind(&messages, "mark");
    let acted: Vec<&&Value> = marks.iter().filter(|it| it["mark"] == "action").collect();
    assert_eq!(acted[0]["outcome"], "started");
    assert_eq!(acted[1]["outcome"], "applied");
    assert_eq!(acted[1]["offer"], 0);
    assert_eq!(acted[1]["phase"], "retries");
    let times: Vec<f64> = messages
        .iter()
        .map(|it| it["t"].as_f64().unwrap())
        .collect();
    assert!(times.iter().all(|at| *at <= 12.0), "{times:?}");
    let end = messages.last().unwrap();
    assert_eq!(end["kind"], "end");
    assert_eq!(end["cause"], "completed");
    assert_eq!(end["verdict"], found.incident.verdict.word());
    assert!(feed.after(0, usize::MAX).ended);
}

/// Told as it goes on, and looked at now and then, it comes to the same figures.
#[test]
fn a_run_that_goes_on_comes_to_the_same_figures() {
    let record = carried_out();
    let found = findings(&record);
    for looks in [1, 7, 1_000_000] {
        let feed = Arc::new(Feed::default());
        let mut teller = Teller::new(&record.header.plan, Arc::clone(&feed));
        teller.event(ms(0), &Event::LoadStarted);
        for (place, sample) in record.samples.iter().enumerate() {
            teller.sample(&sample);
            if place % looks == 0 {
                teller.look();
            }
        }
        teller.end(Some(&found), None);
        let messages = messages(&feed);
        let frames = of_kind(&messages, "frame");
        assert_eq!(sum(&frames, "scheduled"), found.conservation.scheduled);
        assert_eq!(sum(&frames, "succeeded"), found.conservation.succeeded);
    }
}

#[test]
fn what_people_do_is_marked_with_who_they_are() {
    let record = carried_out();
    let feed = Arc::new(Feed::default());
    let mut teller = Teller::new(&record.header.plan, Arc::clone(&feed));
    let ana = Person {
        name: "Ana <b>".into(),
        role: GameRole::Responder,
    };
    let by = || ana.clone();
    let action = Action::Clients(ClientsAction::Retries { retries: 1 });
    for event in [
        Event::LoadStarted,
        Event::Joined { by: by() },
        Event::Predicted {
            by: by(),
            question: Question::Recovery,
            answer: "2 min".into(),
        },
        Event::Ordered {
            by: by(),
            entry: 1,
            action: action.clone(),
            phase: "retries 2".into(),
        },
        Event::ActionStarted { entry: 1, action },
        Event::ActionEnded {
            entry: 1,
            outcome: Outcome::Rejected {
                check: "schema".into(),
                reason: "it is too old".into(),
            },
        },
        Event::Noted {
            by: by(),
            text: "one\ntwo \u{202e}".into(),
        },
        Event::Declined {
            offer: None,
            by: by(),
            what: "push".into(),
            reason: "the load has ended".into(),
        },
        Event::StopOrdered { by: by() },
    ] {
        teller.event(ms(2_000), &event);
    }
    let messages = messages(&feed);
    let marks = of_kind(&messages, "mark");
    let of = |kind: &str| {
        let found: Vec<&&Value> = marks.iter().filter(|it| it["mark"] == kind).collect();
        assert!(!found.is_empty(), "{kind}");
        found
    };
    for mark in of("action") {
        assert_eq!(mark["by"]["name"], "Ana <b>");
        assert_eq!(mark["by"]["role"], "responder");
        assert_eq!((&mark["offer"], &mark["entry"]), (&0.into(), &1.into()));
        assert_eq!(mark["phase"], "retries 2");
    }
    assert_eq!(of("action")[1]["outcome"], "rejected");
    assert_eq!(
        of("action")[1]["detail"],
        "refused by `schema`: it is too old"
    );
    assert_eq!(of("note")[0]["label"], "one\ntwo \\u{202e}");
    assert_eq!(of("prediction")[0]["detail"], "2 min");
    assert_eq!(of("declined")[0]["detail"], "the load has ended");
    assert_eq!(of("stop")[0]["by"]["name"], "Ana <b>");
    of("joined");
}
