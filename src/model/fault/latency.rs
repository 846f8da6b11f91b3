//! Everything takes longer.

use rand::RngExt as _;
use serde::{Deserialize, Serialize};

use super::catalogue::Fault;
use super::stage::{Piece, Stage};
use super::units::{milliseconds, time_mistake};
use crate::rng::StdRng;
use crate::units::Nanos;

/// Delays all bytes by `latency` ± `jitter`, evenly spread. What overtakes by its
/// jitter waits for what came before it: order is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Latency {
    /// How late everything is.
    #[serde(with = "milliseconds")]
    pub latency: Nanos,
    /// How much more or less it may be.
    #[serde(with = "milliseconds")]
    pub jitter: Nanos,
}

impl Latency {
    /// One delay. Where the jitter is larger than the latency, many are zero.
    #[must_use]
    pub fn draw(self, rng: &mut StdRng) -> Nanos {
        let (latency, jitter) = (self.latency.0, self.jitter.0);
        if jitter == 0 {
            return Nanos(latency);
        }
        Nanos((latency + rng.random_range(0..=2 * jitter)).saturating_sub(jitter))
    }

    /// This fault on one direction of one connection.
    #[must_use]
    pub fn stage(self) -> impl Stage {
        Delayed {
            latency: self,
            of_arrival: None,
        }
    }
}

impl Fault for Latency {
    fn mistake(&self) -> Option<String> {
        time_mistake(self.latency.max(self.jitter))
    }

    fn told(&self) -> Vec<String> {
        told_with_jitter(self.latency, self.jitter)
    }

    fn at_work(&self, _since: Nanos) -> Option<Box<dyn Stage>> {
        Some(Box::new(self.stage()))
    }
}

/// A delay and, where there is one, its jitter.
pub(super) fn told_with_jitter(delay: Nanos, jitter: Nanos) -> Vec<String> {
    let jitter = (jitter > Nanos::ZERO).then(|| format!("jitter {jitter}"));
    [Some(delay.to_string()), jitter]
        .into_iter()
        .flatten()
        .collect()
}

struct Delayed {
    latency: Latency,
    /// The delay of the oldest arrival that waits; none before the first was seen,
    /// of which a part may have gone on before this fault came.
    of_arrival: Option<Nanos>,
}

impl Stage for Delayed {
    fn due(&mut self, piece: Piece, due: Nanos, rng: &mut StdRng) -> Nanos {
        let delay = match self.of_arrival {
            Some(delay) if !piece.first => delay,
            _ => *self.of_arrival.insert(self.latency.draw(rng)),
        };
        due.saturating_add(delay)
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::tests::pieces;
    use super::*;

    #[test]
    fn each_arrival_is_late_by_as_much() {
        let mut stage = Latency {
            latency: Nanos::from_millis(100),
            jitter: Nanos::ZERO,
        }
        .stage();
        assert_eq!(
            pieces(&mut stage, &[(0, 10), (5, 20), (50, 1)]),
            [(100_000, 10), (105_000, 20), (150_000, 1)]
        );
    }

    #[test]
    fn jitter_reaches_both_ways_and_no_further() {
        let mut rng = crate::rng::stream(1, "latency");
        let latency = Latency {
            latency: Nanos::from_millis(100),
            jitter: Nanos::from_millis(30),
        };
        let delays: Vec<_> = (0..10_000).map(|_| latency.draw(&mut rng)).collect();
        let [least, most] = [delays.iter().min(), delays.iter().max()].map(|d| d.unwrap().0);
        assert!((70_000_000..70_100_000).contains(&least), "{least}");
        assert!((129_900_000..=130_000_000).contains(&most), "{most}");
        let mean = delays.iter().map(|d| d.0).sum::<u64>() / 10_000;
        // The standard error is 17.3 ms / 100; six of them.
        assert!(mean.abs_diff(100_000_000) < 1_040_000, "{mean}");
    }

    #[test]
    fn a_jitter_larger_than_the_latency_is_never_early() {
        let mut rng = crate::rng::stream(1, "latency");
        let latency = Latency {
            latency: Nanos::from_millis(1),
            jitter: Nanos::from_millis(86_400_000),
        };
        let delays: Vec<_> = (0..100).map(|_| latency.draw(&mut rng)).collect();
        assert!(delays.contains(&Nanos::ZERO));
        assert!(delays.iter().all(|d| d.0 <= 86_400_001_000_000));
    }
}
