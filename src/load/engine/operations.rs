//! Users' operations, from intended start to terminal event.

use super::super::connection::Owner;
use super::super::ledger::{Try, Unanswered};
use super::super::request::Asking;
use super::super::schedule::Draft;
use super::Engine;
use crate::model::{AttemptOutcome, Next, Operation, Terminal};
use crate::units::Nanos;

/// An operation that has been scheduled and has not ended.
#[derive(Debug)]
pub(in super::super) struct ActiveOperation {
    pub(super) draft: Draft,
    pub(super) machine: Operation,
    /// The attempt under way.
    pub(super) attempt: Option<u32>,
    /// Whether the current step has been tried.
    tried: bool,
    /// Which of its steps is under way.
    pub(super) step: usize,
    /// What its steps have captured so far.
    pub(super) captured: Vec<String>,
    /// How long it waited for a connection before its first try.
    waited: Nanos,
}

impl ActiveOperation {
    /// What the request of its current step is made for.
    pub(super) fn asking(&self) -> Asking<'_> {
        Asking {
            draft: &self.draft,
            step: self.step,
            captured: &self.captured,
        }
    }
}

impl Engine {
    /// The next scheduled operation starts.
    pub(super) fn arrive(&mut self) {
        let Some(draft) = self.schedule.take() else {
            return;
        };
        self.ledger.scheduled(draft.intended);
        let machine = Operation::new(draft.intended);
        let deadline = machine.deadline(&self.policy);
        let slot = self.operations.insert(ActiveOperation {
            draft,
            machine,
            attempt: None,
            tried: false,
            step: 0,
            captured: Vec::new(),
            waited: Nanos::ZERO,
        });
        if deadline < Nanos::MAX {
            self.deadlines.push(slot, deadline);
        }
        self.seek_connection(slot);
    }

    /// In a closed loop, who has just been answered asks again at once, before
    /// the other answers of this wake-up are looked at.
    pub(super) fn serve_free_users(&mut self) {
        if self.drive.closed.is_some() {
            let now = self.now();
            while self.schedule.next_intended().is_some_and(|at| at <= now) {
                self.arrive();
            }
        }
    }

    /// An operation needs a connection: it takes one, waits for one, or is shed.
    pub(super) fn seek_connection(&mut self, slot: u32) {
        if self.waiting.is_empty() && self.users.has_room() {
            self.ledger.pool_wait(Nanos::ZERO);
            self.attempt(slot);
        } else if self.waiting.len() < self.backlog {
            let now = self.now();
            self.waiting.push(slot, now);
            self.ledger.waiting(self.waiting.len());
        } else {
            let now = self.now();
            self.end_operation(slot, Terminal::Shed, now);
        }
    }

    /// Gives connections that have come free to those who have waited longest.
    pub(super) fn serve_waiting(&mut self) {
        while !self.waiting.is_empty() && self.users.has_room() {
            let Some((since, slot)) = self.waiting.pop_front() else {
                return;
            };
            self.ledger.waiting(self.waiting.len());
            let waited = self.now().saturating_sub(since);
            self.ledger.pool_wait(waited);
            if let Some(operation) = self.operations.get_mut(slot)
                && !operation.tried
                && operation.step == 0
            {
                operation.waited = waited;
            }
            self.attempt(slot);
        }
    }

    /// Starts an operation's first or next attempt; there is room for it. One
    /// that comes too late for the deadline, since the generator was held up,
    /// is not made: nobody waits for it any more.
    fn attempt(&mut self, slot: u32) {
        let now = self.now();
        let Some(operation) = self.operations.get_mut(slot) else {
            return;
        };
        if now >= operation.machine.deadline(&self.policy) {
            return self.end_operation(slot, Terminal::MissedDeadline, now);
        }
        let first = !std::mem::replace(&mut operation.tried, true);
        let starts = first && operation.step == 0;
        let (intended, waited) = (operation.draft.intended, operation.waited);
        let which = if first { Try::First } else { Try::Retry };
        self.launch(Owner::Operation(slot), which, now);
        if starts {
            let lag = now.saturating_sub(intended).saturating_sub(waited);
            self.ledger.send_lag(lag);
        }
    }

    /// An attempt of the operation has ended at `now`.
    pub(super) fn attempt_ended(&mut self, slot: u32, outcome: AttemptOutcome, now: Nanos) {
        let Some(operation) = self.operations.get_mut(slot) else {
            return;
        };
        operation.attempt = None;
        match operation.machine.on(now, outcome, &self.policy) {
            Next::Retry(at) => self.retries.push(slot, at),
            Next::Ended(Terminal::Succeeded)
                if operation.step + 1 < self.requests.steps(&operation.draft) =>
            {
                operation.step += 1;
                operation.tried = false;
                operation.machine.next_step();
                self.retries.push(slot, now);
            }
            Next::Ended(terminal) => self.end_operation(slot, terminal, now),
        }
    }

    /// The deadline has come: whatever is under way for the operation is given up.
    pub(super) fn miss_deadline(&mut self, slot: u32) {
        let now = self.now();
        let attempt = self
            .operations
            .get(slot)
            .and_then(|operation| operation.attempt);
        if let Some(attempt) = attempt {
            self.give_up(attempt, Unanswered::Cancelled);
        }
        self.end_operation(slot, Terminal::MissedDeadline, now);
    }

    fn end_operation(&mut self, slot: u32, terminal: Terminal, now: Nanos) {
        let Some(operation) = self.operations.remove(slot) else {
            return;
        };
        self.schedule.ended(now);
        self.deadlines.remove(slot);
        self.retries.remove(slot);
        if let Some(since) = self.waiting.remove(slot) {
            self.ledger.waiting(self.waiting.len());
            // It had none to the end: the wait was at least this long.
            self.ledger.pool_wait(now.saturating_sub(since));
        }
        self.ledger
            .operation_ended(operation.draft.intended, terminal, now);
    }
}
