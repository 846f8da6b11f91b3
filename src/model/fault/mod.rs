//! The catalogue of faults: those of a proxy here, those of the built-in fleet in
//! `fleet`. Of a proxy's: parameters, and what each does to
//! bytes and requests, told the time.
//!
//! Names, parameters and defaults of the faults of a connection are those of
//! Toxiproxy, so that its clients can be used. A fault of a connection is a
//! `Stage` of a `Pipe`: it says how much of what waits goes on, and when. It
//! holds no bytes, so that a fault that is taken away holds none back. Toxiproxy's
//! chain of buffers was the obvious way; there a fault that goes must be emptied
//! into its neighbour first.
//!
//! Not here: sockets, and the framing of HTTP (`proxy`, `net`).

mod attribute;
mod bandwidth;
mod catalogue;
mod fleet;
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
mod stall;
mod timeout;

pub use attribute::{Attribute, AttributeMistake, Field};
pub use catalogue::{FaultError, ProxyFault, Stream};
pub(crate) use fleet::{ACCEPT_PAUSE, CrashLoop, DescriptorsLimited, REQUEST_BYTES};
pub use fleet::{FaultPlace, FaultSet, FleetFault, FleetFaultKind, fault_page, fault_text};
pub use hold::Hold;
pub use http::HttpMatch;
pub(crate) use http::RequestView;
pub use mode::Mode;
pub(crate) use pipe::{Flow, Pipe};
pub use stage::{Ending, Piece, Stage};

catalogue::catalogue! {
    latency::Latency = "latency",
    bandwidth::Bandwidth = "bandwidth",
    slow_close::SlowClose = "slow_close",
    timeout::Timeout = "timeout",
    reset_peer::ResetPeer = "reset_peer",
    slicer::Slicer = "slicer",
    limit_data::LimitData = "limit_data",
    stall::Stall = "stall",
    http::HttpDelay = "http_delay",
    http::HttpStatus = "http_status",
    http::HttpAbort = "http_abort",
    http::HttpHeader = "http_header",
    http::HttpCut = "http_cut",
    http::HttpHold = "http_hold",
}
