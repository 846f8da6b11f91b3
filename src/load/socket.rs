//! Non-blocking stream sockets: connect, send, receive, end.
//!
//! The standard library's streams connect blocking and cannot be told how to
//! end; these can. What fails here is data of the experiment, so the kernel's
//! error numbers go up as they are.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use nix::sys::socket::sockopt::ReceiveTimestampns;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt};
use rustix::fd::{AsRawFd as _, OwnedFd};
use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_linger, set_tcp_nodelay, socket_error};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, ipproto,
    recv, send, socket_with,
};

use super::endpoint::Address;
use crate::model::FailureCause;
use crate::net::failed::{of_errno, of_tls};

/// Why a connection cannot go on.
#[derive(Debug)]
pub(super) enum Fault {
    /// The kernel says so.
    System(Errno),
    /// The two sides do not agree on encryption.
    Tls(rustls::Error),
}

impl Fault {
    /// Why attempts fail by it, on a connection that was made or was not.
    pub(super) const fn cause(&self, established: bool) -> FailureCause {
        match self {
            Self::System(error) => of_errno(*error, established),
            Self::Tls(error) => of_tls(error),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(error) => write!(f, "{}", io::Error::from(*error)),
            Self::Tls(error) => write!(f, "{error}"),
        }
    }
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

/// Room for what the kernel notes beside the bytes.
#[derive(Debug)]
pub(super) struct Notes {
    room: Vec<u8>,
    /// The kernel begins to note when the first socket asks for it, and takes a
    /// while to: this one asks before the load begins.
    _first: Option<OwnedFd>,
}

impl Notes {
    pub(super) fn new() -> Self {
        let first = socket_with(
            AddressFamily::INET,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        );
        let first = first.ok().inspect(note_arrivals);
        Self {
            room: nix::cmsg_space!(nix::sys::time::TimeSpec),
            _first: first,
        }
    }
}

/// Has the kernel note when bytes came (`SO_TIMESTAMPNS`, socket(7)); where it
/// does not, they are read without.
pub(super) fn note_arrivals(socket: &OwnedFd) {
    let _ = setsockopt(socket, ReceiveTimestampns, &true);
}

/// As [`receive`], with the instant at which the last of the bytes came, in
/// nanoseconds of the wall clock.
pub(super) fn receive_noted(
    socket: &OwnedFd,
    buffer: &mut [u8],
    notes: &mut Notes,
) -> Result<Option<(usize, Option<u64>)>, Errno> {
    let mut into = [IoSliceMut::new(buffer)];
    loop {
        let flags = MsgFlags::empty();
        match recvmsg::<()>(socket.as_raw_fd(), &mut into, Some(&mut notes.room), flags) {
            Ok(message) => {
                let instant = message.cmsgs().ok().and_then(|mut found| {
                    found.find_map(|note| match note {
                        ControlMessageOwned::ScmTimestampns(at) => {
                            let nanos = at.tv_sec() * 1_000_000_000 + at.tv_nsec();
                            u64::try_from(nanos).ok()
                        }
                        _ => None,
                    })
                });
                return Ok(Some((message.bytes, instant)));
            }
            Err(nix::Error::EAGAIN) => return Ok(None),
            Err(nix::Error::EINTR) => {}
            Err(error) => return Err(Errno::from_raw_os_error(error as i32)),
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::clock::Clock;
    use crate::units::Nanos;

    #[test]
    fn the_kernel_notes_when_bytes_came_and_not_when_they_were_read() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::Tcp(listener.local_addr().unwrap());
        let socket = begin_connect(&address).unwrap();
        let (mut server, _): (TcpStream, _) = listener.accept().unwrap();
        note_arrivals(&socket);
        let clock = Clock::start();
        let mut notes = Notes::new();
        let mut buffer = [0; 64];
        // The kernel takes a while to begin.
        let (sent, came) = loop {
            assert!(clock.now() < Nanos::from_secs(10), "nothing was noted");
            let sent = clock.now();
            server.write_all(b"bytes").unwrap();
            // They lie there unread for a while.
            while clock.now() < sent + Nanos::from_millis(20) {}
            let read = receive_noted(&socket, &mut buffer, &mut notes).unwrap();
            let (_, zero) = clock.now_and_zero_on_the_wall();
            if let Some((5, Some(wall))) = read {
                break (sent, Nanos(wall.saturating_sub(zero)));
            }
        };
        // The two clocks are read one after the other: a microsecond's grace.
        assert!(came + Nanos::from_micros(1) >= sent, "{came} {sent}");
        assert!(came < sent + Nanos::from_millis(10), "{came} {sent}");
        let nothing = receive_noted(&socket, &mut buffer, &mut notes);
        assert!(nothing.unwrap().is_none());
    }
}
