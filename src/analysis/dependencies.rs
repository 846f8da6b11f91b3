//! What the target waited for: exchanges with dependencies, as the proxies in front of them
//! saw them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::series::{middle, share};
use crate::model::SourceName;
use crate::record::{Counters, DependencyCounters, Record};
use crate::units::Nanos;

/// Exchanges with a dependency behind a proxy. One lasts from what the target sends until the
/// first byte of an answer comes back to it, with what faults add.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DependencyFigures {
    /// The proxy.
    #[schemars(with = "String")]
    pub source: SourceName,
    /// Exchanges that began, per second.
    pub begun_per_s: f64,
    /// Exchanges in progress on average, a time integral; null where the proxy was not read.
    pub waiting: Option<f64>,
    /// Most exchanges in progress at a time.
    pub waiting_max: u64,
    /// How long one took on average, in milliseconds, by Little's law; null where none was
    /// answered.
    pub time_ms: Option<f64>,
}

/// Of each dependency between two edges of the buckets, by the names of the proxies.
pub(super) fn between(record: &Record, from: Nanos, to: Nanos) -> Vec<DependencyFigures> {
    let mut all: BTreeMap<SourceName, DependencyCounters> = BTreeMap::new();
    for sample in &record.samples {
        if let Counters::Dependency(counters) = &sample.counters
            && (from..to).contains(&middle(&sample))
        {
            all.entry(sample.source.clone())
                .or_default()
                .merge(counters);
        }
    }
    let seconds = to.saturating_sub(from).as_secs_f64();
    let figures = all.into_iter().map(|(source, counted)| DependencyFigures {
        source,
        begun_per_s: counted.begun as f64 / seconds,
        waiting: share(counted.waiting_ns, counted.covered_ns),
        waiting_max: counted.waiting_max,
        time_ms: share(counted.waiting_ns, counted.answered).map(|nanos| nanos / 1e6),
    });
    figures.collect()
}
