//! Analysis against records whose answers are known.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "tests may panic, and synthetic figures are small and exact"
)]

#[path = "analysis/builder.rs"]
mod builder;
#[path = "analysis/contract.rs"]
mod contract;
#[path = "analysis/expectations.rs"]
mod expectations;
#[path = "analysis/incident.rs"]
mod incident;
#[path = "analysis/observed.rs"]
mod observed;
#[path = "analysis/phases.rs"]
mod phases;
#[path = "analysis/plan.rs"]
mod plan;
#[path = "analysis/properties.rs"]
mod properties;
#[path = "analysis/validity.rs"]
mod validity;
