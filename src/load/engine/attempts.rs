//! Attempts on connections, whoever makes them.
//!
//! An attempt starts, and is sent, when its first byte is handed to the
//! kernel; on a new connection that is the SYN, since a user who waits for a
//! handshake waits for the target. So the timeout bounds the handshakes too.

use bytes::{Buf as _, BytesMut};
use rustix::io::Errno;

use super::super::codec::{Response, ResponseReader};
use super::super::connection::{Attempt, Connection, Exchange, Owner, Watched, token};
use super::super::endpoint::Protocol;
use super::super::generator::Update;
use super::super::http2::Session;
use super::super::socket::Fault;
use super::super::stream::Stream;
use super::{Engine, Unanswered};
use crate::model::{AttemptOutcome, Content};
use crate::record::{Class, Try};
use crate::slots::Slab;
use crate::units::Nanos;

/// The lane of users' timeouts; a group's is one past its index.
const USERS_LANE: usize = 0;

impl Engine {
    /// Starts an attempt, sent at `sent`, which is now, on a kept connection or
    /// on a new one.
    pub(super) fn launch(&mut self, owner: Owner, which: Try, sent: Nanos) {
        let (class, lane, timeout) = match owner {
            Owner::Operation(_) => (Class::User, USERS_LANE, self.policy.timeout),
            Owner::Probe { group, .. } => (Class::Monitor, 1 + group, self.probes.timeout(group)),
        };
        self.ledger.attempt_started(class, which);
        let slot = match self.take_connection(class, which, sent) {
            Ok(slot) => slot,
            Err(fault) => {
                self.warn_of(&fault);
                self.ledger.unanswered(class, Unanswered::Connection);
                self.tell_owner(owner, AttemptOutcome::ConnectionFailed, sent);
                return;
            }
        };
        let until = sent.saturating_add(timeout);
        let place = self.attempts.insert(Attempt {
            owner,
            which,
            lane,
            sent,
            until,
            handed_over: false,
            connection: slot,
            stream: 0,
        });
        if let Owner::Operation(operation) = owner
            && let Some(operation) = self.operations.get_mut(operation)
        {
            operation.under_way.begin(place);
        }
        self.timeouts[lane].push(place, until);
        let (to_head, keep) = self.reading(owner);
        match self
            .connections
            .get_mut(slot)
            .map(|found| &mut found.exchange)
        {
            Some(Exchange::One { attempt, reader }) => {
                reader.begin(to_head, keep);
                *attempt = Some(place);
                self.send_request(slot);
            }
            Some(Exchange::Two(_)) => self.open_stream(slot, place),
            None => {}
        }
    }

    /// A monitor probes.
    pub(super) fn start_probe(&mut self, monitor: u32) {
        let now = self.now();
        let group = self.probes.group(monitor);
        let epoch = self.probes.start(monitor, now);
        let owner = Owner::Probe {
            monitor,
            group,
            epoch,
        };
        self.launch(owner, Try::First, now);
    }

    /// Of the response to the owner's request: whether it has no body whatever
    /// it says, and whether it is kept.
    pub(super) fn reading(&self, owner: Owner) -> (bool, bool) {
        let Owner::Operation(operation) = owner else {
            return (false, false);
        };
        let read = self.operations.get(operation).map(|operation| {
            let (draft, step) = (&operation.draft, operation.step);
            let requests = &self.requests;
            (
                requests.to_head(draft, step),
                requests.looks_inside(draft, step),
            )
        });
        read.unwrap_or_default()
    }

    /// A connection for an attempt. Of HTTP/1.1's kept ones the warmest, and
    /// for a resend a new one, since a second kept one may be as stale; of
    /// HTTP/2's, as long as more may be opened, one that nobody else uses.
    fn take_connection(&mut self, class: Class, which: Try, now: Nanos) -> Result<u32, Fault> {
        if let Protocol::Http1 = self.endpoint.protocol {
            let kept = match which {
                Try::Resend => None,
                Try::First | Try::Retry | Try::Hedge => self.pool(class).idle.pop_back(),
            };
            return kept.map_or_else(|| self.connect(class), Ok);
        }
        let may_open = self.pool(class).may_open();
        let Some((_, kept)) = self.pool(class).idle.front() else {
            let slot = self.connect(class)?;
            self.pool(class).idle.push(slot, now);
            return Ok(slot);
        };
        if may_open && self.connections.get(kept).is_some_and(Connection::busy) {
            let slot = self.connect(class)?;
            self.pool(class).idle.push(slot, now);
            return Ok(slot);
        }
        Ok(kept)
    }

    fn connect(&mut self, class: Class) -> Result<u32, Fault> {
        debug_assert!(self.pool(class).may_open(), "the limit is a limit");
        let stream = Stream::connect(&self.endpoint)?;
        if self.notes.is_some() {
            stream.note_arrivals();
        }
        let serial = self.next_serial;
        self.next_serial = serial.wrapping_add(1);
        self.ledger.connection_opened();
        self.pool(class).open += 1;
        let mut unsent = BytesMut::new();
        let exchange = match self.endpoint.protocol {
            Protocol::Http1 => Exchange::One {
                attempt: None,
                reader: ResponseReader::new(),
            },
            Protocol::Http2 { streams } => {
                Exchange::Two(Box::new(Session::new(streams, &mut unsent)))
            }
        };
        Ok(self
            .connections
            .insert(Connection::new(stream, serial, class, exchange, unsent)))
    }

    /// Sends the request of the attempt under way, as far as the kernel takes
    /// it; on an HTTP/2 connection, what all its streams have to send.
    pub(super) fn send_request(&mut self, slot: u32) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        let Exchange::One {
            attempt: Some(attempt),
            ..
        } = connection.exchange
        else {
            return self.send_waiting(slot);
        };
        let Some(attempt) = self.attempts.get_mut(attempt) else {
            return;
        };
        let request = match attempt.owner {
            Owner::Operation(operation) => {
                if let Some(operation) = self.operations.get(operation) {
                    let asking = operation.asking(attempt, &self.policy, self.latest);
                    self.requests.write(asking, &mut self.request);
                }
                self.request.as_slice()
            }
            Owner::Probe { group, .. } => self.probe_requests[group].as_slice(),
        };
        match connection.stream.transmit(request) {
            Ok(Some(sent)) => {
                self.ledger.sent(sent);
                connection.established = true;
                attempt.handed_over = true;
                connection.unsent.extend_from_slice(&request[sent..]);
            }
            // The handshake is under way: all of it is sent after it.
            Ok(None) if !connection.established => {}
            Ok(None) => connection.unsent.extend_from_slice(request),
            Err(fault) => return self.connection_broken(slot, &fault),
        }
        self.watch(slot);
    }

    /// Sends what a connection has to send, as far as the kernel takes it.
    pub(super) fn send_waiting(&mut self, slot: u32) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        if !connection.unsent.is_empty() {
            match connection.stream.transmit(&connection.unsent) {
                Ok(Some(sent)) => {
                    self.ledger.sent(sent);
                    connection.established = true;
                    connection.unsent.advance(sent);
                    if let Exchange::Two(session) = &mut connection.exchange
                        && connection.unsent.is_empty()
                    {
                        session.sent();
                    }
                }
                Ok(None) => {}
                Err(fault) => return self.connection_broken(slot, &fault),
            }
        }
        self.watch(slot);
    }

    /// Has the poller watch a connection for what it waits for. A connection
    /// is first watched after its first send, which mostly goes through at
    /// once, and so is spared an event that says no more than that it can write.
    pub(super) fn watch(&mut self, slot: u32) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        let sent = connection.unsent.is_empty() && !connection.stream.pending();
        let wanted = if connection.established && sent {
            Watched::Reading
        } else {
            Watched::Writing
        };
        let before = connection.watched;
        if wanted <= before {
            return;
        }
        connection.watched = wanted;
        let writing = wanted == Watched::Writing;
        let token = token(slot, connection.serial);
        let result = if before == Watched::No {
            self.poller.add(&connection.stream, token, writing)
        } else {
            self.poller.watch_writing(&connection.stream, token)
        };
        if let Err(error) = result {
            self.connection_broken(slot, &error.into());
        }
    }

    /// The response to the attempt under way is whole; `reusable`: as far as the socket goes.
    pub(super) fn answered(&mut self, slot: u32, response: Response, reusable: bool) {
        let now = self.now();
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        let Exchange::One { attempt, reader } = &mut connection.exchange else {
            return;
        };
        let content = reader.take_content();
        let Some(place) = *attempt else {
            return;
        };
        let ended = self.ended_at(place, now);
        if late(&self.attempts, place, ended) {
            return self.time_out(place);
        }
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        if let Exchange::One { attempt, .. } = &mut connection.exchange {
            *attempt = None;
        }
        connection.served = true;
        let class = connection.class;
        let keep = reusable
            && response.keep_alive
            && connection.unsent.is_empty()
            && !self.drive.fresh_connections;
        if keep {
            self.pool(class).idle.push(slot, now);
        } else {
            self.close(slot);
        }
        self.conclude(place, class, response, content.as_deref(), ended);
    }

    /// Ends an attempt with its response, whole at `now`, and what was kept of it.
    pub(super) fn conclude(
        &mut self,
        place: u32,
        class: Class,
        response: Response,
        content: Option<&Content>,
        now: Nanos,
    ) {
        let Some(attempt) = self.attempts.remove(place) else {
            return;
        };
        self.release(attempt.owner, place);
        self.timeouts[attempt.lane].remove(place);
        let service = now.saturating_sub(attempt.sent);
        self.ledger.answered(class, response.status, service);
        let outcome = self.judge(attempt.owner, response, content);
        self.tell_owner(attempt.owner, outcome, now);
    }

    /// The attempt is under way no more for who made it.
    fn release(&mut self, owner: Owner, place: u32) {
        if let Owner::Operation(operation) = owner
            && let Some(operation) = self.operations.get_mut(operation)
        {
            operation.under_way.end(place);
        }
    }

    /// What a response means to who asked.
    fn judge(
        &mut self,
        owner: Owner,
        response: Response,
        content: Option<&Content>,
    ) -> AttemptOutcome {
        let Response {
            status,
            retry_after,
            ..
        } = response;
        let unexpected = AttemptOutcome::Unexpected {
            status,
            retry_after,
        };
        let success = (200..=299).contains(&status);
        let operation = match owner {
            Owner::Operation(slot) => self.operations.get_mut(slot),
            Owner::Probe { .. } => None,
        };
        let Some(operation) = operation else {
            return if success {
                AttemptOutcome::Expected
            } else {
                unexpected
            };
        };
        let (draft, step, requests) = (&operation.draft, operation.step, &self.requests);
        let expected = requests.expected(draft, step);
        if !expected.allows(status) {
            return if success && !expected.success() {
                AttemptOutcome::WronglyAllowed
            } else {
                unexpected
            };
        }
        let captured = &mut operation.captured;
        let accepted =
            content.is_none_or(|content| requests.accepts(draft, step, content, captured));
        if accepted {
            AttemptOutcome::Expected
        } else {
            AttemptOutcome::CheckFailed
        }
    }

    pub(super) fn tell_owner(&mut self, owner: Owner, outcome: AttemptOutcome, now: Nanos) {
        match owner {
            Owner::Operation(slot) => self.attempt_ended(slot, outcome, now),
            Owner::Probe { monitor, epoch, .. } => {
                let well = outcome == AttemptOutcome::Expected;
                self.ledger.ended(Class::Monitor, well);
                self.probes.ended(monitor, epoch, now, well);
            }
        }
    }

    /// The attempt under way has run into its timeout.
    pub(super) fn time_out(&mut self, place: u32) {
        let now = self.now();
        if let Some(attempt) = self.give_up(place, Unanswered::TimedOut) {
            self.tell_owner(attempt.owner, AttemptOutcome::TimedOut, now);
        }
    }

    /// The connection was refused or reset, or cannot go on.
    pub(super) fn connection_broken(&mut self, slot: u32, fault: &Fault) {
        self.warn_of(fault);
        self.connection_closed(slot);
    }

    /// The connection has ended.
    pub(super) fn connection_closed(&mut self, slot: u32) {
        self.lose(
            slot,
            Unanswered::Connection,
            AttemptOutcome::ConnectionFailed,
        );
    }

    /// Ends a connection and every attempt under way on it.
    ///
    /// A kept connection may have been closed by the server while a request
    /// was on its way: then the request is sent once more, on another one, where
    /// that cannot do it twice (RFC 9110, section 9.2.2; RFC 9112, section 9.3.1).
    pub(super) fn lose(&mut self, slot: u32, how: Unanswered, outcome: AttemptOutcome) {
        let now = self.now();
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        let may_be_stale = connection.served && how == Unanswered::Connection;
        match &mut connection.exchange {
            Exchange::One { attempt, reader } => {
                let (attempt, stale) = (attempt.take(), may_be_stale && !reader.started());
                self.close(slot);
                if let Some(place) = attempt {
                    self.fail_attempt(place, how, outcome, stale, now);
                }
            }
            Exchange::Two(session) => {
                let attempts = session.abandon();
                self.close(slot);
                for (place, answering) in attempts {
                    self.fail_attempt(place, how, outcome, may_be_stale && !answering, now);
                }
            }
        }
    }

    /// Ends an attempt whose connection can no longer answer it; `stale`: and
    /// did perhaps never hear of it.
    pub(super) fn fail_attempt(
        &mut self,
        place: u32,
        how: Unanswered,
        outcome: AttemptOutcome,
        stale: bool,
        now: Nanos,
    ) {
        let Some(attempt) = self.forget(place, how) else {
            return;
        };
        if !(stale && self.may_resend(&attempt, now) && self.resend(&attempt, now)) {
            self.tell_owner(attempt.owner, outcome, now);
        }
    }

    /// Makes an attempt's request once more, or has it wait for a connection;
    /// false where neither can be, since its operation makes another already.
    fn resend(&mut self, attempt: &Attempt, now: Nanos) -> bool {
        let Owner::Operation(slot) = attempt.owner else {
            self.launch(attempt.owner, Try::Resend, now);
            return true;
        };
        if self.users.has_room() {
            self.launch(attempt.owner, Try::Resend, now);
            return true;
        }
        match self.operations.get_mut(slot) {
            Some(operation) if !operation.under_way.any() => {
                operation.resends = true;
                self.waiting.push(slot, now);
                self.ledger.waiting(self.waiting.len());
                true
            }
            _ => false,
        }
    }

    fn may_resend(&self, attempt: &Attempt, now: Nanos) -> bool {
        match attempt.owner {
            Owner::Probe { .. } => attempt.which != Try::Resend,
            Owner::Operation(slot) => self.operations.get(slot).is_some_and(|operation| {
                attempt.which != Try::Resend
                    && now < operation.machine.deadline(&self.policy)
                    && (!attempt.handed_over
                        || self.requests.idempotent(&operation.draft, operation.step))
            }),
        }
    }

    /// Strikes an attempt off that ends without a response.
    fn forget(&mut self, place: u32, how: Unanswered) -> Option<Attempt> {
        let attempt = self.attempts.remove(place)?;
        self.release(attempt.owner, place);
        self.timeouts[attempt.lane].remove(place);
        let class = match attempt.owner {
            Owner::Operation(_) => Class::User,
            Owner::Probe { .. } => Class::Monitor,
        };
        self.ledger.unanswered(class, how);
        Some(attempt)
    }

    /// Ends an attempt without a response, and its connection or stream with
    /// it: what may still come on it belongs to nobody.
    pub(super) fn give_up(&mut self, place: u32, how: Unanswered) -> Option<Attempt> {
        let attempt = self.forget(place, how)?;
        let slot = attempt.connection;
        match self
            .connections
            .get_mut(slot)
            .map(|found| &mut found.exchange)
        {
            Some(Exchange::One { attempt, .. }) => {
                *attempt = None;
                self.close(slot);
            }
            Some(Exchange::Two(_)) => self.cancel_stream(slot, attempt.stream),
            None => {}
        }
        Some(attempt)
    }

    /// Ends a connection at once.
    pub(super) fn close(&mut self, slot: u32) {
        let Some(connection) = self.connections.remove(slot) else {
            return;
        };
        let pool = self.pool(connection.class);
        pool.open -= 1;
        pool.idle.remove(slot);
        self.ledger.connection_closed();
        connection.stream.reset();
    }

    /// Says once what this machine or the set-up lacks; attempts that fail for
    /// it are counted all the same.
    pub(super) fn warn_of(&mut self, fault: &Fault) {
        let text = match fault {
            Fault::System(Errno::MFILE | Errno::NFILE) => {
                "no file descriptor was free for a connection: attempts fail that the target \
                 never sees; raise the limit with `ulimit -n`, or lower `connections`"
                    .to_owned()
            }
            Fault::System(Errno::ADDRNOTAVAIL) => {
                "no local port was free for a connection: attempts fail that the target never \
                 sees; lower the rate of new connections, or widen net.ipv4.ip_local_port_range"
                    .to_owned()
            }
            Fault::System(_) => return,
            Fault::Tls(rustls::Error::InvalidCertificate(cause)) => format!(
                "the server's certificate was not accepted ({cause:?}): trust its authority with \
                 --cacert FILE, or anyone with --insecure"
            ),
            Fault::Tls(cause) => format!("TLS failed: {cause}"),
        };
        if !self.warned_of.contains(&text) && self.warned_of.len() < WARNINGS_MAX {
            self.warned_of.push(text.clone());
            (self.updates)(Update::Warning(text));
        }
    }
}

/// Whether a response that is whole at `now` comes after the attempt's timeout.
pub(super) fn late(attempts: &Slab<Attempt>, place: u32, now: Nanos) -> bool {
    let attempt = attempts.get(place);
    attempt.is_some_and(|attempt| now >= attempt.until)
}

/// Warnings at most: a server could make up a new error for each connection.
const WARNINGS_MAX: usize = 16;
