//! Targets whose behaviour is known, and what a generator said of them.

pub(crate) mod plan;
pub(crate) mod server;
pub(crate) mod told;
