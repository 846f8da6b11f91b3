//! A stream of the generator that is encrypted.
//!
//! The cryptography is rustls', and what is trusted is `net`'s. Neither touches a
//! socket by itself: it is given bytes and gives bytes, so an encrypted connection
//! waits in the same epoll as any other.

use std::io::{self, Read as _, Write as _};

use rustix::fd::OwnedFd;
use rustls::ClientConnection;

use super::socket::{self, Fault};
use crate::net::Tls;

/// Reads of the socket that bring nothing to read, at most: a handshake needs
/// fewer, and a server that goes on like that would hold the thread for ever.
const READS_MAX: usize = 256;

/// An encrypted connection.
#[derive(Debug)]
pub(super) struct TlsStream {
    pub(super) socket: OwnedFd,
    session: ClientConnection,
    /// Whether it ended without the other side's word that it does.
    cut: bool,
}

impl TlsStream {
    /// A stream over a socket whose handshake may still be under way.
    pub(super) fn begin(tls: &Tls, socket: OwnedFd) -> Result<Self, Fault> {
        let mut session = tls.session()?;
        // What the engine hands over is one request, or what a bounded backlog holds.
        session.set_buffer_limit(None);
        Ok(Self {
            socket,
            session,
            cut: false,
        })
    }

    /// Whether it ended without the other side's word that it does: anybody between the two
    /// could have cut it.
    pub(super) const fn cut(&self) -> bool {
        self.cut
    }

    /// Whether there are bytes that the kernel has not taken yet.
    pub(super) fn pending(&self) -> bool {
        self.session.wants_write()
    }

    /// Whether the handshake is under way.
    pub(super) fn handshaking(&self) -> bool {
        self.session.is_handshaking()
    }

    /// Hands to the kernel what it takes of the handshake and of what was sent.
    pub(super) fn flush(&mut self) -> Result<(), Fault> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut Wire(&self.socket)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(Fault::from(&error)),
            }
        }
        Ok(())
    }

    /// As [`socket::transmit`]; what is taken may wait here for the handshake.
    pub(super) fn transmit(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        self.flush()?;
        if self.pending() {
            return Ok(None);
        }
        let taken = self.session.writer().write(bytes);
        let taken = taken.map_err(|error| Fault::from(&error))?;
        self.flush()?;
        Ok(Some(taken))
    }

    /// As [`socket::receive`]. On the way it answers what the handshake asks.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Fault> {
        for _ in 0..READS_MAX {
            match self.session.reader().read(buffer) {
                Ok(received) => return Ok(Some(received)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Closed without saying so: the end of the stream all the same.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    self.cut = true;
                    return Ok(Some(0));
                }
                Err(error) => return Err(Fault::from(&error)),
            }
            match self.session.read_tls(&mut Wire(&self.socket)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(Fault::from(&error)),
            }
            let processed = self.session.process_new_packets();
            // An alert that says what was wrong leaves before the connection ends.
            self.flush()?;
            processed?;
        }
        Err(rustls::Error::General(
            "the server sends records without end and nothing in them".into(),
        )
        .into())
    }
}

/// The socket as rustls wants it.
struct Wire<'a>(&'a OwnedFd);

fn blocked<T>(result: Result<Option<T>, rustix::io::Errno>) -> io::Result<T> {
    result?.ok_or_else(|| io::ErrorKind::WouldBlock.into())
}

impl io::Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        blocked(socket::receive(self.0, buffer))
    }
}

impl io::Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        blocked(socket::transmit(self.0, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
