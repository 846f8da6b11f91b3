//! The live load generator.
//!
//! It sends the plan's operations when they are due, whatever the target does,
//! and counts the result of each. One thread owns everything: its connections,
//! its slice of the arrivals, its histograms; it waits in one epoll for
//! sockets, instants and commands, and allocates nothing for a request. A
//! runtime was the obvious way and is not taken: its timers step in
//! milliseconds, and what it does between a socket and its task costs more
//! than the whole of this.
//!
//! It keeps four instants apart, and each has one meaning
//! (docs/TERMS.md, "Requests"):
//!
//! - **intended start**: computed from the seed, never observed. A stalled
//!   generator or target does not move it, and response time counts from it.
//! - **wait**: from the instant the generator found no connection free to the
//!   instant one was. It is the target's doing.
//! - **send**: the first byte handed to the kernel, on a new connection the
//!   SYN. Timeout and service time count from it, so both include a handshake.
//!   Send lag is send − intended start − wait: what the generator alone added.
//! - **end**: the last byte of the response read. Read after the timeout or
//!   the deadline, it is too late, even if the kernel had it in time.
//!
//! What it deliberately does not do: look into answers that nobody asked it to, ask a
//! resolver, or panic over anything a target does. A target that refuses, hangs,
//! sends garbage or two answers to one request is a recorded outcome; but an
//! answer too many that comes before the next request is sent is dropped with
//! its connection, and one that comes after is taken for that request's:
//! HTTP/1.1 cannot tell.

mod ask;
mod codec;
mod connection;
mod endpoint;
mod engine;
mod generator;
mod http2;
mod poller;
mod prepared;
mod request;
mod socket;
mod source;
mod stream;
mod tls;

pub(crate) use ask::http2_status;
#[cfg(feature = "testing")]
pub use codec::{Progress, Response, ResponseReader};
pub use endpoint::Endpoint;
pub(crate) use endpoint::{Address, Protocol, Redirects};
pub use generator::{Command, Generator, Identities, Setup, Update, Work};
pub use source::{LoadSource, OwnThreads, Sending, Tell};
