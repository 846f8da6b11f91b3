//! Did it get worse? Two runs, or two sets of runs, held against each other.
//!
//! What happens in a run depends on what happened shortly before, so single response times
//! are no independent samples. A run is cut into blocks of equal length by intended start,
//! and whole blocks are drawn; runs are drawn whole where there are enough of them. Many
//! figures are looked at, so the chance of a false alarm is that of the whole table.

pub(super) mod blocks;
mod bounds;
mod changes;
pub(super) mod differences;
mod digest;
mod judge;
mod picture;
mod rows;

pub use bounds::{Bounds, PracticalBound};
pub use changes::Change;
pub use digest::{Digest, RunPoint};
pub use judge::{Comparison, ComparisonSide, ComparisonVerdict, FigureComparison, Method, compare};
pub use picture::Picture;

/// How runs are compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Seed of the draws.
    pub seed: u64,
    /// A difference of less than this share of a figure does not matter in practice.
    pub bounds: Bounds,
    /// The chance of a false alarm anywhere in the table, at most, over all looks.
    pub alarm: f64,
    /// How often it is looked at, at most: each look has an equal part of the chances.
    pub looks: u32,
    /// Whether runs of another load or machine are compared all the same.
    pub anyway: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            bounds: Bounds::default(),
            alarm: 0.05,
            looks: 1,
            anyway: false,
        }
    }
}
