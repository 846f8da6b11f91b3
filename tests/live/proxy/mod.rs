//! The fault proxy over real sockets.

mod api;
mod bytes;
mod command;
mod http;
mod occupy;
mod peers;
