//! How much can it take, and does it come back? A search over rates of one service.
//!
//! Steps are plans like any other, carried out by the live backend or by the simulator,
//! and judged from their records by `analysis::limit`. What is tried next is a pure
//! function of the steps so far (`search`), so the list of steps is the whole state: it is
//! written after each, and a search that was interrupted is gone on with.
//!
//! It breaks things on purpose, so bounds on rate, time and number of steps are stated
//! before it begins, and between steps a service that runs already is measured until it
//! is back at its baseline.

mod calm;
mod carrier;
mod hunt;
mod kept;
mod plans;
mod search;
#[cfg(feature = "testing")]
mod unwatched;

pub(crate) use carrier::{Live, Simulated};
pub(crate) use hunt::{Hunt, Stopped, goes_on};
pub(crate) use kept::{begin, claim, lock, read};
pub(crate) use plans::{Plans, measures};
pub use search::{Trial, longest, steps_max};

#[cfg(feature = "testing")]
pub use search::{Next, next};
#[cfg(feature = "testing")]
pub use unwatched::{simulated, simulated_step};
