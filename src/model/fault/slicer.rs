//! Everything comes in small pieces.

use rand::RngExt as _;
use serde::{Deserialize, Serialize};

use super::catalogue::Fault;
use super::stage::{Piece, Stage};
use super::units::{amount_mistake, microseconds, time_mistake};
use crate::rng::StdRng;
use crate::units::Nanos;

/// Slices what is read into pieces of `average_size` ± `size_variation` bytes,
/// with a pause between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Slicer {
    /// Bytes; at least 1.
    pub average_size: u64,
    /// Bytes; less than the average.
    pub size_variation: u64,
    /// Pause between two pieces; written in microseconds.
    #[serde(with = "microseconds")]
    pub delay: Nanos,
}

impl Slicer {
    /// This fault on one direction of one connection.
    #[must_use]
    pub fn stage(self) -> impl Stage {
        Knife {
            slicer: self,
            next: Nanos::ZERO,
            decided: Nanos::ZERO,
        }
    }
}

impl Fault for Slicer {
    fn mistake(&self) -> Option<String> {
        let Self {
            average_size: average,
            size_variation: variation,
            delay,
        } = *self;
        if average == 0 || amount_mistake(average).is_some() {
            let sentence = "is not from 1 to 1000000000000 bytes";
            return Some(format!("the average_size {average} {sentence}"));
        }
        if variation >= average {
            let sentence = "is not less than the average_size";
            return Some(format!(
                "the size_variation {variation} {sentence} {average}"
            ));
        }
        time_mistake(delay)
    }

    fn told(&self) -> Vec<String> {
        vec![
            format!("average_size {}", self.average_size),
            format!("delay {}", self.delay),
            format!("size_variation {}", self.size_variation),
        ]
    }

    fn at_work(&self, _since: Nanos) -> Option<Box<dyn Stage>> {
        Some(Box::new(self.stage()))
    }
}

struct Knife {
    slicer: Slicer,
    /// No piece goes before.
    next: Nanos,
    decided: Nanos,
}

impl Stage for Knife {
    fn length(&mut self, length: usize, rng: &mut StdRng) -> usize {
        let Slicer {
            average_size,
            size_variation,
            ..
        } = self.slicer;
        let least = average_size.saturating_sub(size_variation);
        let size = rng.random_range(least..=average_size.saturating_add(size_variation));
        length.min(usize::try_from(size).unwrap_or(usize::MAX).max(1))
    }

    fn due(&mut self, _piece: Piece, due: Nanos, _rng: &mut StdRng) -> Nanos {
        self.decided = due.max(self.next);
        self.decided
    }

    fn sent(&mut self, _length: usize) {
        self.next = self.decided.saturating_add(self.slicer.delay);
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::tests::pieces;
    use super::*;

    #[test]
    fn pieces_of_one_size_come_with_pauses() {
        let mut stage = Slicer {
            average_size: 4,
            size_variation: 0,
            delay: Nanos::from_micros(300),
        }
        .stage();
        assert_eq!(
            pieces(&mut stage, &[(1, 10), (50, 3)]),
            [(1_000, 4), (1_300, 4), (1_600, 2), (50_000, 3)]
        );
    }

    #[test]
    fn sizes_vary_around_the_average() {
        let mut stage = Slicer {
            average_size: 100,
            size_variation: 20,
            delay: Nanos::ZERO,
        }
        .stage();
        let gone = pieces(&mut stage, &[(0, 1_000_000)]);
        let sizes = || gone[..gone.len() - 1].iter().map(|(_, size)| *size);
        assert_eq!((sizes().min(), sizes().max()), (Some(80), Some(120)));
        // 10,000 pieces; the standard error of their mean is 0.12.
        let mean = 1e6 / gone.len() as f64;
        assert!((mean - 100.0).abs() < 0.72, "{mean}");
    }
}
