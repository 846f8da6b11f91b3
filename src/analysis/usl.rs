//! The universal scalability law (Gunther, "Guerrilla Capacity Planning",
//! chapter 4), fitted to what a target completed at so many requests in flight.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::capacity::{Estimate, Point, estimate, resampled};
use crate::rng::StdRng;

/// X(N) = λN / (1 + σ(N−1) + κN(N−1)).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Usl {
    /// λ: completions per second of one request at a time.
    pub lambda: f64,
    /// σ: contention.
    pub sigma: f64,
    /// κ: coherency; zero where more in flight never slows the target down.
    pub kappa: f64,
    /// Requests in flight at the peak; null where there is none (κ is zero).
    pub peak_in_flight: Option<f64>,
    /// Completions per second at the peak, or else in the limit.
    pub per_s: Estimate,
}

/// The law fitted to all buckets in which something was in flight and completed.
pub(super) fn fitted(points: &[Point], draws: &mut StdRng) -> Option<Usl> {
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
}
