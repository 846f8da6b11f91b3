//! A connection's bytes, encrypted or not.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

use super::endpoint::Address;
use super::socket::{self, Fault, Notes};
use super::tls::TlsStream;
use crate::net::Tls;

#[derive(Debug)]
pub(super) enum Stream {
    Plain(OwnedFd),
    Tls(Box<TlsStream>),
}

impl Stream {
    /// Begins a connection; its handshakes may still be under way.
    pub(super) fn connect(address: &Address, tls: Option<&Tls>) -> Result<Self, Fault> {
        let socket = socket::begin_connect(address)?;
        Ok(match tls {
            None => Self::Plain(socket),
            Some(tls) => Self::Tls(Box::new(TlsStream::begin(tls, socket)?)),
        })
    }

    const fn socket(&self) -> &OwnedFd {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => &stream.socket,
        }
    }

    /// How a TCP handshake came out, once the socket is writable.
    pub(super) fn connect_result(&self) -> Result<(), Fault> {
        Ok(socket::connect_result(self.socket())?)
    }

    /// Hands over bytes: how many were taken, none while none are.
    pub(super) fn transmit(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        match self {
            Self::Plain(socket) => Ok(socket::transmit(socket, bytes)?),
            Self::Tls(stream) => stream.transmit(bytes),
        }
    }

    /// Takes bytes: how many came, zero at the stream's end, none while there are none.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Fault> {
        match self {
            Self::Plain(socket) => Ok(socket::receive(socket, buffer)?),
            Self::Tls(stream) => stream.receive(buffer),
        }
    }

    /// Has the kernel note when bytes come, where the stream can tell of it.
    pub(super) fn note_arrivals(&self) {
        if let Self::Plain(socket) = self {
            socket::note_arrivals(socket);
        }
    }

    /// As [`Stream::receive`], with the instant of the wall clock at which they
    /// came, where the kernel noted it: of encrypted bytes it would be that of
    /// a record, of which they may be a part.
    pub(super) fn receive_noted(
        &mut self,
        buffer: &mut [u8],
        notes: &mut Notes,
    ) -> Result<Option<(usize, Option<u64>)>, Fault> {
        match self {
            Self::Plain(socket) => Ok(socket::receive_noted(socket, buffer, notes)?),
            Self::Tls(stream) => Ok(stream.receive(buffer)?.map(|received| (received, None))),
        }
    }

    /// Whether taking less than was asked for means that the kernel has no
    /// more: epoll(7), question 9. Records of TLS come whole or not at all.
    pub(super) const fn short_means_drained(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    /// Whether bytes that were taken wait here for the kernel to take them.
    pub(super) fn pending(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => stream.pending(),
        }
    }

    /// Whether the two sides have not agreed on encryption yet.
    pub(super) fn handshaking(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => stream.handshaking(),
        }
    }

    /// Whether it ended as what is encrypted must not: an answer that ends with it may not
    /// be whole.
    pub(super) const fn cut(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => stream.cut(),
        }
    }

    /// Hands over what waits here.
    pub(super) fn flush(&mut self) -> Result<(), Fault> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(stream) => stream.flush(),
        }
    }

    /// Ends the connection at once.
    pub(super) fn reset(self) {
        socket::reset(match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.socket,
        });
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}
