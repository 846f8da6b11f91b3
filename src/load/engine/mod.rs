//! The loop that does everything: one thread, one epoll, no locks.
//!
//! One wake-up serves all that is ready and all that is due, in the order in
//! which it was due. Nothing here waits for anything but the poller, and no
//! step calls itself: a failed attempt queues its retry, and the loop comes
//! back to it after it has looked at the sockets.
//!
//! - [`operations`]: users' operations, from intended start to terminal event
//! - [`attempts`]: attempts on connections, whoever makes them
//! - [`streams`]: attempts as streams of HTTP/2 connections
//! - [`events`]: what sockets say

mod attempts;
mod events;
mod operations;
mod streams;

use std::sync::mpsc::Receiver;

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;

use self::operations::ActiveOperation;
use super::connection::{Attempt, Connection, Pool};
use super::endpoint::Endpoint;
use super::generator::{Command, Setup, Update};
use super::http2::StreamEnd;
use super::poller::{Poller, Ready};
use super::prepared::PreparedWork;
use super::request::{self, Requests};
use super::socket::Notes;
use crate::clock::{self, Clock};
use crate::model::{Client, ClientPolicy, ClientsAction, Drive, Pacing, Probes, time_left_ms};
use crate::plan::{Schedule, Slice};
use crate::record::{Class, Ledger, Unanswered};
use crate::rng;
use crate::slots::{Slab, SlotQueue, SlotTree};
use crate::units::Nanos;

/// Due things served before the sockets are looked at again.
const BATCH: usize = 64;
/// Bytes read at a time.
const BUFFER_BYTES: usize = 64 * 1024;

/// How long before an instant precise pacing begins to spin: longer than most
/// wake-ups of a virtual machine's idle core take.
const SPIN: Nanos = Nanos::from_micros(60);
/// Width of the ticks on which thrifty pacing wakes up.
const TICK: Nanos = Nanos::from_millis(1);

/// The first tick at or after an instant.
const fn tick_after(instant: Nanos) -> Nanos {
    Nanos(instant.0.div_ceil(TICK.0).saturating_mul(TICK.0))
}

/// The random numbers of a slice's pauses: a stream of its own, so that retries
/// draw nothing from the schedule, and threads do not pause in step.
fn jitter(seed: u64, slice: Slice) -> rng::StdRng {
    rng::stream(seed, &format!("jitter {}", slice.index))
}

/// Who is told.
pub(super) type Updates = Box<dyn FnMut(Update) + Send>;

/// Something that is due.
#[derive(Debug, Clone, Copy)]
enum Due {
    /// The attempt in this slot has run into its timeout.
    Timeout(u32),
    /// The operation in this slot has met its deadline.
    Deadline(u32),
    /// The operation in this slot tries again, or goes on with its next step.
    Retry(u32),
    /// The operation in this slot makes another attempt beside its first try.
    Hedge(u32),
    /// The next operation starts.
    Arrival,
    /// This monitor probes.
    Probe(u32),
}

/// Everything the generator's thread owns.
pub(super) struct Engine {
    clock: Clock,
    poller: Poller,
    commands: Receiver<Command>,
    updates: Updates,
    endpoint: Endpoint,
    policy: ClientPolicy,
    client: Client,
    backlog: usize,
    drive: Drive,
    end: Nanos,
    drained: Nanos,

    schedule: Schedule,
    requests: Requests,
    operations: Slab<ActiveOperation>,
    deadlines: SlotQueue,
    retries: SlotTree,
    /// Operations whose first try is under way, with the instant of their hedge.
    hedges: SlotQueue,
    /// Operations that found no connection free, with the instant they did.
    waiting: SlotQueue,
    probes: Probes,
    /// The request of each group of monitors.
    probe_requests: Vec<Vec<u8>>,

    attempts: Slab<Attempt>,
    connections: Slab<Connection>,
    users: Pool,
    monitors: Pool,
    /// Timeouts of attempts by lane: the users', then each group of monitors'.
    timeouts: Vec<SlotQueue>,
    next_serial: u32,
    /// Connections that have more to read than one turn allows.
    again: Vec<(u64, EventFlags)>,
    /// The time that was read last.
    latest: Nanos,
    /// Room for what the kernel notes of bytes, where it is asked to.
    notes: Option<Notes>,
    /// Where zero lies on the wall clock, by which the kernel notes.
    wall_zero: u64,
    /// When the bytes that were read last came, where the kernel noted it.
    came: Option<Nanos>,
    /// HTTP/2 connections that have gathered something to send.
    unflushed: Vec<u32>,
    /// What came of streams; empty but while it is dealt with.
    answers: Vec<(u32, u32, StreamEnd)>,

    ledger: Ledger,
    buffer: Vec<u8>,
    request: Vec<u8>,
    load_ended: bool,
    stopped: bool,
    /// What was warned of, each once.
    warned_of: Vec<String>,
}

impl Engine {
    /// An engine for a slice of a setup that was found fit.
    pub(super) fn new(
        setup: &Setup,
        asked: PreparedWork,
        slice: Slice,
        poller: Poller,
        commands: Receiver<Command>,
        updates: Updates,
    ) -> Self {
        let plan = &setup.plan;
        let part = |whole: u32| usize::try_from(slice.share(whole.into())).unwrap_or(usize::MAX);
        let connections = part(plan.load.connections).max(1);
        // Monitors are few and of one mind: the first slice has them all.
        let monitors = match slice.index {
            0 => plan.monitors.as_slice(),
            _ => &[],
        };
        Self {
            clock: setup.clock,
            poller,
            commands,
            updates,
            endpoint: setup.endpoint.clone(),
            policy: plan.load.client.clone(),
            client: Client::new(&plan.load.client, jitter(plan.seed, slice)),
            // Users who wait for their answers cannot be more than there are.
            backlog: match plan.load.drive.closed {
                Some(_) => usize::MAX,
                None => part(plan.load.backlog),
            },
            drive: plan.load.drive,
            end: plan.end,
            drained: plan.end.saturating_add(plan.drain),
            schedule: Schedule::new(plan, asked.choices, slice),
            requests: asked.requests,
            operations: Slab::new(),
            deadlines: SlotQueue::new(),
            retries: SlotTree::default(),
            hedges: SlotQueue::new(),
            waiting: SlotQueue::new(),
            probes: Probes::new(monitors, plan.end),
            probe_requests: monitors
                .iter()
                .map(|policy| {
                    let told = plan.fleet.as_ref().is_some_and(|it| it.propagate_deadline);
                    let left = told.then(|| time_left_ms(Nanos::ZERO, policy.timeout));
                    let service = asked.service.as_deref();
                    request::probe(&asked.host, &policy.probe, service, left)
                })
                .collect(),
            attempts: Slab::new(),
            connections: Slab::new(),
            users: Pool::new(connections),
            monitors: Pool::new(usize::MAX),
            timeouts: (0..=monitors.len()).map(|_| SlotQueue::new()).collect(),
            next_serial: 0,
            again: Vec::new(),
            notes: (plan.load.drive.pacing == Pacing::Thrifty).then(Notes::new),
            latest: Nanos::ZERO,
            wall_zero: 0,
            came: None,
            unflushed: Vec::new(),
            answers: Vec::new(),
            ledger: Ledger::new(plan.interval, plan.end, Nanos::ZERO),
            buffer: vec![0; BUFFER_BYTES],
            request: Vec::new(),
            load_ended: false,
            stopped: false,
            warned_of: Vec::new(),
        }
    }

    /// Generates the load from the clock's zero until all is over.
    pub(super) fn run(mut self) {
        let interval = self.ledger.edge();
        if let Err(error) = self.await_start() {
            return self.fail(error);
        }
        self.ledger = Ledger::new(interval, self.end, clock::thread_cpu());
        if let Err(error) = self.generate() {
            return self.fail(error);
        }
        self.finish();
    }

    fn fail(&mut self, error: Errno) {
        (self.updates)(Update::Failed(format!(
            "failed to wait for sockets: {error}; the load has stopped"
        )));
    }

    /// Waits for the clock's zero. The clock reads zero until then as well.
    fn await_start(&mut self) -> Result<(), Errno> {
        let mut ready = Ready::default();
        while self.clock.now() == Nanos::ZERO && !self.stopped {
            self.poller.wait(Nanos(1), &mut ready)?;
            self.obey(&ready);
        }
        Ok(())
    }

    fn generate(&mut self) -> Result<(), Errno> {
        let mut ready = Ready::default();
        loop {
            let now = self.now();
            let more = self.serve_due(now);
            self.flush_sessions();
            self.settle(now);
            if self.over(now) {
                return Ok(());
            }
            let until = self.next_instant();
            let now = self.now();
            let until = (!more && self.again.is_empty() && until > now).then_some(until);
            match until {
                Some(until) => self.pause(now, until, &mut ready)?,
                None => self.poller.look(&mut ready)?,
            }
            if self.notes.is_some() {
                self.wall_zero = self.clock.zero_on_the_wall();
            }
            for (token, flags) in ready.sockets() {
                self.on_socket(token, flags);
                self.serve_waiting();
                self.serve_free_users();
                self.flush_sessions();
            }
            self.read_again();
            self.flush_sessions();
            self.obey(&ready);
        }
    }

    /// Waits for sockets and for `until`, as closely as the pacing asks.
    fn pause(&mut self, now: Nanos, until: Nanos, ready: &mut Ready) -> Result<(), Errno> {
        match self.drive.pacing {
            Pacing::Balanced => self.poller.wait(until, ready),
            Pacing::Precise if until.saturating_sub(now) > SPIN => {
                self.poller.wait(until.saturating_sub(SPIN), ready)
            }
            Pacing::Precise => {
                self.poller.look(ready)?;
                let spun = self.clock.now().saturating_sub(now);
                self.ledger.spun(spun);
                Ok(())
            }
            Pacing::Thrifty => {
                // Responses are harvested on ticks too, as long as any is awaited.
                let idle = self.operations.is_empty() && self.probes.under_way() == 0;
                let until = if idle {
                    until
                } else {
                    until.min(Nanos(now.0 + 1))
                };
                self.poller.sleep(tick_after(until), ready)
            }
        }
    }

    /// The time, and every interval closed whose edge has come.
    fn now(&mut self) -> Nanos {
        let now = self.clock.now();
        self.latest = now;
        if now >= self.ledger.edge() {
            let updates = &mut self.updates;
            let mut emit = |sample| updates(Update::Sample(sample));
            self.ledger.roll(now, clock::thread_cpu(), &mut emit);
        }
        now
    }

    /// Serves what is due, in its order; true where more may be due than one turn allows.
    fn serve_due(&mut self, now: Nanos) -> bool {
        for _ in 0..BATCH {
            match self.earliest() {
                Some((at, due)) if at <= now => self.serve(due),
                _ => return false,
            }
            self.serve_waiting();
        }
        true
    }

    fn serve(&mut self, due: Due) {
        match due {
            Due::Timeout(attempt) => self.time_out(attempt),
            Due::Deadline(operation) => self.miss_deadline(operation),
            Due::Retry(operation) => {
                self.retries.remove(operation);
                self.seek_connection(operation);
            }
            Due::Hedge(operation) => self.hedge(operation),
            Due::Arrival => self.arrive(),
            Due::Probe(monitor) => self.start_probe(monitor),
        }
    }

    /// What is due first, and when. Of things due together, an end comes before a start.
    fn earliest(&self) -> Option<(Nanos, Due)> {
        let mut first: Option<(Nanos, Due)> = None;
        let mut consider = |candidate: Option<(Nanos, Due)>| {
            if let Some((at, due)) = candidate
                && first.as_ref().is_none_or(|(first, _)| at < *first)
            {
                first = Some((at, due));
            }
        };
        consider(
            self.deadlines
                .front()
                .map(|(at, slot)| (at, Due::Deadline(slot))),
        );
        for lane in &self.timeouts {
            consider(lane.front().map(|(at, slot)| (at, Due::Timeout(slot))));
        }
        consider(
            self.retries
                .front()
                .map(|(at, slot)| (at, Due::Retry(slot))),
        );
        consider(self.hedges.front().map(|(at, slot)| (at, Due::Hedge(slot))));
        consider(self.schedule.next_intended().map(|at| (at, Due::Arrival)));
        consider(
            self.probes
                .next_due()
                .map(|(at, monitor)| (at, Due::Probe(monitor))),
        );
        first
    }

    /// When there is something to do, should nothing happen before.
    fn next_instant(&self) -> Nanos {
        let planned = if self.load_ended {
            self.drained
        } else {
            self.end
        };
        let due = self.earliest().map_or(Nanos::MAX, |(at, _)| at);
        due.min(planned).min(self.ledger.edge())
    }

    /// Lets final buckets go, and notices the end of the load.
    fn settle(&mut self, now: Nanos) {
        let scheduled_to = self.schedule.next_intended().unwrap_or(Nanos::MAX);
        let updates = &mut self.updates;
        let mut emit = |sample| updates(Update::Sample(sample));
        self.ledger.settle(now, scheduled_to, &mut emit);
        let last = now >= self.end || self.schedule.exhausted();
        if !self.load_ended && last && scheduled_to == Nanos::MAX {
            self.load_ended = true;
            (self.updates)(Update::LoadEnded);
        }
    }

    fn over(&self, now: Nanos) -> bool {
        let idle = self.operations.is_empty() && self.probes.under_way() == 0;
        self.stopped || self.load_ended && (idle || now >= self.drained)
    }

    fn obey(&mut self, ready: &Ready) {
        if !ready.woken {
            return;
        }
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Act(ClientsAction::Monitors { on }) => {
                    let now = self.now();
                    self.probes.switch(on, now);
                }
                Command::Act(ClientsAction::Retries { retries }) => self.policy.retries = retries,
                Command::Stop => self.stopped = true,
            }
        }
    }

    /// Closes the books and every connection.
    fn finish(&mut self) {
        let now = self.now();
        while self.schedule.next_intended().is_some_and(|at| at <= now) {
            // Due, and not begun before the stop: scheduled and unfinished.
            if let Some(draft) = self.schedule.take() {
                self.ledger.scheduled(draft.intended);
            }
        }
        while let Some((since, _)) = self.waiting.pop_front() {
            // It had no connection to the end: the wait was at least this long.
            self.ledger.pool_wait(now.saturating_sub(since));
        }
        let updates = &mut self.updates;
        let mut emit = |sample| updates(Update::Sample(sample));
        self.ledger.close(now, clock::thread_cpu(), &mut emit);
        for slot in self.connections.slots().collect::<Vec<_>>() {
            if let Some(connection) = self.connections.remove(slot)
                && connection.busy()
            {
                connection.stream.reset();
            }
        }
        (self.updates)(Update::Finished);
    }

    /// When a response was whole that has been read by `now`: by the kernel's
    /// note, where there is one that can be right.
    fn ended_at(&mut self, place: u32, now: Nanos) -> Nanos {
        let sent = self.attempts.get(place).map_or(now, |attempt| attempt.sent);
        let noted = self.came.filter(|came| (sent..=now).contains(came));
        noted.unwrap_or(now)
    }

    const fn pool(&mut self, class: Class) -> &mut Pool {
        match class {
            Class::User => &mut self.users,
            Class::Monitor => &mut self.monitors,
        }
    }
}
