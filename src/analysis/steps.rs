//! A load that goes up or down in steps, or along a ramp: a row for each step.
//!
//! Over such a load as a whole no rate and no percentile means much: what matters is how
//! they changed. Operations lie on the axis of their intended start, completions on that
//! of the instant: what was offered in a step that a target cannot keep up with is
//! completed in later ones.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::capacity::{self, DEVIATIONS, InferredCapacity};
use super::findings::Latency;
use super::series::{Bucket, Series};
use super::totals::{Totals, told_latency};
use super::validity::{DELAYED_MOST, GENERATOR_BUSY_MOST, MACHINE_BUSY_MOST};
use crate::model::Shape;
use crate::record::Record;
use crate::units::Nanos;

/// Parts that a ramp or a sine is shown in at most …
const PARTS_MAX: u64 = 10;
/// … each of so many buckets at least.
const PART_BUCKETS_MIN: u64 = 2;

/// A part of the load with one rate, or a part of a ramp.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadStep {
    /// Its start, on an edge of the buckets.
    pub from_s: f64,
    /// Its end, likewise.
    pub to_s: f64,
    /// The rate that was asked for, in words: `50/s`, `50/s to 85/s`.
    pub rate: String,
    /// Operations scheduled per second.
    pub offered_per_s: f64,
    /// Answers that came per second, successful or not, whenever their operations were
    /// scheduled.
    pub completed_per_s: f64,
    /// Operations scheduled in it that succeeded / scheduled in it.
    pub succeeded_share: Option<f64>,
    /// Response times of those.
    pub response_ms: Latency,
    /// Attempts in flight at its end.
    pub in_flight: u64,
    /// Busy worker-time / worker-time, or completions / inferred capacity; null where
    /// neither is known.
    pub saturation: Option<f64>,
    /// What kept more from being completed.
    pub limiter: StepLimiter,
}

/// What kept more from being completed in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepLimiter {
    /// Nothing: what was asked for was completed.
    Nothing,
    /// The target, or the number of connections.
    Target,
    /// The generator's threads.
    Generator,
    /// The machine: no processor was free.
    Machine,
}

/// A part of the plan's rate.
struct Part {
    from: Nanos,
    to: Nanos,
    rate: String,
}

/// The steps of a load; none where its rate never changes.
pub(super) fn steps(
    record: &Record,
    series: &Series,
    capacity: Option<&InferredCapacity>,
) -> Vec<LoadStep> {
    let parts = parts(record, series.interval);
    if parts.len() < 2 {
        return Vec::new();
    }
    let steps = parts.into_iter().map(|part| {
        let buckets = series.between(part.from, part.to);
        step(part, buckets, capacity)
    });
    steps.collect()
}

fn parts(record: &Record, interval: Nanos) -> Vec<Part> {
    let load = &record.header.plan.load;
    if load.drive.closed.is_some() || load.replay.is_some() {
        return Vec::new();
    }
    let end = record.load_end();
    let ends = load.rate.iter().skip(1).map(|(at, _)| (*at).min(end));
    let pieces = load.rate.iter().zip(ends.chain([end]));
    let parts = pieces.flat_map(|((from, shape), to)| pieces_of(*from, to, *shape, interval));
    parts.filter(|part| part.from < part.to).collect()
}

/// A piece of the plan's rate in as many parts as it needs.
fn pieces_of(from: Nanos, to: Nanos, shape: Shape, interval: Nanos) -> Vec<Part> {
    let length = to.saturating_sub(from);
    let buckets = length.0 / interval.0.max(1);
    let parts = match shape {
        Shape::Constant(_) => 1,
        _ => (buckets / PART_BUCKETS_MIN).clamp(1, PARTS_MAX),
    };
    let at = |part: u64| Nanos(from.0 + length.0 / parts * part);
    let part = |place| Part {
        from: nearest_edge(at(place), interval),
        to: nearest_edge(at(place + 1), interval),
        rate: asked(
            shape,
            place as f64 / parts as f64,
            (place + 1) as f64 / parts as f64,
        ),
    };
    (0..parts).map(part).collect()
}

/// The rate between two shares of a piece, in words.
fn asked(shape: Shape, begin: f64, end: f64) -> String {
    let Shape::Ramp { from, to } = shape else {
        return shape.to_string();
    };
    let (from, to) = (from.as_per_second(), to.as_per_second());
    let at = |share: f64| (from + (to - from) * share).round();
    format!("{}/s to {}/s", at(begin), at(end))
}

fn nearest_edge(at: Nanos, interval: Nanos) -> Nanos {
    let interval = interval.0.max(1);
    Nanos((at.0 + interval / 2) / interval * interval)
}

fn step(part: Part, buckets: &[Bucket], capacity: Option<&InferredCapacity>) -> LoadStep {
    let totals = Totals::over(buckets);
    let seconds = part.to.saturating_sub(part.from).as_secs_f64();
    let workers = totals.fleet.saturation();
    let inferred = || capacity.and_then(|capacity| capacity::saturation(capacity, buckets));
    LoadStep {
        from_s: part.from.as_secs_f64(),
        to_s: part.to.as_secs_f64(),
        rate: part.rate,
        offered_per_s: totals.operations.scheduled as f64 / seconds,
        completed_per_s: totals.users.responses as f64 / seconds,
        succeeded_share: totals.succeeded_share(),
        response_ms: Latency {
            marked: totals.marked(),
            ..told_latency(totals.response.as_ref())
        },
        in_flight: buckets
            .iter()
            .rev()
            .find_map(|bucket| bucket.users)
            .map_or(0, |users| users.in_flight),
        saturation: workers.or_else(inferred),
        limiter: limiter(&totals),
    }
}

fn limiter(totals: &Totals) -> StepLimiter {
    let above = |share: Option<f64>, most| share.is_some_and(|share| share > most);
    let asked = totals.users.started().max(totals.operations.scheduled) as f64;
    let behind = asked - totals.users.responses as f64;
    if behind <= DEVIATIONS * asked.sqrt() {
        StepLimiter::Nothing
    } else if above(totals.generator_busy(), GENERATOR_BUSY_MOST) {
        StepLimiter::Generator
    } else if above(totals.machine_busy(), MACHINE_BUSY_MOST)
        || above(totals.generator_delayed(), DELAYED_MOST)
    {
        StepLimiter::Machine
    } else {
        StepLimiter::Target
    }
}
