//! Users and monitors: operations and probes, from intended start to their ends.
//!
//! What the live generator does on sockets, under the same policies and into
//! the same books. A connection is a place among so many; nothing is sent.

use super::calendar::{Calendar, Event};
use super::fleet::{Fleet, FleetResponse, Request};
use super::instance::{Call, NONE};
use crate::error::{Error, Result};
use crate::model::{
    AttemptOutcome, Client, ClientPolicy, FleetSpec, Next, Operation, Probed, Probes, Role,
    Standing, Terminal, time_left_ms,
};
use crate::plan::{Draft, Plan, Schedule, Slice, fleet_choices};
use crate::record::{Class, Ledger, Try, Unanswered};
use crate::rng;
use crate::slots::{Slab, SlotQueue};
use crate::units::Nanos;

/// An operation that has been scheduled and has not ended.
#[derive(Debug)]
struct ActiveOperation {
    draft: Draft,
    machine: Operation,
    /// Tells it from others that had its slot.
    serial: u32,
    /// Attempts under way: one, or a first try and its hedge.
    under_way: [u32; 2],
    tried: bool,
    /// How long it waited for a connection before its first try.
    waited: Nanos,
}

/// Who made an attempt.
#[derive(Debug, Clone, Copy)]
enum Owner {
    Operation(u32),
    Probe {
        monitor: u32,
        group: u32,
        epoch: u32,
    },
}

#[derive(Debug)]
struct Attempt {
    owner: Owner,
    sent: Nanos,
    /// The job in the fleet; [`NONE`] where there is none.
    job: u32,
}

/// What an entry of the mix comes to in the fleet.
#[derive(Debug, Clone, Copy)]
struct MixRequest {
    role: Role,
    call: Call,
    /// Whether the answer is to be a refusal.
    refused: bool,
    idempotent: bool,
}

/// Something of the clients' that is due.
#[derive(Debug, Clone, Copy)]
pub(super) enum Due {
    Deadline(u32),
    Timeout(u32),
    Hedge(u32),
    Arrival,
    Probe(u32),
}

/// All who ask.
pub(super) struct Clients {
    asked: Vec<MixRequest>,
    /// What the probes of each group of monitors come to.
    probed: Vec<(Call, Standing)>,
    spec: FleetSpec,
    policy: ClientPolicy,
    client: Client,
    schedule: Schedule,
    closed: bool,
    connections: usize,
    connected: usize,
    backlog: usize,
    operations: Slab<ActiveOperation>,
    begun: u32,
    attempts: Slab<Attempt>,
    waiting: SlotQueue,
    deadlines: SlotQueue,
    hedges: SlotQueue,
    /// Timeouts by lane: the users', then each group of monitors'.
    timeouts: Vec<SlotQueue>,
    pub(super) probes: Probes,
    pub(super) ledger: Ledger,
}

impl Clients {
    /// # Errors
    ///
    /// Where the load cannot be planned.
    pub(super) fn new(plan: &Plan) -> Result<Self> {
        let unfit = |what: &str| Error::usage(format!("failed to plan the load: {what}"));
        let spec = plan
            .fleet
            .as_ref()
            .ok_or_else(|| unfit("there is no fleet"))?;
        let mix = &plan.load.mix;
        let choices = fleet_choices(plan, |place| spec.users_of(mix[place].role)).map_err(unfit)?;
        let asked = mix.iter().map(|entry| MixRequest {
            role: entry.role,
            call: Call::Request {
                allowed: entry.role >= entry.request.least_role(),
            },
            refused: entry.refused,
            idempotent: entry.request.idempotent(),
        });
        let probed = plan.monitors.iter().map(|policy| probed(&policy.probe));
        let client = &plan.load.client;
        let closed = plan.load.drive.closed.is_some();
        let places = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        Ok(Self {
            asked: asked.collect(),
            probed: probed.collect(),
            spec: spec.clone(),
            policy: client.clone(),
            client: Client::new(client, rng::stream(plan.seed, "jitter 0")),
            schedule: Schedule::new(plan, choices, Slice::WHOLE),
            closed,
            connections: places(plan.load.connections).max(1),
            connected: 0,
            backlog: if closed {
                usize::MAX
            } else {
                places(plan.load.backlog)
            },
            operations: Slab::new(),
            begun: 0,
            attempts: Slab::new(),
            waiting: SlotQueue::new(),
            deadlines: SlotQueue::new(),
            hedges: SlotQueue::new(),
            timeouts: (0..=plan.monitors.len())
                .map(|_| SlotQueue::new())
                .collect(),
            probes: Probes::new(&plan.monitors, plan.end),
            ledger: Ledger::new(plan.interval, plan.end, Nanos::ZERO),
        })
    }

    /// What is due first, and when. Of things due together, an end comes before a start.
    pub(super) fn next(&self) -> (Nanos, Due) {
        let mut first = (Nanos::MAX, Due::Arrival);
        let mut consider = |at: Nanos, due: Due| {
            if at < first.0 {
                first = (at, due);
            }
        };
        if let Some((at, slot)) = self.deadlines.front() {
            consider(at, Due::Deadline(slot));
        }
        for lane in &self.timeouts {
            if let Some((at, slot)) = lane.front() {
                consider(at, Due::Timeout(slot));
            }
        }
        if let Some((at, slot)) = self.hedges.front() {
            consider(at, Due::Hedge(slot));
        }
        if let Some(at) = self.schedule.next_intended() {
            consider(at, Due::Arrival);
        }
        if let Some((at, monitor)) = self.probes.next_due() {
            consider(at, Due::Probe(monitor));
        }
        first
    }

    /// Something is due.
    pub(super) fn serve(
        &mut self,
        now: Nanos,
        due: Due,
        fleet: &mut Fleet,
        calendar: &mut Calendar,
    ) {
        match due {
            Due::Deadline(slot) => {
                self.end_operation(now, slot, Terminal::MissedDeadline, fleet);
            }
            Due::Timeout(slot) => {
                if let Some(owner) = self.give_up(now, slot, Unanswered::TimedOut, fleet) {
                    self.tell_owner(now, owner, AttemptOutcome::TimedOut, fleet, calendar);
                }
            }
            Due::Hedge(slot) => {
                self.hedges.remove(slot);
                let room = self.waiting.is_empty() && self.has_room();
                if room && self.client.grants_retry(now) {
                    self.launch(now, Owner::Operation(slot), Try::Hedge, fleet, calendar);
                }
            }
            Due::Arrival => self.arrive(now, fleet, calendar),
            Due::Probe(monitor) => {
                let group = u32::try_from(self.probes.group(monitor)).unwrap_or(NONE);
                let epoch = self.probes.start(monitor, now);
                let owner = Owner::Probe {
                    monitor,
                    group,
                    epoch,
                };
                self.launch(now, owner, Try::First, fleet, calendar);
            }
        }
        self.serve_waiting(now, fleet, calendar);
    }

    /// The operation in the slot tries again, if it is still the one of this serial.
    pub(super) fn retry(
        &mut self,
        now: Nanos,
        slot: u32,
        serial: u32,
        fleet: &mut Fleet,
        calendar: &mut Calendar,
    ) {
        let same = self.operations.get(slot);
        if same.is_some_and(|operation| operation.serial == serial) {
            self.seek_connection(now, slot, fleet, calendar);
            self.serve_waiting(now, fleet, calendar);
        }
    }

    /// The responses that the fleet has given.
    pub(super) fn take_answers(&mut self, now: Nanos, fleet: &mut Fleet, calendar: &mut Calendar) {
        while let Some(answer) = fleet.answers.pop_front() {
            self.answered(now, answer, fleet, calendar);
            self.serve_waiting(now, fleet, calendar);
        }
    }

    /// From now on clients make so many retries.
    pub(super) const fn set_retries(&mut self, retries: u32) {
        self.policy.retries = retries;
    }

    /// The intended start of the next operation.
    pub(super) fn next_intended(&self) -> Option<Nanos> {
        self.schedule.next_intended()
    }

    /// Whether no operation will be scheduled any more, although its time is not over.
    pub(super) const fn exhausted(&self) -> bool {
        self.schedule.exhausted()
    }

    /// Whether nothing is under way.
    pub(super) fn idle(&self) -> bool {
        self.operations.is_empty() && self.probes.under_way() == 0
    }

    /// Closes the books on what is waiting at the stop.
    pub(super) fn stop(&mut self, now: Nanos) {
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
    }

    fn arrive(&mut self, now: Nanos, fleet: &mut Fleet, calendar: &mut Calendar) {
        let Some(draft) = self.schedule.take() else {
            return;
        };
        self.ledger.scheduled(draft.intended);
        let Some(pass) = self.client.admit(now) else {
            return self.count_end(now, draft.intended, Terminal::ShedByBreaker);
        };
        let machine = Operation::new(draft.intended, pass);
        let deadline = machine.deadline(&self.policy);
        self.begun = self.begun.wrapping_add(1);
        let slot = self.operations.insert(ActiveOperation {
            draft,
            machine,
            serial: self.begun,
            under_way: [NONE; 2],
            tried: false,
            waited: Nanos::ZERO,
        });
        if deadline < Nanos::MAX {
            self.deadlines.push(slot, deadline);
        }
        self.seek_connection(now, slot, fleet, calendar);
    }

    const fn has_room(&self) -> bool {
        self.connected < self.connections
    }

    /// An operation needs a connection: it takes one, waits for one, or is shed.
    fn seek_connection(
        &mut self,
        now: Nanos,
        slot: u32,
        fleet: &mut Fleet,
        calendar: &mut Calendar,
    ) {
        if self.waiting.is_empty() && self.has_room() {
            self.ledger.pool_wait(Nanos::ZERO);
            self.attempt(now, slot, fleet, calendar);
        } else if self.waiting.len() < self.backlog {
            self.waiting.push(slot, now);
            self.ledger.waiting(self.waiting.len());
        } else {
            self.end_operation(now, slot, Terminal::Shed, fleet);
        }
    }

    /// Gives connections that have come free to those who have waited longest.
    fn serve_waiting(&mut self, now: Nanos, fleet: &mut Fleet, calendar: &mut Calendar) {
        while !self.waiting.is_empty() && self.has_room() {
            let Some((since, slot)) = self.waiting.pop_front() else {
                return;
            };
            self.ledger.waiting(self.waiting.len());
            let waited = now.saturating_sub(since);
            self.ledger.pool_wait(waited);
            if let Some(operation) = self.operations.get_mut(slot)
                && !operation.tried
            {
                operation.waited = waited;
            }
            self.attempt(now, slot, fleet, calendar);
        }
    }

    /// Starts an operation's first or next attempt; there is room for it.
    fn attempt(&mut self, now: Nanos, slot: u32, fleet: &mut Fleet, calendar: &mut Calendar) {
        let Some(operation) = self.operations.get_mut(slot) else {
            return;
        };
        if now >= operation.machine.deadline(&self.policy) {
            return self.end_operation(now, slot, Terminal::MissedDeadline, fleet);
        }
        let first = !std::mem::replace(&mut operation.tried, true);
        let entry = usize::from(operation.draft.entry);
        let lag = now
            .saturating_sub(operation.draft.intended)
            .saturating_sub(operation.waited);
        let which = if first { Try::First } else { Try::Retry };
        if first {
            let hedge_at = operation.machine.hedge_at(now, &self.policy);
            self.client.first_try();
            if let Some(at) = hedge_at.filter(|_| self.asked[entry].idempotent) {
                self.hedges.push(slot, at);
            }
            self.ledger.send_lag(lag);
        }
        self.launch(now, Owner::Operation(slot), which, fleet, calendar);
    }

    /// Starts an attempt, whoever makes it.
    fn launch(
        &mut self,
        now: Nanos,
        owner: Owner,
        which: Try,
        fleet: &mut Fleet,
        calendar: &mut Calendar,
    ) {
        let (class, lane, until, standing, call, user) = match owner {
            Owner::Operation(slot) => {
                let Some(operation) = self.operations.get(slot) else {
                    return;
                };
                let asked = self.asked[usize::from(operation.draft.entry)];
                let user = self.spec.user_of(asked.role, operation.draft.user);
                self.connected += 1;
                let until = now.saturating_add(self.policy.timeout);
                let standing = match which {
                    Try::First | Try::Resend => Standing::FirstTry,
                    Try::Retry | Try::Hedge => Standing::Again,
                };
                (Class::User, 0, until, standing, asked.call, user)
            }
            Owner::Probe { group, .. } => {
                let group = group as usize;
                let until = now.saturating_add(self.probes.timeout(group));
                let (call, standing) = self.probed[group];
                let user = self.spec.service_user();
                (Class::Monitor, 1 + group, until, standing, call, user)
            }
        };
        self.ledger.attempt_started(class, which);
        let slot = self.attempts.insert(Attempt {
            owner,
            sent: now,
            job: NONE,
        });
        let mut waits_until = until;
        if let Owner::Operation(operation) = owner
            && let Some(operation) = self.operations.get_mut(operation)
        {
            replace(&mut operation.under_way, NONE, slot);
            waits_until = until.min(operation.machine.deadline(&self.policy));
        }
        self.timeouts[lane].push(slot, until);
        let request = Request {
            attempt: slot,
            call,
            user,
            standing,
            left_ms: self
                .spec
                .propagate_deadline
                .then(|| time_left_ms(now, waits_until)),
        };
        let job = fleet.request(now, request, calendar);
        if let (Some(job), Some(attempt)) = (job, self.attempts.get_mut(slot)) {
            attempt.job = job;
        }
    }

    /// Strikes an attempt off, with who made it.
    fn forget(&mut self, slot: u32) -> Option<Attempt> {
        let attempt = self.attempts.remove(slot)?;
        let lane = match attempt.owner {
            Owner::Operation(operation) => {
                self.connected -= 1;
                if let Some(operation) = self.operations.get_mut(operation) {
                    replace(&mut operation.under_way, slot, NONE);
                }
                0
            }
            Owner::Probe { group, .. } => 1 + group as usize,
        };
        self.timeouts[lane].remove(slot);
        Some(attempt)
    }

    fn answered(
        &mut self,
        now: Nanos,
        answer: FleetResponse,
        fleet: &mut Fleet,
        calendar: &mut Calendar,
    ) {
        let Some(attempt) = self.forget(answer.attempt) else {
            return;
        };
        let class = class(attempt.owner);
        self.ledger
            .answered(class, answer.status, now.saturating_sub(attempt.sent));
        let outcome = self.judge(attempt.owner, answer);
        self.tell_owner(now, attempt.owner, outcome, fleet, calendar);
    }

    /// What a response means to who asked.
    fn judge(&self, owner: Owner, answer: FleetResponse) -> AttemptOutcome {
        let status = answer.status;
        let success = (200..=299).contains(&status);
        let refused = match owner {
            Owner::Operation(slot) => self
                .operations
                .get(slot)
                .is_some_and(|it| self.asked[usize::from(it.draft.entry)].refused),
            Owner::Probe { .. } => false,
        };
        match (refused, success) {
            (false, true) => AttemptOutcome::Expected,
            (true, _) if status == 403 => AttemptOutcome::Expected,
            (true, true) => AttemptOutcome::WronglyAllowed,
            _ => AttemptOutcome::Unexpected {
                status,
                retry_after: answer.retry_after,
            },
        }
    }

    fn tell_owner(
        &mut self,
        now: Nanos,
        owner: Owner,
        outcome: AttemptOutcome,
        fleet: &mut Fleet,
        calendar: &mut Calendar,
    ) {
        match owner {
            Owner::Operation(slot) => {
                let Some(operation) = self.operations.get_mut(slot) else {
                    return;
                };
                let another = operation.under_way != [NONE; 2];
                let machine = &mut operation.machine;
                match machine.on(now, outcome, another, &self.policy, &mut self.client) {
                    Next::AwaitOther => {}
                    Next::Retry(at) => {
                        let serial = operation.serial;
                        self.give_up_attempts(now, slot, fleet);
                        let event = Event::Retry {
                            operation: slot,
                            serial,
                        };
                        calendar.enter(at, event);
                    }
                    Next::Ended(terminal) => self.end_operation(now, slot, terminal, fleet),
                }
            }
            Owner::Probe { monitor, epoch, .. } => {
                let well = outcome == AttemptOutcome::Expected;
                self.ledger.ended(Class::Monitor, well);
                self.probes.ended(monitor, epoch, now, well);
            }
        }
    }

    /// Ends an attempt without a response; who made it.
    fn give_up(
        &mut self,
        now: Nanos,
        slot: u32,
        how: Unanswered,
        fleet: &mut Fleet,
    ) -> Option<Owner> {
        let attempt = self.forget(slot)?;
        if attempt.job != NONE {
            fleet.caller_gone(attempt.job, now);
        }
        self.ledger.unanswered(class(attempt.owner), how);
        Some(attempt.owner)
    }

    /// Nobody waits any more for what is under way for the operation.
    fn give_up_attempts(&mut self, now: Nanos, slot: u32, fleet: &mut Fleet) {
        self.hedges.remove(slot);
        let Some(operation) = self.operations.get(slot) else {
            return;
        };
        for attempt in operation.under_way {
            if attempt != NONE {
                self.give_up(now, attempt, Unanswered::Cancelled, fleet);
            }
        }
    }

    fn end_operation(&mut self, now: Nanos, slot: u32, terminal: Terminal, fleet: &mut Fleet) {
        self.give_up_attempts(now, slot, fleet);
        let Some(operation) = self.operations.remove(slot) else {
            return;
        };
        self.client.ended(&operation.machine, terminal, now);
        self.deadlines.remove(slot);
        if let Some(since) = self.waiting.remove(slot) {
            self.ledger.waiting(self.waiting.len());
            // It had none to the end: the wait was at least this long.
            self.ledger.pool_wait(now.saturating_sub(since));
        }
        self.count_end(now, operation.draft.intended, terminal);
    }

    fn count_end(&mut self, now: Nanos, intended: Nanos, terminal: Terminal) {
        if self.closed {
            self.schedule.ended(now);
        }
        self.ledger.operation_ended(intended, terminal, now);
    }
}

/// What a request of a monitor comes to, as the fleet's API has it, and what it
/// is to an instance; a path that is not a probe's is a worker's short answer.
fn probed(path: &str) -> (Call, Standing) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    match Probed::by(path, Some(query)) {
        Some(Probed::Deep) => (Call::Request { allowed: true }, Standing::Probe),
        Some(Probed::Shallow) => (Call::Shallow, Standing::Probe),
        None => (Call::Shallow, Standing::FirstTry),
    }
}

const fn class(owner: Owner) -> Class {
    match owner {
        Owner::Operation(_) => Class::User,
        Owner::Probe { .. } => Class::Monitor,
    }
}

/// Puts `new` in the place of `old`.
fn replace(places: &mut [u32; 2], old: u32, new: u32) {
    if let Some(place) = places.iter_mut().find(|place| **place == old) {
        *place = new;
    }
}
