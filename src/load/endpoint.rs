//! Where requests go, and by what: the address, encryption, the protocol.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::socket::Fault;
use crate::clients::Class;
use crate::model::Elsewhere;
use crate::net::{KnownHosts, Tls};

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

impl Protocol {
    /// Whether it can carry a plan: one that makes a new connection for each request,
    /// or one for the built-in fleet.
    pub(super) const fn fits(
        self,
        fresh_connections: bool,
        fleet: bool,
    ) -> Result<(), &'static str> {
        match self {
            Self::Http2 { streams } if streams == 0 || fresh_connections => {
                Err("an HTTP/2 connection is kept, and has at least one stream")
            }
            Self::Http2 { .. } if fleet => Err("the built-in fleet speaks HTTP/1.1"),
            Self::Http1 | Self::Http2 { .. } => Ok(()),
        }
    }

    /// The same for requests of a class. A monitor waits for no stream: each probe under way
    /// has a connection of its own, as over HTTP/1.1.
    pub(super) const fn of(self, class: Class) -> Self {
        match (self, class) {
            (Self::Http2 { .. }, Class::Monitor) => Self::Http2 { streams: 1 },
            (protocol, _) => protocol,
        }
    }
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
    /// Where redirects may lead besides; none: nowhere else.
    pub redirects: Option<Redirects>,
}

/// Where redirects may lead, besides where requests go, and by what: over HTTP/1.1 on TCP.
#[derive(Debug, Clone)]
pub struct Redirects {
    /// The hosts.
    pub hosts: KnownHosts,
    /// How https is encrypted, whichever server it names.
    pub tls: Tls,
}

impl Endpoint {
    /// What sockets connect to for a request that a redirect has led elsewhere, and how
    /// they are encrypted.
    ///
    /// # Errors
    ///
    /// Where no server can have that name.
    pub(super) fn of_redirect(&self, to: &Elsewhere) -> Result<(Address, Option<Tls>), Fault> {
        let tls = self.redirects.as_ref().filter(|_| to.origin.encrypted);
        let tls = tls.map(|redirects| redirects.tls.to(&to.origin.host));
        Ok((Address::Tcp(to.address), tls.transpose()?))
    }
}

impl From<SocketAddr> for Endpoint {
    /// HTTP/1.1 without encryption.
    fn from(address: SocketAddr) -> Self {
        Self {
            address: Address::Tcp(address),
            tls: None,
            protocol: Protocol::Http1,
            redirects: None,
        }
    }
}
