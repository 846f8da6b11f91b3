//! What goes on on a connection, by its protocol. This is the one place that tells the
//! protocols apart: [`super::single`] and [`super::streams`] carry attempts on them.

use std::sync::Arc;

use bytes::BytesMut;

use super::super::codec::ResponseReader;
use super::super::connection::{Carried, Connection};
use super::super::endpoint::Protocol;
use super::super::http2::Session;
use super::super::socket::Fault;
use super::events::Rest;
use super::sockets::Sockets;
use crate::clients::{Asks, Class, Clients, Try};
use crate::model::{Elsewhere, FailureCause};
use crate::units::Nanos;

/// What goes on on a connection.
#[derive(Debug)]
pub(in crate::load) enum Exchange {
    /// HTTP/1.1: one attempt at a time, in this slot, or none.
    One {
        attempt: Option<u32>,
        reader: ResponseReader,
    },
    /// HTTP/2: many at a time.
    Two(Box<Session>),
}

impl Exchange {
    /// Of a new connection; what the protocol says first goes to `unsent`.
    /// `requests_max`: how many requests the server is known to take on it.
    pub(super) fn new(protocol: Protocol, requests_max: u32, unsent: &mut BytesMut) -> Self {
        match protocol {
            Protocol::Http1 => Self::One {
                attempt: None,
                reader: ResponseReader::new(),
            },
            Protocol::Http2 { streams } => {
                Self::Two(Box::new(Session::new(streams, requests_max, unsent)))
            }
        }
    }

    /// Whether any attempt is under way on it.
    pub(in crate::load) fn busy(&self) -> bool {
        match self {
            Self::One { attempt, .. } => attempt.is_some(),
            Self::Two(session) => session.under_way() > 0,
        }
    }

    /// Whether the server has said why it ends the connection.
    pub(super) fn said_why(&self) -> bool {
        matches!(self, Self::Two(session) if session.farewell().is_some())
    }

    /// The kernel has taken all that there was to send.
    pub(super) fn sent(&mut self) {
        if let Self::Two(session) = self {
            session.sent();
        }
    }

    /// What an attempt that is sent is waiting for; what was seen of its answer goes
    /// to `seen`.
    pub(super) fn waits_for(&self, stream: u32, seen: &mut Vec<u8>) -> FailureCause {
        match self {
            Self::One { reader, .. } => {
                reader.copy_seen(seen);
                reader.waits_for()
            }
            Self::Two(session) => session.waits_for(stream),
        }
    }

    /// Gives up every attempt under way: their slots, and whether the answer to each had
    /// begun. The cause may be known better here, and what was seen goes to `seen`.
    pub(super) fn abandon(
        &mut self,
        cause: FailureCause,
        seen: &mut Vec<u8>,
    ) -> (FailureCause, Vec<(u32, bool)>) {
        match self {
            Self::One { attempt, reader } => {
                let attempts = attempt.take().map(|place| (place, reader.started()));
                reader.seen(seen);
                (cause, attempts.into_iter().collect())
            }
            Self::Two(session) => {
                let cause = match session.farewell() {
                    Some(said) if matches!(cause, FailureCause::Closed | FailureCause::Reset) => {
                        seen.clear();
                        seen.extend_from_slice(said.as_bytes());
                        FailureCause::Http2Refused
                    }
                    _ => cause,
                };
                (cause, session.abandon())
            }
        }
    }
}

impl Sockets {
    /// A connection for an attempt. Of HTTP/1.1's kept ones the warmest, and
    /// for a resend a new one, since a second kept one may be as stale; of
    /// HTTP/2's, as long as more may be opened, one that nobody else uses.
    pub(super) fn take_connection(
        &mut self,
        asks: &Asks<'_>,
        which: Try,
        now: Nanos,
    ) -> Result<u32, Fault> {
        let class = asks.class();
        if let Protocol::Http1 = self.endpoint.protocol {
            let elsewhere = asks.elsewhere();
            let kept = match which {
                Try::Resend => None,
                Try::First | Try::Retry | Try::Hedge => self.take_kept(class, elsewhere),
            };
            if let Some(kept) = kept {
                return Ok(kept);
            }
            if !self.pool(class).may_open()
                && let Some(unused) = self.pool(class).longest_unused()
            {
                self.close(unused);
            }
            return self.connect(class, elsewhere);
        }
        let may_open = self.pool(class).may_open();
        let Some((_, kept)) = self.pool(class).idle.front() else {
            let slot = self.connect(class, None)?;
            self.pool(class).idle.push(slot, now);
            return Ok(slot);
        };
        if may_open && self.connections.get(kept).is_some_and(Connection::busy) {
            let slot = self.connect(class, None)?;
            self.pool(class).idle.push(slot, now);
            return Ok(slot);
        }
        Ok(kept)
    }

    /// The warmest kept connection that leads where it is to lead.
    fn take_kept(&mut self, class: Class, elsewhere: Option<&Arc<Elsewhere>>) -> Option<u32> {
        if elsewhere.is_none() {
            return self.pool(class).idle.pop_back();
        }
        let leads = |slot: &u32| {
            let connection = self.connections.get(*slot);
            connection.is_some_and(|found| found.elsewhere.as_ref() == elsewhere)
        };
        let unused = &self.pool_of(class).idle_elsewhere;
        let place = unused.iter().rposition(leads)?;
        Some(self.pool(class).idle_elsewhere.remove(place))
    }

    /// What goes on on a connection, as long as it is there.
    fn exchange(&mut self, slot: u32) -> Option<&mut Exchange> {
        let connection = self.connections.get_mut(slot)?;
        Some(&mut connection.exchange)
    }

    /// Begins the attempt in slot `place`.
    pub(super) fn begin(&mut self, slot: u32, place: u32, asks: &Asks<'_>) {
        let (to_head, keep) = self.reading(asks);
        match self.exchange(slot) {
            Some(Exchange::One { attempt, reader }) => {
                reader.begin(to_head, keep);
                *attempt = Some(place);
                self.send_request(slot, asks);
            }
            Some(Exchange::Two(_)) => self.open_stream(slot, place, asks),
            None => {}
        }
    }

    /// Nobody waits for an attempt any more.
    pub(super) fn give_up(&mut self, carried: &Carried) {
        match self.exchange(carried.connection) {
            Some(Exchange::One { attempt, .. }) => {
                *attempt = None;
                self.close(carried.connection);
            }
            Some(Exchange::Two(_)) => self.cancel_stream(carried.connection, carried.stream),
            None => {}
        }
    }

    /// Sends what waited for the handshake.
    pub(super) fn send_first(&mut self, slot: u32, clients: &Clients) {
        let attempt = match self.exchange(slot) {
            Some(Exchange::One { attempt, .. }) => *attempt,
            _ => None,
        };
        match attempt.and_then(|attempt| clients.asks(attempt)) {
            Some(asks) => self.send_request(slot, &asks),
            None => self.send_waiting(slot),
        }
    }

    /// Takes bytes that came; false where there is no more to read.
    pub(super) fn feed(&mut self, slot: u32, received: usize, rest: Rest) -> bool {
        match self.exchange(slot) {
            Some(Exchange::One { .. }) => self.feed_single(slot, received, rest),
            Some(Exchange::Two(_)) => self.feed_session(slot, received),
            None => false,
        }
    }

    /// The server has closed: that may be the response's end.
    pub(super) fn stream_ended(&mut self, slot: u32) {
        match self.exchange(slot) {
            Some(Exchange::One { .. }) => self.single_ended(slot),
            Some(Exchange::Two(_)) => self.connection_closed(slot),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection with one request, of place 7, that a server ends with an error.
    fn ended_with_an_error() -> Exchange {
        let mut out = BytesMut::new();
        let mut session = Session::new(1, u32::MAX, &mut out);
        session.open(7, (false, false), &[0x82], &[], &mut out);
        // GOAWAY: the last stream is 1, the error ENHANCE_YOUR_CALM.
        let goaway = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 11];
        session.feed(&goaway, &mut out, &mut Vec::new()).unwrap();
        Exchange::Two(Box::new(session))
    }

    #[test]
    fn why_the_server_ends_a_connection_is_known_however_it_ends() {
        use FailureCause::{BadFrame, Closed, Http2Refused, Reset};
        for (ends, cause) in [
            (Closed, Http2Refused),
            (Reset, Http2Refused),
            (BadFrame, BadFrame),
        ] {
            let mut seen = b"before".to_vec();
            let mut exchange = ended_with_an_error();
            assert!(exchange.said_why());
            let abandoned = exchange.abandon(ends, &mut seen);
            assert_eq!(abandoned, (cause, vec![(7, false)]), "{ends:?}");
            let told = cause == Http2Refused;
            assert_eq!(seen == b"GOAWAY ENHANCE_YOUR_CALM (11)", told, "{ends:?}");
        }
    }
}
