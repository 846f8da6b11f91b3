//! Non-blocking stream sockets: connect, send, receive, end.
//!
//! The standard library's streams connect blocking and cannot be told how to
//! end; these can. What fails here is data of the experiment, so the kernel's
//! error numbers go up as they are.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_linger, set_tcp_nodelay, socket_error};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, ipproto,
    recv, send, socket_with,
};

use super::endpoint::Address;

/// Why a connection cannot go on.
#[derive(Debug)]
pub(super) enum Fault {
    /// The kernel says so.
    System(Errno),
    /// The two sides do not agree on encryption.
    Tls(rustls::Error),
}

impl From<Errno> for Fault {
    fn from(error: Errno) -> Self {
        Self::System(error)
    }
}

impl From<rustls::Error> for Fault {
    fn from(error: rustls::Error) -> Self {
        Self::Tls(error)
    }
}

impl From<&io::Error> for Fault {
    /// Of an error that came through the standard library's traits.
    fn from(error: &io::Error) -> Self {
        Self::System(Errno::from_io_error(error).unwrap_or(Errno::IO))
    }
}

/// Begins a connection; its handshake may still be under way.
pub(super) fn begin_connect(address: &Address) -> Result<OwnedFd, Errno> {
    match address {
        Address::Tcp(address) => begin_tcp(address),
        Address::Unix(path) => begin_unix(path),
    }
}

fn begin_unix(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // Connected at once, or not at all: EAGAIN says that the server's queue of
    // connections is full (connect(2)).
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

fn begin_tcp(address: &SocketAddr) -> Result<OwnedFd, Errno> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    // A request is one write; it must not wait for the acknowledgement of the last.
    set_tcp_nodelay(&socket, true)?;
    match connect(&socket, address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(error) => Err(error),
    }
}

/// How a connection under way came out, once the socket is writable.
pub(super) fn connect_result(socket: &OwnedFd) -> Result<(), Errno> {
    socket_error(socket)?
}

/// Hands bytes to the kernel: how many it took, none while it takes none.
pub(super) fn transmit(socket: &OwnedFd, bytes: &[u8]) -> Result<Option<usize>, Errno> {
    loop {
        match send(socket, bytes, SendFlags::NOSIGNAL) {
            Ok(sent) => return Ok(Some(sent)),
            Err(Errno::AGAIN) => return Ok(None),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Takes bytes from the kernel: how many came, zero at the stream's end, none while there are none.
pub(super) fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> Result<Option<usize>, Errno> {
    loop {
        match recv(socket, &mut *buffer, RecvFlags::empty()) {
            Ok((_, received)) => return Ok(Some(received)),
            Err(Errno::AGAIN) => return Ok(None),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Ends a connection with a reset. The usual end would leave the port waiting
/// for a minute (TIME-WAIT, RFC 9293, section 3.6.1), and a run that gives up
/// thousands of attempts would run out of ports.
pub(super) fn reset(socket: OwnedFd) {
    // Where it cannot be set, the connection is broken already.
    let _ = set_socket_linger(&socket, Some(Duration::ZERO));
    drop(socket);
}
