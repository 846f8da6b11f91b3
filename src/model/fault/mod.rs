//! The catalogue of faults that a proxy has: parameters, and what each does to
//! bytes and requests, told the time.
//!
//! Names, parameters and defaults of the faults of a connection are those of
//! Toxiproxy, so that its clients can be used. A fault of a connection is a
//! `Stage` of a `Pipe`: it says how much of what waits goes on, and when. It
//! holds no bytes, so that a fault that is taken away holds none back. Toxiproxy's
//! chain of buffers was the obvious way; there a fault that goes must be emptied
//! into its neighbour first.
//!
//! Not here: sockets, and the framing of HTTP (`fault`).

mod bandwidth;
mod catalogue;
mod hold;
mod http;
mod latency;
mod limit_data;
mod mode;
mod pipe;
mod reset_peer;
mod slicer;
mod slow_close;
mod stage;
mod timeout;
mod units;

pub use bandwidth::Bandwidth;
pub(crate) use catalogue::Stream;
pub use catalogue::{Effect, FaultError, ProxyFault};
pub use hold::Hold;
pub(crate) use http::RequestView;
pub use http::{HttpAbort, HttpCut, HttpDelay, HttpHeader, HttpHold, HttpMatch, HttpStatus};
pub use latency::Latency;
pub use limit_data::LimitData;
pub use mode::Mode;
pub(crate) use pipe::{Flow, Pipe};
pub use reset_peer::ResetPeer;
pub use slicer::Slicer;
pub use slow_close::SlowClose;
pub(crate) use stage::Ending;
pub use timeout::Timeout;
