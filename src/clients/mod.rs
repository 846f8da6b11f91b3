//! The clients: users' operations and monitors' probes, from intended start to end.
//!
//! One engine for both backends. Everything a client decides stands here once:
//! whether an operation begins or is shed, whether it waits for a connection, when
//! an attempt times out, when a retry or a hedge is due, in which order things that
//! are due at one instant happen, what an answer means, and how all of it is
//! counted. A [`Wire`] carries the attempts: sockets in `load`, the modelled fleet
//! in `sim`, a script in the tests.
//!
//! What it deliberately does not do: read a clock, open a socket or wait. It asks
//! its wire for the time, says when it has something to do next
//! ([`Clients::earliest`]), and never calls itself: an attempt that fails at once
//! comes back through [`Clients::take_ends`] like any other.
//!
//! - `operations`: users' operations
//! - `attempts`: attempts, whoever makes them
//! - `wire`: what carries them
//! - `judge`: what an answer means
//! - `ending`: a load that ends before its planned end, and what is left at the stop
//! - `spent`: whose each nanosecond of an operation was
//! - `ledger`, `buckets`, `slowest`: the books of all of it

mod attempts;
mod buckets;
mod ending;
mod judge;
mod ledger;
mod operations;
mod slowest;
mod spent;
mod wire;

use self::attempts::Attempt;
use self::ledger::{Axis, Ledger};
pub use self::ledger::{Class, Try, WireReport};
use self::operations::ActiveOperation;
pub use self::wire::{
    AWAY, Asks, AttemptEnd, AttemptId, End, NewFailure, Outgoing, StepRequest, Wire,
};
use crate::model::{
    CheckFailure, Client, ClientPolicy, ClientsAction, Expected, FailureCause, Probes,
};
use crate::plan::{Choice, Plan, Schedule, Slice};
use crate::rng;
use crate::slots::{Slab, SlotQueue, SlotTree};
use crate::units::Nanos;

/// Something that is due.
#[derive(Debug, Clone, Copy)]
pub struct Due(DueKind);

#[derive(Debug, Clone, Copy)]
enum DueKind {
    /// The operation in this slot has met its deadline.
    Deadline(u32),
    /// The attempt in this slot has run into its timeout.
    Timeout(u32),
    /// The operation in this slot tries again, or goes on with its next step.
    Retry(u32),
    /// The operation in this slot makes another attempt beside its first try.
    Hedge(u32),
    /// The next operation starts.
    Arrival,
    /// This monitor probes.
    Probe(u32),
}

/// All clients of one slice of a load, with the books of what they do.
#[derive(Debug)]
pub struct Clients {
    policy: ClientPolicy,
    client: Client,
    /// Operations that may wait for a connection at a time.
    backlog: usize,
    axis: Axis,
    drained: Nanos,
    /// Whether the load has ended.
    load_ended: bool,

    schedule: Schedule,
    operations: Slab<ActiveOperation>,
    deadlines: SlotQueue,
    retries: SlotTree,
    /// Operations whose first try is under way, with the instant of their hedge.
    hedges: SlotQueue,
    /// Operations that found no connection free, with the instant they did.
    waiting: SlotQueue,
    /// How long a connection has lain free in all, while operations waited for one, since
    /// the generator had not seen it yet.
    unused: Nanos,
    /// Up to where that is counted.
    unused_to: Nanos,
    probes: Probes,
    /// What the answer to a probe of each group must be.
    probe_expects: Vec<Expected>,

    attempts: Slab<Attempt>,
    /// Timeouts of attempts by lane: the users', then each group of monitors'.
    timeouts: Vec<SlotQueue>,
    next_serial: u32,
    /// The latest instant that the wire told.
    latest: Nanos,
    ledger: Ledger,
    /// Kinds of failure that have been met, with the status or the check where it is one.
    noted: Vec<(Class, FailureCause, Option<u16>, Option<CheckFailure>)>,
}

impl Clients {
    /// The clients of a slice of a plan that was found fit; `choices`: what each
    /// entry of the mix chooses from. Monitors are few: the first slice has them all.
    pub fn new(plan: &Plan, choices: Vec<Choice>, slice: Slice) -> Self {
        let monitors = match slice.index {
            0 => plan.monitors.as_slice(),
            _ => &[],
        };
        // A stream of its own for the pauses, so that retries draw nothing from the
        // schedule, and slices do not pause in step.
        let jitter = rng::stream(plan.seed, &format!("jitter {}", slice.index));
        let axis = Axis {
            interval: plan.interval,
            end: plan.end,
            kinds: plan.kinds.len(),
            monitors: monitors.len(),
            trace: plan.load.trace,
        };
        Self {
            policy: plan.load.client.clone(),
            client: Client::new(&plan.load.client, jitter),
            // Users who wait for their answers cannot be more than there are.
            backlog: match plan.load.drive.closed {
                Some(_) => usize::MAX,
                None => part(slice, plan.load.backlog),
            },
            axis,
            drained: plan.end.saturating_add(plan.drain),
            load_ended: false,
            schedule: Schedule::new(plan, choices, slice),
            operations: Slab::new(),
            deadlines: SlotQueue::new(),
            retries: SlotTree::default(),
            hedges: SlotQueue::new(),
            waiting: SlotQueue::new(),
            unused: Nanos::ZERO,
            unused_to: Nanos::ZERO,
            probes: Probes::new(monitors, plan.end, rng::stream(plan.seed, "sessions")),
            probe_expects: monitors.iter().map(Expected::of_probe).collect(),
            attempts: Slab::new(),
            timeouts: (0..=monitors.len()).map(|_| SlotQueue::new()).collect(),
            next_serial: 0,
            latest: Nanos::ZERO,
            ledger: Ledger::new(axis, Nanos::ZERO, Nanos::ZERO),
            noted: Vec::new(),
        }
    }

    /// The load begins: processor time that was used before is not the load's.
    pub fn begin<W: Wire>(&mut self, wire: &mut W) {
        let before = wire.report();
        self.ledger = Ledger::new(self.axis, before.cpu, before.delayed);
    }

    /// What is due first, and when. Of things due together, an end comes before a start.
    pub fn earliest(&self) -> Option<(Nanos, Due)> {
        let mut first: Option<(Nanos, DueKind)> = None;
        let mut consider = |candidate: Option<(Nanos, DueKind)>| {
            if let Some((at, due)) = candidate
                && first.as_ref().is_none_or(|(first, _)| at < *first)
            {
                first = Some((at, due));
            }
        };
        let queued = |queue: &SlotQueue, due: fn(u32) -> DueKind| {
            queue.front().map(|(at, slot)| (at, due(slot)))
        };
        consider(queued(&self.deadlines, DueKind::Deadline));
        for lane in &self.timeouts {
            consider(queued(lane, DueKind::Timeout));
        }
        let retry = self.retries.front();
        consider(retry.map(|(at, slot)| (at, DueKind::Retry(slot))));
        consider(queued(&self.hedges, DueKind::Hedge));
        let arrival = self.schedule.next_intended();
        consider(arrival.map(|at| (at, DueKind::Arrival)));
        let probe = self.probes.next_due();
        consider(probe.map(|(at, monitor)| (at, DueKind::Probe(monitor))));
        first.map(|(at, due)| (at, Due(due)))
    }

    /// Does what [`Self::earliest`] found due.
    pub fn serve<W: Wire>(&mut self, due: Due, wire: &mut W) {
        match due.0 {
            DueKind::Timeout(attempt) => self.time_out(attempt, wire),
            DueKind::Deadline(operation) => self.miss_deadline(operation, wire),
            DueKind::Retry(operation) => {
                self.retries.remove(operation);
                self.seek_connection(operation, wire);
            }
            DueKind::Hedge(operation) => self.hedge(operation, wire),
            DueKind::Arrival => self.arrive(wire),
            DueKind::Probe(monitor) => self.start_probe(monitor, wire),
        }
        self.serve_waiting(wire);
    }

    /// Takes the ends of attempts that the wire has to tell; false where there were none.
    pub fn take_ends<W: Wire>(&mut self, wire: &mut W) -> bool {
        let mut any = false;
        while let Some(end) = wire.next_end() {
            any = true;
            self.on_end(end, wire);
            self.serve_waiting(wire);
        }
        any
    }

    /// In a closed loop, who has just been answered asks again at once. Without
    /// effect in an open one, whose arrivals are due by themselves.
    pub fn serve_free_users<W: Wire>(&mut self, wire: &mut W) {
        if self.schedule.is_closed() {
            // Who has been answered is free at the time that was read for it.
            let now = self.latest;
            while self.schedule.next_intended().is_some_and(|at| at <= now) {
                self.arrive(wire);
            }
        }
    }

    /// When an interval of the books must be closed.
    pub fn edge(&self) -> Nanos {
        self.ledger.edge()
    }

    /// When there is something to do, should nothing happen before.
    pub fn next_instant(&self) -> Nanos {
        let due = self.earliest().map_or(Nanos::MAX, |(at, _)| at);
        due.min(self.planned_end()).min(self.edge())
    }

    /// When the load ends by the plan, or once it has, the time for what is under way.
    pub const fn planned_end(&self) -> Nanos {
        if self.load_ended {
            self.drained
        } else {
            self.axis.end
        }
    }

    /// The time, with every interval closed whose edge has come.
    pub fn now<W: Wire>(&mut self, wire: &mut W) -> Nanos {
        let now = wire.now();
        self.see(now, wire);
        now
    }

    /// Takes note of an instant that the wire has read already.
    fn see<W: Wire>(&mut self, now: Nanos, wire: &mut W) {
        self.latest = self.latest.max(now);
        if now >= self.ledger.edge() {
            let report = wire.report();
            self.ledger
                .roll(now, report, &mut |sample| wire.sample(sample));
        }
    }

    /// Lets the buckets of operations go that are final at `now`.
    pub fn settle<W: Wire>(&mut self, now: Nanos, wire: &mut W) {
        let scheduled_to = self.schedule.next_intended().unwrap_or(Nanos::MAX);
        self.ledger
            .settle(now, scheduled_to, &mut |sample| wire.sample(sample));
        self.tell_slowest(wire);
    }

    fn tell_slowest<W: Wire>(&mut self, wire: &mut W) {
        let slowest = self.ledger.take_slowest();
        if !slowest.is_empty() {
            wire.slowest(slowest);
        }
    }

    /// Whether the load ends now: once, when the last operation has been scheduled.
    pub fn load_ends(&mut self, now: Nanos) -> bool {
        let last = now >= self.axis.end || self.schedule.exhausted();
        let ends = !self.load_ended && last && self.schedule.next_intended().is_none();
        self.load_ended |= ends;
        ends
    }

    /// Whether everything has ended, or the time for it is over, once the load is.
    pub fn drained(&self, now: Nanos) -> bool {
        self.load_ended && (self.idle() || now >= self.drained)
    }

    /// Whether nothing is under way.
    pub fn idle(&self) -> bool {
        self.operations.is_empty() && self.probes.under_way() == 0
    }

    /// Carries out what is done to the clients: from now on it is so.
    pub fn act<W: Wire>(&mut self, action: ClientsAction, wire: &mut W) {
        match action {
            ClientsAction::Monitors { on } => {
                let now = self.now(wire);
                self.probes.switch(on, now);
            }
            ClientsAction::Retries { retries } => self.policy.retries = retries,
        }
    }
}

/// A slice's part of something counted, which fits memory in any case.
fn part(slice: Slice, whole: u32) -> usize {
    usize::try_from(slice.share(whole.into())).unwrap_or(usize::MAX)
}
