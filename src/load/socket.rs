//! Non-blocking TCP sockets: connect, send, receive, end.
//!
//! The standard library's streams connect blocking and cannot be told how to
//! end; these can. What fails here is data of the experiment, so the kernel's
//! error numbers go up as they are.

use std::net::SocketAddr;
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_linger, set_tcp_nodelay, socket_error};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, ipproto, recv, send,
    socket_with,
};

/// Begins a connection; its handshake may still be under way.
pub(super) fn begin_connect(address: &SocketAddr) -> Result<OwnedFd, Errno> {
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
