//! How attempts fail, and what was seen of it.

use rustix::io::Errno;

use super::super::generator::Update;
use super::super::socket::Fault;
use super::sockets::Sockets;
use crate::clients::{AttemptId, End};
use crate::model::{FailureCause, Unanswered};
use crate::units::Nanos;

/// Warnings at most: a server could make up a new error for each connection.
const WARNINGS_MAX: usize = 16;

impl Sockets {
    /// The connection was refused or reset, or cannot go on.
    pub(super) fn connection_broken(&mut self, slot: u32, fault: &Fault) {
        self.warn_of(fault);
        let connection = self.connections.get(slot);
        let established = connection.is_some_and(|connection| connection.established);
        let said = connection.is_some_and(|connection| connection.exchange.said_why());
        self.lose(slot, fault.cause(established));
        if !said {
            self.note_fault(fault);
        }
    }

    /// The connection has ended.
    pub(super) fn connection_closed(&mut self, slot: u32) {
        self.lose(slot, FailureCause::Closed);
    }

    /// Ends a connection and every attempt under way on it.
    pub(super) fn lose(&mut self, slot: u32, cause: FailureCause) {
        let now = self.read_clock();
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        let ended = cause.counted() == Some(Unanswered::Connection);
        let may_be_stale = connection.served && ended;
        let (cause, attempts) = connection.exchange.abandon(cause, &mut self.seen);
        for (place, answering) in attempts {
            self.lose_attempt(place, cause, (may_be_stale, answering), now);
        }
        self.close(slot);
    }

    /// An attempt's connection or stream can no longer answer it; `answering`: the
    /// answer had begun.
    pub(super) fn lose_attempt(
        &mut self,
        place: u32,
        cause: FailureCause,
        (stale, answering): (bool, bool),
        now: Nanos,
    ) {
        let cause = match cause {
            FailureCause::Closed if answering => FailureCause::Truncated,
            cause => cause,
        };
        if let Some(carried) = self.drop_carried(place) {
            let how = End::Lost {
                cause,
                stale: stale && !answering,
                handed_over: carried.handed_over,
                served: self.has_served(carried.connection),
            };
            self.end(&carried, now, now, how);
        }
    }

    /// Whether a connection has brought any answer.
    pub(super) fn has_served(&self, slot: u32) -> bool {
        let connection = self.connections.get(slot);
        connection.is_some_and(|connection| connection.served)
    }

    /// What an attempt whose time is over was waiting for.
    pub(super) fn waited_for(&mut self, id: AttemptId) -> FailureCause {
        self.seen.clear();
        let Some(carried) = self.carried(id.slot).filter(|it| it.id == id) else {
            return FailureCause::NoAnswer;
        };
        let (slot, stream) = (carried.connection, carried.stream);
        let Some(connection) = self.connections.get(slot) else {
            return FailureCause::NoAnswer;
        };
        if !connection.established {
            return FailureCause::ConnectTimedOut;
        }
        if connection.stream.handshaking() {
            return FailureCause::TlsTimedOut;
        }
        if !connection.unsent.is_empty() || connection.stream.pending() {
            return FailureCause::RequestUnsent;
        }
        connection.exchange.waits_for(stream, &mut self.seen)
    }

    /// What the machine said is what is seen of a failure.
    pub(super) fn note_fault(&mut self, fault: &Fault) {
        self.seen.clear();
        self.seen.extend_from_slice(fault.to_string().as_bytes());
    }

    /// Says once what this machine or the set-up lacks; attempts that fail for
    /// it are counted all the same.
    pub(super) fn warn_of(&mut self, fault: &Fault) {
        let text = match fault {
            Fault::System(Errno::MFILE | Errno::NFILE) => {
                "no file descriptor was free for a connection: attempts fail before they reach \
                 the target; raise the limit with `ulimit -n`, or lower `connections`"
                    .to_owned()
            }
            Fault::System(Errno::ADDRNOTAVAIL) => {
                "no local port was free for a connection: attempts fail before they reach the \
                 target; lower the rate of new connections, or widen net.ipv4.ip_local_port_range"
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
            self.tell(Update::Warning(text));
        }
    }
}
