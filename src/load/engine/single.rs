//! Attempts one at a time on a connection, as HTTP/1.1 has them.

use super::super::codec::{Progress, Response};
use super::events::Rest;
use super::exchange::Exchange;
use super::sockets::{Sockets, answer};
use crate::clients::{Asks, End};
use crate::model::FailureCause;

impl Sockets {
    /// Sends the request of the attempt under way on an HTTP/1.1 connection, as far
    /// as the kernel takes it.
    pub(super) fn send_request(&mut self, slot: u32, asks: &Asks<'_>) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        let request = match asks {
            Asks::Step(request) => {
                self.requests.write(request, self.latest, &mut self.request);
                self.request.as_slice()
            }
            Asks::Probe { group } => self.probe_requests[*group].as_slice(),
        };
        match connection.stream.transmit(request) {
            Ok(Some(sent)) => {
                self.counted.sent_bytes += sent as u64;
                connection.established = true;
                connection.unsent.extend_from_slice(&request[sent..]);
                if let Exchange::One {
                    attempt: Some(attempt),
                    ..
                } = connection.exchange
                {
                    self.carried[attempt as usize].handed_over = true;
                }
            }
            // The handshake is under way: all of it is sent after it.
            Ok(None) if !connection.established => {}
            Ok(None) => connection.unsent.extend_from_slice(request),
            Err(fault) => return self.connection_broken(slot, &fault),
        }
        self.watch(slot);
    }

    /// The response to the attempt under way is whole; `reusable`: as far as the socket goes.
    fn answered(&mut self, slot: u32, response: Response, reusable: bool) {
        let now = self.read_clock();
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        let Exchange::One { attempt, reader } = &mut connection.exchange else {
            return;
        };
        let content = reader.take_content();
        reader.seen(&mut self.seen);
        let Some(place) = attempt.take() else {
            return;
        };
        let Some(carried) = self.drop_carried(place) else {
            return;
        };
        let ended = self.ended_at(&carried, now);
        if carried.too_late(ended) {
            // What may still come on its connection belongs to nobody.
            self.close(slot);
            return self.end(&carried, now, now, End::TooLate);
        }
        let whole = self.known(ended, now);
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        connection.served = true;
        let class = connection.class;
        self.times.first_byte(class, carried.waited(whole));
        let keep = reusable
            && response.keep_alive
            && connection.unsent.is_empty()
            && !self.fresh_connections;
        let elsewhere = connection.elsewhere.is_some();
        match (keep, elsewhere) {
            (true, false) => self.pool(class).idle.push(slot, now),
            (true, true) => self.pool(class).idle_elsewhere.push(slot),
            (false, _) => self.close(slot),
        }
        self.end(&carried, ended, now, answer(response, content));
    }

    /// Takes bytes that came for the attempt under way; false where the connection has
    /// nothing more to say, or is gone.
    pub(super) fn feed_single(&mut self, slot: u32, received: usize, rest: Rest) -> bool {
        let Some(connection) = self.connections.get_mut(slot) else {
            return false;
        };
        let Exchange::One { attempt, reader } = &mut connection.exchange else {
            return false;
        };
        if attempt.is_none() {
            // Nobody asked for anything, so nobody can trust what comes next either.
            self.close(slot);
            return false;
        }
        match reader.feed(&self.buffer[..received]) {
            Ok(Progress::Complete { response, used }) => {
                let all = rest.last && used == received;
                let reusable = all && (rest.drained || self.nothing_follows(slot));
                self.answered(slot, response, reusable);
                false
            }
            Ok(Progress::Incomplete) => {
                let place = *attempt;
                if let Some(place) = place {
                    self.first_byte_came(place);
                }
                true
            }
            Err(cause) => {
                self.lose(slot, cause);
                false
            }
        }
    }

    /// Whether a connection has nothing more to read now. What follows a response
    /// was not asked for.
    fn nothing_follows(&mut self, slot: u32) -> bool {
        let connection = self.connections.get_mut(slot);
        connection.is_some_and(|connection| {
            let more = connection.stream.receive(&mut self.buffer);
            matches!(more, Ok(None))
        })
    }

    /// The server has closed: the attempt's answer may be whole by that.
    pub(super) fn single_ended(&mut self, slot: u32) {
        let connection = self.connections.get(slot);
        let cut = connection.is_some_and(|connection| connection.stream.cut());
        let finished = match connection.map(|connection| &connection.exchange) {
            Some(Exchange::One {
                attempt: Some(_),
                reader,
            }) => reader.finish().ok(),
            _ => None,
        };
        match finished {
            Some(_) if cut => self.lose(slot, FailureCause::Truncated),
            Some(response) => self.answered(slot, response, false),
            None => self.connection_closed(slot),
        }
    }
}
