//! How a rate goes over time: the shape of a piece, its area and the way back.
//!
//! The area under a rate is a count of operations, so a shape has to tell two
//! things only: how many operations are due within a time, and within what
//! time so many are due. [`super::Arrivals`] strings pieces together.

use std::f64::consts::PI;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::units::{Nanos, Rate};

/// How a rate goes from an instant on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Shape {
    /// The same all along.
    Constant(Rate),
    /// In a straight line.
    Ramp {
        /// At the beginning.
        from: Rate,
        /// At the end, which is where the next piece begins.
        to: Rate,
    },
    /// mean + amplitude · sin(2π · t / period), with t from the beginning.
    Sine {
        /// Around which it swings.
        mean: Rate,
        /// How far; no rate is negative, so more than the mean counts as the mean.
        amplitude: Rate,
        /// The length of one period.
        period: Nanos,
    },
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(rate) => write!(f, "{rate}"),
            Self::Ramp { from, to } => write!(f, "{from} to {to}"),
            Self::Sine {
                mean,
                amplitude,
                period,
            } => write!(f, "{mean} ± {amplitude} every {period}"),
        }
    }
}

impl Shape {
    /// The highest rate that it reaches, per second.
    pub const fn highest(self) -> f64 {
        match self {
            Self::Constant(rate) => rate.as_per_second(),
            Self::Ramp { from, to } => from.as_per_second().max(to.as_per_second()),
            Self::Sine {
                mean, amplitude, ..
            } => mean.as_per_second() + amplitude.as_per_second(),
        }
    }

    /// Operations that are due within the first `t` seconds of a piece that is
    /// `length` seconds long.
    pub fn area(self, t: f64, length: f64) -> f64 {
        match self {
            Self::Constant(rate) => rate.as_per_second() * t,
            Self::Ramp { from, to } => {
                let from = from.as_per_second();
                (from + slope(from, to, length) * t / 2.0) * t
            }
            Self::Sine {
                mean,
                amplitude,
                period,
            } => Swing::new(mean, amplitude, period).area(t),
        }
    }

    /// Seconds until so many operations are due; `area` lies within the piece's.
    ///
    /// Off by less than a nanosecond in a piece of a day, as long as the rate
    /// there is 1/s or more; where a sine touches zero the time is ill-defined,
    /// and the area is met to 15 digits instead.
    pub(crate) fn time_to(self, area: f64, length: f64) -> f64 {
        match self {
            Self::Constant(rate) => area / rate.as_per_second(),
            Self::Ramp { from, to } => {
                let from = from.as_per_second();
                // The root of from·t + slope·t²/2 = area, in the form that
                // loses no digits where the slope is small.
                let square = from * from + 2.0 * slope(from, to, length) * area;
                2.0 * area / (from + square.max(0.0).sqrt())
            }
            Self::Sine {
                mean,
                amplitude,
                period,
            } => Swing::new(mean, amplitude, period).time_to(area),
        }
    }
}

/// Change of the rate per second.
fn slope(from: f64, to: Rate, length: f64) -> f64 {
    if length > 0.0 {
        (to.as_per_second() - from) / length
    } else {
        0.0
    }
}

/// A sine in plain numbers.
struct Swing {
    mean: f64,
    amplitude: f64,
    period: f64,
}

impl Swing {
    fn new(mean: Rate, amplitude: Rate, period: Nanos) -> Self {
        Self {
            mean: mean.as_per_second(),
            amplitude: amplitude.as_per_second().min(mean.as_per_second()),
            // No period is no swing; a nanosecond keeps the division finite.
            period: period.max(Nanos(1)).as_secs_f64(),
        }
    }

    /// The integral up to `t`, and the rate there.
    fn at(&self, t: f64) -> (f64, f64) {
        // 1 − cos x = 2 sin² (x/2) keeps its digits where x is small.
        let (sin, cos) = (PI * t / self.period).sin_cos();
        let area = self.mean * t + self.amplitude * self.period / PI * sin * sin;
        (area, self.mean + 2.0 * self.amplitude * sin * cos)
    }

    fn area(&self, t: f64) -> f64 {
        let periods = (t / self.period).floor();
        let whole = periods * self.period;
        self.mean * whole + self.at(t - whole).0
    }

    /// Newton's method within bounds that always hold the root: the swing adds
    /// between nothing and amplitude · period / π to mean · t.
    fn time_to(&self, area: f64) -> f64 {
        let each = self.mean * self.period;
        let periods = (area / each).floor();
        let rest = area - periods * each;
        let mut high = rest / self.mean;
        let mut low = ((rest - self.amplitude * self.period / PI) / self.mean).max(0.0);
        let mut t = f64::midpoint(low, high);
        // Halving alone would need 55 steps for a day's period; Newton needs about four.
        for _ in 0..64 {
            let (reached, rate) = self.at(t);
            if reached > rest {
                high = t;
            } else {
                low = t;
            }
            let newton = t - (reached - rest) / rate;
            let next = if (low..=high).contains(&newton) {
                newton
            } else {
                f64::midpoint(low, high)
            };
            let moved = (next - t).abs();
            t = next;
            if moved < 1e-11 {
                break;
            }
        }
        periods * self.period + t
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(value: f64) -> Rate {
        Rate::per_second(value).unwrap()
    }

    fn shapes() -> impl Strategy<Value = Shape> {
        let any_rate = || (1.0..100_000.0).prop_map(rate);
        prop_oneof![
            any_rate().prop_map(Shape::Constant),
            (any_rate(), any_rate()).prop_map(|(from, to)| Shape::Ramp { from, to }),
            (any_rate(), 0.0..1.0, 1u64..100_000_000).prop_map(|(mean, share, micros)| {
                let amplitude = rate((mean.as_per_second() - 1.0) * share);
                let period = Nanos::from_micros(micros);
                Shape::Sine {
                    mean,
                    amplitude,
                    period,
                }
            }),
        ]
    }

    proptest! {
        /// There and back is less than a nanosecond off where the rate is 1/s or more.
        #[test]
        fn the_time_of_an_area_is_its_inverse(shape in shapes(), length in 0.001..10_000.0, part in 0.0..1.0) {
            let t = length * part;
            let found = shape.time_to(shape.area(t, length), length);
            prop_assert!((found - t).abs() < 1e-9, "{found} {t}");
        }
    }

    #[test]
    fn a_sine_that_touches_zero_stays_in_order() {
        let shape = Shape::Sine {
            mean: rate(100.0),
            amplitude: rate(500.0), // counts as 100
            period: Nanos::from_secs(2),
        };
        assert!((shape.area(10.0, 10.0) - 1000.0).abs() < 1e-9);
        let times: Vec<f64> = (0..=1000)
            .map(|n| shape.time_to(f64::from(n), 10.0))
            .collect();
        assert!(times.is_sorted());
        for (count, time) in times.iter().enumerate() {
            assert!(
                (shape.area(*time, 10.0) - count as f64).abs() < 1e-9,
                "{count}"
            );
        }
    }
}
