//! Faults from outside: a proxy that breaks connections and requests, and
//! occupiers that hold a server's workers.
//!
//! What a fault decides is in `model::fault`; here are the sockets. The proxy
//! serves its connections with one thread of its own, so that it can be started by
//! a program without a runtime, and so that a change of its faults lies between
//! two turns of every connection. It knows nothing of scenarios and leases.

mod api;
mod http;
mod link;
mod occupy;
mod proxies;
mod reports;

pub use api::Api;
#[cfg(feature = "testing")]
pub(crate) use api::read_api;
pub(crate) use link::ProxyCounters;
pub use link::{Proxy, ProxySpec};
pub(crate) use occupy::OccupationCounters;
pub use occupy::{Occupation, Occupier};
pub(crate) use proxies::Refusal;
pub use proxies::{Draft, Proxies, Settings};
pub use reports::{Injected, Listener};
