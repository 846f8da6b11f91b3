//! When operations are due: the arrival process.
//!
//! One pure function carries every shape. A unit-rate process gives cumulated
//! counts (0.5, 1.5, 2.5 … for constant, a sum of Exp(1) gaps for Poisson), and the
//! inverse of the integrated rate curve maps each count to its instant. So a
//! change of rate needs no second generator, and the same seed gives the same
//! instants whatever the target does (Çinlar, *Introduction to Stochastic
//! Processes*, 1975, ch. 4: time change of a Poisson process).

use rand::distr::Distribution as _;
use rand_distr::Exp1;

use super::Shape;
use crate::named::named;
use crate::rng::StdRng;
use crate::units::Nanos;

named! {
    /// How arrivals are spread at a given rate.
    pub enum ArrivalProcess {
        /// Evenly spaced.
        Constant = "constant",
        /// Independent of each other: exponential gaps.
        Poisson = "poisson",
    }
}

/// The intended starts of a run, in order: an iterator over instants.
#[derive(Debug)]
pub struct Arrivals {
    process: ArrivalProcess,
    /// How the rate goes, piece by piece, in order of time.
    pieces: Vec<Piece>,
    /// Piece in which the next arrival is looked for.
    piece: usize,
    /// Integral of the rate up to the start of that piece.
    integral: f64,
    /// Unit-rate count that the next arrival must reach.
    count: f64,
    until: Nanos,
    rng: StdRng,
}

/// A shape with its place in time.
#[derive(Debug)]
struct Piece {
    shape: Shape,
    from: Nanos,
    /// Seconds until the next piece, or the end.
    length: f64,
    /// Integral of the rate over all of it.
    area: f64,
}

impl Arrivals {
    /// Arrivals from zero to `until` (exclusive) at a rate that goes as `rate`
    /// says, from each instant on to the next. Before the first nothing arrives.
    pub fn new(
        process: ArrivalProcess,
        rate: &[(Nanos, Shape)],
        until: Nanos,
        rng: StdRng,
    ) -> Self {
        let mut rate = rate.to_vec();
        rate.sort_by_key(|(from, _)| *from);
        let ends = rate.iter().skip(1).map(|(from, _)| *from).chain([until]);
        let pieces = rate.iter().zip(ends).map(|((from, shape), end)| {
            let length = end.saturating_sub(*from).as_secs_f64();
            Piece {
                shape: *shape,
                from: *from,
                length,
                area: shape.area(length, length),
            }
        });
        Self {
            process,
            pieces: pieces.collect(),
            piece: 0,
            integral: 0.0,
            count: match process {
                // Each in the middle of its gap: so what is asked for is what is due, and
                // no edge of a bucket or a step falls on one.
                ArrivalProcess::Constant => -0.5,
                ArrivalProcess::Poisson => 0.0,
            },
            until,
            rng,
        }
    }
}

impl Iterator for Arrivals {
    type Item = Nanos;

    fn next(&mut self) -> Option<Nanos> {
        self.count += match self.process {
            ArrivalProcess::Constant => 1.0,
            ArrivalProcess::Poisson => Exp1.sample(&mut self.rng),
        };
        loop {
            let piece = self.pieces.get(self.piece)?;
            if self.integral + piece.area >= self.count && piece.area > 0.0 {
                let into = piece
                    .shape
                    .time_to(self.count - self.integral, piece.length);
                let at = piece.from + Nanos::from_secs_f64(into);
                return Some(at).filter(|at| *at < self.until);
            }
            self.integral += piece.area;
            self.piece += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;
    use crate::units::Rate;

    fn rate(value: f64) -> Rate {
        Rate::per_second(value).unwrap()
    }

    fn constant(value: f64) -> Shape {
        Shape::Constant(rate(value))
    }

    /// 100.3/s ± 80.7/s, a swing every 7 s.
    fn sine() -> Shape {
        Shape::Sine {
            mean: rate(100.3),
            amplitude: rate(80.7),
            period: Nanos::from_secs(7),
        }
    }

    /// What is due within so many seconds.
    fn arrivals(process: ArrivalProcess, pieces: &[(Nanos, Shape)], secs: u64) -> Vec<Nanos> {
        let rng = rng::stream(1, "arrivals");
        Arrivals::new(process, pieces, Nanos::from_secs(secs), rng).collect()
    }

    fn at_start(shape: Shape) -> [(Nanos, Shape); 1] {
        [(Nanos::ZERO, shape)]
    }

    /// Whether arrivals are a Poisson process whose rate has this integral: in
    /// the time that the integral tells, the gaps of one are Exp(1). Tested
    /// after Kolmogorov and Smirnov with the critical value at the 1 % level,
    /// 1.63 / √n (Massey, JASA 46, 1951).
    fn is_poisson(at: &[Nanos], integral: impl Fn(f64) -> f64) -> bool {
        let counts: Vec<f64> = at.iter().map(|at| integral(at.as_secs_f64())).collect();
        let mut gaps: Vec<f64> = counts.windows(2).map(|pair| pair[1] - pair[0]).collect();
        gaps.sort_by(f64::total_cmp);
        let n = gaps.len() as f64;
        let distances = gaps.iter().enumerate().map(|(index, gap)| {
            let (below, above) = (index as f64 / n, (index + 1) as f64 / n);
            let expected = 1.0 - (-gap).exp();
            (expected - below).abs().max((expected - above).abs())
        });
        distances.fold(0.0, f64::max) < 1.63 / n.sqrt()
    }

    #[test]
    fn constant_arrivals_are_exact() {
        let at = arrivals(ArrivalProcess::Constant, &at_start(constant(1000.0)), 10);
        assert_eq!(at.len(), 10_000);
        for (index, at) in at.iter().enumerate() {
            assert_eq!(*at, Nanos::from_micros(index as u64 * 1_000 + 500));
        }
        for (per_second, secs, count) in [(20.0, 1, 20), (1.0, 1, 1), (1.5, 1, 1), (0.4, 1, 0)] {
            let at = arrivals(
                ArrivalProcess::Constant,
                &at_start(constant(per_second)),
                secs,
            );
            assert_eq!(at.len(), count, "{per_second}/s");
        }
    }

    #[test]
    fn a_change_of_rate_takes_effect_at_its_instant() {
        let pieces = [
            (Nanos::ZERO, constant(10.0)),
            (Nanos::from_secs(10), constant(0.0)),
            (Nanos::from_secs(20), constant(100.0)),
        ];
        let at = arrivals(ArrivalProcess::Constant, &pieces, 30);
        let between = |from, to| {
            at.iter()
                .filter(|t| (Nanos::from_secs(from)..Nanos::from_secs(to)).contains(t))
                .count()
        };
        assert_eq!(
            [between(0, 10), between(10, 20), between(20, 30)],
            [100, 0, 1_000]
        );
    }

    #[test]
    fn counts_follow_the_integral_of_every_shape_exactly() {
        let ramp = Shape::Ramp {
            from: rate(50.1),
            to: rate(350.7),
        };
        let swing = |t: f64| {
            let turn = std::f64::consts::TAU / 7.0;
            100.3 * t + 80.7 / turn * (1.0 - (turn * t).cos())
        };
        let shapes: [(Shape, &dyn Fn(f64) -> f64); 3] = [
            (constant(99.9), &|t| 99.9 * t),
            (ramp, &|t| 50.1 * t + (350.7 - 50.1) / 60.0 * t * t / 2.0),
            (sine(), &swing),
        ];
        for (shape, integral) in shapes {
            let at = arrivals(ArrivalProcess::Constant, &at_start(shape), 60);
            for step in 1..6_000_u64 {
                let instant = Nanos::from_millis(10 * step);
                let expected = integral(instant.as_secs_f64());
                let count = at.partition_point(|at| *at <= instant) as f64;
                // Whether one that is due at the very instant is in, rounding decides.
                let exact = (expected.fract() - 0.5).abs() > 1e-6;
                let right = (-0.5..0.5).contains(&(expected - count));
                assert!(!exact || right, "{shape:?} {instant}: {count} {expected}");
            }
        }
    }

    #[test]
    fn poisson_arrivals_pass_a_kolmogorov_smirnov_test_on_every_shape() {
        let poisson = |shape, secs| arrivals(ArrivalProcess::Poisson, &at_start(shape), secs);
        for (per_second, secs) in [(1.0, 20_000), (350.0, 60), (200_000.0, 1)] {
            let at = poisson(constant(per_second), secs);
            assert!(is_poisson(&at, |t| per_second * t), "{per_second}/s");
            // The control: at a rate that is a twentieth off it is not.
            assert!(
                !is_poisson(&at, |t| 1.05 * per_second * t),
                "{per_second}/s"
            );
        }
        let ramp = Shape::Ramp {
            from: rate(50.0),
            to: rate(650.0),
        };
        assert!(is_poisson(&poisson(ramp, 60), |t| 50.0 * t + 5.0 * t * t));
        let turn = std::f64::consts::TAU / 7.0;
        let swing = |t: f64| 100.3 * t + 80.7 / turn * (1.0 - (turn * t).cos());
        let at = poisson(sine(), 280);
        assert!(is_poisson(&at, swing));
        // The control: without the swing it is none at a rate of 100.3/s.
        assert!(!is_poisson(&at, |t| 100.3 * t));
    }

    #[test]
    fn the_same_seed_gives_the_same_instants() {
        let poisson = |shape| arrivals(ArrivalProcess::Poisson, &at_start(shape), 1);
        let at = poisson(constant(350.0));
        assert_eq!(at, poisson(constant(350.0)));
        insta::assert_debug_snapshot!(at.iter().take(5).map(|at| at.0).collect::<Vec<_>>());
        let ramp = Shape::Ramp {
            from: rate(100.0),
            to: rate(300.0),
        };
        for (name, shape) in [("ramp", ramp), ("sine", sine())] {
            for (process, spread) in ArrivalProcess::ALL {
                let at = arrivals(process, &at_start(shape), 1);
                let first: Vec<u64> = at.iter().take(5).map(|at| at.0).collect();
                insta::assert_debug_snapshot!(format!("{spread}_on_a_{name}"), first);
            }
        }
    }
}
