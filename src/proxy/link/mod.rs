//! The proxy: listens, connects, and lets bytes through as its faults say.

mod connection;
mod counters;
mod handle;
mod listener;
mod peer;
mod table;

pub(crate) use counters::ProxyCounters;
pub use handle::{Proxy, ProxySpec};
