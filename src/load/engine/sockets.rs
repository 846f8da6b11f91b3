//! Connections and their pools: the wire of the clients, over real sockets.
//!
//! An attempt starts, and is sent, when its first byte is handed to the
//! kernel; on a new connection that is the SYN, since a user who waits for a
//! handshake waits for the target. So the timeout bounds the handshakes too.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Buf as _, BytesMut};
use rustix::event::epoll::EventFlags;

use super::super::ask;
use super::super::codec::Response;
use super::super::connection::{Carried, Connection, FirstByte, Pool, Watched, token};
use super::super::endpoint::{Address, Endpoint, Protocol};
use super::super::generator::{Setup, Update};
use super::super::http2::{RequestsLimit, StreamEnd};
use super::super::poller::Poller;
use super::super::prepared::PreparedWork;
use super::super::request::{self, Requests};
use super::super::socket::{Fault, Notes};
use super::super::stream::Stream;
use super::exchange::Exchange;
use super::times::{Step, Times};
use super::{AWAY, Updates, Wait};
use crate::clients::{
    Asks, AttemptEnd, AttemptId, Class, End, NewFailure, Outgoing, Wire, WireReport,
};
use crate::clock::{self, Clock, RunDelay};
use crate::model::{
    CheckFailure, Content, Elsewhere, Expected, FailureCause, Learnt, example, time_left_ms,
};
use crate::plan::{Draft, Slice};
use crate::record::{FirstFailure, Sample, SlowOperation};
use crate::slots::Slab;
use crate::units::Nanos;

/// Bytes read at a time.
const BUFFER_BYTES: usize = 64 * 1024;

/// Everything between the clients and the kernel.
pub(super) struct Sockets {
    clock: Clock,
    pub(super) poller: Poller,
    updates: Updates,
    pub(super) endpoint: Endpoint,
    pub(super) fresh_connections: bool,
    pub(super) requests: Requests,
    /// The request of each group of monitors: of HTTP/2, the field block.
    pub(super) probe_requests: Vec<Vec<u8>>,

    /// Of each attempt, by its slot, how it is carried.
    pub(super) carried: Vec<Carried>,
    pub(super) connections: Slab<Connection>,
    users: Pool,
    monitors: Pool,
    next_serial: u32,
    /// Ends that the clients have not been told of.
    ends: VecDeque<AttemptEnd<Box<Content>>>,
    /// Connections that have more to read than one turn allows.
    pub(super) again: Vec<(u64, EventFlags)>,
    /// The time that was read last.
    pub(super) latest: Nanos,
    /// When it was last heard which sockets are ready.
    pub(super) polled: Nanos,
    /// Since when those may have been ready, where the kernel does not note it.
    pub(super) ready_from: Nanos,
    /// Room for what the kernel notes of bytes, where it can.
    pub(super) notes: Option<Notes>,
    /// Where zero lies on the wall clock, by which the kernel notes.
    pub(super) wall_zero: u64,
    /// When the bytes that were read last came, where the kernel noted it.
    pub(super) came: Option<Nanos>,
    /// Requests that an HTTP/2 connection takes, as far as the server has shown.
    pub(super) requests_limit: RequestsLimit,
    /// HTTP/2 connections that have gathered something to send.
    pub(super) unflushed: Vec<u32>,
    /// The result of streams; empty but while it is dealt with.
    pub(super) answers: Vec<(u32, u32, StreamEnd)>,

    delay: RunDelay,
    pub(super) times: Times,
    pub(super) counted: WireReport,
    pub(super) buffer: Vec<u8>,
    pub(super) request: Vec<u8>,
    /// What was seen of the latest answer that may have been a failure, or of its end.
    pub(super) seen: Vec<u8>,
    /// What was warned of, each once.
    pub(super) warned_of: Vec<String>,
}

impl Wire for Sockets {
    type Content = Box<Content>;

    fn now(&mut self) -> Nanos {
        self.read_clock()
    }

    fn has_room(&self) -> bool {
        self.users.has_room()
    }

    /// Sends on a kept connection or on a new one.
    fn send(&mut self, outgoing: Outgoing<'_>) {
        let Outgoing {
            id,
            which,
            sent,
            until,
            asks,
        } = outgoing;
        let slot = match self.take_connection(&asks, which, sent) {
            Ok(slot) => slot,
            Err(fault) => {
                self.warn_of(&fault);
                self.note_fault(&fault);
                let end = End::Lost {
                    cause: fault.cause(false),
                    stale: false,
                    handed_over: false,
                    served: false,
                };
                let carried = Carried {
                    id,
                    ..Carried::NONE
                };
                return self.end(&carried, sent, sent, end);
            }
        };
        self.carry(Carried {
            id,
            connection: slot,
            stream: 0,
            sent,
            until,
            held_before: self.held_of(slot),
            held: Nanos::ZERO,
            handed_over: false,
            first_byte: FirstByte::Awaited,
        });
        self.begin(slot, id.slot, &asks);
    }

    /// Ends the attempt's connection or stream with it: what may still come on it
    /// belongs to nobody.
    fn cancel(&mut self, id: AttemptId, _now: Nanos) {
        let Some(carried) = self.drop_carried(id.slot).filter(|it| it.id == id) else {
            return;
        };
        self.give_up(&carried);
    }

    fn time_out(&mut self, id: AttemptId, now: Nanos) -> FailureCause {
        let cause = self.waited_for(id);
        self.cancel(id, now);
        cause
    }

    fn held_up(&self, id: AttemptId) -> Nanos {
        let carried = self.carried(id.slot).filter(|it| it.id == id);
        carried.map_or(Nanos::ZERO, |carried| self.held_since(carried))
    }

    fn next_end(&mut self) -> Option<AttemptEnd<Box<Content>>> {
        self.ends.pop_front()
    }

    fn steps(&self, draft: &Draft) -> usize {
        self.requests.steps(draft)
    }

    fn idempotent(&self, draft: &Draft, step: usize) -> bool {
        self.requests.idempotent(draft, step)
    }

    fn expected(&self, draft: &Draft, step: usize) -> &Expected {
        self.requests.expected(draft, step)
    }

    fn pause(&self, draft: &Draft, step: usize) -> Nanos {
        self.requests.pause(draft, step)
    }

    fn accepts(
        &self,
        draft: &Draft,
        step: usize,
        content: &Box<Content>,
        learnt: &mut Learnt,
    ) -> Result<(), CheckFailure> {
        self.requests.accepts(draft, step, content, learnt)
    }

    fn follows(
        &self,
        draft: &Draft,
        step: usize,
        status: u16,
        content: Option<&Box<Content>>,
        learnt: &mut Learnt,
    ) -> Result<bool, CheckFailure> {
        let content = content.map(|content| &**content);
        self.requests
            .follows((draft, step), status, content, learnt)
    }

    fn first_failure(&mut self, failure: NewFailure<'_, Box<Content>>) {
        let mut seen = failure.content.map_or_else(
            || example(&self.seen),
            |content| example(&content.seen(failure.status)),
        );
        if let Some((check, draft, step)) = failure.check {
            let content = failure.content.map(|content| &**content);
            let check = self.requests.check_in_words((&draft, step), check, content);
            seen = format!("{check}; {seen}");
        }
        let failure = FirstFailure {
            at: failure.at,
            source: failure.class.source(),
            cause: failure.cause,
            status: failure.status,
            example: seen,
        };
        self.tell(Update::FirstFailure(failure));
    }

    fn slowest(&mut self, operations: Vec<SlowOperation>) {
        self.tell(Update::Slowest(operations));
    }

    fn report(&mut self) -> WireReport {
        self.counted.cpu = clock::thread_cpu();
        self.counted.delayed = self.delay.read();
        self.counted.take()
    }

    fn sample(&mut self, mut sample: Sample) {
        self.times.join(&mut sample);
        (self.updates)(Update::Sample(sample));
    }
}

impl Sockets {
    pub(super) fn new(
        setup: &Setup,
        work: PreparedWork,
        slice: Slice,
        poller: Poller,
        updates: Updates,
    ) -> Self {
        let plan = &setup.plan;
        let connections = slice.share(plan.load.connections.into()).max(1);
        let told = plan.fleet.as_ref().is_some_and(|it| it.propagate_deadline);
        let probe_requests = plan.monitors.iter().map(|policy| {
            let left = told.then(|| time_left_ms(Nanos::ZERO, policy.timeout));
            match setup.endpoint.protocol {
                Protocol::Http1 => {
                    request::probe(&work.host, &policy.probe, work.service.as_deref(), left)
                }
                Protocol::Http2 { .. } => {
                    ask::probe(&work.host, &policy.probe, setup.endpoint.tls.is_some())
                }
            }
        });
        Self {
            clock: setup.clock,
            poller,
            updates,
            endpoint: setup.endpoint.clone(),
            fresh_connections: plan.load.drive.fresh_connections,
            probe_requests: probe_requests.collect(),
            requests: work.requests,
            carried: Vec::new(),
            connections: Slab::new(),
            users: Pool::new(usize::try_from(connections).unwrap_or(usize::MAX)),
            monitors: Pool::new(usize::MAX),
            next_serial: 0,
            ends: VecDeque::new(),
            again: Vec::new(),
            latest: Nanos::ZERO,
            polled: Nanos::ZERO,
            ready_from: Nanos::ZERO,
            notes: noted(&setup.endpoint).then(Notes::new),
            wall_zero: 0,
            came: None,
            requests_limit: RequestsLimit::NONE,
            unflushed: Vec::new(),
            answers: Vec::new(),
            delay: RunDelay::default(),
            times: Times::default(),
            counted: WireReport::default(),
            buffer: vec![0; BUFFER_BYTES],
            request: Vec::new(),
            seen: Vec::new(),
            warned_of: Vec::new(),
        }
    }

    pub(super) fn read_clock(&mut self) -> Nanos {
        self.latest = self.clock.now();
        self.latest
    }

    pub(super) fn tell(&mut self, update: Update) {
        (self.updates)(update);
    }

    /// The thread has spun on purpose since `before`.
    pub(super) fn spun_since(&mut self, before: Nanos) {
        let spun = self.clock.now().saturating_sub(before);
        self.counted.spun = self.counted.spun.saturating_add(spun);
    }

    /// It has been heard which sockets are ready, as the last thing of a wait.
    pub(super) fn heard(&mut self, wait: Wait) {
        let before = self.polled;
        (self.polled, self.wall_zero) = self.clock.now_and_zero_on_the_wall();
        self.latest = self.polled;
        self.ready_from = match wait {
            // They may have been ready since the last time.
            Wait::None | Wait::Asleep { .. } => before,
            Wait::Open { until } => until.min(self.polled),
        };
        if let Wait::Asleep { until } | Wait::Open { until } = wait {
            self.away(until, self.polled);
        }
    }

    /// Nothing was looked at from `since` to `now`, though it should have been.
    pub(super) fn away(&mut self, since: Nanos, now: Nanos) {
        let away = now.saturating_sub(since);
        if away > AWAY {
            self.counted.away = self.counted.away.saturating_add(away);
        }
    }

    /// An attempt has ended at `at`, which is earlier than `seen` where the kernel noted it.
    pub(super) fn end(
        &mut self,
        carried: &Carried,
        at: Nanos,
        seen: Nanos,
        how: End<Box<Content>>,
    ) {
        let ready = if at < seen {
            at
        } else {
            at.min(self.ready_from)
        };
        self.ends.push_back(AttemptEnd {
            id: carried.id,
            at,
            ready,
            seen,
            held: carried.held,
            how,
        });
    }

    fn carry(&mut self, carried: Carried) {
        let place = carried.id.slot as usize;
        if self.carried.len() <= place {
            self.carried.resize(place + 1, Carried::NONE);
        }
        self.carried[place] = carried;
    }

    /// How the attempt in this slot is carried, as long as it is.
    pub(super) fn carried(&self, attempt: u32) -> Option<&Carried> {
        let carried = self.carried.get(attempt as usize)?;
        carried.is_some().then_some(carried)
    }

    /// The attempt in this slot is carried no more: how it was.
    pub(super) fn drop_carried(&mut self, attempt: u32) -> Option<Carried> {
        let held = self.held_since(self.carried(attempt)?);
        let carried = self.carried.get_mut(attempt as usize)?;
        let was = std::mem::replace(carried, Carried::NONE);
        Some(Carried { held, ..was })
    }

    /// Of the response to a request: whether it has no body whatever it says, and
    /// whether it is kept.
    pub(super) fn reading(&self, asks: &Asks<'_>) -> (bool, bool) {
        match asks {
            Asks::Step(request) => (
                self.requests.to_head(request.draft, request.step),
                self.requests.looks_inside(request.draft, request.step),
            ),
            Asks::Probe { .. } => (false, false),
        }
    }

    /// Opens a connection to the endpoint, or to where a redirect has led.
    pub(super) fn connect(
        &mut self,
        class: Class,
        elsewhere: Option<&Arc<Elsewhere>>,
    ) -> Result<u32, Fault> {
        debug_assert!(self.pool(class).may_open(), "the limit is a limit");
        let begun = self.read_clock();
        let stream = match elsewhere {
            None => Stream::connect(&self.endpoint.address, self.endpoint.tls.as_ref())?,
            Some(elsewhere) => {
                let (address, tls) = self.endpoint.of_redirect(elsewhere)?;
                Stream::connect(&address, tls.as_ref())?
            }
        };
        if self.notes.is_some() {
            stream.note_arrivals();
        }
        let serial = self.next_serial;
        self.next_serial = serial.wrapping_add(1);
        self.counted.connections_opened += 1;
        self.counted.connections_open += 1;
        self.pool(class).open += 1;
        let mut unsent = BytesMut::new();
        let most = self.requests_limit.most();
        let exchange = Exchange::new(self.endpoint.protocol.of(class), most, &mut unsent);
        Ok(self.connections.insert(Connection::new(
            stream,
            serial,
            (class, elsewhere.cloned()),
            exchange,
            (unsent, begun),
        )))
    }

    /// Sends what a connection has to send, as far as the kernel takes it.
    pub(super) fn send_waiting(&mut self, slot: u32) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        if !connection.unsent.is_empty() {
            match connection.stream.transmit(&connection.unsent) {
                Ok(Some(sent)) => {
                    self.counted.sent_bytes += sent as u64;
                    connection.established = true;
                    connection.unsent.advance(sent);
                    if connection.unsent.is_empty() {
                        connection.exchange.sent();
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
        if connection.established && connection.step != Step::Timed {
            let held = connection.held.saturating_add(connection.held_now);
            self.times
                .see(connection, self.clock.now().saturating_sub(held));
        }
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

    /// When a response was whole that has been read by `now`: by the kernel's
    /// note, where there is one that can be right.
    pub(super) fn ended_at(&self, carried: &Carried, now: Nanos) -> Nanos {
        let noted = self.came.filter(|came| (carried.sent..=now).contains(came));
        noted.unwrap_or(now)
    }

    /// Ends a connection at once.
    pub(super) fn close(&mut self, slot: u32) {
        let Some(connection) = self.connections.remove(slot) else {
            return;
        };
        let pool = self.pool(connection.class);
        pool.open -= 1;
        pool.forget(slot);
        self.counted.connections_open -= 1;
        connection.stream.reset();
    }

    /// Ends every connection; those that carry a request are reset.
    pub(super) fn close_all(&mut self) {
        for slot in self.connections.slots().collect::<Vec<_>>() {
            if let Some(connection) = self.connections.remove(slot)
                && connection.busy()
            {
                connection.stream.reset();
            }
        }
    }

    pub(super) const fn pool_of(&self, class: Class) -> &Pool {
        match class {
            Class::User => &self.users,
            Class::Monitor => &self.monitors,
        }
    }

    pub(super) const fn pool(&mut self, class: Class) -> &mut Pool {
        match class {
            Class::User => &mut self.users,
            Class::Monitor => &mut self.monitors,
        }
    }
}

/// Whether the kernel notes when bytes come: of TCP, and not of what is encrypted.
const fn noted(endpoint: &Endpoint) -> bool {
    let plain = endpoint.tls.is_none() || endpoint.redirects.is_some();
    matches!(endpoint.address, Address::Tcp(_)) && plain
}

/// The end of an attempt with this response, and what was kept of it.
pub(super) fn answer(response: Response, content: Option<Box<Content>>) -> End<Box<Content>> {
    End::Answered {
        status: response.status,
        retry_after: response.retry_after,
        content,
    }
}
