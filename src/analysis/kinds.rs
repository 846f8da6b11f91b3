//! Kinds of operation one by one: what each got of the service.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::findings::{Latency, Phase};
use super::observation::Observation;
use super::owners::{Marked, OverAllLatency, TimeSpent};
use super::phases::Stretch;
use super::series::{Series, bad, merge, middle, share};
use super::totals::{Totals, latency};
use crate::model::SourceName;
use crate::record::{Counters, Measure, Record};

/// A kind of operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KindFigures {
    /// Its name.
    pub kind: String,
    /// Operations scheduled.
    pub operations: u64,
    /// Operations scheduled per second.
    pub offered_per_s: f64,
    /// Operations succeeded per second, by intended start.
    pub goodput_per_s: f64,
    /// Operations that ended without success / that ended; null where none ended.
    pub error_share: Option<f64>,
    /// Response time of succeeded operations, in milliseconds.
    pub response_ms: Latency,
    /// Response time of all operations, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_all_ms: Option<OverAllLatency>,
}

/// Each kind over the whole run.
pub(super) fn kinds(
    record: &Record,
    series: &Series,
    observation: Observation,
) -> Vec<KindFigures> {
    let whole = Stretch::whole(observation);
    let names = record.header.plan.kinds.iter().enumerate();
    let figures = names.map(|(place, name)| {
        let totals = totals(record, series, &whole, place);
        let phase = of_totals(&totals, &whole);
        KindFigures {
            kind: name.clone(),
            operations: totals.operations.scheduled,
            offered_per_s: phase.offered_per_s,
            goodput_per_s: phase.goodput_per_s,
            error_share: phase.error_share,
            response_ms: phase.response_ms,
            over_all_ms: phase.over_all_ms,
        }
    });
    figures.collect()
}

/// The figures that a kind has in a stretch.
pub(super) fn phase(record: &Record, series: &Series, stretch: &Stretch, kind: usize) -> Phase {
    of_totals(&totals(record, series, stretch, kind), stretch)
}

/// What was recorded of one kind; the send lag is that of all.
fn totals(record: &Record, series: &Series, stretch: &Stretch, kind: usize) -> Totals {
    let mut totals = Totals {
        send_lag: Totals::over(stretch.buckets(series)).send_lag,
        ..Totals::default()
    };
    let source = SourceName::of_kind(kind);
    for sample in &record.samples {
        let within = (stretch.from..stretch.to).contains(&middle(&sample));
        if let Counters::Operations(counters) = &sample.counters
            && sample.source == source
            && within
        {
            totals.operations.merge(counters);
            for (measure, histogram) in &sample.histograms {
                match measure {
                    Measure::Response => merge(&mut totals.response, histogram),
                    Measure::Unserved => merge(&mut totals.unserved, histogram),
                    _ => {}
                }
            }
        }
    }
    totals
}

fn of_totals(totals: &Totals, stretch: &Stretch) -> Phase {
    let operations = &totals.operations;
    let seconds = stretch.seconds();
    Phase {
        name: stretch.name.clone(),
        from_s: stretch.from.as_secs_f64(),
        to_s: stretch.to.as_secs_f64(),
        offered_per_s: operations.scheduled as f64 / seconds,
        goodput_per_s: operations.succeeded as f64 / seconds,
        error_share: share(bad(operations), operations.ended()),
        wrongly_allowed: operations.failed_wrongly_allowed,
        response_ms: Latency {
            marked: Marked::of(totals.response.as_ref(), totals.send_lag.as_ref()),
            ..latency(totals.response.as_ref())
        },
        over_all_ms: OverAllLatency::of(totals),
        time_spent: TimeSpent::of(operations),
        ..Phase::default()
    }
}
