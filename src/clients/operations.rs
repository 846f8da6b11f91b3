//! Users' operations, from intended start to terminal event.

use super::Clients;
use super::attempts::Owner;
use super::ledger::Try;
use super::spent::{Doing, Spent, Times};
use super::wire::{StepRequest, Wire};
use crate::model::{
    AttemptOutcome, ClientPolicy, FailureKind, Learnt, Next, Operation, Pass, Terminal,
};
use crate::plan::Draft;
use crate::units::Nanos;

/// How long a user of a closed loop waits after finding nobody who answers. A port that
/// refuses, or that accepts and closes, does so within microseconds, and would be asked a
/// hundred thousand times a second.
const REST: Nanos = Nanos::from_millis(10);

/// An operation that has been scheduled and has not ended.
#[derive(Debug)]
pub(super) struct ActiveOperation {
    pub(super) draft: Draft,
    pub(super) machine: Operation,
    pub(super) under_way: UnderWay,
    /// Whether the current step has been tried.
    tried: bool,
    /// Requests that servers said they had not processed and that were made again.
    pub(super) unprocessed: u8,
    /// Whether its next attempt is the last one's request once more.
    pub(super) resends: bool,
    /// Which of its steps is under way.
    pub(super) step: usize,
    /// What the answers to its steps have brought so far.
    pub(super) learnt: Learnt,
    /// Whose its time was so far.
    pub(super) spent: Spent,
    /// Whether its last lost attempt was on a connection that had never brought an answer,
    /// or on none.
    pub(super) unserved: bool,
}

/// The attempts of an operation under way, by their slots: one, or a first try
/// and its hedge.
#[derive(Debug, Default)]
pub(super) struct UnderWay([Option<u32>; 2]);

impl UnderWay {
    pub(super) fn begin(&mut self, attempt: u32) {
        let free = self.0.iter_mut().find(|place| place.is_none());
        *free.expect("an operation has two attempts under way at most") = Some(attempt);
    }

    pub(super) fn end(&mut self, attempt: u32) {
        for place in &mut self.0 {
            place.take_if(|under_way| *under_way == attempt);
        }
    }

    pub(super) fn any(&self) -> bool {
        self.0.iter().any(Option::is_some)
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = u32> {
        self.0.iter().filter_map(|slot| *slot)
    }

    fn take(&mut self) -> Option<u32> {
        self.0.iter_mut().find_map(Option::take)
    }
}

impl ActiveOperation {
    fn new(draft: Draft, pass: Pass) -> Self {
        Self {
            draft,
            machine: Operation::new(draft.intended, pass),
            under_way: UnderWay::default(),
            tried: false,
            unprocessed: 0,
            resends: false,
            step: 0,
            learnt: Learnt::default(),
            spent: Spent::new(draft.intended),
            unserved: false,
        }
    }

    /// The request of its current step, made by an attempt that ends at `until`.
    pub(super) fn request(
        &self,
        which: Try,
        until: Nanos,
        policy: &ClientPolicy,
    ) -> StepRequest<'_> {
        StepRequest {
            draft: &self.draft,
            step: self.step,
            learnt: &self.learnt,
            waits_until: until.min(self.machine.deadline(policy)),
            which,
            retried: self.machine.retries_made() > 0,
        }
    }

    /// Whether nothing of it has been sent, and the generator is more to blame for that
    /// than the limit of connections.
    pub(super) fn held_up(&self) -> bool {
        let times = &self.spent.times;
        !self.tried && self.step == 0 && times.generator > times.connection_wait
    }

    /// Which try its next attempt is.
    fn next_try(&mut self) -> Try {
        match (
            std::mem::replace(&mut self.tried, true),
            std::mem::take(&mut self.resends),
        ) {
            (false, _) => Try::First,
            (true, true) => Try::Resend,
            (true, false) => Try::Retry,
        }
    }

    fn go_on(&mut self) {
        self.step += 1;
        self.learnt.redirected = None;
        self.begin_again();
    }

    /// What comes next is a first try, whose retries count anew.
    const fn begin_again(&mut self) {
        self.tried = false;
        self.machine.next_step();
    }

    /// Whether nothing was answered yet: neither an earlier step nor a redirect.
    const fn begins(&self) -> bool {
        self.step == 0 && self.learnt.redirected.is_none()
    }
}

impl Clients {
    /// The next scheduled operation starts.
    pub(super) fn arrive<W: Wire>(&mut self, wire: &mut W) {
        let Some(draft) = self.schedule.take() else {
            return;
        };
        self.ledger.scheduled(&draft);
        let Some(pass) = self.admit(wire) else {
            let now = self.now(wire);
            self.schedule.ended(now, Nanos::ZERO);
            let terminal = Terminal::ShedByBreaker;
            let times = Times {
                generator: now.saturating_sub(draft.intended),
                ..Times::default()
            };
            let ledger = &mut self.ledger;
            return ledger.operation_ended(&draft, terminal, now, &times);
        };
        let operation = ActiveOperation::new(draft, pass);
        let deadline = operation.machine.deadline(&self.policy);
        let slot = self.operations.insert(operation);
        if deadline < Nanos::MAX {
            self.deadlines.push(slot, deadline);
        }
        self.seek_connection(slot, wire);
    }

    /// The client lets an operation begin, or sheds it; only a breaker has to
    /// be told the time.
    fn admit<W: Wire>(&mut self, wire: &mut W) -> Option<Pass> {
        let now = if self.client.has_breaker() {
            self.now(wire)
        } else {
            Nanos::ZERO
        };
        self.client.admit(now)
    }

    /// An operation needs a connection: it takes one, waits for one, or is shed.
    pub(super) fn seek_connection<W: Wire>(&mut self, slot: u32, wire: &mut W) {
        if self.waiting.is_empty() && wire.has_room() {
            self.ledger.pool_wait(Nanos::ZERO);
            self.attempt(slot, wire);
        } else if self.waiting.len() < self.backlog {
            let now = self.now(wire);
            self.wait(slot, now);
        } else {
            let now = self.now(wire);
            self.end_operation(slot, Terminal::Shed, now, wire);
        }
    }

    /// The operation waits for a connection from `now` on.
    pub(super) fn wait(&mut self, slot: u32, now: Nanos) {
        if self.waiting.is_empty() {
            self.unused_to = self.unused_to.max(now);
        }
        if let Some(operation) = self.operations.get_mut(slot) {
            let unused_before = self.unused;
            let waits = Doing::AwaitsConnection { unused_before };
            operation.spent.turn(now, self.unused, waits);
        }
        self.waiting.push(slot, now);
        self.ledger.waiting(self.waiting.len());
    }

    /// Gives connections that have come free to those who have waited longest.
    pub(super) fn serve_waiting<W: Wire>(&mut self, wire: &mut W) {
        while !self.waiting.is_empty() && wire.has_room() {
            let Some((_, slot)) = self.waiting.pop_front() else {
                return;
            };
            self.ledger.waiting(self.waiting.len());
            let now = self.now(wire);
            if let Some(operation) = self.operations.get_mut(slot) {
                operation.spent.turn(now, self.unused, Doing::Due);
                self.ledger.pool_wait(operation.spent.waited);
            }
            self.attempt(slot, wire);
        }
    }

    /// A connection was free from `free` on, which was seen at `seen`: for so long none
    /// of those who wait for one has waited because of their number.
    pub(super) fn note_unused(&mut self, free: Nanos, seen: Nanos) {
        if !self.waiting.is_empty() {
            self.unused += seen.saturating_sub(free.max(self.unused_to));
            self.unused_to = self.unused_to.max(seen);
        }
    }

    /// Starts an operation's first or next attempt; there is room for it. One
    /// that comes too late for the deadline, since the generator was held up,
    /// is not made: nobody waits for it any more.
    fn attempt<W: Wire>(&mut self, slot: u32, wire: &mut W) {
        let now = self.now(wire);
        let Some(operation) = self.operations.get_mut(slot) else {
            return;
        };
        if now >= operation.machine.deadline(&self.policy) {
            return self.end_operation(slot, Terminal::MissedDeadline, now, wire);
        }
        let which = operation.next_try();
        let starts = which == Try::First && operation.begins();
        operation.spent.turn(now, self.unused, Doing::Due);
        let lag = operation.spent.times.generator;
        if which == Try::First {
            self.client.first_try();
            let hedge_at = operation.machine.hedge_at(now, &self.policy);
            if let Some(at) = hedge_at.filter(|_| wire.idempotent(&operation.draft, operation.step))
            {
                self.hedges.push(slot, at);
            }
        }
        self.launch(Owner::Operation(slot), which, now, wire);
        if starts {
            self.ledger.send_lag(lag);
        }
    }

    /// The operation's first try is unanswered for so long that another is made
    /// beside it: one that had to wait for a connection would come too late to help.
    pub(super) fn hedge<W: Wire>(&mut self, slot: u32, wire: &mut W) {
        let due = self.hedges.remove(slot);
        let now = self.now(wire);
        let room = self.waiting.is_empty() && wire.has_room();
        if room && self.client.grants_retry(now) {
            if let (Some(operation), Some(due)) = (self.operations.get_mut(slot), due) {
                operation.spent.turn(due, self.unused, Doing::Due);
            }
            self.launch(Owner::Operation(slot), Try::Hedge, now, wire);
        }
    }

    /// An attempt of the operation has ended at `now`.
    pub(super) fn attempt_ended<W: Wire>(
        &mut self,
        slot: u32,
        outcome: AttemptOutcome,
        now: Nanos,
        wire: &mut W,
    ) {
        let Some(operation) = self.operations.get_mut(slot) else {
            return;
        };
        let another = operation.under_way.any();
        let machine = &mut operation.machine;
        match machine.on(now, outcome, another, &self.policy, &mut self.client) {
            Next::AwaitOther => operation.spent.turn(now, self.unused, Doing::InFlight),
            Next::Retry(until) => {
                let thinks = false;
                let pauses = Doing::Pauses { until, thinks };
                operation.spent.turn(now, self.unused, pauses);
                self.give_up_attempts(slot, now, wire);
                self.retries.push(slot, until);
            }
            Next::Ended(Terminal::Succeeded)
                if operation.step + 1 < wire.steps(&operation.draft) =>
            {
                operation.go_on();
                let pause = wire.pause(&operation.draft, operation.step);
                let (until, thinks) = (now.saturating_add(pause), true);
                let pauses = Doing::Pauses { until, thinks };
                operation.spent.turn(now, self.unused, pauses);
                self.give_up_attempts(slot, now, wire);
                self.retries.push(slot, until);
            }
            Next::Ended(terminal) => self.end_operation(slot, terminal, now, wire),
        }
    }

    /// An answer at `now` has led the operation's step elsewhere: a request as any first.
    pub(super) fn follow_redirect<W: Wire>(&mut self, slot: u32, now: Nanos, wire: &mut W) {
        let Some(operation) = self.operations.get_mut(slot) else {
            return;
        };
        if now >= operation.machine.deadline(&self.policy) {
            return self.end_operation(slot, Terminal::MissedDeadline, now, wire);
        }
        operation.begin_again();
        let (until, thinks) = (now, false);
        let pauses = Doing::Pauses { until, thinks };
        operation.spent.turn(now, self.unused, pauses);
        self.give_up_attempts(slot, now, wire);
        self.retries.push(slot, now);
    }

    /// The deadline has come.
    pub(super) fn miss_deadline<W: Wire>(&mut self, slot: u32, wire: &mut W) {
        let now = self.now(wire);
        let operation = self.operations.get(slot);
        let held = operation.map(|operation| self.held_up(&operation.under_way, wire));
        if let Some(operation) = self.operations.get_mut(slot) {
            let deadline = operation.machine.deadline(&self.policy);
            operation.spent.turn(deadline, self.unused, Doing::Due);
            operation.spent.held_up(held.unwrap_or_default());
            if operation.under_way.any() {
                self.note_unused(deadline, now);
            }
        }
        self.end_operation(slot, Terminal::MissedDeadline, now, wire);
    }

    /// Nobody waits any more for what is under way for the operation.
    fn give_up_attempts<W: Wire>(&mut self, slot: u32, now: Nanos, wire: &mut W) {
        self.hedges.remove(slot);
        let under_way = |clients: &mut Self| clients.operations.get_mut(slot)?.under_way.take();
        while let Some(attempt) = under_way(self) {
            self.give_up(attempt, now, wire);
        }
    }

    fn end_operation<W: Wire>(&mut self, slot: u32, terminal: Terminal, now: Nanos, wire: &mut W) {
        self.give_up_attempts(slot, now, wire);
        let Some(mut operation) = self.operations.remove(slot) else {
            return;
        };
        operation.spent.turn(now, self.unused, Doing::Due);
        self.client.ended(&operation.machine, terminal, now);
        self.deadlines.remove(slot);
        self.retries.remove(slot);
        if self.waiting.remove(slot).is_some() {
            self.ledger.waiting(self.waiting.len());
            // It had none to the end: the wait was at least this long.
            self.ledger.pool_wait(operation.spent.waited);
        }
        let draft = &operation.draft;
        let times = &operation.spent.times;
        if terminal == Terminal::MissedDeadline && operation.held_up() {
            self.ledger.never_sent(draft, times.generator);
        }
        let rest = match terminal {
            Terminal::Failed(FailureKind::Connection | FailureKind::Protocol)
                if operation.unserved =>
            {
                REST
            }
            _ => Nanos::ZERO,
        };
        // A user is free when that was seen, not when it happened.
        self.schedule.ended(now.max(self.latest), rest);
        let end = operation.spent.to();
        self.ledger.operation_ended(draft, terminal, end, times);
    }
}
