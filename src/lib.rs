//! threadbare drives a target through an incident and measures the result.
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
//! other (`tests/quick/architecture/` holds this):
//!
//! | rank | modules |
//! |---|---|
//! | 0 | [`units`], `bounds` |
//! | 1 | `clock`, `rng`, [`error`], `named`, `slots`, `sync` |
//! | 2 | [`model`], `process`, `files` |
//! | 3 | [`plan`], `net` |
//! | 4 | [`scenario`] |
//! | 5 | [`record`] |
//! | 6 | `clients` |
//! | 7 | [`analysis`], `load`, `fleet`, `target`, `proxy`, `gauges`, [`sim`] |
//! | 8 | [`report`], `ui`, `console`, `telemetry`, `live`, `explore`, `agents` |
//! | 9 | `run`, `readers` (for tests only) |
//! | 10 | `compare`, `limit` |
//! | 11 | [`cli`] |
//!
//! Those with a link are what a user of the crate needs: from a scenario to a plan,
//! from a plan to a simulated run, from a run directory to findings and reports.
//! What only this crate's tests reach is public to them alone, by the feature
//! `testing`, which nothing but the package's own dev-dependency turns on.
//!
//! `docs/ARCHITECTURE.md` is the map with its invariants, `docs/TERMS.md` the
//! vocabulary.

#![cfg_attr(
    not(feature = "testing"),
    expect(
        unreachable_pub,
        reason = "what only tests reach is public to them alone"
    )
)]

pub mod analysis;
pub mod cli;
pub mod error;
pub mod model;
pub mod plan;
pub mod record;
pub mod report;
pub mod scenario;
pub mod sim;
pub mod units;

mod compare;
mod files;
mod named;
mod process;
mod run;
mod slots;
mod sync;
mod target;

#[cfg(not(feature = "testing"))]
mod agents;
#[cfg(feature = "testing")]
pub mod agents;
#[cfg(not(feature = "testing"))]
mod bounds;
#[cfg(feature = "testing")]
pub mod bounds;
#[cfg(not(feature = "testing"))]
mod clients;
#[cfg(feature = "testing")]
pub mod clients;
#[cfg(not(feature = "testing"))]
mod clock;
#[cfg(feature = "testing")]
pub mod clock;
#[cfg(not(feature = "testing"))]
mod console;
#[cfg(feature = "testing")]
pub mod console;
#[cfg(not(feature = "testing"))]
mod explore;
#[cfg(feature = "testing")]
pub mod explore;
#[cfg(not(feature = "testing"))]
mod fleet;
#[cfg(feature = "testing")]
pub mod fleet;
#[cfg(not(feature = "testing"))]
mod gauges;
#[cfg(feature = "testing")]
pub mod gauges;
#[cfg(not(feature = "testing"))]
mod limit;
#[cfg(feature = "testing")]
pub mod limit;
#[cfg(not(feature = "testing"))]
mod live;
#[cfg(feature = "testing")]
pub mod live;
#[cfg(not(feature = "testing"))]
mod load;
#[cfg(feature = "testing")]
pub mod load;
#[cfg(not(feature = "testing"))]
mod net;
#[cfg(feature = "testing")]
pub mod net;
#[cfg(not(feature = "testing"))]
mod proxy;
#[cfg(feature = "testing")]
pub mod proxy;
#[cfg(feature = "testing")]
pub mod readers;
#[cfg(not(feature = "testing"))]
mod rng;
#[cfg(feature = "testing")]
pub mod rng;
#[cfg(not(feature = "testing"))]
mod telemetry;
#[cfg(feature = "testing")]
pub mod telemetry;
#[cfg(not(feature = "testing"))]
mod ui;
#[cfg(feature = "testing")]
pub mod ui;
