//! What everything that sends has in common: which host may be sent to, where an
//! HTTP message ends, encryption, and one small client.
//!
//! What it deliberately does not do: carry load. The generator has sockets and a
//! loop of its own (`load`), and so has the proxy; here are the rules that both
//! keep, and the client for what is sent once: ready checks, hooks, gauges.

mod chunked;
pub(crate) mod failed;
pub(crate) mod framing;
pub(crate) mod head;
pub(crate) mod hosts;
pub mod http;
mod known;
pub(crate) mod tls;

pub use failed::Failed;
#[cfg(feature = "testing")]
pub use framing::FramingError;
pub use framing::{BodyReader, Framing, FramingFields, RequestKind};
pub use hosts::AllowedHosts;
pub(crate) use hosts::finds;
pub use known::KnownHosts;
#[cfg(feature = "testing")]
pub(crate) use tls::read_pem;
pub use tls::{Tls, TlsAsked, TlsOptions};
