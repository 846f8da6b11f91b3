//! Attempts as streams of HTTP/2 connections.

use bytes::BytesMut;

use super::super::http2::{Session, StreamEnd};
use super::exchange::Exchange;
use super::sockets::{Sockets, answer};
use crate::clients::{Asks, Class, End};
use crate::model::FailureCause;

/// Bytes that wait to be sent on a connection, past which it gets no request.
const UNSENT_MAX: usize = 1024 * 1024;

impl Sockets {
    /// The session of an HTTP/2 connection, and where its bytes go.
    fn session(&mut self, slot: u32) -> Option<(&mut Session, &mut BytesMut)> {
        let connection = self.connections.get_mut(slot)?;
        match &mut connection.exchange {
            Exchange::Two(session) => Some((session, &mut connection.unsent)),
            Exchange::One { .. } => None,
        }
    }

    /// Opens a stream for an attempt. What it has to send is gathered, and
    /// leaves with what others have to send in the same turn.
    pub(super) fn open_stream(&mut self, slot: u32, place: u32, asks: &Asks<'_>) {
        let reading = self.reading(asks);
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        let Exchange::Two(session) = &mut connection.exchange else {
            return;
        };
        let carried = &mut self.carried[place as usize];
        carried.handed_over = true;
        let (head, body) = match asks {
            Asks::Step(request) => {
                let head = &mut self.request;
                let body = self.requests.write_fields(request, carried.sent, head);
                (head.as_slice(), body)
            }
            Asks::Probe { group } => (self.probe_requests[*group].as_slice(), &[][..]),
        };
        carried.stream = session.open(place, reading, head, body, &mut connection.unsent);
        self.unflushed.push(slot);
        self.keep_in_pool(slot);
    }

    /// Whether a connection is in its pool follows from whether it has room.
    pub(super) fn keep_in_pool(&mut self, slot: u32) {
        let Some(connection) = self.connections.get(slot) else {
            return;
        };
        let Exchange::Two(session) = &connection.exchange else {
            return;
        };
        // A server that reads nothing is given no more to read.
        let room = session.has_room() && connection.unsent.len() < UNSENT_MAX;
        let class = connection.class;
        let now = self.read_clock();
        let pool = self.pool(class);
        pool.idle.remove(slot);
        if room {
            pool.idle.push(slot, now);
        }
    }

    /// Gathered bytes leave.
    pub(super) fn flush_sessions(&mut self) {
        while let Some(slot) = self.unflushed.pop() {
            self.send_waiting(slot);
        }
    }

    /// Takes bytes that came for a session; false where the connection is gone.
    pub(super) fn feed_session(&mut self, slot: u32, received: usize) -> bool {
        let mut answers = std::mem::take(&mut self.answers);
        let buffer = std::mem::take(&mut self.buffer);
        let fed = self
            .session(slot)
            .map(|(session, out)| session.feed(&buffer[..received], out, &mut answers));
        self.buffer = buffer;
        // What is sent next may find no room here any more.
        self.keep_in_pool(slot);
        for (place, stream, end) in answers.drain(..) {
            // The attempt may have been given up, and the place be another's by now.
            let carried = self.carried(place);
            if carried.is_some_and(|found| (found.connection, found.stream) == (slot, stream)) {
                self.take_answer(slot, place, end);
            }
        }
        self.answers = answers;
        match fed {
            None => return false,
            Some(Err(cause)) => {
                self.lose(slot, cause);
                if cause == FailureCause::Http1Instead {
                    self.seen = self.buffer[..received].to_vec();
                }
                return false;
            }
            Some(Ok(())) => self.learn(slot),
        }
        let drained = self
            .session(slot)
            .is_some_and(|(session, _)| session.done());
        if drained {
            self.connection_closed(slot);
            return false;
        }
        self.keep_in_pool(slot);
        self.unflushed.push(slot);
        true
    }

    /// A server that ends connections after so many requests is given no more on the
    /// next ones: what it would refuse would have to be sent again.
    fn learn(&mut self, slot: u32) {
        let taken = self.session(slot).and_then(|(session, _)| session.taken());
        if let Some(taken) = taken {
            self.requests_limit.show(taken);
        }
    }

    fn take_answer(&mut self, slot: u32, place: u32, end: StreamEnd) {
        let now = self.read_clock();
        let (response, content) = match end {
            StreamEnd::Began => return self.first_byte_came(place),
            StreamEnd::Response {
                response,
                content,
                seen,
            } => {
                self.seen = seen;
                (response, content)
            }
            StreamEnd::Refused(said) => {
                self.seen = said.into_bytes();
                if let Some(carried) = self.drop_carried(place) {
                    let served = self.has_served(slot);
                    self.end(&carried, now, now, End::Unprocessed { served });
                }
                return;
            }
            StreamEnd::Reset(said) => {
                self.seen = said.into_bytes();
                let cause = FailureCause::Http2Refused;
                return self.lose_attempt(place, cause, (false, false), now);
            }
            StreamEnd::Failed { cause, seen } => {
                self.seen = seen;
                return self.lose_attempt(place, cause, (false, true), now);
            }
        };
        let Some(carried) = self.drop_carried(place) else {
            return;
        };
        let ended = self.ended_at(&carried, now);
        if carried.too_late(ended) {
            return self.end(&carried, now, now, End::TooLate);
        }
        let whole = self.known(ended, now);
        if let Some(connection) = self.connections.get_mut(slot) {
            connection.served = true;
            let class = connection.class;
            self.times.first_byte(class, carried.waited(whole));
        }
        self.end(&carried, ended, now, answer(response, content));
    }

    /// Tells the server that nobody waits for a stream any more. A connection
    /// that was never made is given up with the last that waited for it, and one that
    /// takes no other request is left. That of a probe is left too, as over HTTP/1.1: the
    /// next one looks at the server, and not at a connection that may be stuck.
    pub(super) fn cancel_stream(&mut self, slot: u32, stream: u32) {
        let connection = self.connections.get(slot);
        let probes = connection.is_some_and(|it| it.class == Class::Monitor);
        let Some((session, out)) = self.session(slot) else {
            return;
        };
        session.cancel(stream, out);
        if probes || session.done() || session.under_way() == 0 && !session.settled() {
            return self.close(slot);
        }
        self.keep_in_pool(slot);
        self.unflushed.push(slot);
    }
}
