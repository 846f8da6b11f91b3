//! Entries of the timeline: instants, events, actions, and what must come
//! before what.

use std::collections::{BTreeMap, BTreeSet};

use super::file::{self, ActionEntry, Fault, File};
use super::leaf::{Spanned, Text};
use super::meaning::Reader;
use super::proxies;
use super::quantities::After;
use crate::model::fault::{AttributeMistake, FleetFault, FleetFaultKind};
use crate::model::{
    Action, ClientsAction, FleetAction, HookKind, Limits, ProcessFault, ProcessSelector,
    ServiceAction, TELEMETRY_SETTING, TargetAction, Trigger, When,
};
use crate::plan::{BASELINE, Entry, phase_names};
use crate::units::Nanos;

/// The timeline's entries in the order of the file; none for one that has a mistake.
pub(super) fn read(reader: &mut Reader, file: &File) -> Vec<Option<Entry>> {
    let read: Vec<_> = file
        .timeline
        .iter()
        .map(|entry| {
            let when = when(reader, entry);
            let read = entry.value.action.as_ref();
            let action = read.and_then(|read| action(reader, file, entry, read));
            as_many_as_there_are(reader, file, entry, action.as_ref());
            phase(reader, &entry.value);
            let given = entry.value.phase.as_ref();
            Some((when?, action?, given.map(|phase| phase.value.as_str())))
        })
        .collect();
    let mut entries = named(read);
    for (place, entry) in file.timeline.iter().zip(&mut entries) {
        inject(reader, place, entry.as_mut());
    }
    causes(reader, file);
    something_to_restore(reader, file, &entries);
    ends_what_began(reader, file, &entries);
    names_apart(reader, file, &entries);
    entries
}

/// The entries with the names of their phases.
fn named(read: Vec<Option<(When, Action, Option<&str>)>>) -> Vec<Option<Entry>> {
    let known = read.iter().flatten();
    let known: Vec<_> = known
        .map(|(when, action, given)| (when, action, *given))
        .collect();
    let mut phases = phase_names(&known).into_iter();
    read.into_iter()
        .map(|entry| {
            let (when, action, _) = entry?;
            let phase = phases.next()?;
            Some(Entry {
                when,
                action,
                phase,
                inject: None,
            })
        })
        .collect()
}

fn when(reader: &mut Reader, entry: &Spanned<file::Entry>) -> Option<When> {
    let file::Entry {
        at,
        after,
        delay,
        offered,
        ..
    } = &entry.value;
    if let Some(offered) = offered.as_ref().filter(|offered| offered.value) {
        if at.is_some() || after.is_some() || delay.is_some() {
            reader.report(
                offered,
                "an entry that is only offered has no time: people decide",
                "offered",
                "take out `at`, `after` and `delay`, or `offered`",
            );
        }
        return Some(When::Offered);
    }
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
                    "add `at = \"18s\"` or `after = \"rollback rejected\"`, or leave it to people \
                     with `offered = true`",
                );
            }
            None
        }
    }
}

fn action(
    reader: &mut Reader,
    file: &File,
    entry: &Spanned<file::Entry>,
    action: &ActionEntry,
) -> Option<Action> {
    Some(match action {
        ActionEntry::Push {
            set,
            schema,
            tested,
            canary,
        } => {
            let settings = set.iter().flat_map(|set| &set.0);
            collects_something(reader, file, entry, settings);
            Action::Fleet(FleetAction::Push {
                set: set.as_ref().map_or_else(BTreeMap::new, |set| set.0.clone()),
                schema: *schema,
                tested: *tested,
                canary: canary.map(|canary| canary.0.0),
            })
        }
        ActionEntry::Rollback {} => Action::Service(ServiceAction::Rollback),
        ActionEntry::Waive { check } => Action::Fleet(FleetAction::Waive {
            check: check.as_ref()?.0.clone(),
        }),
        ActionEntry::Restart { pause } => Action::Service(ServiceAction::Restart {
            pause: pause.map(|pause| pause.0),
        }),
        ActionEntry::Admit { share } => Action::Fleet(FleetAction::Admit {
            share: share.as_ref()?.0.0,
        }),
        ActionEntry::Monitors { on } => Action::Clients(ClientsAction::Monitors { on: (*on)? }),
        ActionEntry::Retries { retries } => Action::Clients(ClientsAction::Retries {
            retries: (*retries)?,
        }),
        ActionEntry::Hook { hook, kind } => Action::Target(TargetAction::Hook {
            hook: hook.clone()?,
            kind: kind.map_or_else(HookKind::default, |kind| kind.0),
        }),
        ActionEntry::Process {
            fault,
            whom,
            open_files,
            threads,
            processors,
        } => {
            let limits = Limits {
                open_files: *open_files,
                threads: *threads,
                processors: *processors,
            };
            Action::Target(TargetAction::Process {
                fault: process_fault(reader, entry, (*fault)?.0, limits)?,
                whom: whom.map_or_else(ProcessSelector::default, |whom| whom.0),
            })
        }
        ActionEntry::Configure { env, args } => {
            if env.is_empty() && args.is_none() && !reader.was_taken_out(entry, &["env", "args"]) {
                reader.report(
                    entry,
                    "this pushes a configuration in which nothing is changed",
                    "nothing changes",
                    "add `env = { ROLE_CHECK = \"detached\" }`, or `args`",
                );
            }
            Action::Target(TargetAction::Configure {
                env: env.clone(),
                args: args.clone(),
            })
        }
        ActionEntry::Slow { part, factor } => Action::Fleet(FleetAction::Slow {
            part: part.as_ref()?.0,
            factor: (*factor)?,
        }),
        ActionEntry::Pause { instances } => Action::Fleet(FleetAction::Pause {
            instances: *instances,
        }),
        ActionEntry::Continue { instances } => Action::Fleet(FleetAction::Continue {
            instances: *instances,
        }),
        ActionEntry::Lose { instances } => Action::Fleet(FleetAction::Lose {
            instances: (*instances)?,
        }),
        ActionEntry::ColdStart { pause } => Action::Fleet(FleetAction::ColdStart {
            pause: pause.as_ref()?.0,
        }),
        ActionEntry::Break { fault, with } => {
            let fault = broken(reader, entry, (*fault)?.0, with)?;
            fits_the_fleet(reader, file, entry, &fault);
            Action::Fleet(FleetAction::Break(fault))
        }
        ActionEntry::Mend { fault } => {
            let fault = (*fault)?.0;
            mendable(reader, file, entry, fault);
            Action::Fleet(FleetAction::Mend { fault })
        }
        ActionEntry::Fault { .. } | ActionEntry::Occupy { .. } | ActionEntry::Undo { .. } => {
            return proxies::action(reader, entry, action);
        }
    })
}

/// Reports telemetry that is switched on in a fleet that has none.
fn collects_something<'a>(
    reader: &mut Reader,
    file: &File,
    entry: &Spanned<file::Entry>,
    mut settings: impl Iterator<Item = (&'a String, &'a String)>,
) {
    let switched = settings.any(|(key, value)| key == TELEMETRY_SETTING && value == "on");
    let none = super::meaning::fleet_of(file).telemetry.is_none();
    if switched && none && !reader.file_lacks("target") {
        reader.report(
            &reader.key(entry, &["set", TELEMETRY_SETTING]),
            "this fleet has no telemetry that a setting could switch on",
            "without effect",
            "add a table [target.fleet.telemetry]",
        );
    }
}

/// A fault of the fleet with the attributes that are given.
fn broken(
    reader: &mut Reader,
    entry: &Spanned<file::Entry>,
    kind: FleetFaultKind,
    with: &file::FleetAttributes,
) -> Option<FleetFault> {
    let mut fault = kind.usual();
    let mistakes = fault.set(with.0.clone());
    for AttributeMistake { name, sentence } in &mistakes {
        reader.report(
            &reader.key(entry, &["with", name]),
            format!("`{name}` of the fault `{kind}` is not possible: {sentence}"),
            "not possible",
            format!("see `threadbare faults {kind}`"),
        );
    }
    mistakes.is_empty().then_some(fault)
}

/// Reports a fault of what this fleet has not.
fn fits_the_fleet(
    reader: &mut Reader,
    file: &File,
    entry: &Spanned<file::Entry>,
    fault: &FleetFault,
) {
    if reader.file_lacks("target") {
        return;
    }
    let spec = super::meaning::fleet_of(file);
    let kind = fault.kind();
    if fault.instances() > u64::from(spec.instances) {
        reader.report(
            &reader.key(entry, &["with", "instances"]),
            format!(
                "this is about {} instances, and there are {}",
                fault.instances(),
                spec.instances
            ),
            "too many instances",
            "write fewer `instances`, or take the key out for all of them",
        );
    }
    let (lacks, label, help) = match kind {
        FleetFaultKind::ConnectionsLeaked => (
            spec.pool.is_none(),
            "no pool",
            "add `pool = { size = 10 }` to [target.fleet]",
        ),
        FleetFaultKind::ThreadsLimited | FleetFaultKind::PeersAdded => (
            spec.peers.is_none(),
            "no peers",
            "add `peers = { members = 16 }` to [target.fleet]",
        ),
        _ => return,
    };
    if lacks {
        reader.report(
            &reader.key(entry, &["fault"]),
            format!("`{kind}` needs {}, and this fleet has none", kind.needs()),
            label,
            help,
        );
    }
}

/// Reports the end of a fault that no entry begins, or that is over at once.
fn mendable(reader: &mut Reader, file: &File, entry: &Spanned<file::Entry>, kind: FleetFaultKind) {
    let at = reader.key(entry, &["fault"]);
    if kind.momentary() {
        let message = format!("`{kind}` is over at once, and there is nothing to mend");
        reader.report(&at, message, "nothing to mend", "take this entry out");
        return;
    }
    let begins = |it: &Spanned<file::Entry>| match &it.value.action {
        Some(ActionEntry::Break { fault, .. }) => fault.is_none_or(|fault| fault.0 == kind),
        // What could not be read may be it.
        action => action.is_none(),
    };
    if !file.timeline.iter().any(begins) {
        reader.report(
            &at,
            format!("this mends `{kind}`, and no entry brings it"),
            "nothing to mend",
            format!("add an entry with `do = \"break\"`, `fault = \"{kind}\"` before it"),
        );
    }
}

/// What is done to processes; limits belong to `limit`, and to it alone.
fn process_fault(
    reader: &mut Reader,
    entry: &Spanned<file::Entry>,
    fault: Fault,
    limits: Limits,
) -> Option<ProcessFault> {
    let none = limits == Limits::default();
    if (fault == Fault::Limit) == none {
        let keys = ["open_files", "threads", "processors"];
        if !reader.was_taken_out(entry, &keys) {
            let (message, suggestion) = if none {
                (
                    "`limit` limits nothing here",
                    "add `open_files`, `threads` or `processors`",
                )
            } else {
                ("limits belong to `fault = \"limit\"`", "take them out")
            };
            reader.report(entry, message, "limits", suggestion);
        }
        return None;
    }
    Some(match fault {
        Fault::Pause => ProcessFault::Pause,
        Fault::Continue => ProcessFault::Continue,
        Fault::Kill => ProcessFault::Kill,
        Fault::Limit => ProcessFault::Limit(limits),
        Fault::Lift => ProcessFault::Lift,
    })
}

/// Reports an action on more instances than there are.
fn as_many_as_there_are(
    reader: &mut Reader,
    file: &File,
    entry: &Spanned<file::Entry>,
    action: Option<&Action>,
) {
    let Some(Action::Fleet(action)) = action.filter(|_| !reader.file_lacks("target")) else {
        return;
    };
    let instances = match action {
        FleetAction::Pause { instances } | FleetAction::Continue { instances } => *instances,
        FleetAction::Lose { instances } => Some(*instances),
        _ => return,
    };
    let fleet = super::meaning::fleet_of(file);
    let scaler = fleet.autoscaler.as_ref();
    let there = scaler.map_or(fleet.instances, |it| it.most.max(fleet.instances));
    let hint = match action {
        FleetAction::Lose { .. } => "write fewer `instances`",
        _ => "write fewer `instances`, or take the key out for all of them",
    };
    if let Some(count) = instances.filter(|count| count.get() > there) {
        reader.report(
            &reader.key(entry, &["instances"]),
            format!("this is about {count} instances, and there are {there}"),
            "too many instances",
            hint,
        );
    }
}

/// What a facilitator tells the room: only of what people decide about.
fn inject(reader: &mut Reader, place: &Spanned<file::Entry>, entry: Option<&mut Entry>) {
    let (Some(say), Some(entry)) = (&place.value.inject, entry) else {
        return;
    };
    if entry.when != When::Offered {
        reader.report(
            say,
            "an inject is a facilitator's to make, and this entry comes by itself",
            "not only offered",
            "write `offered = true` in place of its time, or take `inject` out",
        );
    }
    entry.inject = Some(say.value.clone());
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
    let alerts = reader.names("alert", file.alert.iter().map(|alert| &alert.name));
    let rolls_back = of_kind(file, HookKind::Rollback, |action| {
        matches!(action, ActionEntry::Rollback {})
    });
    let restarts = of_kind(file, HookKind::Restart, |action| {
        matches!(
            action,
            ActionEntry::Restart { .. } | ActionEntry::ColdStart { .. }
        )
    });
    for (index, entry) in file.timeline.iter().enumerate() {
        let Some(after) = &entry.value.after else {
            continue;
        };
        // Itself cannot be what it waits for.
        let any = |which: &BTreeSet<usize>| which.len() > usize::from(which.contains(&index));
        match &after.value.0.0 {
            Trigger::Alert(name) => reader.known("alert", after, name, alerts.as_ref()),
            Trigger::RollbackRejected | Trigger::RollbackApplied => {
                if !any(&rolls_back) {
                    never(reader, after, "rollback");
                }
            }
            Trigger::Restarted => {
                if !any(&restarts) {
                    never(reader, after, "restart");
                }
            }
        }
    }
}

/// The entries that do such a thing, by an action or by a hook of this kind; one whose
/// action could not be read may be one.
fn of_kind(file: &File, wanted: HookKind, is_one: fn(&ActionEntry) -> bool) -> BTreeSet<usize> {
    let does = |action: &ActionEntry| match action {
        ActionEntry::Hook { kind, .. } => kind.is_some_and(|kind| kind.0 == wanted),
        action => is_one(action),
    };
    let entries = file.timeline.iter().enumerate();
    let entries = entries.filter(|(_, entry)| entry.value.action.as_ref().is_none_or(does));
    entries.map(|(index, _)| index).collect()
}

fn never(reader: &mut Reader, after: &Spanned<Text<After>>, action: &str) {
    reader.report(
        after,
        format!("this waits for a {action}, and no other entry does one"),
        "never comes",
        format!("add an entry with `do = \"{action}\"`, or give this one a time with `at`"),
    );
}

/// Whether there is something to roll back after it.
fn is_push(entry: &Entry) -> bool {
    matches!(
        entry.action,
        Action::Fleet(FleetAction::Push { .. }) | Action::Target(TargetAction::Configure { .. })
    )
}

/// Whether nothing is ever pushed in this run, as far as it could be read.
pub(super) fn never_pushes(reader: &Reader, entries: &[Option<Entry>]) -> bool {
    let read = !reader.file_lacks("timeline");
    // What could not be read may be the push.
    read && entries
        .iter()
        .all(|entry| entry.as_ref().is_some_and(|entry| !is_push(entry)))
}

/// Reports rollbacks before which nothing is pushed.
fn something_to_restore(reader: &mut Reader, file: &File, entries: &[Option<Entry>]) {
    // What could not be read may be the push.
    if reader.file_lacks("timeline") || entries.iter().any(Option::is_none) {
        return;
    }
    let entries: Vec<_> = entries.iter().flatten().collect();
    let pushes = entries.iter().enumerate().filter(|(_, it)| is_push(it));
    let first = pushes
        .map(|(index, push)| match push.when {
            // A push after the end has the wrong time, which has been reported.
            When::At(at) if reader.end.is_none_or(|end| at < end) => (at, index),
            _ => (Nanos::ZERO, 0),
        })
        .min();
    for (index, entry) in entries.iter().enumerate() {
        if entry.action != Action::Service(ServiceAction::Rollback) {
            continue;
        }
        let follows = first.is_some_and(|first| match entry.when {
            When::At(at) => first < (at, index) || first == (Nanos::ZERO, 0),
            When::After { .. } | When::Offered => true,
        });
        if !follows {
            reader.report(
                &file.timeline[index],
                "this rollback has nothing to roll back to: nothing is pushed before it",
                "nothing to restore",
                if super::target::names_one(reader, file) {
                    "add an entry with `do = \"configure\"` before it, or call a [[hook]] with \
                     `as = \"rollback\"`"
                } else {
                    "add an entry with `do = \"push\"` before it"
                },
            );
        }
    }
}

/// Reports what is taken back before it is done: a fault that is mended before it is
/// brought, instances and processes that go on before they are paused, limits that are
/// lifted before they are set.
fn ends_what_began(reader: &mut Reader, file: &File, entries: &[Option<Entry>]) {
    if reader.file_lacks("timeline") || entries.iter().any(Option::is_none) {
        return;
    }
    let entries: Vec<_> = entries.iter().flatten().collect();
    for (index, entry) in entries.iter().enumerate() {
        let (When::At(at), true) = (&entry.when, takes_back(&entry.action)) else {
            continue;
        };
        let begun = entries.iter().enumerate();
        let mut begun = begun
            .filter(|(_, begun)| entry.action.ends(&begun.action))
            .peekable();
        let early = |(place, begun): (usize, &&Entry)| match &begun.when {
            When::At(begun) => (begun, place) > (at, index),
            When::After { .. } | When::Offered => false,
        };
        // Where there is none that is told of the entry by itself.
        if begun.peek().is_some() && begun.all(early) {
            reader.report(
                &file.timeline[index],
                "this takes back what only a later entry does",
                "too early",
                "put it after that entry",
            );
        }
    }
}

/// Whether it does nothing but take something back.
const fn takes_back(action: &Action) -> bool {
    match action {
        Action::Fleet(FleetAction::Mend { .. } | FleetAction::Continue { .. }) => true,
        Action::Target(TargetAction::Process { fault, .. }) => {
            matches!(fault, ProcessFault::Continue | ProcessFault::Lift)
        }
        _ => false,
    }
}

/// Reports a phase's name that is given at two instants.
fn names_apart(reader: &mut Reader, file: &File, entries: &[Option<Entry>]) {
    let mut seen: BTreeMap<&str, Option<&When>> = BTreeMap::new();
    for (entry, read) in file.timeline.iter().zip(entries) {
        let Some(phase) = &entry.value.phase else {
            continue;
        };
        let when = read.as_ref().map(|entry| &entry.when);
        if *seen.entry(&phase.value).or_insert(when) != when {
            let message = format!("another phase is called `{}`", phase.value);
            reader.report(phase, message, "taken", "give it a name of its own");
        }
    }
}
