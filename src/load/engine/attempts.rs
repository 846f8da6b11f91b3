//! Attempts on connections, whoever makes them.
//!
//! An attempt starts, and is sent, when its first byte is handed to the
//! kernel; on a new connection that is the SYN, since a user who waits for a
//! handshake waits for the target. So the timeout bounds the handshake too.

use rustix::io::Errno;

use super::super::codec::Response;
use super::super::connection::{Attempt, Connection, Owner, Watched, token};
use super::super::generator::Update;
use super::super::ledger::{Class, Try, Unanswered};
use super::super::socket;
use super::Engine;
use crate::model::AttemptOutcome;
use crate::units::Nanos;

/// The lane of users' timeouts; a group's is one past its index.
const USERS_LANE: usize = 0;

impl Engine {
    /// Starts an attempt, sent at `sent`, which is now, on a kept connection or
    /// on a new one. A resend takes a new one: a second kept one may be as stale.
    pub(super) fn launch(&mut self, owner: Owner, which: Try, sent: Nanos) {
        let (class, lane, timeout) = match owner {
            Owner::Operation(_) => (Class::User, USERS_LANE, self.policy.timeout),
            Owner::Probe { group, .. } => (Class::Monitor, 1 + group, self.probes.timeout(group)),
        };
        let kept = match which {
            Try::Resend => None,
            Try::First | Try::Retry | Try::Hedge => self.pool(class).idle.pop_back(),
        };
        self.ledger.attempt_started(class, which);
        let slot = match kept.map_or_else(|| self.connect(class), Ok) {
            Ok(slot) => slot,
            Err(error) => {
                self.warn_of(error);
                self.ledger.unanswered(class, Unanswered::Connection);
                self.tell_owner(owner, AttemptOutcome::ConnectionFailed, sent);
                return;
            }
        };
        if let Owner::Operation(operation) = owner
            && let Some(operation) = self.operations.get_mut(operation)
        {
            operation.under_way.begin(slot);
        }
        let to_head = match owner {
            Owner::Operation(operation) => self
                .operations
                .get(operation)
                .is_some_and(|operation| self.requests.to_head(&operation.draft)),
            Owner::Probe { .. } => false,
        };
        let until = sent.saturating_add(timeout);
        self.timeouts[lane].push(slot, until);
        if let Some(connection) = self.connections.get_mut(slot) {
            connection.reader.begin(to_head);
            connection.attempt = Some(Attempt {
                owner,
                which,
                lane,
                sent,
                until,
                handed_over: false,
            });
        }
        self.send_request(slot);
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

    fn connect(&mut self, class: Class) -> Result<u32, Errno> {
        let socket = socket::begin_connect(&self.address)?;
        let serial = self.next_serial;
        self.next_serial = serial.wrapping_add(1);
        self.ledger.connection_opened();
        self.pool(class).open += 1;
        Ok(self
            .connections
            .insert(Connection::new(socket, serial, class)))
    }

    /// Sends the request of the attempt under way, as far as the kernel takes it.
    pub(super) fn send_request(&mut self, slot: u32) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        let Some(attempt) = &mut connection.attempt else {
            return;
        };
        let request = match attempt.owner {
            Owner::Operation(operation) => {
                if let Some(operation) = self.operations.get(operation) {
                    self.requests.write(&operation.draft, &mut self.request);
                }
                self.request.as_slice()
            }
            Owner::Probe { group, .. } => self.probes.request(group),
        };
        match socket::transmit(&connection.socket, request) {
            Ok(Some(sent)) => {
                connection.established = true;
                attempt.handed_over = true;
                connection.unsent.extend_from_slice(&request[sent..]);
            }
            // The handshake is under way: all of it is sent after it.
            Ok(None) if !connection.established => {}
            Ok(None) => connection.unsent.extend_from_slice(request),
            Err(_) => return self.connection_broken(slot),
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
        let wanted = if connection.established && connection.unsent.is_empty() {
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
            self.poller.add(&connection.socket, token, writing)
        } else {
            self.poller.watch_writing(&connection.socket, token)
        };
        if let Err(error) = result {
            self.warn_of(error);
            self.connection_broken(slot);
        }
    }

    /// The response to the attempt under way is whole; `reusable`: as far as the socket goes.
    pub(super) fn answered(&mut self, slot: u32, response: Response, reusable: bool) {
        let now = self.now();
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        let Some(attempt) = connection.attempt else {
            return;
        };
        if now >= attempt.until {
            return self.time_out(slot);
        }
        connection.attempt = None;
        connection.served = true;
        let class = connection.class;
        let keep = reusable
            && response.keep_alive
            && connection.unsent.is_empty()
            && !self.drive.fresh_connections;
        self.release(attempt.owner, slot);
        self.timeouts[attempt.lane].remove(slot);
        let service = now.saturating_sub(attempt.sent);
        self.ledger.answered(class, response.status, service);
        if keep {
            self.pool(class).idle.push(slot, now);
        } else {
            self.close(slot);
        }
        let outcome = self.judge(attempt.owner, response);
        self.tell_owner(attempt.owner, outcome, now);
    }

    /// The attempt on this connection is under way no more for who made it.
    fn release(&mut self, owner: Owner, slot: u32) {
        if let Owner::Operation(operation) = owner
            && let Some(operation) = self.operations.get_mut(operation)
        {
            operation.under_way.end(slot);
        }
    }

    /// What a response means to who asked.
    fn judge(&self, owner: Owner, response: Response) -> AttemptOutcome {
        let refusal_expected = match owner {
            Owner::Operation(slot) => self
                .operations
                .get(slot)
                .is_some_and(|operation| self.refused[usize::from(operation.draft.entry)]),
            Owner::Probe { .. } => false,
        };
        match (refusal_expected, response.status) {
            (true, 403) | (false, 200..=299) => AttemptOutcome::Expected,
            (true, 200..=299) => AttemptOutcome::WronglyAllowed,
            (_, status) => AttemptOutcome::Unexpected {
                status,
                retry_after: response.retry_after,
            },
        }
    }

    fn tell_owner(&mut self, owner: Owner, outcome: AttemptOutcome, now: Nanos) {
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
    pub(super) fn time_out(&mut self, slot: u32) {
        self.break_off(slot, Unanswered::TimedOut, AttemptOutcome::TimedOut);
    }

    /// What came for the attempt under way is not HTTP.
    pub(super) fn protocol_broken(&mut self, slot: u32) {
        self.break_off(slot, Unanswered::Protocol, AttemptOutcome::ProtocolError);
    }

    fn break_off(&mut self, slot: u32, how: Unanswered, outcome: AttemptOutcome) {
        let now = self.now();
        if let Some(attempt) = self.give_up(slot, how) {
            self.tell_owner(attempt.owner, outcome, now);
        }
    }

    /// The connection was refused, reset or closed.
    ///
    /// A kept connection may have been closed by the server while the request
    /// was on its way: then the request is sent once more, on a new one, where
    /// that cannot do it twice (RFC 9110, section 9.2.2; RFC 9112, section 9.3.1).
    pub(super) fn connection_broken(&mut self, slot: u32) {
        let now = self.now();
        let Some(connection) = self.connections.get(slot) else {
            return;
        };
        let stale = connection.served && !connection.reader.started();
        let Some(attempt) = self.give_up(slot, Unanswered::Connection) else {
            return;
        };
        if stale && self.may_resend(&attempt, now) {
            self.launch(attempt.owner, Try::Resend, now);
        } else {
            self.tell_owner(attempt.owner, AttemptOutcome::ConnectionFailed, now);
        }
    }

    fn may_resend(&self, attempt: &Attempt, now: Nanos) -> bool {
        match attempt.owner {
            Owner::Probe { .. } => attempt.which != Try::Resend,
            Owner::Operation(slot) => self.operations.get(slot).is_some_and(|operation| {
                attempt.which != Try::Resend
                    && now < operation.machine.deadline(&self.policy)
                    && (!attempt.handed_over || self.requests.idempotent(&operation.draft))
            }),
        }
    }

    /// Ends the attempt under way without a response, and its connection with
    /// it: what may still come on it belongs to nobody.
    pub(super) fn give_up(&mut self, slot: u32, how: Unanswered) -> Option<Attempt> {
        let attempt = self.connections.get_mut(slot)?.attempt.take();
        if let Some(attempt) = &attempt {
            let class = self.connections.get(slot)?.class;
            self.release(attempt.owner, slot);
            self.timeouts[attempt.lane].remove(slot);
            self.ledger.unanswered(class, how);
        }
        self.close(slot);
        attempt
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
        socket::reset(connection.socket);
    }

    /// Says once what this machine lacks; attempts that fail for it are counted all the same.
    fn warn_of(&mut self, error: Errno) {
        let text = match error {
            Errno::MFILE | Errno::NFILE => {
                "no file descriptor was free for a connection: attempts fail that the target \
                 never sees; raise the limit with `ulimit -n`, or lower `connections`"
            }
            Errno::ADDRNOTAVAIL => {
                "no local port was free for a connection: attempts fail that the target never \
                 sees; lower the rate of new connections, or widen net.ipv4.ip_local_port_range"
            }
            _ => return,
        };
        if !self.warned_of.contains(&error) {
            self.warned_of.push(error);
            (self.updates)(Update::Warning(text.to_owned()));
        }
    }
}
