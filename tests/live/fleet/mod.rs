//! The built-in fleet, with real processes, threads and sockets.

mod conformance;
mod faults;
mod herds;
mod limits;
mod pauses;
mod process_faults;
mod processes;
mod releases;
mod requests;
mod set_up;
mod steered;

use std::collections::BTreeMap;

use threadbare::record::{Event, InstanceCounters, Outcome};

use crate::rig::{Operate as _, Rig};

const LIST: &str = "/projects/1/tasks";

fn detached(unverified: &str) -> BTreeMap<String, String> {
    [
        ("authorization.verification", "detached"),
        ("authorization.unverified", unverified),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

fn push(rig: &Rig, unverified: &str, schema: Option<u32>) -> Outcome {
    let set = detached(unverified);
    let now = rig.clock.now();
    rig.fleet.push(now, "ops", &set, schema, false, None)
}

fn sum(all: &[InstanceCounters]) -> InstanceCounters {
    let mut sum = InstanceCounters::default();
    for counters in all {
        sum.merge(counters);
    }
    sum
}

fn assert_applied(outcome: &Outcome, part: &str) {
    let Outcome::Applied { detail } = outcome else {
        panic!("{outcome:?}");
    };
    assert!(detail.contains(part), "{detail}");
}

/// Two instances were restarted, and one of them gave no final counters.
fn assert_incomplete(events: &[Event], name: &str) {
    let warnings: Vec<&String> = events
        .iter()
        .filter_map(|event| match event {
            Event::Warning { text } => Some(text),
            _ => None,
        })
        .collect();
    assert_eq!((events.len(), warnings.len()), (4, 1), "{events:?}");
    assert!(warnings[0].starts_with(name), "{warnings:?}");
    assert!(warnings[0].contains("are incomplete"), "{warnings:?}");
}
