//! Kinds of operation one by one, and URLs that share the load: what each got of the
//! service.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::findings::{Latency, Phase};
use super::observation::Observation;
use super::owners::{OverAllLatency, TimeSpent};
use super::phases::Stretch;
use super::series::{Series, bad, merge, middle, share};
use super::totals::{Totals, latency};
use crate::model::SourceName;
use crate::plan::Plan;
use crate::record::{Counters, Measure, Record};

/// A kind of operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KindFigures {
    /// Its name.
    pub kind: String,
    /// Its operations.
    #[serde(flatten)]
    pub figures: PartFigures,
}

/// One of several URLs that share the load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UrlFigures {
    /// The URL, without its query.
    pub url: String,
    /// Its operations.
    #[serde(flatten)]
    pub figures: PartFigures,
}

/// A part of the operations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PartFigures {
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
pub(super) fn kinds(whole: &Whole<'_>) -> Vec<KindFigures> {
    let names = whole.record.header.plan.kinds.iter().enumerate();
    let figures = names.map(|(place, name)| KindFigures {
        kind: name.clone(),
        figures: whole.part(&SourceName::of_kind(place)),
    });
    figures.collect()
}

/// Each URL over the whole run, where there are several.
pub(super) fn urls(whole: &Whole<'_>) -> Vec<UrlFigures> {
    let urls = whole.record.header.plan.urls().into_iter().enumerate();
    let figures = urls.map(|(place, url)| UrlFigures {
        url,
        figures: whole.part(&SourceName::of_url(place)),
    });
    figures.collect()
}

/// Who counts the operations of this kind, or at this URL; none where no such is counted
/// apart.
pub(super) fn source(plan: &Plan, name: &str) -> Option<SourceName> {
    let kind = plan.kinds.iter().position(|own| own == name);
    let url = || plan.urls().iter().position(|own| own == name);
    kind.map(SourceName::of_kind)
        .or_else(|| url().map(SourceName::of_url))
}

/// The whole of a run that was seen.
pub(super) struct Whole<'a> {
    pub record: &'a Record,
    pub series: &'a Series,
    pub observation: Observation,
}

impl Whole<'_> {
    fn part(&self, source: &SourceName) -> PartFigures {
        let stretch = Stretch::whole(self.observation);
        let totals = totals(self.record, self.series, &stretch, source);
        let phase = of_totals(&totals, &stretch);
        PartFigures {
            operations: totals.operations.scheduled,
            offered_per_s: phase.offered_per_s,
            goodput_per_s: phase.goodput_per_s,
            error_share: phase.error_share,
            response_ms: phase.response_ms,
            over_all_ms: phase.over_all_ms,
        }
    }
}

/// The figures that a part of the operations has in a stretch.
pub(super) fn phase(
    record: &Record,
    series: &Series,
    stretch: &Stretch,
    source: &SourceName,
) -> Phase {
    of_totals(&totals(record, series, stretch, source), stretch)
}

/// What was recorded of one part; the send lag is that of all.
fn totals(record: &Record, series: &Series, stretch: &Stretch, source: &SourceName) -> Totals {
    let mut totals = Totals {
        send_lag: Totals::over(stretch.buckets(series)).send_lag,
        ..Totals::default()
    };
    for sample in &record.samples {
        let within = (stretch.from..stretch.to).contains(&middle(&sample));
        if let Counters::Operations(counters) = &sample.counters
            && sample.source == *source
            && within
        {
            totals.operations.merge(counters);
            for (measure, histogram) in &sample.histograms {
                match measure {
                    Measure::Response => merge(&mut totals.response, histogram),
                    Measure::Unserved => merge(&mut totals.unserved, histogram),
                    Measure::Own => merge(&mut totals.own, histogram),
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
            marked: totals.marked(),
            ..latency(totals.response.as_ref())
        },
        over_all_ms: OverAllLatency::of(totals),
        time_spent: TimeSpent::of(operations),
        ..Phase::default()
    }
}
