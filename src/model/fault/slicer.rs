//! Everything comes in small pieces.

use rand::RngExt as _;

use super::attribute::{AMOUNT_MAX, Attribute, Field};
use super::catalogue::Fault;
use super::stage::{Piece, Stage};
use crate::rng::StdRng;
use crate::units::Nanos;

/// Slices what is read into pieces of `average_size` ± `size_variation` bytes,
/// with a pause between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slicer {
    /// Bytes; at least 1.
    pub average_size: u64,
    /// Bytes; less than the average.
    pub size_variation: u64,
    /// Pause between two pieces; written in microseconds.
    pub delay: Nanos,
}

impl Fault for Slicer {
    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        let delay = Field::Time(Nanos::from_micros(1), &mut self.delay);
        vec![
            Attribute::count("average_size", &mut self.average_size, "Bytes of a piece."),
            Attribute::count(
                "size_variation",
                &mut self.size_variation,
                "Bytes more or less.",
            ),
            Attribute::new("delay", delay, "The pause after each piece."),
        ]
    }

    fn mistake(&self) -> Option<(&'static str, String)> {
        let (average, variation) = (self.average_size, self.size_variation);
        if average == 0 {
            let sentence = format!("0 is not from 1 to {AMOUNT_MAX} bytes");
            return Some(("average_size", sentence));
        }
        let sentence = || format!("{variation} is not less than the average_size {average}");
        (variation >= average).then(|| ("size_variation", sentence()))
    }

    fn at_work(&self, _since: Nanos) -> Option<Box<dyn Stage>> {
        Some(Box::new(Knife {
            slicer: *self,
            next: Nanos::ZERO,
            decided: Nanos::ZERO,
        }))
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
        .at_work(Nanos::ZERO)
        .unwrap();
        assert_eq!(
            pieces(&mut *stage, &[(1, 10), (50, 3)]),
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
        .at_work(Nanos::ZERO)
        .unwrap();
        let gone = pieces(&mut *stage, &[(0, 1_000_000)]);
        let sizes = || gone[..gone.len() - 1].iter().map(|(_, size)| *size);
        assert_eq!((sizes().min(), sizes().max()), (Some(80), Some(120)));
        // 10,000 pieces; the standard error of their mean is 0.12.
        let mean = 1e6 / gone.len() as f64;
        assert!((mean - 100.0).abs() < 0.72, "{mean}");
    }
}
