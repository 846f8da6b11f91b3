//! How a load ends: by the order to end it before its planned end, and with its books.
//!
//! An order to end moves the planned end and nothing else. So what is under way ends as it
//! would after the planned end, the last bucket is as whole as any, and nothing that judges
//! the load needs to know of two kinds of end.

use super::Clients;
use super::buckets::whole_millis;
use super::spent::Doing;
use super::wire::Wire;
use crate::units::Nanos;

impl Clients {
    /// Nothing starts at `at` or later, and what is under way then has until `drained` to
    /// end. In whole milliseconds, the precision of the record's axis, and later where more
    /// has started already. A load that ends earlier by its plan does.
    pub fn end_load(&mut self, at: Nanos, drained: Nanos) {
        let started = Nanos(self.latest.0.saturating_add(1));
        let at = whole_millis(Nanos::ZERO, at.max(started));
        self.drained = self.drained.min(drained.max(at));
        if at < self.axis.end {
            self.axis.end = at;
            self.schedule.end_at(at);
            self.ledger.end_at(at);
            self.probes.end_at(at);
        }
    }

    /// Closes the books; what is under way is unfinished.
    pub fn finish<W: Wire>(&mut self, wire: &mut W) {
        let now = self.now(wire);
        while self.schedule.next_intended().is_some_and(|at| at <= now) {
            // Due, and not begun before the stop: scheduled and unfinished.
            if let Some(draft) = self.schedule.take() {
                let lag = now.saturating_sub(draft.intended);
                self.ledger.scheduled(&draft);
                self.ledger.never_sent(&draft, lag);
                self.ledger.unfinished(&draft, lag, false);
            }
        }
        for slot in self.operations.slots().collect::<Vec<_>>() {
            self.leave(slot, now);
        }
        for slot in self.attempts.slots().collect::<Vec<_>>() {
            if let Some(attempt) = self.attempts.get(slot) {
                self.ledger.attempt_unfinished(attempt.owner.class());
            }
        }
        let report = wire.report();
        self.ledger
            .close(now, report, &mut |sample| wire.sample(sample));
        self.tell_slowest(wire);
    }

    /// An operation will not be seen to end.
    fn leave(&mut self, slot: u32, now: Nanos) {
        let Some(operation) = self.operations.get_mut(slot) else {
            return;
        };
        operation.spent.turn(now, self.unused, Doing::Due);
        if self.waiting.remove(slot).is_some() {
            // It had no connection to the end: the wait was at least this long.
            self.ledger.pool_wait(operation.spent.waited);
        }
        let (draft, times) = (&operation.draft, operation.spent.times);
        if operation.held_up() {
            self.ledger.never_sent(draft, times.generator);
        }
        let waited = operation.spent.to().saturating_sub(draft.intended);
        let waited = waited.saturating_sub(times.thinking);
        let sent = times.target > Nanos::ZERO;
        self.ledger.unfinished(draft, waited, sent);
    }
}
