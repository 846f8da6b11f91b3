//! Many simulated variants of one scenario, on all cores: every corrective
//! measure tried (`what_if`), and maps over two parameters (`sweep`).
//!
//! A variant is a plan like any other; what it came to is told by the same
//! analysis as a run's. All variants of a seed draw from the same streams, so
//! their differences are those of what was changed.

mod axis;
mod measures;
mod seeds;
mod sweep;
mod trial;
mod what_if;

pub(crate) use axis::Axis;
pub(crate) use measures::{MEASURES, Measure};
#[cfg(feature = "testing")]
pub use seeds::seeds;
pub(crate) use seeds::seeds_by;
pub use sweep::Grid;
#[cfg(feature = "testing")]
pub use sweep::sweep;
pub(crate) use sweep::sweep_by;
pub use trial::{Elsewhere, Trial, TrialAnswer};
pub(crate) use what_if::what_if;

/// Told after each trial: so many of so many are done. False ends everything.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) -> bool + Sync);
