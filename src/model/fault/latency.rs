//! Everything takes longer.

use rand::RngExt as _;

use super::attribute::Attribute;
use super::catalogue::Fault;
use super::stage::{Piece, Stage};
use crate::rng::StdRng;
use crate::units::Nanos;

/// Delays all bytes by `latency` ± `jitter`, evenly spread. What overtakes by its
/// jitter waits for what came before it: order is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Latency {
    /// How late everything is.
    pub latency: Nanos,
    /// How much more or less it may be.
    pub jitter: Nanos,
}

impl Latency {
    /// One delay. Where the jitter is larger than the latency, many are zero.
    pub fn draw(self, rng: &mut StdRng) -> Nanos {
        let (latency, jitter) = (self.latency.0, self.jitter.0);
        if jitter == 0 {
            return Nanos(latency);
        }
        Nanos((latency + rng.random_range(0..=2 * jitter)).saturating_sub(jitter))
    }
}

impl Fault for Latency {
    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        delayed(("latency", &mut self.latency), &mut self.jitter)
    }

    fn at_work(&self, _since: Nanos) -> Option<Box<dyn Stage>> {
        Some(Box::new(Delayed {
            latency: *self,
            of_arrival: None,
        }))
    }
}

/// The attributes of a delay, under its name, and of its jitter.
pub(super) fn delayed<'a>(
    (name, delay): (&'static str, &'a mut Nanos),
    jitter: &'a mut Nanos,
) -> Vec<Attribute<'a>> {
    vec![
        Attribute::time(name, delay, "How late it is."),
        Attribute::time("jitter", jitter, "How much more or less that may be."),
    ]
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
        .at_work(Nanos::ZERO)
        .unwrap();
        assert_eq!(
            pieces(&mut *stage, &[(0, 10), (5, 20), (50, 1)]),
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
