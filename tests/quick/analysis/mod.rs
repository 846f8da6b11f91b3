//! Analysis against records whose answers are known.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "tests may panic, and synthetic figures are small and exact"
)]

mod agents;
mod answer;
mod awaited;
mod builder;
mod contract;
mod early;
mod expectations;
mod gauges;
mod incident;
mod marked;
mod observed;
mod phases;
mod plan;
mod properties;
mod shapes;
mod stuck;
mod validity;
mod watch;
