//! The proxy: listens, connects, and lets bytes through as its faults say.

mod connection;
mod counters;
mod handle;
mod listener;
mod peer;
mod table;

pub use counters::{FaultCounters, ProxyCounters};
pub use handle::{Proxy, ProxySpec};
