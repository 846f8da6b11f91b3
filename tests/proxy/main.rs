//! The fault proxy over real sockets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod api;
mod bytes;
mod client;
mod command;
mod http;
mod occupy;
mod peers;
