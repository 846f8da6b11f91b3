//! Entries of the timeline: instants, events, actions, and what must come
//! before what.

use std::collections::BTreeMap;

use super::file::{self, Do, File};
use super::leaf::{Placed, Text};
use super::meaning::Reader;
use super::quantities::After;
use super::{BASELINE, Entry};
use crate::model::{Action, Trigger, When};
use crate::units::Nanos;

/// The timeline's entries in the order of the file; none for one that has a mistake.
pub(super) fn read(reader: &mut Reader, file: &File) -> Vec<Option<Entry>> {
    let entries: Vec<_> = file
        .timeline
        .iter()
        .map(|entry| {
            let when = when(reader, entry);
            let action = entry.value.action.as_ref().and_then(action);
            as_many_as_there_are(reader, file, entry, action.as_ref());
            phase(reader, &entry.value);
            Some(Entry {
                when: when?,
                action: action?,
                phase: entry.value.phase.as_ref().map(|phase| phase.value.clone()),
            })
        })
        .collect();
    causes(reader, file);
    something_to_restore(reader, file, &entries);
    names_apart(reader, file, &entries);
    entries
}

fn when(reader: &mut Reader, entry: &Placed<file::Entry>) -> Option<When> {
    let file::Entry {
        at, after, delay, ..
    } = &entry.value;
    match (at, after) {
        (Some(at), None) => {
            if let Some(delay) = delay {
                let suggestion = "take it out, or wait for an event with `after`";
                reader.report(
                    delay,
                    "`delay` counts from an event",
                    "no event",
                    suggestion,
                );
            }
            let instant = reader.instant(at)?;
            reader.before_the_end("an entry", at, instant);
            Some(When::At(instant))
        }
        (None, Some(after)) => Some(When::After {
            event: after.value.0.0.clone(),
            delay: delay.as_ref().map_or(Nanos::ZERO, |delay| delay.value.0),
        }),
        (Some(_), Some(after)) => {
            reader.report(
                after,
                "an entry comes `at` an instant or `after` an event, not both",
                "second time",
                "keep one of the two",
            );
            None
        }
        (None, None) => {
            // A time that was taken out for its text has been reported there.
            if !reader.was_taken_out(entry, &["at", "after"]) {
                reader.report(
                    entry,
                    "[[timeline]] lacks its time",
                    "incomplete",
                    "add `at = \"16:30\"` or `after = \"rollback rejected\"`",
                );
            }
            None
        }
    }
}

fn action(action: &Do) -> Option<Action> {
    Some(match action {
        Do::Push {
            set,
            schema,
            tested,
            canary,
        } => Action::Push {
            set: set.as_ref().map_or_else(BTreeMap::new, |set| set.0.clone()),
            schema: *schema,
            tested: *tested,
            canary: canary.map(|canary| canary.0.0),
        },
        Do::Rollback {} => Action::Rollback,
        Do::Waive { check } => Action::Waive {
            check: check.as_ref()?.0.clone(),
        },
        Do::Restart { pause } => Action::Restart {
            pause: pause.map(|pause| pause.0),
        },
        Do::Admit { share } => Action::Admit {
            share: share.as_ref()?.0.0,
        },
        Do::Monitors { on } => Action::Monitors { on: (*on)? },
        Do::Retries { retries } => Action::Retries {
            retries: (*retries)?,
        },
        Do::Slow { part, factor } => Action::Slow {
            part: part.as_ref()?.0,
            factor: (*factor)?,
        },
        Do::Pause { instances } => Action::Pause {
            instances: *instances,
        },
        Do::Continue { instances } => Action::Continue {
            instances: *instances,
        },
    })
}

/// Reports an action on more instances than there are.
fn as_many_as_there_are(
    reader: &mut Reader,
    file: &File,
    entry: &Placed<file::Entry>,
    action: Option<&Action>,
) {
    let (Some(Action::Pause { instances } | Action::Continue { instances }), false) =
        (action, reader.file_lacks("target"))
    else {
        return;
    };
    let there = file.target.fleet.instances;
    if let Some(count) = instances.filter(|count| count.get() > there) {
        reader.report(
            entry,
            format!("this is about {count} instances, and there are {there}"),
            "too many instances",
            "write fewer `instances`, or take the key out for all of them",
        );
    }
}

fn phase(reader: &mut Reader, entry: &file::Entry) {
    let Some(phase) = &entry.phase else { return };
    if phase.value == BASELINE {
        let message = format!("the phase before the first entry is called `{BASELINE}`");
        reader.report(phase, message, "taken", "give this phase another name");
    }
}

/// Reports entries that wait for an event that nothing can bring about.
fn causes(reader: &mut Reader, file: &File) {
    for (index, entry) in file.timeline.iter().enumerate() {
        let Some(after) = &entry.value.after else {
            continue;
        };
        let others = || {
            let others = file.timeline.iter().enumerate();
            others.filter(move |(other, _)| *other != index)
        };
        let any = |wanted: fn(&Do) -> bool| {
            // An entry whose action could not be read may be the one.
            others().any(|(_, other)| other.value.action.as_ref().is_none_or(wanted))
        };
        match &after.value.0.0 {
            Trigger::Alert(name) => alert_exists(reader, file, after, name),
            Trigger::RollbackRejected | Trigger::RollbackApplied => {
                if !any(|action| matches!(action, Do::Rollback {})) {
                    never(reader, after, "rollback");
                }
            }
            Trigger::Restarted => {
                if !any(|action| matches!(action, Do::Restart { .. })) {
                    never(reader, after, "restart");
                }
            }
        }
    }
}

fn alert_exists(reader: &mut Reader, file: &File, after: &Placed<Text<After>>, name: &str) {
    let names = || file.alert.iter().map(|alert| alert.name.as_ref());
    if reader.file_lacks("alert") {
        return;
    }
    if names().any(|known| known.is_none_or(|known| known.value == name)) {
        return;
    }
    let known: Vec<_> = names().flatten().map(|name| name.value.as_str()).collect();
    let name = Placed {
        value: name.to_owned(),
        span: after.span.clone(),
    };
    reader.unknown("alert", &name, &known);
}

fn never(reader: &mut Reader, after: &Placed<Text<After>>, action: &str) {
    reader.report(
        after,
        format!("this waits for a {action}, and no other entry does one"),
        "never comes",
        format!("add an entry with `do = \"{action}\"`, or give this one a time with `at`"),
    );
}

/// Reports rollbacks before which nothing is pushed.
fn something_to_restore(reader: &mut Reader, file: &File, entries: &[Option<Entry>]) {
    // What could not be read may be the push.
    if reader.file_lacks("timeline") || entries.iter().any(Option::is_none) {
        return;
    }
    let entries: Vec<_> = entries.iter().flatten().collect();
    let end = reader.end;
    for (index, entry) in entries.iter().enumerate() {
        if entry.action != Action::Rollback {
            continue;
        }
        let pushed = entries.iter().enumerate().any(|(other, push)| {
            let before = match (&push.when, &entry.when) {
                // A push after the end has the wrong time, which has been reported.
                (When::At(push), When::At(rollback)) => {
                    (push, other) < (rollback, index) || end.is_some_and(|end| *push >= end)
                }
                _ => true,
            };
            before && matches!(push.action, Action::Push { .. })
        });
        if !pushed {
            reader.report(
                &file.timeline[index],
                "this rollback has nothing to roll back to: nothing is pushed before it",
                "nothing to restore",
                "add an entry with `do = \"push\"` before it",
            );
        }
    }
}

/// Reports a phase's name that is given at two instants.
fn names_apart(reader: &mut Reader, file: &File, entries: &[Option<Entry>]) {
    let mut seen: Vec<(&str, Option<&When>)> = Vec::new();
    for (entry, read) in file.timeline.iter().zip(entries) {
        let Some(phase) = &entry.value.phase else {
            continue;
        };
        let when = read.as_ref().map(|entry| &entry.when);
        let clash = seen
            .iter()
            .any(|(name, other)| *name == phase.value && *other != when);
        if clash {
            let message = format!("another phase is called `{}`", phase.value);
            reader.report(phase, message, "taken", "give it a name of its own");
        }
        seen.push((&phase.value, when));
    }
}
