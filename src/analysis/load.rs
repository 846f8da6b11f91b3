//! The figures of a load by itself, which is what `threadbare load` answers with.
//!
//! Nothing happens in such a run that could be recovered from: it is asked how much of
//! what was offered succeeded, how fast, and how long it took.

use super::series::{series, share};
use super::totals::Totals;
use crate::record::{AttemptCounters, GeneratorCounters, Histogram, OperationCounters, Record};
use crate::units::Nanos;

/// The percentiles of a latency, in per cent; the last is its largest value.
const PERCENTS: [f64; 8] = [50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 100.0];
/// Seconds and operations below which a rate says nothing.
const SHORTEST: f64 = 0.1;
const FEWEST: u64 = 10;
/// Share of a load's length past which its end is worth telling.
const LATE: f64 = 0.1;

/// What a load came to.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadFigures {
    /// Users' operations.
    pub operations: OperationCounters,
    /// Their attempts.
    pub attempts: AttemptCounters,
    /// The generator itself.
    pub generator: GeneratorCounters,
    /// How long it was offered, in seconds.
    pub seconds: f64,
    /// Operations succeeded / scheduled; none where none was scheduled.
    pub succeeded_share: Option<f64>,
    /// None where it was too short, or too little, to have any.
    pub rates: Option<LoadRates>,
    /// Response times of the operations that succeeded, from their intended start.
    pub response: Percentiles,
    /// Service times of the attempts that were answered, from their send.
    pub service: Percentiles,
    /// 99th percentile of the time for which no connection was free.
    pub pool_wait_p99: Option<Nanos>,
}

/// Operations per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoadRates {
    /// Offered.
    pub offered_per_s: f64,
    /// Succeeded, of the time in which they were offered.
    pub goodput_per_s: f64,
    /// Where the last operation of an open loop ended long after it was due: how many
    /// seconds after, and what succeeded per second until then.
    pub late: Option<(f64, f64)>,
}

/// How a latency is spread; none throughout where there was no value.
#[derive(Debug, Clone, PartialEq)]
pub struct Percentiles {
    /// Each percentile, in per cent, with its value; 100 is the largest value.
    pub values: [(f64, Option<Nanos>); PERCENTS.len()],
    /// The mean.
    pub mean: Option<Nanos>,
}

impl Percentiles {
    fn of(histogram: Option<&Histogram>) -> Self {
        let at = |percent| {
            let histogram = histogram?;
            if percent < 100.0 {
                histogram.quantile(percent / 100.0)
            } else {
                histogram.max()
            }
        };
        Self {
            values: PERCENTS.map(|percent| (percent, at(percent))),
            mean: histogram.and_then(Histogram::mean),
        }
    }
}

/// The figures of a record of a load alone.
#[must_use]
pub fn load_figures(record: &Record) -> LoadFigures {
    let totals = Totals::over(&series(record).buckets);
    let operations = totals.operations;
    LoadFigures {
        operations,
        attempts: totals.users,
        generator: totals.generator.counters,
        seconds: record.load_end().as_secs_f64(),
        succeeded_share: share(operations.succeeded, operations.scheduled),
        rates: rates(record, &operations),
        response: Percentiles::of(totals.response.as_ref()),
        service: Percentiles::of(totals.service.as_ref()),
        pool_wait_p99: totals.pool_wait.and_then(|wait| wait.quantile(0.99)),
    }
}

fn rates(record: &Record, operations: &OperationCounters) -> Option<LoadRates> {
    let seconds = record.load_end().as_secs_f64();
    if seconds < SHORTEST || operations.scheduled < FEWEST {
        return None;
    }
    let succeeded = operations.succeeded as f64;
    // Users of a closed loop do not go on after its end.
    let open = record.header.plan.load.drive.closed.is_none();
    let last = record.events.last().filter(|_| open);
    let after = last.map_or(0.0, |(stopped, _)| {
        stopped.saturating_sub(record.load_end()).as_secs_f64()
    });
    Some(LoadRates {
        offered_per_s: operations.scheduled as f64 / seconds,
        goodput_per_s: succeeded / seconds,
        late: (after > LATE * seconds).then(|| (after, succeeded / (seconds + after))),
    })
}
