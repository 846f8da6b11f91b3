//! One side of a connection: reading from it and writing to it.

use std::io::{self, ErrorKind};

use bytes::BytesMut;
use rustix::net::Shutdown;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::counters::Counts;
use crate::model::fault::{Ending, Flow, Pipe, Stream};
use crate::proxy::http::{Exchange, sooner};
use crate::units::Nanos;

/// Bytes that are read at once: half of what a socket's buffer holds by default.
const READ_MAX: usize = 64 * 1024;
/// Pieces that pass in one turn of one direction; then others have theirs.
const PIECES_MAX: usize = 32;
/// A socket and what is known of it.
pub(super) struct Peer {
    pub socket: TcpStream,
    /// Nothing more comes from it.
    pub ended: bool,
    /// It was told that nothing more comes.
    pub told: bool,
    /// It takes no bytes at the moment.
    pub full: bool,
}

/// How a connection is over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// Both sides are done.
    Done,
    /// By a fault, or by a side that broke it.
    By(Ending),
}

impl Peer {
    pub(super) fn new(socket: TcpStream) -> Self {
        // Without this a small answer may wait 40 ms for an acknowledgement.
        let _ = socket.set_nodelay(true);
        Self {
            socket,
            ended: false,
            told: false,
            full: false,
        }
    }
}

/// Waits until the socket is ready for it, or broken, which the next turn sees.
pub(super) async fn ready(peer: Option<&Peer>, interest: Interest) {
    match peer {
        Some(peer) => drop(peer.socket.ready(interest).await),
        None => std::future::pending().await,
    }
}

/// Writes what is due of one direction; how many bytes went, none where nothing was due.
/// That nothing more comes is due too, and has no bytes.
pub(super) fn flush(
    pipe: &mut Pipe,
    mut to: Option<&mut Peer>,
    stream: Stream,
    now: Nanos,
    until: &mut Option<Nanos>,
    counts: &Counts,
) -> Result<Option<usize>, Over> {
    let mut moved = None;
    if let Some(to) = &mut to {
        to.full = false;
    }
    for _ in 0..PIECES_MAX {
        match pipe.next(now) {
            Flow::Ended(ending) => return Err(Over::By(ending)),
            Flow::Idle => return Ok(moved),
            Flow::Wait(at) => {
                sooner(until, at);
                return Ok(moved);
            }
            Flow::Ready => {
                let Some(to) = &mut to else {
                    return Ok(moved);
                };
                match to.socket.try_write(pipe.ready()) {
                    Ok(length) => {
                        pipe.gone(length);
                        counts.bytes(stream, length as u64);
                        *moved.get_or_insert(0) += length;
                    }
                    Err(cause) if cause.kind() == ErrorKind::WouldBlock => {
                        to.full = true;
                        return Ok(moved);
                    }
                    Err(_) => return Err(Over::By(Ending::Reset)),
                }
            }
            Flow::End => {
                if let Some(to) = to.filter(|to| !to.told) {
                    // A socket that is broken already needs no end.
                    let _ = rustix::net::shutdown(&to.socket, Shutdown::Write);
                    to.told = true;
                    moved = moved.or(Some(0));
                }
                return Ok(moved);
            }
        }
    }
    Ok(moved)
}

/// Where bytes that are read go.
pub(super) struct Sides<'a> {
    pub http: &'a mut Option<Exchange>,
    pub buffer: &'a mut BytesMut,
    pub now: Nanos,
}

impl Sides<'_> {
    /// Reads once from a side that has something and may give it; whether it did.
    pub(super) fn read(
        &mut self,
        from: &mut Peer,
        pipe: &mut Pipe,
        stream: Stream,
    ) -> io::Result<bool> {
        let room = match &self.http {
            Some(http) => http.room(stream),
            None => pipe.room(),
        };
        if from.ended || room == 0 {
            return Ok(false);
        }
        if self.buffer.capacity() < READ_MAX / 4 {
            self.buffer.reserve(READ_MAX);
        }
        match from.socket.try_read_buf(self.buffer) {
            Ok(0) => {
                from.ended = true;
                match &mut self.http {
                    Some(http) => http.end(stream),
                    None => pipe.end(self.now),
                }
                Ok(true)
            }
            Ok(_) => {
                let bytes = self.buffer.split();
                match &mut self.http {
                    Some(http) => http.push(stream, &bytes),
                    None => pipe.push(self.now, bytes.freeze()),
                }
                Ok(true)
            }
            Err(cause) if cause.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(cause) => Err(cause),
        }
    }
}
