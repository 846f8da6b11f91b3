//! The run in phases: one for each stretch between two actions or surges.
//!
//! A phase begins where an action *did* begin, not where the plan wanted it,
//! since entries may wait for events; a change of the load is where it is planned. Its edges lie on edges of the buckets, so
//! that its figures are sums of buckets. The bucket in which an action falls
//! belongs to the earlier phase, with two exceptions: an action in the first
//! tenth of a bucket takes the whole bucket (a conductor acts some milliseconds
//! after the instant it was told), and the first action always does, because a
//! baseline that holds the first failures of the incident is none.

use super::findings::{Latency, Phase};
use super::journal::Taken;
use super::observation::Observation;
use super::observed;
use super::owners::{OverAllLatency, TimeSpent};
use super::series::{Bucket, Series, bad, share};
use super::totals::{Totals, latency};
use super::{amplification, dependencies, failures, probes, slowest, wire};
use crate::plan::{BASELINE, SurgeChange};
use crate::record::{AttemptCounters, Record};
use crate::units::Nanos;

/// An action this share of a bucket behind its edge counts as on the edge.
const PUNCTUAL_DIVISOR: u64 = 10;
/// The name of all phases together.
const WHOLE_RUN: &str = "whole run";

/// Where a phase begins, and its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut<'a> {
    pub at: Nanos,
    pub phase: &'a str,
}

/// Where actions began, surges did, and surges were over, in the order of time.
/// Of what is together an action comes last, and so names the phase.
pub(super) fn cuts<'a>(taken: &[Taken<'a>], surges: &'a [SurgeChange]) -> Vec<Cut<'a>> {
    let of_load = surges.iter().map(|change| Cut {
        at: change.at,
        phase: &change.phase,
    });
    let of_actions = taken.iter().map(|taken| Cut {
        at: taken.at,
        phase: taken.phase,
    });
    let mut cuts: Vec<Cut<'a>> = of_load.chain(of_actions).collect();
    cuts.sort_by_key(|cut| cut.at);
    cuts
}

/// A phase's name and extent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stretch {
    pub name: String,
    pub from: Nanos,
    pub to: Nanos,
}

impl Stretch {
    /// All that is judged of a run.
    pub(super) fn whole(observation: Observation) -> Self {
        Self {
            name: String::new(),
            from: observation.from,
            to: observation.to,
        }
    }

    /// Its length, in seconds.
    pub(super) fn seconds(&self) -> f64 {
        self.to.saturating_sub(self.from).as_secs_f64()
    }

    /// Its buckets.
    pub(super) fn buckets<'a>(&self, series: &'a Series) -> &'a [Bucket] {
        series.between(self.from, self.to)
    }
}

/// Divides the observed part of the run.
pub(super) fn stretches(
    series: &Series,
    cuts: &[Cut<'_>],
    observation: Observation,
) -> Vec<Stretch> {
    let mut begins: Vec<(Nanos, &str)> = vec![(observation.from, BASELINE)];
    let mut last_bucket = None;
    for cut in cuts {
        let bucket = series.edge_before(cut.at);
        let from = match last_bucket {
            None => bucket,
            Some(last) if last == bucket => begins.last().map_or(bucket, |(from, _)| *from),
            Some(_) if cut.at.saturating_sub(bucket).0 <= punctual(series) => bucket,
            Some(_) => series.edge_after(cut.at),
        };
        last_bucket = Some(bucket);
        match begins.last_mut() {
            Some((last, name)) if from <= *last => *name = cut.phase,
            _ => begins.push((from, cut.phase)),
        }
    }
    let ends = begins.iter().skip(1).map(|(from, _)| *from);
    let ends: Vec<Nanos> = ends.chain([observation.to]).collect();
    begins
        .iter()
        .zip(ends)
        .map(|((from, name), to)| Stretch {
            name: (*name).to_owned(),
            from: *from,
            to: to.min(observation.to),
        })
        .filter(|stretch| stretch.from < stretch.to)
        .collect()
}

pub(super) fn punctual(series: &Series) -> u64 {
    series.interval.0 / PUNCTUAL_DIVISOR
}

/// All of them as one; none where there are not several.
pub(super) fn whole(stretches: &[Stretch]) -> Option<Stretch> {
    let (first, last) = (stretches.first()?, stretches.last()?);
    (stretches.len() > 1).then(|| Stretch {
        name: WHOLE_RUN.to_owned(),
        from: first.from,
        to: last.to,
    })
}

/// The figures of a phase.
pub(super) fn phase(record: &Record, series: &Series, stretch: &Stretch) -> Phase {
    let totals = Totals::over(stretch.buckets(series));
    let seconds = stretch.seconds();
    let operations = &totals.operations;
    let fleet = &totals.fleet.counters;
    let times = wire::times(record, stretch.from, stretch.to);
    Phase {
        name: stretch.name.clone(),
        from_s: stretch.from.as_secs_f64(),
        to_s: stretch.to.as_secs_f64(),
        offered_per_s: operations.scheduled as f64 / seconds,
        goodput_per_s: operations.succeeded as f64 / seconds,
        completed_per_s: completed(&totals.users).map(|count| count as f64 / seconds),
        error_share: share(bad(operations), operations.ended()),
        wrongly_allowed: operations.failed_wrongly_allowed,
        attempts_per_operation: amplification::attempts_per_operation(&totals),
        probes_per_operation: amplification::probes_per_operation(&totals),
        saturation: totals.fleet.saturation(),
        zombie_share: totals.busy_share(fleet.busy_zombie_ns),
        detached_share: totals.busy_share(fleet.busy_detached_ns),
        cold_share: totals.busy_share(fleet.busy_cold_ns),
        queue_depth: totals.queue_depth(),
        queue_wait_ms: latency(totals.queue_wait.as_ref()),
        response_ms: Latency {
            marked: totals.marked(),
            ..latency(totals.response.as_ref())
        },
        over_all_ms: OverAllLatency::of(&totals),
        time_spent: TimeSpent::of(operations),
        service_ms: latency(totals.service.as_ref()),
        connect_ms: times.connect,
        tls_ms: times.tls,
        first_byte_ms: times.first_byte,
        machine_busy: totals.machine_busy(),
        failures: failures::between(record, stretch.from, stretch.to),
        gauges: observed::gauges(series, stretch.buckets(series)),
        processes: observed::processes(series, stretch.buckets(series)),
        dependencies: dependencies::between(record, stretch.from, stretch.to),
        probes: probes::between(record, stretch.from, stretch.to),
        saturation_inferred: None,
        slowest: slowest::between(record, stretch.from, stretch.to),
    }
}

/// Operations that ended with success, by instant; none where nothing ended: older records
/// do not tell.
pub(super) fn completed(users: &AttemptCounters) -> Option<u64> {
    (users.ended_well > 0 || users.ended_badly > 0).then_some(users.ended_well)
}
