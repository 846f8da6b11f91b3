//! threadbare drives a target through an incident and measures what came of it.
//!
//! One way through, left to right; a stage takes a value and gives a value:
//!
//! ```text
//! scenario file ──► Plan ──► live backend ─┐
//!    (TOML)       immutable  load + target ├─► record ──► analysis ──► report
//!                       └──► simulator ────┘  run dir      pure      one format
//!                            virtual time                             per file
//! ```
//!
//! Modules import lower ranks only, and siblings of one rank do not know each
//! other (`tests/quick/architecture.rs` holds this):
//!
//! | rank | modules |
//! |---|---|
//! | 0 | [`units`] |
//! | 1 | [`clock`], [`rng`], [`error`], [`slots`], `sync` |
//! | 2 | [`model`], [`process`] |
//! | 3 | [`plan`], [`net`] |
//! | 4 | [`scenario`] |
//! | 5 | [`record`] |
//! | 6 | [`clients`] |
//! | 7 | [`analysis`], [`load`], [`fleet`], [`target`], [`proxy`], [`gauges`], [`sim`] |
//! | 8 | [`report`], [`ui`], [`live`], [`explore`] |
//! | 9 | [`run`] |
//! | 10 | [`cli`] |
//!
//! `docs/ARCHITECTURE.md` is the map with its invariants, `docs/TERMS.md` the
//! vocabulary.

pub mod analysis;
pub mod cli;
pub mod clients;
pub mod clock;
pub mod error;
pub mod explore;
pub mod fleet;
pub mod gauges;
pub mod live;
pub mod load;
pub mod model;
pub mod named;
pub mod net;
pub mod plan;
pub mod process;
pub mod proxy;
pub mod record;
pub mod report;
pub mod rng;
pub mod run;
pub mod scenario;
pub mod sim;
pub mod slots;
mod sync;
pub mod target;
pub mod ui;
pub mod units;
