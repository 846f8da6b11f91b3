//! When operations are due: the arrival process.
//!
//! One pure function carries every shape. A unit-rate process gives cumulated
//! counts (1, 2, 3 … for constant, a sum of Exp(1) gaps for Poisson), and the
//! inverse of the integrated rate curve maps each count to its instant. So a
//! change of rate needs no second generator, and the same seed gives the same
//! instants whatever the target does (Çinlar, *Introduction to Stochastic
//! Processes*, 1975, ch. 4: time change of a Poisson process).

use rand::distr::Distribution as _;
use rand_distr::Exp1;
use serde::{Deserialize, Serialize};

use crate::rng::StdRng;
use crate::units::{Nanos, Rate};

/// How arrivals are spread at a given rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArrivalProcess {
    /// Evenly spaced.
    Constant,
    /// Independent of each other: exponential gaps.
    Poisson,
}

impl ArrivalProcess {
    /// All processes with the names that scenario files use.
    pub const ALL: [(Self, &'static str); 2] =
        [(Self::Constant, "constant"), (Self::Poisson, "poisson")];
}

/// The intended starts of a run, in order: an iterator over instants.
#[derive(Debug)]
pub struct Arrivals {
    process: ArrivalProcess,
    /// Rate in force from each instant on, the first at zero, in order of time.
    steps: Vec<(Nanos, Rate)>,
    /// Step in which the next arrival is looked for.
    step: usize,
    /// Integral of the rate up to the start of that step.
    integral: f64,
    /// Unit-rate count that the next arrival must reach.
    count: f64,
    /// Rate at `until`, which the last step's rises or falls to in a straight line.
    ramp_to: Option<Rate>,
    until: Nanos,
    rng: StdRng,
}

impl Arrivals {
    /// Arrivals from zero to `until` (exclusive) at the rates of `steps`, each
    /// in force from its instant on. Before the first step nothing arrives.
    #[must_use]
    pub fn new(
        process: ArrivalProcess,
        steps: &[(Nanos, Rate)],
        until: Nanos,
        rng: StdRng,
    ) -> Self {
        let mut steps = steps.to_vec();
        steps.sort_by_key(|(from, _)| *from);
        Self {
            process,
            steps,
            step: 0,
            integral: 0.0,
            count: 0.0,
            ramp_to: None,
            until,
            rng,
        }
    }

    /// From the last step on, the rate goes in a straight line to this one at the end.
    #[must_use]
    pub const fn ramp_to(mut self, rate: Option<Rate>) -> Self {
        self.ramp_to = rate;
        self
    }

    /// Start, length in seconds, rate at the start and its change per second of
    /// the step in which the next arrival is looked for.
    fn segment(&self) -> Option<(Nanos, f64, f64, f64)> {
        let (from, rate) = *self.steps.get(self.step)?;
        let next = self.steps.get(self.step + 1);
        let end = next.map_or(self.until, |(end, _)| *end);
        let (length, rate) = (end.saturating_sub(from).as_secs_f64(), rate.as_per_second());
        let slope = match self.ramp_to {
            Some(to) if next.is_none() && length > 0.0 => (to.as_per_second() - rate) / length,
            _ => 0.0,
        };
        Some((from, length, rate, slope))
    }
}

/// How long it takes until the integral of a rate that changes by `slope` per
/// second reaches `area`: the root of rate·t + slope·t²/2 = area, in the form
/// that loses no digits where the slope is small.
fn time_to(area: f64, rate: f64, slope: f64) -> f64 {
    if slope == 0.0 {
        return area / rate;
    }
    2.0 * area / (rate + (rate * rate + 2.0 * slope * area).max(0.0).sqrt())
}

impl Iterator for Arrivals {
    type Item = Nanos;

    fn next(&mut self) -> Option<Nanos> {
        self.count += match self.process {
            ArrivalProcess::Constant => 1.0,
            ArrivalProcess::Poisson => Exp1.sample(&mut self.rng),
        };
        loop {
            let (from, length, rate, slope) = self.segment()?;
            let area = (rate + slope * length / 2.0) * length;
            if self.integral + area >= self.count && area > 0.0 {
                let into = time_to(self.count - self.integral, rate, slope);
                let at = from + Nanos::from_secs_f64(into);
                return Some(at).filter(|at| *at < self.until);
            }
            self.integral += area;
            self.step += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;

    fn rate(value: f64) -> Rate {
        Rate::per_second(value).unwrap()
    }

    fn arrivals(process: ArrivalProcess, steps: &[(Nanos, Rate)], secs: u64) -> Vec<Nanos> {
        let rng = rng::stream(1, "arrivals");
        Arrivals::new(process, steps, Nanos::from_secs(secs), rng).collect()
    }

    #[test]
    fn constant_arrivals_are_exact() {
        let at = arrivals(ArrivalProcess::Constant, &[(Nanos::ZERO, rate(1000.0))], 10);
        assert_eq!(at.len(), 9_999); // the 10,000th is due at the end, which is excluded
        for (index, at) in at.iter().enumerate() {
            assert_eq!(*at, Nanos::from_millis(index as u64 + 1));
        }
    }

    #[test]
    fn a_change_of_rate_takes_effect_at_its_instant() {
        let steps = [
            (Nanos::ZERO, rate(10.0)),
            (Nanos::from_secs(10), rate(0.0)),
            (Nanos::from_secs(20), rate(100.0)),
        ];
        let at = arrivals(ArrivalProcess::Constant, &steps, 30);
        let between = |from, to| {
            at.iter()
                .filter(|t| (Nanos::from_secs(from)..Nanos::from_secs(to)).contains(t))
                .count()
        };
        assert!((99..=100).contains(&between(0, 10)));
        assert!(between(10, 20) <= 1); // the hundredth falls on the edge
        assert!((999..=1000).contains(&between(20, 30)));
    }

    #[test]
    fn a_ramp_follows_its_integral() {
        let rng = rng::stream(1, "arrivals");
        let steps = [(Nanos::ZERO, rate(100.0))];
        let at: Vec<Nanos> =
            Arrivals::new(ArrivalProcess::Constant, &steps, Nanos::from_secs(10), rng)
                .ramp_to(Some(rate(300.0)))
                .collect();
        // 100 t + 10 t²: 2,000 by the end, and the last is due at the end, which is excluded.
        assert_eq!(at.len(), 1_999);
        for (index, at) in at.iter().enumerate() {
            let t = at.as_secs_f64();
            let count = 100.0 * t + 10.0 * t * t;
            assert!((count - (index + 1) as f64).abs() < 1e-6, "{count}");
        }
    }

    #[test]
    fn poisson_arrivals_on_a_ramp_pass_a_kolmogorov_smirnov_test() {
        let rng = rng::stream(1, "arrivals");
        let steps = [(Nanos::ZERO, rate(50.0))];
        let at = Arrivals::new(ArrivalProcess::Poisson, &steps, Nanos::from_secs(60), rng)
            .ramp_to(Some(rate(650.0)));
        // In the time that the integral of the rate tells, the gaps are Exp(1).
        let integral = |at: Nanos| {
            let t = at.as_secs_f64();
            50.0 * t + 5.0 * t * t
        };
        let counts: Vec<f64> = at.map(integral).collect();
        let mut gaps: Vec<f64> = counts.windows(2).map(|pair| pair[1] - pair[0]).collect();
        gaps.sort_by(f64::total_cmp);
        let n = gaps.len() as f64;
        let distances = gaps.iter().enumerate().map(|(index, gap)| {
            let (below, above) = (index as f64 / n, (index + 1) as f64 / n);
            let expected = 1.0 - (-gap).exp();
            (expected - below).abs().max((expected - above).abs())
        });
        let distance = distances.fold(0.0, f64::max);
        assert!(n > 20_000.0);
        assert!(distance < 1.63 / n.sqrt(), "D = {distance}, n = {n}");
    }

    #[test]
    fn poisson_arrivals_pass_a_kolmogorov_smirnov_test() {
        let at = arrivals(ArrivalProcess::Poisson, &[(Nanos::ZERO, rate(350.0))], 60);
        let mut gaps: Vec<f64> = at.windows(2).map(|w| (w[1] - w[0]).as_secs_f64()).collect();
        gaps.sort_by(f64::total_cmp);
        let n = gaps.len() as f64;
        let distance = gaps
            .iter()
            .enumerate()
            .map(|(i, gap)| {
                let expected = 1.0 - (-350.0 * gap).exp();
                (expected - i as f64 / n)
                    .abs()
                    .max((expected - (i + 1) as f64 / n).abs())
            })
            .fold(0.0, f64::max);
        // Critical value at the 1 % level: 1.63 / sqrt(n) (Massey, JASA 46, 1951).
        assert!(distance < 1.63 / n.sqrt(), "D = {distance}, n = {n}");
    }

    #[test]
    fn the_same_seed_gives_the_same_instants() {
        let at = arrivals(ArrivalProcess::Poisson, &[(Nanos::ZERO, rate(350.0))], 1);
        assert_eq!(
            at,
            arrivals(ArrivalProcess::Poisson, &[(Nanos::ZERO, rate(350.0))], 1)
        );
        insta::assert_debug_snapshot!(at.iter().take(5).map(|at| at.0).collect::<Vec<_>>());
    }
}
