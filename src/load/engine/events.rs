//! What sockets say.

use bytes::Buf as _;
use rustix::event::epoll::EventFlags;

use super::super::connection::{slot_and_serial, token};
use super::super::socket::Fault;
use super::sockets::Sockets;
use crate::clients::Clients;
use crate::units::Nanos;

/// Reads of one connection in one turn: so that an endless body starves nobody.
const READS_MAX: usize = 16;

/// The other side has closed, or the connection is broken.
const ENDING: EventFlags = EventFlags::RDHUP
    .union(EventFlags::HUP)
    .union(EventFlags::ERR);

/// What a read brought, besides bytes for nobody.
enum Read {
    /// So many bytes are in the buffer; `last`: there are no more for now.
    Bytes { received: usize, last: bool },
    /// There is nothing more for now, or the connection is gone.
    Nothing,
}

/// What follows the bytes of a read.
#[derive(Clone, Copy)]
pub(super) struct Rest {
    /// There is no more for now, as far as the read shows.
    pub(super) last: bool,
    /// There is no more for now.
    pub(super) drained: bool,
}

impl Sockets {
    /// A socket is ready. Events of a connection that is gone are left alone.
    /// `clients`: who knows what is still to be sent.
    pub(super) fn on_socket(&mut self, token: u64, flags: EventFlags, clients: &Clients) {
        let (slot, serial) = slot_and_serial(token);
        let current = self.connections.get(slot);
        if current.is_none_or(|connection| connection.serial != serial) {
            return;
        }
        self.look_at(slot);
        if self.write(slot, flags, clients) && flags.intersects(ENDING | EventFlags::IN) {
            self.read(slot, flags);
            // What was read may have called for an answer by the protocol itself.
            self.watch(slot);
        }
        self.looked_at(slot, serial);
    }

    /// Whether a connection had more to read than a turn allowed.
    pub(super) const fn more_to_read(&self) -> bool {
        !self.again.is_empty()
    }

    /// Connections that had more to read than a turn allowed, for another turn.
    pub(super) fn take_more_to_read(&mut self) -> Vec<(u64, EventFlags)> {
        std::mem::take(&mut self.again)
    }

    /// Gets on with the handshake and the request; false where there is nothing to read.
    fn write(&mut self, slot: u32, flags: EventFlags, clients: &Clients) -> bool {
        let Some(connection) = self.connections.get_mut(slot) else {
            return false;
        };
        if !connection.established {
            if let Err(fault) = connection.stream.connect_result() {
                self.connection_broken(slot, &fault);
            } else if flags.intersects(EventFlags::HUP | EventFlags::ERR) {
                self.connection_closed(slot);
            } else if flags.contains(EventFlags::OUT) {
                connection.established = true;
                self.send_first(slot, clients);
                // A server may have said something, and closed, before it was asked.
                return flags.contains(EventFlags::IN);
            }
            return false;
        }
        if !flags.contains(EventFlags::OUT) {
            return true;
        }
        let handed_over = if connection.unsent.is_empty() {
            connection.stream.flush()
        } else {
            let taken = connection.stream.transmit(&connection.unsent);
            taken.map(|taken| {
                let sent = taken.unwrap_or(0);
                self.counted.sent_bytes += sent as u64;
                connection.unsent.advance(sent);
            })
        };
        if let Err(fault) = handed_over {
            self.read_last(slot, flags, &fault);
            return false;
        }
        self.keep_in_pool(slot);
        true
    }

    /// The server takes no more of a request. It may have answered before it had taken
    /// all, as those do that refuse an upload by its head.
    fn read_last(&mut self, slot: u32, flags: EventFlags, fault: &Fault) {
        let serial = |sockets: &Self| sockets.connections.get(slot).map(|found| found.serial);
        let before = serial(self);
        self.read(slot, flags);
        if serial(self) == before {
            self.connection_broken(slot, fault);
        }
    }

    fn read(&mut self, slot: u32, flags: EventFlags) {
        for _ in 0..READS_MAX {
            let Read::Bytes { received, last } = self.receive(slot, flags) else {
                return;
            };
            let Some(connection) = self.connections.get_mut(slot) else {
                return;
            };
            let drained = last && connection.stream.short_means_drained();
            if !self.feed(slot, received, Rest { last, drained }) {
                return;
            }
            if drained {
                return;
            }
        }
        if let Some(connection) = self.connections.get(slot) {
            self.again.push((token(slot, connection.serial), flags));
        }
    }

    /// Reads once into the buffer, and deals with the stream's end.
    fn receive(&mut self, slot: u32, flags: EventFlags) -> Read {
        let Some(connection) = self.connections.get_mut(slot) else {
            return Read::Nothing;
        };
        let stream = &mut connection.stream;
        self.came = None;
        let received = match &mut self.notes {
            None => stream.receive(&mut self.buffer),
            Some(notes) => stream
                .receive_noted(&mut self.buffer, notes)
                .map(|received| {
                    let (received, wall) = received?;
                    self.came = wall.map(|wall| Nanos(wall.saturating_sub(self.wall_zero)));
                    Some(received)
                }),
        };
        match received {
            Ok(None) => {}
            Ok(Some(0)) => self.stream_ended(slot),
            Ok(Some(received)) => {
                self.counted.received_bytes += received as u64;
                let last = received < self.buffer.len() && !flags.intersects(ENDING);
                return Read::Bytes { received, last };
            }
            Err(fault) => self.connection_broken(slot, &fault),
        }
        Read::Nothing
    }
}
