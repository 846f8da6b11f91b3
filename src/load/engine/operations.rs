//! Users' operations, from intended start to terminal event.

use super::super::connection::{Attempt, Owner};
use super::super::request::Asking;
use super::Engine;
use crate::model::{
    AttemptOutcome, ClientPolicy, FIRST_TRY, Next, Operation, Pass, Terminal, time_left_ms,
};
use crate::plan::Draft;
use crate::record::{Try, Unanswered};
use crate::units::Nanos;

/// An operation that has been scheduled and has not ended.
#[derive(Debug)]
pub(in super::super) struct ActiveOperation {
    pub(super) draft: Draft,
    pub(super) machine: Operation,
    pub(super) under_way: UnderWay,
    /// Whether the current step has been tried.
    tried: bool,
    /// Requests that servers said they had not processed and that were made again.
    pub(super) refused: u8,
    /// Whether its next attempt is the last one's request once more.
    pub(super) resends: bool,
    /// Which of its steps is under way.
    pub(super) step: usize,
    /// What its steps have captured so far.
    pub(super) captured: Vec<String>,
    /// How long it waited for a connection before its first try.
    waited: Nanos,
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

    fn take(&mut self) -> Option<u32> {
        self.0.iter_mut().find_map(Option::take)
    }
}

impl ActiveOperation {
    /// What an attempt's request of its current step is made for, at `now`.
    pub(super) fn asking(
        &self,
        attempt: &Attempt,
        policy: &ClientPolicy,
        now: Nanos,
    ) -> Asking<'_> {
        let until = attempt.until.min(self.machine.deadline(policy));
        Asking {
            draft: &self.draft,
            step: self.step,
            captured: &self.captured,
            left_ms: time_left_ms(now, until),
            attempt: match attempt.which {
                Try::First => FIRST_TRY,
                Try::Hedge => "hedge",
                // The target may never have heard of the request it repeats.
                Try::Resend if self.machine.retries_made() == 0 => FIRST_TRY,
                Try::Retry | Try::Resend => "retry",
            },
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
        let Some(pass) = self.admit() else {
            let now = self.now();
            return self.count_end(draft.intended, Terminal::ShedByBreaker, now);
        };
        let machine = Operation::new(draft.intended, pass);
        let deadline = machine.deadline(&self.policy);
        let slot = self.operations.insert(ActiveOperation {
            draft,
            machine,
            under_way: UnderWay::default(),
            tried: false,
            refused: 0,
            resends: false,
            step: 0,
            captured: Vec::new(),
            waited: Nanos::ZERO,
        });
        if deadline < Nanos::MAX {
            self.deadlines.push(slot, deadline);
        }
        self.seek_connection(slot);
    }

    /// The client lets an operation begin, or sheds it; only a breaker has to
    /// be told the time.
    fn admit(&mut self) -> Option<Pass> {
        let now = if self.client.has_breaker() {
            self.now()
        } else {
            Nanos::ZERO
        };
        self.client.admit(now)
    }

    /// In a closed loop, who has just been answered asks again at once, before
    /// the other answers of this wake-up are looked at.
    pub(super) fn serve_free_users(&mut self) {
        if self.drive.closed.is_some() {
            // Who has been answered is free at the time that was read for it.
            let now = self.latest;
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
        let which = match (first, std::mem::take(&mut operation.resends)) {
            (true, _) => Try::First,
            (false, true) => Try::Resend,
            (false, false) => Try::Retry,
        };
        if first {
            self.client.first_try();
            let hedge_at = operation.machine.hedge_at(now, &self.policy);
            if let Some(at) =
                hedge_at.filter(|_| self.requests.idempotent(&operation.draft, operation.step))
            {
                self.hedges.push(slot, at);
            }
        }
        self.launch(Owner::Operation(slot), which, now);
        if starts {
            let lag = now.saturating_sub(intended).saturating_sub(waited);
            self.ledger.send_lag(lag);
        }
    }

    /// The operation's first try is unanswered for so long that another is made
    /// beside it: one that had to wait for a connection would come too late to help.
    pub(super) fn hedge(&mut self, slot: u32) {
        self.hedges.remove(slot);
        let now = self.now();
        let room = self.waiting.is_empty() && self.users.has_room();
        if room && self.client.grants_retry(now) {
            self.launch(Owner::Operation(slot), Try::Hedge, now);
        }
    }

    /// An attempt of the operation has ended at `now`.
    pub(super) fn attempt_ended(&mut self, slot: u32, outcome: AttemptOutcome, now: Nanos) {
        let Some(operation) = self.operations.get_mut(slot) else {
            return;
        };
        let another = operation.under_way.any();
        let machine = &mut operation.machine;
        match machine.on(now, outcome, another, &self.policy, &mut self.client) {
            Next::AwaitOther => {}
            Next::Retry(at) => {
                self.give_up_attempts(slot);
                self.retries.push(slot, at);
            }
            Next::Ended(Terminal::Succeeded)
                if operation.step + 1 < self.requests.steps(&operation.draft) =>
            {
                operation.step += 1;
                operation.tried = false;
                operation.machine.next_step();
                self.give_up_attempts(slot);
                self.retries.push(slot, now);
            }
            Next::Ended(terminal) => self.end_operation(slot, terminal, now),
        }
    }

    /// The deadline has come.
    pub(super) fn miss_deadline(&mut self, slot: u32) {
        let now = self.now();
        self.end_operation(slot, Terminal::MissedDeadline, now);
    }

    /// Nobody waits any more for what is under way for the operation.
    fn give_up_attempts(&mut self, slot: u32) {
        self.hedges.remove(slot);
        let under_way = |engine: &mut Self| engine.operations.get_mut(slot)?.under_way.take();
        while let Some(attempt) = under_way(self) {
            self.give_up(attempt, Unanswered::Cancelled);
        }
    }

    fn end_operation(&mut self, slot: u32, terminal: Terminal, now: Nanos) {
        self.give_up_attempts(slot);
        let Some(operation) = self.operations.remove(slot) else {
            return;
        };
        self.client.ended(&operation.machine, terminal, now);
        self.deadlines.remove(slot);
        self.retries.remove(slot);
        if let Some(since) = self.waiting.remove(slot) {
            self.ledger.waiting(self.waiting.len());
            // It had none to the end: the wait was at least this long.
            self.ledger.pool_wait(now.saturating_sub(since));
        }
        self.count_end(operation.draft.intended, terminal, now);
    }

    /// An operation has ended, whether or not it had begun.
    fn count_end(&mut self, intended: Nanos, terminal: Terminal, now: Nanos) {
        // A user is free when that was seen, not when the kernel noted it.
        self.schedule.ended(now.max(self.latest));
        self.ledger.operation_ended(intended, terminal, now);
    }
}
