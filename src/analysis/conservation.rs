//! Whether the record adds up: operations, attempts and jobs (docs/TERMS.md,
//! "Conservation").
//!
//! A record that does not add up is our own bug, and its figures are worthless.
//! Only one thing may be missing without a bug: what an instance that was killed
//! had counted since it was last read. That is told as a warning.

use super::findings::Conservation;
use super::observation::completed;
use super::series::Series;
use crate::model::SourceName;
use crate::record::{
    AttemptCounters, Counters, Event, InstanceCounters, OperationCounters, Record,
};
use crate::units::{Nanos, counted};

/// Where every scheduled operation of the record went.
pub(super) fn conservation(series: &Series) -> Conservation {
    let mut total = OperationCounters::default();
    for operations in series.buckets.iter().filter_map(|bucket| bucket.operations) {
        total.merge(&operations);
    }
    Conservation {
        scheduled: total.scheduled,
        succeeded: total.succeeded,
        failed: total.failed(),
        timed_out: total.timed_out,
        missed_deadline: total.missed_deadline,
        shed: total.shed,
        shed_by_breaker: total.shed_by_breaker,
        unfinished: total.unfinished,
    }
}

/// What does not add up; none where all does, or where the record was cut off
/// and its last rows may be torn.
pub(super) fn unconserved(record: &Record, series: &Series) -> Option<String> {
    if !record.complete() {
        return None;
    }
    operations(series)
        .or_else(|| attempts(record))
        .or_else(|| jobs(record, series))
}

/// What cannot add up, since an instance was killed.
pub(super) fn warnings(record: &Record, series: &Series) -> Vec<String> {
    let open = unbalanced(record, series);
    open.iter()
        .filter(|ledger| killed(record, ledger.instance))
        .map(|ledger| {
            format!(
                "The jobs of {} do not add up, because one of its processes gave no final \
                 counters: {} were enqueued and {} are accounted for.",
                ledger.instance,
                ledger.total.enqueued,
                ledger.accounted()
            )
        })
        .collect()
}

fn operations(series: &Series) -> Option<String> {
    let operations = series.buckets.iter().filter_map(|bucket| bucket.operations);
    let broken = operations.filter(|counters| !counters.conserved()).count() as u64;
    (broken > 0).then(|| {
        format!(
            "The record does not add up, which is a bug of threadbare: in {} the operations that \
             ended and the unfinished ones are not all that were scheduled.",
            counted(broken, "bucket")
        )
    })
}

fn attempts(record: &Record) -> Option<String> {
    [SourceName::User, SourceName::Monitor]
        .into_iter()
        .find_map(|class| {
            let (totals, in_flight) = attempts_of(record, &class)?;
            let accounted = totals.ended().saturating_add(in_flight);
            (totals.started() != accounted).then(|| {
            format!(
                "The record does not add up, which is a bug of threadbare: of the class `{class}` \
                 {} attempts started and {accounted} are accounted for.",
                totals.started()
            )
        })
        })
}

/// All attempts of a class, and those in flight at its last sample.
fn attempts_of(record: &Record, class: &SourceName) -> Option<(AttemptCounters, u64)> {
    let mut totals = AttemptCounters::default();
    let mut last: Option<(Nanos, u64)> = None;
    for sample in &record.samples {
        if let Counters::Attempts(counters) = &sample.counters
            && sample.source == *class
        {
            totals.merge(counters);
            if last.is_none_or(|(to, _)| sample.to >= to) {
                last = Some((sample.to, counters.in_flight));
            }
        }
    }
    last.map(|(_, in_flight)| (totals, in_flight))
}

/// The first instance whose jobs do not add up though it was never killed.
fn jobs(record: &Record, series: &Series) -> Option<String> {
    let open = unbalanced(record, series);
    let ledger = open
        .iter()
        .find(|ledger| !killed(record, ledger.instance))?;
    Some(format!(
        "The record does not add up, which is a bug of threadbare: of the jobs of `{}` {} were \
         enqueued and {} are accounted for.",
        ledger.instance,
        ledger.total.enqueued,
        ledger.accounted()
    ))
}

/// The jobs of one instance over the whole record, all its processes together.
#[derive(Debug, Clone, Copy)]
struct Ledger<'a> {
    instance: &'a SourceName,
    total: InstanceCounters,
    /// Jobs waiting and running at the last sample.
    held: u64,
}

impl Ledger<'_> {
    /// Where the enqueued jobs went.
    fn accounted(&self) -> u64 {
        let gone = self.total.finished.saturating_add(self.total.expired);
        gone.saturating_add(self.total.lost)
            .saturating_add(self.held)
    }
}

/// The instances whose jobs do not add up. Only a run that came to its planned
/// end is asked: in another the last reading may be missing.
fn unbalanced<'a>(record: &Record, series: &'a Series) -> Vec<Ledger<'a>> {
    if !completed(record) {
        return Vec::new();
    }
    let ledgers = series
        .instances
        .iter()
        .filter_map(|name| ledger(record, name));
    ledgers
        .filter(|ledger| ledger.total.enqueued != ledger.accounted())
        .collect()
}

/// The ledger of an instance. Its last sample comes from before the fleet was
/// stopped, so what waits and runs is what did so at that reading; `lost`
/// counts what restarts took.
fn ledger<'a>(record: &Record, instance: &'a SourceName) -> Option<Ledger<'a>> {
    let mut total = InstanceCounters::default();
    let mut last: Option<(Nanos, u64)> = None;
    for sample in &record.samples {
        if let Counters::Instance(counters) = &sample.counters
            && sample.source == *instance
        {
            total.merge(counters);
            if last.is_none_or(|(to, _)| sample.to >= to) {
                let held = counters.waiting.saturating_add(counters.running);
                last = Some((sample.to, held));
            }
        }
    }
    last.map(|(_, held)| Ledger {
        instance,
        total,
        held,
    })
}

/// Whether a process of the instance ended without its final counters: it died,
/// or its stop was answered with a warning, whose first word is its name.
fn killed(record: &Record, instance: &SourceName) -> bool {
    let name = instance.to_string();
    record.events.iter().any(|(_, event)| match event {
        Event::Died { source, .. } => source == instance,
        Event::Warning { text } => text.split_whitespace().next() == Some(&name),
        _ => false,
    })
}
