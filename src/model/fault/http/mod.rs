//! Faults of single HTTP requests and answers, and which ones they meet.
//!
//! Attributes only: what a fault does to a head or a body is in `proxy`, which
//! has them.

mod abort;
mod cut;
mod delay;
mod header;
mod hold;
mod matching;
mod status;

pub use abort::HttpAbort;
pub use cut::HttpCut;
pub use delay::HttpDelay;
pub use header::HttpHeader;
pub use hold::HttpHold;
pub use matching::HttpMatch;
pub(crate) use matching::RequestView;
pub use status::HttpStatus;
