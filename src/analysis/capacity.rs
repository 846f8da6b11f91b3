//! The capacity of a target that publishes nothing, inferred from its load.
//!
//! Where more is asked than a target completes, and completions no longer rise
//! though more requests are in flight, it completes what it can: its capacity is
//! the completions per second on that **plateau**. All of this is needed. In an
//! open load a target that merely became slower has more in flight at the same
//! completions, and one that froze completes nothing whatever is in flight;
//! neither shows its capacity. So a bucket counts only where more was asked than
//! was completed, what was in flight must have doubled among such buckets, and
//! no other bucket may have completed clearly more. Where any of it is missing
//! there is no figure.
//!
//! Workers follow by Little's law: capacity × the service time of a request that
//! waits for nobody. The universal scalability law is fitted as a second opinion, which
//! knows nothing of plateaus (`usl`). Uncertainty is a bootstrap over buckets: intervals
//! of 95 % by percentiles, drawn from a stream of the run's seed.

use rand::RngExt as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::expectations::decimal;
use super::findings::Findings;
use super::observation::Observation;
use super::series::{Bucket, Series};
use super::usl::{self, Usl};
use crate::record::{AttemptCounters, Record};
use crate::rng::{self, StdRng};

/// A figure that was inferred, with the 95 % interval of a bootstrap over buckets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// The interval's lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// The capacity of a target that publishes none, **inferred** from what the
/// generator saw: completions stopped rising while requests in flight grew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InferredCapacity {
    /// Completions per second on the plateau.
    pub per_s: Estimate,
    /// Workers, by Little's law: capacity × uncontended service time; null where
    /// no bucket was far enough from the capacity to tell the latter.
    pub workers: Option<Estimate>,
    /// Mean service time in milliseconds while completions were at most half of
    /// the capacity; at least what a request takes, since some waiting may be in it.
    pub service_ms: Option<f64>,
    /// Buckets on the plateau.
    pub buckets: u64,
    /// Requests in flight on the plateau: the least …
    pub in_flight_min: f64,
    /// … and the most.
    pub in_flight_max: f64,
    /// The universal scalability law, fitted to all buckets; null where it does not fit.
    pub usl: Option<Usl>,
}

impl Findings {
    /// The capacity that was inferred, or why there is none, in words.
    pub(crate) fn capacity_sentence(&self) -> Option<String> {
        if let Some(why) = &self.no_capacity {
            return Some(format!("No capacity is inferred: {why}."));
        }
        let capacity = self.inferred_capacity.as_ref()?;
        let range = |it: Estimate| {
            let (low, high) = (decimal(it.low, 1), decimal(it.high, 1));
            format!("{} ({low} to {high})", decimal(it.value, 1))
        };
        let workers = capacity.workers.map_or_else(
            || {
                "The number of workers is unknown: the target was never observed well below its \
                 capacity"
                    .into()
            },
            |workers| {
                let service = decimal(capacity.service_ms.unwrap_or(0.0), 1);
                format!(
                    "At {service} ms per request that is the work of {} workers",
                    range(workers)
                )
            },
        );
        Some(format!(
            "Inferred, not measured: the target completes {}/s and no more; while requests in \
             flight grew from {} to {}, completions did not. {workers}.",
            range(capacity.per_s),
            decimal(capacity.in_flight_min, 0),
            decimal(capacity.in_flight_max, 0)
        ))
    }
}

/// What is in flight must have grown so many times on the plateau.
const GROWTH: f64 = 2.0;
/// Its upper part: what has more in flight than the most divided by this.
const UPPER: f64 = 1.5;
/// Buckets that each part needs, so that no single one decides.
const BUCKETS_MIN: usize = 3;
/// Completions of both parts agree to within a tenth.
const FLAT: f64 = 0.1;
/// Buckets off the plateau completed at most this many times what is completed
/// on it; a quarter is what chance adds to the best of many buckets.
const OTHERS: f64 = 1.25;
/// Completions up to this share of the capacity count as uncontended.
const UNCONTENDED: f64 = 0.5;
/// Standard deviations of a count of random arrivals by which demand must exceed
/// completions.
pub(super) const DEVIATIONS: f64 = 3.0;
/// Samples of the bootstrap: its percentiles are then known to about 1 %.
const RESAMPLES: usize = 400;

/// One bucket as a point of the curve.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    /// Completions per second.
    pub rate: f64,
    /// Requests in flight, on average.
    pub in_flight: f64,
    /// Sum of the service times of what was answered, in seconds, and how many.
    pub service: (f64, f64),
    /// Whether more was asked than was completed.
    pub limited: bool,
}

/// The capacity that the generator's own series shows; where no plateau was seen, why
/// there is none.
pub(super) fn infer(
    record: &Record,
    series: &Series,
    observation: Observation,
) -> Result<InferredCapacity, &'static str> {
    let plan = &record.header.plan;
    let closed = plan.load.drive.closed.is_some();
    let buckets = series.between(observation.from, observation.to);
    let points = points(buckets, closed);
    let plateau = Plateau::find(&points)?;
    let mut draws = rng::stream(plan.seed, "capacity");
    let rates: Vec<f64> = plateau.upper.iter().map(|point| point.rate).collect();
    let per_s = mean(&rates)
        .and_then(|rate| estimate(rate, &mut draws, |draws| mean(&resampled(&rates, draws))))
        .ok_or("there are too few intervals to tell it")?;
    let calm = points.iter().filter(|point| {
        let few = point.in_flight < plateau.in_flight.0;
        few && point.rate <= UNCONTENDED * per_s.value && point.service.1 > 0.0
    });
    let calm: Vec<Point> = calm.copied().collect();
    let service = Some(&calm)
        .filter(|calm| calm.len() >= BUCKETS_MIN)
        .and_then(|calm| service(calm));
    let workers = service.and_then(|seconds| {
        estimate(seconds * per_s.value, &mut draws, |draws| {
            let seconds = self::service(&resampled(&calm, draws))?;
            Some(seconds * mean(&resampled(&rates, draws))?)
        })
    });
    Ok(InferredCapacity {
        per_s,
        workers,
        service_ms: service.map(|seconds| seconds * 1e3),
        buckets: plateau.all as u64,
        in_flight_min: plateau.in_flight.0,
        in_flight_max: plateau.in_flight.1,
        usl: usl::fitted(&points, &mut draws),
    })
}

/// Completions / inferred capacity over these buckets.
pub(super) fn saturation(capacity: &InferredCapacity, buckets: &[Bucket]) -> Option<f64> {
    let told = || buckets.iter().filter(|bucket| bucket.users.is_some());
    let completed: u64 = told()
        .filter_map(|bucket| Some(completed(&bucket.users?)))
        .sum();
    let seconds: f64 = told().map(Bucket::seconds).sum();
    let share = completed as f64 / seconds / capacity.per_s.value;
    share.is_finite().then_some(share)
}

/// Requests that the target completed; a refusal for want of capacity is none.
fn completed(users: &AttemptCounters) -> u64 {
    let refused = users.status_5xx.saturating_add(users.status_429);
    users.responses.saturating_sub(refused)
}

fn points(buckets: &[Bucket], closed: bool) -> Vec<Point> {
    let mut points = Vec::new();
    let mut before: Option<(&Bucket, u64)> = None;
    for bucket in buckets {
        let Some(users) = &bucket.users else {
            continue;
        };
        let seconds = bucket.seconds();
        // What is in flight is told at the end of each bucket.
        let begun = before.filter(|(before, _)| before.to == bucket.from);
        let begun = begun.map_or(users.in_flight, |(_, in_flight)| in_flight);
        before = Some((bucket, users.in_flight));
        let generator = bucket.generator.map(|it| it.counters);
        let asked = users.started().max(generator.map_or(0, |it| it.scheduled)) as f64;
        let completed = completed(users) as f64;
        let waiting = generator.is_some_and(|it| it.backlog_max > 0);
        let service = bucket.service.as_ref();
        let count = service.map_or(0, crate::record::Histogram::count) as f64;
        let mean = service.and_then(crate::record::Histogram::mean);
        let point = Point {
            rate: completed / seconds,
            in_flight: f64::midpoint(begun as f64, users.in_flight as f64),
            service: (mean.map_or(0.0, |mean| mean.as_secs_f64() * count), count),
            limited: closed || waiting || asked > completed + DEVIATIONS * asked.sqrt(),
        };
        if point.rate.is_finite() {
            points.push(point);
        }
    }
    points
}

/// The buckets in which more in flight brought no more completions.
struct Plateau {
    upper: Vec<Point>,
    all: usize,
    in_flight: (f64, f64),
}

impl Plateau {
    /// The widest plateau that reaches to the most in flight, or why there is none.
    fn find(points: &[Point]) -> Result<Self, &'static str> {
        let (mut limited, mut others): (Vec<Point>, Vec<Point>) =
            points.iter().partition(|point| point.limited);
        limited.sort_by(|one, other| one.in_flight.total_cmp(&other.in_flight));
        let most = limited
            .last()
            .ok_or("more was never asked than was completed: offer more")?
            .in_flight;
        let edge = limited.partition_point(|point| point.in_flight <= most / UPPER);
        let (lower, upper) = limited.split_at(edge);
        let capacity = rate(upper).filter(|capacity| *capacity > 0.0);
        let capacity = capacity.ok_or("nothing was completed while the most was in flight")?;
        // From the left, points are left out until those that remain are flat.
        let begin = (0..lower.len()).find(|begin| {
            let remaining = rate(&lower[*begin..]).unwrap_or(0.0);
            (remaining / capacity - 1.0).abs() <= FLAT
        });
        let begin = begin.ok_or("completions still changed while more was in flight")?;
        others.extend(&lower[..begin]);
        let lower = &lower[begin..];
        let least = lower.first().map_or(most, |point| point.in_flight);
        if lower.len().min(upper.len()) < BUCKETS_MIN {
            return Err("too few intervals showed the target at its limit: make the steps longer");
        }
        if least * GROWTH > most {
            return Err("requests in flight did not double while the target was at its limit");
        }
        others.sort_by(|one, other| other.rate.total_cmp(&one.rate));
        let best = rate(&others[..others.len().min(BUCKETS_MIN)]).unwrap_or(0.0);
        if best > OTHERS * capacity {
            return Err("it completed more with less in flight: it became slower under load");
        }
        Ok(Self {
            upper: upper.to_vec(),
            all: lower.len() + upper.len(),
            in_flight: (least, most),
        })
    }
}

fn rate(points: &[Point]) -> Option<f64> {
    let rates: Vec<f64> = points.iter().map(|point| point.rate).collect();
    mean(&rates)
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The mean service time of all that these buckets answered, in seconds.
fn service(points: &[Point]) -> Option<f64> {
    let (sum, count) = points.iter().fold((0.0, 0.0), |(sum, count), point| {
        (sum + point.service.0, count + point.service.1)
    });
    (count > 0.0).then(|| sum / count)
}

pub(super) fn resampled<T: Copy>(values: &[T], draws: &mut StdRng) -> Vec<T> {
    let draw = |_| values[draws.random_range(0..values.len())];
    (0..values.len()).map(draw).collect()
}

/// A value with the 95 % interval of what `again` gives for resampled buckets;
/// none where that fails for many, or the value is no number.
pub(super) fn estimate(
    value: f64,
    draws: &mut StdRng,
    mut again: impl FnMut(&mut StdRng) -> Option<f64>,
) -> Option<Estimate> {
    let mut values: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| again(draws))
        .filter(|value| value.is_finite())
        .collect();
    if values.len() < RESAMPLES / 2 || !value.is_finite() {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let cut = values.len() / 40;
    Some(Estimate {
        value,
        low: values[cut],
        high: values[values.len() - 1 - cut],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(in_flight: f64, rate: f64, limited: bool) -> Point {
        Point {
            rate,
            in_flight,
            service: (0.3 * rate, rate),
            limited,
        }
    }

    #[test]
    fn a_plateau_is_flat_wide_and_the_best_that_was_seen() {
        // Four workers of 300 ms each.
        let busy = |n: f64| n.min(4.0) / 0.3;
        let ramp: Vec<_> = (1..=40)
            .map(|n| point(f64::from(n), busy(f64::from(n)), true))
            .collect();
        let plateau = Plateau::find(&ramp).unwrap();
        assert!((rate(&plateau.upper).unwrap() - 4.0 / 0.3).abs() < 1e-9);
        assert!((plateau.in_flight.1 - 40.0).abs() < 1e-9);
        // Still rising; too narrow; nothing asked for more; something was better.
        assert!(Plateau::find(&ramp[..4]).is_err());
        assert!(Plateau::find(&ramp[30..]).is_err());
        let unasked: Vec<_> = ramp
            .iter()
            .map(|it| Point {
                limited: false,
                ..*it
            })
            .collect();
        assert!(Plateau::find(&unasked).is_err());
        let mut better = ramp.clone();
        better.extend([point(2.0, 50.0, false); 3]);
        assert!(Plateau::find(&better).is_err());
        assert!(Plateau::find(&[]).is_err());
    }
}
