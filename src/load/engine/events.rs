//! What sockets say.

use rustix::event::epoll::EventFlags;

use super::super::codec::Progress;
use super::super::connection::{slot_and_serial, token};
use super::super::socket;
use super::Engine;

/// Reads of one connection in one turn: so that an endless body starves nobody.
const READS_MAX: usize = 16;

/// The other side has closed, or the connection is broken.
const ENDING: EventFlags = EventFlags::RDHUP
    .union(EventFlags::HUP)
    .union(EventFlags::ERR);

impl Engine {
    /// A socket is ready. Events of a connection that is gone are left alone.
    pub(super) fn on_socket(&mut self, token: u64, flags: EventFlags) {
        let (slot, serial) = slot_and_serial(token);
        let current = self.connections.get(slot);
        if current.is_none_or(|connection| connection.serial != serial) {
            return;
        }
        if !self.write(slot, flags) {
            return;
        }
        if flags.intersects(ENDING | EventFlags::IN) {
            self.read(slot, flags);
        }
    }

    /// Connections that had more to read than a turn allowed get another.
    pub(super) fn read_again(&mut self) {
        for (token, flags) in std::mem::take(&mut self.again) {
            self.on_socket(token, flags);
            self.serve_waiting();
        }
    }

    /// Gets on with the handshake and the request; false where there is nothing to read.
    fn write(&mut self, slot: u32, flags: EventFlags) -> bool {
        let Some(connection) = self.connections.get_mut(slot) else {
            return false;
        };
        if !connection.established {
            if socket::connect_result(&connection.socket).is_err() || flags.intersects(ENDING) {
                self.connection_broken(slot);
            } else if flags.contains(EventFlags::OUT) {
                connection.established = true;
                self.send_request(slot);
            }
            return false;
        }
        if !connection.unsent.is_empty() && flags.contains(EventFlags::OUT) {
            let Ok(sent) = socket::transmit(&connection.socket, &connection.unsent) else {
                self.connection_broken(slot);
                return false;
            };
            connection.unsent.drain(..sent.unwrap_or(0));
        }
        true
    }

    fn read(&mut self, slot: u32, flags: EventFlags) {
        let ending = flags.intersects(ENDING);
        for _ in 0..READS_MAX {
            let Some(connection) = self.connections.get_mut(slot) else {
                return;
            };
            let received = match socket::receive(&connection.socket, &mut self.buffer) {
                Ok(None) => return,
                Ok(Some(0)) => return self.stream_ended(slot),
                Ok(Some(received)) => received,
                Err(_) => return self.connection_broken(slot),
            };
            if connection.attempt.is_none() {
                // Nobody asked for anything, so nobody can trust what comes next either.
                return self.close(slot);
            }
            // Less than was asked for means that there is no more: epoll(7), question 9.
            let drained = received < self.buffer.len() && !ending;
            match connection.reader.feed(&self.buffer[..received]) {
                Ok(Progress::Complete { response, used }) => {
                    return self.answered(slot, response, drained && used == received);
                }
                Ok(Progress::Incomplete) if drained => return,
                Ok(Progress::Incomplete) => {}
                Err(_) => return self.protocol_broken(slot),
            }
        }
        if let Some(connection) = self.connections.get(slot) {
            self.again.push((token(slot, connection.serial), flags));
        }
    }

    /// The server has closed: that may be the response's end.
    fn stream_ended(&mut self, slot: u32) {
        let Some(connection) = self.connections.get(slot) else {
            return;
        };
        match connection.reader.finish() {
            Ok(response) if connection.attempt.is_some() => self.answered(slot, response, false),
            _ => self.connection_broken(slot),
        }
    }
}
