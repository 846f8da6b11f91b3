//! Somebody on call, in virtual time: what they do is in the journal like what a timeline
//! does, and how long they take comes out of the run.

use std::collections::BTreeSet;

use threadbare::analysis::{Findings, findings};
use threadbare::plan::Plan;
use threadbare::record::{Event, Record};
use threadbare::scenario::{self, Changes};

use crate::simulated;

fn on_call(seed: u64) -> Record {
    let changes = Changes {
        variant: Some("somebody on call"),
        ..Changes::default()
    };
    let plan = scenario::load_changed("missing-await", &changes, false).unwrap();
    simulated::simulated(Plan { seed, ..plan })
}

fn done(found: &Findings) -> Vec<&str> {
    found
        .actions
        .iter()
        .map(|taken| taken.what.as_str())
        .collect()
}

#[test]
fn they_roll_back_waive_and_restart_until_the_alert_clears() {
    let record = on_call(1);
    let found = findings(&record);
    let done = done(&found);
    let [push, refused, waived, rolled_back, rest @ ..] = &done[..] else {
        panic!("{done:?}")
    };
    assert!(push.starts_with("push"), "{done:?}");
    assert_eq!(
        (*refused, *waived, *rolled_back),
        ("rollback", "waive `schema current`", "rollback")
    );
    // A rollback alone does not restore service here, so they go on.
    assert_eq!(rest.first(), Some(&"monitors off"), "{done:?}");
    assert!(rest.contains(&"restart one after the other"), "{done:?}");
    assert_eq!(rest.last(), Some(&"admit 100 %"), "{done:?}");
    // Their entries stand behind those of the plan, each with its author.
    let planned = record.header.plan.timeline.len();
    let ordered = record.events.iter().filter_map(|(_, event)| match event {
        Event::Ordered { by, entry, .. } => Some((by.name.as_str(), *entry)),
        _ => None,
    });
    let ordered: Vec<_> = ordered.collect();
    assert_eq!(ordered.len(), done.len() - planned);
    assert!(
        ordered
            .iter()
            .all(|(by, entry)| *by == "on call" && *entry >= planned)
    );
    // Nobody took part but those of the plan.
    assert_eq!(found.game_day, None);
}

#[test]
fn the_times_to_detect_and_to_acknowledge_come_out_of_the_run() {
    let mut times = BTreeSet::new();
    for seed in 1..=5 {
        let incident = findings(&on_call(seed)).incident;
        let (detected, seen) = (incident.time_to_detect_s, incident.time_to_acknowledge_s);
        assert!(detected.unwrap() < seen.unwrap(), "{detected:?} {seen:?}");
        times.insert(format!("{:.6}", seen.unwrap()));
    }
    assert_eq!(times.len(), 5, "drawn with each seed: {times:?}");
    // The same seed is the same run.
    assert_eq!(on_call(3).events, on_call(3).events);
}

#[test]
fn nobody_hears_of_what_does_no_harm() {
    let changes = Changes {
        variant: Some("somebody on call"),
        settings: &[
            "timeline=[]".parse().unwrap(),
            "expect=[]".parse().unwrap(),
            // Nothing is pushed, so there is nothing to restore.
            "responder.0.rollback=false".parse().unwrap(),
        ],
        ..Changes::default()
    };
    let plan = scenario::load_changed("missing-await", &changes, false).unwrap();
    let found = findings(&simulated::simulated(plan));
    assert!(found.actions.is_empty(), "{:?}", found.actions);
    assert_eq!(found.incident.time_to_acknowledge_s, None);
}
