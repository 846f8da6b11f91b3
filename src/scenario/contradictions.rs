//! What presupposes something that the file does not have.
//!
//! Each key is right by itself, and together they cannot be: an expectation on a rollback
//! that nobody makes, an alert on probes that nobody sends, a drain in which nobody can
//! finish. Such a run would be judged by what cannot happen. What could not be read may be
//! what is missing, so nothing is said of it. What `--set` and sweeps vary (retries and
//! what belongs to them) contradicts nothing.

use super::file::File;
use super::meaning::Reader;
use super::target;
use crate::model::{
    Action, Bound, Cause, ClientsAction, Expectation, Figure, FleetAction, GaugeSource,
    IncidentVerdict, Load, ProcessFault, Signal, Surge, SustainingEffect, TELEMETRY_SETTING,
    TargetAction, When, Word,
};
use crate::plan::Entry;
use crate::units::Nanos;

/// What a check says: what is missing, and what to do about it.
type Lack = (String, &'static str);

/// What the file was found to mean, as far as it could be read.
pub(super) struct Known<'a> {
    pub(super) timeline: &'a [Option<Entry>],
    pub(super) gauges: &'a [GaugeSource],
    pub(super) load: Option<&'a Load>,
    pub(super) surges: Option<&'a [Surge]>,
}

/// Reports everything that presupposes what is not there. `expectations`: those of the
/// file, none for one that has a mistake.
pub(super) fn read(
    reader: &mut Reader,
    file: &File,
    known: &Known<'_>,
    expectations: &[Option<Expectation>],
) {
    drain(reader, file);
    signals(reader, file, known);
    if reader.file_lacks("timeline") {
        return;
    }
    // One after the end has the wrong time, which has been reported.
    let end = reader.end;
    let late =
        |entry: &Entry| matches!(entry.when, When::At(at) if end.is_some_and(|end| at >= end));
    let entries = known.timeline.iter().map(Option::as_ref);
    let entries = entries.map(|entry| entry.filter(|entry| !late(entry)));
    let entries: Option<Vec<&Entry>> = entries.collect();
    let Some(entries) = entries else { return };
    actions(reader, file, &entries);
    telemetry(reader, file, &entries);
    let incident = Incident {
        file,
        entries: &entries,
        known,
        end: reader.end,
        reads_alerts: !reader.file_lacks("alert"),
        reads_monitors: !reader.file_lacks("monitor"),
    };
    for (place, expectation) in file.expect.iter().zip(expectations) {
        let (Some(expectation), Some(that)) = (expectation, &place.value.that) else {
            continue;
        };
        // Those on call may do whatever the timeline does not.
        let alone = file.responder.is_empty() && !reader.file_lacks("responder");
        let lack = alone.then(|| incident.lack(expectation)).flatten();
        let lack = lack.or_else(|| gauges_lack(reader, file, known, expectation.that));
        if let Some((why, suggestion)) = lack {
            let message = format!("`{}` can never be observed: {why}", expectation.that.word());
            reader.report(that, message, "never observed", suggestion);
        }
    }
}

/// Operations that may go on for longer than they are waited for. Without a deadline no
/// drain is long enough for every one, and a shorter one says where the run ends.
fn drain(reader: &mut Reader, file: &File) {
    let (Some(drain), Some(load)) = (&file.drain, &file.load) else {
        return;
    };
    let given = drain.value.0;
    let deadline = load.value.client.deadline.map(|deadline| deadline.0.0);
    if let Some(deadline) = deadline.filter(|deadline| given < *deadline) {
        reader.report(
            drain,
            format!(
                "operations may take {deadline} (`deadline`), and are given {given} after the end"
            ),
            "too short",
            format!("write \"{deadline}\" or more, or remove it: then it is long enough"),
        );
    }
}

/// Alerts and stop conditions on what nothing tells.
fn signals(reader: &mut Reader, file: &File, known: &Known<'_>) {
    let alerts = file.alert.iter().filter_map(|alert| alert.when.as_ref());
    let alerts = alerts.map(|when| (when.at(), when.value.0.signal));
    let stops = file.safety.abort_if.iter();
    let stops = stops.map(|stop| (stop.at(), stop.value.0.rule().signal));
    for (place, signal) in alerts.chain(stops).collect::<Vec<_>>() {
        let lack = match signal {
            Signal::ErrorShare => None,
            Signal::ProbeFailures => {
                let none = file.monitor.is_empty() && !reader.file_lacks("monitor");
                none.then(|| (String::from("there is no [[monitor]]"), "add a [[monitor]]"))
            }
            Signal::Saturation => workers_lack(reader, file, known),
        };
        if let Some((why, suggestion)) = lack {
            let message = format!("`{}` is never known: {why}", signal.word());
            reader.report(&place, message, "never known", suggestion);
        }
    }
    for alert in &file.alert {
        if let (Some(lasts), Some(end)) = (&alert.r#for, reader.end)
            && lasts.value.0 >= end
        {
            let message = format!("the run ends at {end}, before this can have held for so long");
            reader.report(
                lasts,
                message,
                "never fires",
                "write less, or put `end` later",
            );
        }
    }
}

/// Whether gauges that nobody could read may say what is asked for.
fn all_gauges_are_read(reader: &Reader, file: &File, known: &Known<'_>) -> bool {
    known.gauges.len() == file.gauges.len() && !reader.file_lacks("gauges")
}

/// What is in the way of knowing the saturation of the user's target.
fn workers_lack(reader: &Reader, file: &File, known: &Known<'_>) -> Option<Lack> {
    if !target::names_one(reader, file) || !all_gauges_are_read(reader, file, known) {
        return None;
    }
    let tells =
        |source: &GaugeSource| source.roles.busy.is_some() && source.roles.workers.is_some();
    (!known.gauges.iter().any(tells)).then(|| {
        (
            "no [[gauges]] say how many workers are busy, and how many there are".into(),
            "add [[gauges]] with `busy` and `workers`, or a preset that has both",
        )
    })
}

/// The same of every figure that only gauges of the target can tell.
fn gauges_lack(reader: &Reader, file: &File, known: &Known<'_>, figure: Figure) -> Option<Lack> {
    if !target::names_one(reader, file) || !all_gauges_are_read(reader, file, known) {
        return None;
    }
    let queue = known
        .gauges
        .iter()
        .any(|source| source.roles.queue.is_some());
    match figure {
        Figure::Saturation => workers_lack(reader, file, known),
        Figure::ExhaustedInstances => workers_lack(reader, file, known).or_else(|| {
            (!queue).then(|| {
                (
                    "no [[gauges]] say how many jobs wait, and without that no server is exhausted"
                        .into(),
                    "add `queue` to [[gauges]], or expect `saturation`",
                )
            })
        }),
        Figure::QueueDepthMax if !queue && !target::has_process(reader, file) => Some((
            "no [[gauges]] say how many jobs wait, and the accept queue is that of a process"
                .into(),
            "add `queue` to [[gauges]], or name the process: `command`, `pid` or `port`",
        )),
        _ => None,
    }
}

/// Actions on what is not there, or which take back what nobody did.
fn actions(reader: &mut Reader, file: &File, entries: &[&Entry]) {
    let fleet_pauses = |it: &Entry| matches!(it.action, Action::Fleet(FleetAction::Pause { .. }));
    let faulted = |fault: fn(&ProcessFault) -> bool| {
        entries.iter().any(|entry| match &entry.action {
            Action::Target(TargetAction::Process { fault: own, .. }) => fault(own),
            _ => false,
        })
    };
    let pauses = faulted(|fault| matches!(fault, ProcessFault::Pause));
    let limits = faulted(|fault| matches!(fault, ProcessFault::Limit(_)));
    for (place, entry) in file.timeline.iter().zip(entries) {
        let lack = match &entry.action {
            Action::Clients(ClientsAction::Monitors { .. })
                if file.monitor.is_empty() && !reader.file_lacks("monitor") =>
            {
                Some(("there is no [[monitor]] to switch", "add a [[monitor]]"))
            }
            Action::Fleet(FleetAction::Continue { .. })
                if !entries.iter().any(|entry| fleet_pauses(entry)) =>
            {
                Some((
                    "no entry pauses what this continues",
                    "add `do = \"pause\"`",
                ))
            }
            Action::Target(TargetAction::Process { fault, .. }) => match fault {
                ProcessFault::Continue if !pauses => Some((
                    "no entry pauses what this continues",
                    "add an entry with `fault = \"pause\"` before it",
                )),
                ProcessFault::Lift if !limits => Some((
                    "no entry sets the limits that this lifts",
                    "add an entry with `fault = \"limit\"` before it",
                )),
                _ => None,
            },
            _ => None,
        };
        if let Some((message, suggestion)) = lack {
            reader.report(place, message, "nothing to act on", suggestion);
        }
    }
}

/// Telemetry that no push switches on: it is off at first.
fn telemetry(reader: &mut Reader, file: &File, entries: &[&Entry]) {
    let fleet = file.target.as_ref();
    let fleet = fleet.and_then(|target| target.value.fleet.as_ref());
    let Some(telemetry) = fleet.and_then(|fleet| fleet.value.telemetry.as_ref()) else {
        return;
    };
    let on = |entry: &&Entry| match &entry.action {
        Action::Fleet(FleetAction::Push { set, .. }) => set
            .get(TELEMETRY_SETTING)
            .is_some_and(|value| value == "on"),
        _ => false,
    };
    if !entries.iter().any(on) {
        reader.report(
            telemetry,
            "this telemetry is off at first, and no push switches it on",
            "without effect",
            "push it: `do = \"push\"` and `set = { telemetry = \"on\" }` in the timeline",
        );
    }
}

/// A file whose timeline could all be read.
struct Incident<'a> {
    file: &'a File,
    entries: &'a [&'a Entry],
    known: &'a Known<'a>,
    end: Option<Nanos>,
    reads_alerts: bool,
    reads_monitors: bool,
}

impl Incident<'_> {
    /// Why what is expected cannot be observed; none where it may be.
    fn lack(&self, expectation: &Expectation) -> Option<Lack> {
        let most = matches!(expectation.bound, Bound::AtMost(_));
        match expectation.that {
            Figure::RejectedRollbacks if !most => self.no_rollback(),
            Figure::RecoveryAfterRollback => self
                .no_rollback()
                .or_else(|| self.no_verdict())
                .or_else(|| self.unfinished(most, self.rolled_back())),
            Figure::RecoveryAfterLastAction if self.entries.is_empty() => Some((
                "the timeline has no entry".into(),
                "add a [[timeline]] entry, or expect `recovery after trigger off`",
            )),
            Figure::TimeToDetect => self
                .no_alert()
                .or_else(|| self.no_cause())
                .or_else(|| self.no_verdict()),
            Figure::TimeToMitigate => self.no_cause().or_else(|| self.no_verdict()),
            Figure::RecoveryAfterTriggerOff
            | Figure::RecoveryAfterLastAction
            | Figure::TimeToRecover => self
                .no_cause()
                .or_else(|| self.never_cleared(most))
                .or_else(|| self.no_verdict())
                .or_else(|| self.unfinished(most, self.cleared())),
            Figure::IncidentVerdict | Figure::Sustaining => match expectation.bound {
                Bound::Is(word) => self.no_word(word),
                _ => None,
            },
            _ => None,
        }
    }

    fn no_rollback(&self) -> Option<Lack> {
        let any = self.entries.iter().any(|entry| entry.action.rolls_back());
        (!any).then(|| {
            (
                "no entry of the timeline is a rollback".into(),
                "add an entry with `do = \"rollback\"`, or a [[hook]] called with \
                 `as = \"rollback\"`; for another cause expect `recovery after trigger off`",
            )
        })
    }

    fn no_alert(&self) -> Option<Lack> {
        (self.file.alert.is_empty() && self.reads_alerts).then(|| {
            (
                "there is no [[alert]], and an alert is what detects".into(),
                "add an [[alert]], such as `when = \"error share > 20 %\"`, `for = \"2s\"`",
            )
        })
    }

    /// Entries that begin a cause; of pushes the first, since a later one may be the cure.
    fn causes(&self) -> impl Iterator<Item = &Entry> {
        let mut pushed = false;
        let begin = self
            .entries
            .iter()
            .filter_map(|entry| Some((entry.action.begins()?, *entry)));
        begin.filter_map(move |(cause, entry)| {
            let again = cause == Cause::Push && std::mem::replace(&mut pushed, true);
            (!again).then_some(entry)
        })
    }

    fn no_cause(&self) -> Option<Lack> {
        let none = self.causes().next().is_none() && self.known.surges.is_some_and(<[_]>::is_empty);
        none.then(|| {
            (
                "nothing begins in this run that could be an incident".into(),
                "add an entry to the timeline, such as a push, a fault or an occupation, or a \
                 [[load.step]] that raises the rate",
            )
        })
    }

    /// The entries that end what this one begins, and come later.
    fn ends<'s>(&'s self, begun: &'s Entry) -> impl Iterator<Item = &'s Entry> {
        let later = move |entry: &&&Entry| match (&begun.when, &entry.when) {
            (When::At(begun), When::At(end)) => end >= begun,
            _ => true,
        };
        let ends = self.entries.iter().filter(later).copied();
        ends.filter(|entry| entry.action.ends(&begun.action))
    }

    /// A bound that only a cause which ends can meet.
    fn never_cleared(&self, needed: bool) -> Option<Lack> {
        let mut causes = self.causes();
        let open =
            causes.find(|begun| !begun.action.momentary() && self.ends(begun).next().is_none());
        let surges = self.known.surges.unwrap_or_default();
        let why = match (open, surges.last()) {
            (Some(begun), _) => format!("no entry ends what `{}` begins", begun.phase),
            (None, Some(Surge { to: None, .. })) => "the load never falls back".into(),
            _ => return None,
        };
        needed.then_some((
            why,
            "add what ends it: a rollback, `continue`, `lift`, `undo`, a lower rate; or remove this",
        ))
    }

    /// A baseline too short for a verdict, by more than chance.
    fn no_verdict(&self) -> Option<Lack> {
        let load = self.known.load?;
        // A rate that could not be read may be any.
        load.rate.first().filter(|(from, _)| *from == Nanos::ZERO)?;
        let rates = load.rate.iter().map(|(_, shape)| shape.highest());
        let first = self.causes().filter_map(|entry| match entry.when {
            When::At(at) => Some(at),
            When::After { .. } | When::Offered => None,
        });
        let surges = self.known.surges.unwrap_or_default();
        let first = first.chain(surges.iter().map(|surge| surge.from)).min()?;
        let long = first.0.saturating_sub(self.file.warm_up.value.0.0);
        let expected = rates.fold(0.0, f64::max) * Nanos(long).as_secs_f64();
        let wanted = self.file.recovery.operations_min;
        // Three standard deviations of a count of random arrivals.
        let most = expected + 3.0 * expected.sqrt();
        (most < wanted as f64).then(|| {
            (
                format!(
                    "some {expected:.0} operations come before the first entry, and a verdict needs \
                     a baseline of {wanted}"
                ),
                "let the first entry come later, raise the rate, or lower `operations_min` in \
                 [recovery]",
            )
        })
    }

    /// The first instant at which a rollback is begun; none where an event decides.
    fn rolled_back(&self) -> Option<Nanos> {
        let own = self
            .entries
            .iter()
            .filter(|entry| entry.action.rolls_back());
        earliest(own.copied())
    }

    /// The first instant at which every cause may be over; none where an event decides.
    fn cleared(&self) -> Option<Nanos> {
        let ends = self
            .causes()
            .map(|begun| match (&begun.when, begun.action.momentary()) {
                (When::At(at), true) => Some(*at),
                (When::After { .. } | When::Offered, true) => None,
                (_, false) => earliest(self.ends(begun)),
            });
        let ends: Option<Vec<Nanos>> = ends.collect();
        ends?.into_iter().max()
    }

    /// A bound that only a recovery can meet, where the run is over too early to see one.
    fn unfinished(&self, needed: bool, from: Option<Nanos>) -> Option<Lack> {
        let (from, end) = (from?, self.end?);
        let hold = self.file.recovery.hold.0.0;
        let rest = end.0.saturating_sub(from.0);
        (needed && rest < hold.0).then(|| {
            (
                format!(
                    "the run goes on for {} after it, and a recovery must hold for {hold}",
                    Nanos(rest)
                ),
                "put `end` later, or make `hold` in [recovery] shorter",
            )
        })
    }

    /// A word that the incident cannot come to.
    fn no_word(&self, word: Word) -> Option<Lack> {
        match word {
            Word::Verdict(IncidentVerdict::Undetermined) => None,
            Word::Verdict(IncidentVerdict::NoImpact) => {
                self.no_cause().or_else(|| self.no_verdict())
            }
            Word::Verdict(verdict) => self
                .no_cause()
                .or_else(|| self.never_cleared(true))
                .or_else(|| self.no_verdict())
                .or_else(|| self.no_intervention(verdict)),
            Word::Sustaining(effect) => self.no_cause().or_else(|| self.no_effect(effect)),
        }
    }

    fn no_intervention(&self, verdict: IncidentVerdict) -> Option<Lack> {
        let any = self.entries.iter().any(|entry| entry.action.intervenes());
        (verdict == IncidentVerdict::RecoveredByIntervention && !any).then(|| {
            (
                "no entry of the timeline intervenes".into(),
                "add one with `do = \"restart\"`, \"admit\", \"monitors\" or \"retries\"",
            )
        })
    }

    fn no_effect(&self, effect: SustainingEffect) -> Option<Lack> {
        let load = self.file.load.as_ref();
        let sessions = load.is_none_or(|load| load.value.sessions.is_some());
        if effect == SustainingEffect::Reconnections && !self.file.monitor.is_empty() {
            return Some((
                "the probes of a [[monitor]] are not told from reconnections".into(),
                "take out every [[monitor]]",
            ));
        }
        if effect == SustainingEffect::Reconnections && !sessions {
            return Some((
                "no clients hold sessions".into(),
                "add a table [load.sessions]",
            ));
        }
        let none = self.file.monitor.is_empty() && self.reads_monitors;
        (effect == SustainingEffect::MonitorProbes && none)
            .then(|| ("there is no [[monitor]]".into(), "add a [[monitor]]"))
    }
}

/// The first instant of these entries; none where one of them waits for an event, or
/// where there is none.
fn earliest<'a>(entries: impl Iterator<Item = &'a Entry>) -> Option<Nanos> {
    // What is only offered comes by itself in no run.
    let entries = entries.filter(|entry| entry.when != When::Offered);
    let instants = entries.map(|entry| match entry.when {
        When::At(at) => Some(at),
        When::After { .. } | When::Offered => None,
    });
    let instants: Option<Vec<Nanos>> = instants.collect();
    instants?.into_iter().min()
}
