//! Attempts as streams of HTTP/2 connections.

use bytes::BytesMut;

use super::super::connection::{Exchange, Owner};
use super::super::http2::{Session, StreamEnd};
use super::attempts::late;
use super::{Engine, Unanswered};
use crate::model::AttemptOutcome;
use crate::record::Try;

/// Times that an operation's requests are made again since they were not processed.
const REFUSALS_MAX: u8 = 100;
/// Bytes that wait to be sent on a connection, past which it gets no request.
const UNSENT_MAX: usize = 1024 * 1024;

impl Engine {
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
    pub(super) fn open_stream(&mut self, slot: u32, place: u32) {
        let Some(owner) = self.attempts.get(place).map(|attempt| attempt.owner) else {
            return;
        };
        let (_, keep) = self.reading(owner);
        let Some(attempt) = self.attempts.get_mut(place) else {
            return;
        };
        attempt.handed_over = true;
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        let Exchange::Two(session) = &mut connection.exchange else {
            return;
        };
        if let Owner::Operation(operation) = attempt.owner
            && let Some(operation) = self.operations.get(operation)
        {
            let asking = operation.asking(attempt, &self.policy, self.latest);
            let body = self.requests.write_fields(asking, &mut self.request);
            attempt.stream = session.open(place, keep, &self.request, body, &mut connection.unsent);
        }
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
        let now = self.now();
        let pool = self.pool(class);
        pool.idle.remove(slot);
        if room {
            pool.idle.push(slot, now);
        }
    }

    /// Gathered bytes leave. Where a connection turns out to be broken, its room
    /// is for those who wait, and theirs leave too.
    pub(super) fn flush_sessions(&mut self) {
        while let Some(slot) = self.unflushed.pop() {
            self.send_waiting(slot);
            if self.unflushed.is_empty() {
                self.serve_waiting();
            }
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
        // What is sent again because of the answers may find no room here any more.
        self.keep_in_pool(slot);
        for (place, stream, answer) in answers.drain(..) {
            // An answer before it may have ended this attempt, and the place may
            // be another's by now.
            let attempt = self.attempts.get(place);
            if attempt.is_some_and(|found| (found.connection, found.stream) == (slot, stream)) {
                self.take_answer(slot, place, answer);
            }
        }
        self.answers = answers;
        match fed {
            None => return false,
            Some(Err(_)) => {
                self.protocol_broken(slot);
                return false;
            }
            Some(Ok(())) => {}
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

    fn take_answer(&mut self, slot: u32, place: u32, answer: StreamEnd) {
        let now = self.now();
        match answer {
            StreamEnd::Response(response, content) => {
                let ended = self.ended_at(place, now);
                if late(&self.attempts, place, ended) {
                    return self.time_out(place);
                }
                if let Some(connection) = self.connections.get_mut(slot) {
                    connection.served = true;
                    let class = connection.class;
                    self.keep_in_pool(slot);
                    self.conclude(place, class, response, content.as_deref(), ended);
                }
            }
            // Not processed, so doing it again does not do it twice.
            StreamEnd::Refused => {
                self.note_unprocessed(place);
                let (how, outcome) = (Unanswered::Connection, AttemptOutcome::ConnectionFailed);
                self.fail_attempt(place, how, outcome, true, now);
            }
            StreamEnd::Reset => {
                let (how, outcome) = (Unanswered::Connection, AttemptOutcome::ConnectionFailed);
                self.fail_attempt(place, how, outcome, false, now);
            }
        }
    }

    /// A server has not processed an attempt's request, so that it may be made
    /// again as if it had not been (RFC 9113, section 8.7); but not for ever.
    fn note_unprocessed(&mut self, place: u32) {
        let Some(attempt) = self.attempts.get_mut(place) else {
            return;
        };
        attempt.handed_over = false;
        if let Owner::Operation(slot) = attempt.owner
            && let Some(operation) = self.operations.get_mut(slot)
            && operation.refused < REFUSALS_MAX
        {
            operation.refused += 1;
            attempt.which = Try::First;
        }
    }

    /// Tells the server that nobody waits for a stream any more. A connection
    /// that was never made is given up with the last that waited for it.
    pub(super) fn cancel_stream(&mut self, slot: u32, stream: u32) {
        let Some((session, out)) = self.session(slot) else {
            return;
        };
        session.cancel(stream, out);
        if session.under_way() == 0 && !session.settled() {
            return self.close(slot);
        }
        self.keep_in_pool(slot);
        self.unflushed.push(slot);
    }
}
