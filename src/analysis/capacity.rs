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
//! waits for nobody. The universal scalability law (Gunther, "Guerrilla Capacity
//! Planning", chapter 4) is fitted to all buckets as a second opinion, which
//! knows nothing of plateaus. Uncertainty is a bootstrap over buckets: intervals
//! of 95 % by percentiles, drawn from a stream of the run's seed.

use rand::RngExt as _;

use super::findings::{Estimate, InferredCapacity, Usl};
use super::observation::Observation;
use super::series::{Bucket, Series};
use crate::record::{AttemptCounters, Record};
use crate::rng::{self, StdRng};

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
const DEVIATIONS: f64 = 3.0;
/// Samples of the bootstrap: its percentiles are then known to about 1 %.
const RESAMPLES: usize = 400;

/// One bucket as a point of the curve.
#[derive(Debug, Clone, Copy)]
struct Point {
    /// Completions per second.
    rate: f64,
    /// Requests in flight, on average.
    in_flight: f64,
    /// Sum of the service times of what was answered, in seconds, and how many.
    service: (f64, f64),
    /// Whether more was asked than was completed.
    limited: bool,
}

/// The capacity that the generator's own series shows; none for the embedded
/// fleet, which is measured, and where no plateau was seen.
pub(super) fn infer(
    record: &Record,
    series: &Series,
    observation: Observation,
) -> Option<InferredCapacity> {
    if !series.instances.is_empty() {
        return None;
    }
    let plan = &record.header.plan;
    let closed = plan.load.drive.closed.is_some();
    let buckets = series.between(observation.from, observation.to);
    let points = points(buckets, closed);
    let plateau = Plateau::find(&points)?;
    let mut draws = rng::stream(plan.seed, "capacity");
    let rates: Vec<f64> = plateau.upper.iter().map(|point| point.rate).collect();
    let per_s = estimate(mean(&rates)?, &mut draws, |draws| {
        mean(&resampled(&rates, draws))
    })?;
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
    Some(InferredCapacity {
        per_s,
        workers,
        service_ms: service.map(|seconds| seconds * 1e3),
        buckets: plateau.all as u64,
        in_flight_min: plateau.in_flight.0,
        in_flight_max: plateau.in_flight.1,
        usl: usl(&points, &mut draws),
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
    /// The widest plateau that reaches to the most in flight.
    fn find(points: &[Point]) -> Option<Self> {
        let (mut limited, mut others): (Vec<Point>, Vec<Point>) =
            points.iter().partition(|point| point.limited);
        limited.sort_by(|one, other| one.in_flight.total_cmp(&other.in_flight));
        let most = limited.last()?.in_flight;
        let edge = limited.partition_point(|point| point.in_flight <= most / UPPER);
        let (lower, upper) = limited.split_at(edge);
        let capacity = rate(upper)?;
        // From the left, points are left out until those that remain are flat.
        let begin = (0..lower.len()).find(|begin| {
            let remaining = rate(&lower[*begin..]).unwrap_or(0.0);
            (remaining / capacity - 1.0).abs() <= FLAT
        })?;
        others.extend(&lower[..begin]);
        let lower = &lower[begin..];
        let least = lower.first()?.in_flight;
        let enough = lower.len().min(upper.len()) >= BUCKETS_MIN;
        others.sort_by(|one, other| other.rate.total_cmp(&one.rate));
        let best = rate(&others[..others.len().min(BUCKETS_MIN)]).unwrap_or(0.0);
        let grown = least * GROWTH <= most;
        (enough && grown && best <= OTHERS * capacity && capacity > 0.0).then(|| Self {
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

fn resampled<T: Copy>(values: &[T], draws: &mut StdRng) -> Vec<T> {
    let draw = |_| values[draws.random_range(0..values.len())];
    (0..values.len()).map(draw).collect()
}

/// A value with the 95 % interval of what `again` gives for resampled buckets;
/// none where that fails for many, or the value is no number.
fn estimate(
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

/// The law fitted to all buckets in which something was in flight and completed.
fn usl(points: &[Point], draws: &mut StdRng) -> Option<Usl> {
    let points: Vec<Point> = points
        .iter()
        .filter(|point| point.rate > 0.0 && point.in_flight > 0.0)
        .copied()
        .collect();
    let law = Law::fit(&points)?;
    let per_s = estimate(law.most()?, draws, |draws| {
        Law::fit(&resampled(&points, draws))?.most()
    })?;
    Some(Usl {
        lambda: law.lambda,
        sigma: law.sigma,
        kappa: law.kappa,
        peak_in_flight: law.peak(),
        per_s,
    })
}

#[derive(Debug, Clone, Copy)]
struct Law {
    lambda: f64,
    sigma: f64,
    kappa: f64,
}

impl Law {
    /// The least squares of relative errors: N/X = a + b(N−1) + cN(N−1), where
    /// a = 1/λ, b = σ/λ and c = κ/λ, none of them negative. What would be
    /// negative is left out, and the best of what remains is taken.
    fn fit(points: &[Point]) -> Option<Self> {
        let rows: Vec<[f64; 3]> = points
            .iter()
            .map(|point| {
                let (n, x) = (point.in_flight, point.rate);
                [x / n, (n - 1.0) * x / n, (n - 1.0) * x]
            })
            .collect();
        [[true, true], [true, false], [false, true]]
            .into_iter()
            .filter_map(|[sigma, kappa]| solve(&rows, [true, sigma, kappa]))
            .filter(|(found, _)| found[0] > 0.0 && found[1] >= 0.0 && found[2] >= 0.0)
            .min_by(|one, other| one.1.total_cmp(&other.1))
            .map(|([a, b, c], _)| Self {
                lambda: 1.0 / a,
                sigma: b / a,
                kappa: c / a,
            })
    }

    /// Requests in flight at the peak.
    fn peak(self) -> Option<f64> {
        (self.kappa > 0.0 && self.sigma < 1.0).then(|| ((1.0 - self.sigma) / self.kappa).sqrt())
    }

    /// Completions per second at the peak, or in the limit where there is none;
    /// none where they rise for ever.
    fn most(self) -> Option<f64> {
        let Some(n) = self.peak() else {
            return (self.sigma > 0.0).then(|| self.lambda / self.sigma);
        };
        let n = n.max(1.0);
        let slowed = 1.0 + self.sigma * (n - 1.0) + self.kappa * n * (n - 1.0);
        Some(self.lambda * n / slowed)
    }
}

/// The least squares of `rows · x = 1` over the columns that are used, with the
/// sum of squared errors; none where the rows do not determine it.
fn solve(rows: &[[f64; 3]], used: [bool; 3]) -> Option<([f64; 3], f64)> {
    // Columns of like size keep the elimination exact enough.
    let mut size = [0.0_f64; 3];
    for row in rows {
        for (size, value) in size.iter_mut().zip(row) {
            *size = size.max(value.abs());
        }
    }
    let mut system = [[0.0_f64; 4]; 3];
    for row in rows {
        let mut scaled = [0.0; 3];
        for column in (0..3).filter(|column| used[*column] && size[*column] > 0.0) {
            scaled[column] = row[column] / size[column];
        }
        for (equation, by) in system.iter_mut().zip(scaled) {
            for (sum, value) in equation
                .iter_mut()
                .zip([scaled[0], scaled[1], scaled[2], 1.0])
            {
                *sum += by * value;
            }
        }
    }
    for (column, equation) in system.iter_mut().enumerate() {
        if !used[column] {
            *equation = [0.0; 4];
            equation[column] = 1.0;
        }
    }
    let mut found = eliminate(system, rows.len() as f64)?;
    for (value, size) in found.iter_mut().zip(size) {
        *value = if size > 0.0 { *value / size } else { 0.0 };
    }
    let error = |row: &[f64; 3]| {
        let told: f64 = row.iter().zip(found).map(|(value, by)| value * by).sum();
        (told - 1.0).powi(2)
    };
    Some((found, rows.iter().map(error).sum()))
}

/// Gauss's elimination with pivots; none where a pivot is as good as zero.
fn eliminate(mut system: [[f64; 4]; 3], size: f64) -> Option<[f64; 3]> {
    for step in 0..3 {
        let pivot = (step..3).max_by(|one, other| {
            system[*one][step]
                .abs()
                .total_cmp(&system[*other][step].abs())
        })?;
        system.swap(step, pivot);
        // Sums of squares of values up to one, over so many rows.
        if system[step][step].abs() < 1e-12 * size.max(1.0) {
            return None;
        }
        let row = system[step];
        for other in (0..3).filter(|other| *other != step) {
            let factor = system[other][step] / row[step];
            for (value, by) in system[other].iter_mut().zip(row) {
                *value -= factor * by;
            }
        }
    }
    Some([0, 1, 2].map(|step| system[step][3] / system[step][step]))
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
    fn a_law_that_made_the_points_is_found_again() {
        for (lambda, sigma, kappa) in [(40.0, 0.05, 0.001), (3.0, 0.2, 0.0), (900.0, 0.0, 0.000_1)]
        {
            let points: Vec<_> = (1..40)
                .map(|n| {
                    let n = f64::from(n);
                    let slowed = 1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0);
                    point(n, lambda * n / slowed, true)
                })
                .collect();
            let law = Law::fit(&points).unwrap();
            assert!((law.lambda / lambda - 1.0).abs() < 1e-6, "{law:?}");
            assert!((law.sigma - sigma).abs() < 1e-6, "{law:?}");
            assert!((law.kappa - kappa).abs() < 1e-8, "{law:?}");
        }
        // A target that is never slowed down has no capacity that this could tell.
        let linear: Vec<_> = (1..40)
            .map(|n| point(f64::from(n), f64::from(n), true))
            .collect();
        let most = Law::fit(&linear).and_then(Law::most);
        assert!(most.is_none_or(|most| most > 1e6), "{most:?}");
        assert!(Law::fit(&[]).is_none());
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
        assert!(Plateau::find(&ramp[..4]).is_none());
        assert!(Plateau::find(&ramp[30..]).is_none());
        let unasked: Vec<_> = ramp
            .iter()
            .map(|it| Point {
                limited: false,
                ..*it
            })
            .collect();
        assert!(Plateau::find(&unasked).is_none());
        let mut better = ramp.clone();
        better.extend([point(2.0, 50.0, false); 3]);
        assert!(Plateau::find(&better).is_none());
        assert!(Plateau::find(&[]).is_none());
    }
}
