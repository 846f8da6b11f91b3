//! Where requests go, and by what: the address, encryption, the protocol.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::net::Tls;

/// What a socket connects to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A host and port; the host that the user named has been resolved.
    Tcp(SocketAddr),
    /// A Unix stream socket in the file system.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// The version of HTTP that is spoken; nothing is negotiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1: a connection carries one request at a time.
    Http1,
    /// HTTP/2, without encryption from the first byte (prior knowledge), or by ALPN.
    Http2 {
        /// Requests that a connection carries at a time, at most.
        streams: u32,
    },
}

/// Where requests go, and by what.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// What sockets connect to.
    pub address: Address,
    /// How they are encrypted; none: not at all.
    pub tls: Option<Tls>,
    /// What is spoken.
    pub protocol: Protocol,
}

impl From<SocketAddr> for Endpoint {
    /// HTTP/1.1 without encryption.
    fn from(address: SocketAddr) -> Self {
        Self {
            address: Address::Tcp(address),
            tls: None,
            protocol: Protocol::Http1,
        }
    }
}
