//! Distributions of durations, written as text in scenario files.

use std::fmt;
use std::str::FromStr;

use rand::distr::Distribution as _;
use rand::{Rng, RngExt as _};
use rand_distr::{Exp1, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::units::{Nanos, UnitError};

/// A distribution of durations.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Always the same.
    Constant(Nanos),
    /// Evenly between two bounds.
    Uniform {
        /// The lower bound.
        from: Nanos,
        /// The upper bound.
        to: Nanos,
    },
    /// Exponential with this mean: the memoryless service time of M/M/c.
    Exponential {
        /// The mean.
        mean: Nanos,
    },
    /// Log-normal: what measured service latencies usually resemble.
    Lognormal {
        /// The median, e^μ.
        median: Nanos,
        /// The standard deviation of the logarithm, σ.
        sigma: f64,
    },
}

impl Distribution {
    /// One duration drawn from it.
    pub fn sample(&self, rng: &mut impl Rng) -> Nanos {
        match *self {
            Self::Constant(value) => value,
            Self::Uniform { from, to } => {
                let share: f64 = rng.random();
                from + Nanos::from_secs_f64((to - from).as_secs_f64() * share)
            }
            Self::Exponential { mean } => {
                let unit: f64 = Exp1.sample(rng);
                Nanos::from_secs_f64(mean.as_secs_f64() * unit)
            }
            Self::Lognormal { median, sigma } => {
                let normal: f64 = StandardNormal.sample(rng);
                Nanos::from_secs_f64(median.as_secs_f64() * (sigma * normal).exp())
            }
        }
    }

    /// The mean.
    pub fn mean(&self) -> Nanos {
        match *self {
            Self::Constant(value) => value,
            Self::Uniform { from, to } => (from + to) / 2,
            Self::Exponential { mean } => mean,
            Self::Lognormal { median, sigma } => {
                Nanos::from_secs_f64(median.as_secs_f64() * (sigma * sigma / 2.0).exp())
            }
        }
    }
}

const EXPECTED: &str = "a distribution, for example \"constant(2ms)\", \"uniform(1ms, 3ms)\", \
     \"exponential(mean 4ms)\" or \"lognormal(median 8ms, sigma 0.5)\"";

impl FromStr for Distribution {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        parse(text).ok_or_else(|| UnitError::new(text, EXPECTED))
    }
}

fn parse(text: &str) -> Option<Distribution> {
    let (name, arguments) = text.trim().strip_suffix(')')?.split_once('(')?;
    let arguments: Vec<&str> = arguments.split(',').map(str::trim).collect();
    let named = |argument: &&str, name: &str| -> Option<String> {
        Some(argument.strip_prefix(name)?.trim().to_owned())
    };
    match (name.trim(), arguments.as_slice()) {
        ("constant", [value]) => Some(Distribution::Constant(value.parse().ok()?)),
        ("uniform", [from, to]) => {
            let (from, to) = (from.parse().ok()?, to.parse().ok()?);
            (from <= to).then_some(Distribution::Uniform { from, to })
        }
        ("exponential", [mean]) => Some(Distribution::Exponential {
            mean: named(mean, "mean")?.parse().ok()?,
        }),
        ("lognormal", [median, sigma]) => {
            let sigma: f64 = named(sigma, "sigma")?.parse().ok()?;
            // Past 3 the mean is 90 medians: surely a slip of the pen.
            (0.0..=3.0).contains(&sigma).then_some(())?;
            Some(Distribution::Lognormal {
                median: named(median, "median")?.parse().ok()?,
                sigma,
            })
        }
        _ => None,
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(value) => write!(f, "constant({value})"),
            Self::Uniform { from, to } => write!(f, "uniform({from}, {to})"),
            Self::Exponential { mean } => write!(f, "exponential(mean {mean})"),
            Self::Lognormal { median, sigma } => {
                write!(f, "lognormal(median {median}, sigma {sigma})")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;

    #[test]
    fn texts_read_and_print_back() {
        for text in [
            "constant(2ms)",
            "uniform(1ms, 3ms)",
            "exponential(mean 4ms)",
            "lognormal(median 8ms, sigma 0.5)",
        ] {
            let parsed: Distribution = text.parse().unwrap();
            assert_eq!(parsed.to_string(), text);
        }
        for text in [
            "",
            "2ms",
            "constant(2)",
            "uniform(3ms, 1ms)",
            "exponential(4ms)",
            "normal(1ms)",
        ] {
            assert!(text.parse::<Distribution>().is_err(), "{text}");
        }
    }

    #[test]
    fn samples_have_the_stated_mean() {
        let mut rng = rng::stream(1, "distribution");
        for text in [
            "constant(2ms)",
            "uniform(1ms, 3ms)",
            "exponential(mean 4ms)",
            "lognormal(median 8ms, sigma 0.5)",
        ] {
            let distribution: Distribution = text.parse().unwrap();
            let n = 100_000;
            let sum: f64 = (0..n)
                .map(|_| distribution.sample(&mut rng).as_secs_f64())
                .sum();
            let ratio = sum / f64::from(n) / distribution.mean().as_secs_f64();
            // Four standard errors of the widest of them (exponential: 1/sqrt(n)).
            assert!(
                (ratio - 1.0).abs() < 4.0 / f64::from(n).sqrt(),
                "{text}: {ratio}"
            );
        }
    }
}
