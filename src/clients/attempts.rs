//! Attempts, whoever makes them: a user's operation or a monitor.

use super::Clients;
use super::judge::judge;
use super::ledger::{Class, Try};
use super::operations::UnderWay;
use super::spent::Doing;
use super::wire::{AWAY, Asks, AttemptEnd, AttemptId, End, NewFailure, Outgoing, Wire};
use crate::model::{AttemptOutcome, FailureCause, Unanswered};
use crate::units::Nanos;

/// The lane of users' timeouts; a group's is one past its index.
const USERS_LANE: usize = 0;
/// Times that an operation's requests are made again at once since they were not
/// processed: a connection that is being retired may meet two. A server that goes on
/// refusing is not asked at once again, but as the client's policy has it.
const UNPROCESSED_MAX: u8 = 2;
/// Kinds of failure that are told with their first example, at most.
const NOTED_MAX: usize = 64;

/// Who made an attempt and hears of its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// The operation in this slot.
    Operation(u32),
    /// A monitor of a group, while the monitors are those of this epoch.
    Probe {
        monitor: u32,
        group: usize,
        epoch: u32,
    },
}

impl Owner {
    pub(super) const fn class(self) -> Class {
        match self {
            Self::Operation(_) => Class::User,
            Self::Probe { .. } => Class::Monitor,
        }
    }

    /// The queue of timeouts that its attempts are in.
    const fn lane(self) -> usize {
        match self {
            Self::Operation(_) => USERS_LANE,
            Self::Probe { group, .. } => 1 + group,
        }
    }
}

/// An attempt under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt {
    pub(super) owner: Owner,
    which: Try,
    serial: u32,
    sent: Nanos,
    /// When it times out, unless the generator holds it up.
    until: Nanos,
    /// For how long that has.
    held: Nanos,
}

impl Clients {
    /// Starts an attempt, sent at `sent`, which is now.
    pub(super) fn launch<W: Wire>(&mut self, owner: Owner, which: Try, sent: Nanos, wire: &mut W) {
        let timeout = match owner {
            Owner::Operation(_) => self.policy.timeout,
            Owner::Probe { group, .. } => self.probes.timeout(group),
        };
        self.ledger.attempt_started(owner.class(), which);
        let until = sent.saturating_add(timeout);
        let serial = self.next_serial;
        self.next_serial = serial.wrapping_add(1);
        let slot = self.attempts.insert(Attempt {
            owner,
            which,
            serial,
            sent,
            until,
            held: Nanos::ZERO,
        });
        if let Owner::Operation(operation) = owner
            && let Some(operation) = self.operations.get_mut(operation)
        {
            operation.under_way.begin(slot);
            operation.spent.turn(sent, self.unused, Doing::InFlight);
        }
        self.timeouts[owner.lane()].push(slot, until);
        if let Some(asks) = self.asks(slot) {
            wire.send(Outgoing {
                id: AttemptId { slot, serial },
                which,
                sent,
                until,
                asks,
            });
        }
    }

    /// What an attempt under way asks for: a wire that could not write the request
    /// when it was sent asks again when it can.
    pub fn asks(&self, attempt: u32) -> Option<Asks<'_>> {
        let attempt = self.attempts.get(attempt)?;
        Some(match attempt.owner {
            Owner::Operation(slot) => {
                let operation = self.operations.get(slot)?;
                Asks::Step(operation.request(attempt.which, attempt.until, &self.policy))
            }
            Owner::Probe { group, .. } => Asks::Probe { group },
        })
    }

    /// A monitor probes.
    pub(super) fn start_probe<W: Wire>(&mut self, monitor: u32, wire: &mut W) {
        let now = self.now(wire);
        let group = self.probes.group(monitor);
        let epoch = self.probes.start(monitor, now);
        let owner = Owner::Probe {
            monitor,
            group,
            epoch,
        };
        self.launch(owner, Try::First, now, wire);
    }

    /// An attempt has ended, unless it had been given up by then.
    pub(super) fn on_end<W: Wire>(&mut self, end: AttemptEnd<W::Content>, wire: &mut W) {
        let AttemptEnd {
            id,
            at,
            ready,
            seen,
            held,
            how,
        } = end;
        let current = self.attempts.get_mut(id.slot);
        let Some(attempt) = current.filter(|attempt| attempt.serial == id.serial) else {
            return;
        };
        attempt.held = held;
        let attempt = *attempt;
        let over = match how {
            End::TooLate => attempt.until.saturating_add(held),
            _ => ready,
        };
        self.attempt_over(&attempt, over, seen);
        self.see(seen, wire);
        match how {
            End::Answered {
                status,
                retry_after,
                content,
            } => {
                let known = at.saturating_sub(ready) <= AWAY;
                self.answered(
                    (id.slot, known),
                    at,
                    status,
                    retry_after,
                    content.as_ref(),
                    wire,
                );
            }
            End::TooLate => self.failed(id.slot, FailureCause::NoAnswer, seen, wire),
            End::Lost {
                cause,
                stale,
                handed_over,
                served,
            } => {
                self.note_served(id.slot, served);
                self.lost(id.slot, cause, (stale, handed_over), seen, wire);
            }
            End::Unprocessed { served } => {
                self.note_served(id.slot, served);
                // Doing it again does not do it twice.
                let free = self.note_unprocessed(id.slot);
                let cause = FailureCause::Http2Refused;
                self.lost(id.slot, cause, (free, false), seen, wire);
            }
        }
    }

    /// An attempt was over at `over`, which was seen at `seen`. What was between is not
    /// the target's time: nor that of operations that waited for the connection.
    fn attempt_over(&mut self, attempt: &Attempt, over: Nanos, seen: Nanos) {
        if let Owner::Operation(slot) = attempt.owner
            && let Some(operation) = self.operations.get_mut(slot)
        {
            operation.spent.turn(over, self.unused, Doing::Due);
            operation.spent.held_up(attempt.held);
            self.note_unused(over, seen);
        }
    }

    /// Ends an attempt with its response, whole at `now`, and what was kept of it; `known`:
    /// the response was whole then and not earlier. If not, its service has no time.
    fn answered<W: Wire>(
        &mut self,
        (slot, known): (u32, bool),
        now: Nanos,
        status: u16,
        retry_after: Option<Nanos>,
        content: Option<&W::Content>,
        wire: &mut W,
    ) {
        let Some(attempt) = self.remove(slot) else {
            return;
        };
        let service = now.saturating_sub(attempt.sent.saturating_add(attempt.held));
        let service = known.then_some(service);
        self.ledger.answered(attempt.owner.class(), status, service);
        let class = attempt.owner.class();
        let (operation, group) = match attempt.owner {
            Owner::Operation(slot) => (self.operations.get_mut(slot), 0),
            Owner::Probe { group, .. } => (None, group),
        };
        let mut failed = None;
        let mut check = None;
        let outcome = if let Some(operation) = operation {
            let (draft, step) = (operation.draft, operation.step);
            let learnt = &mut operation.learnt;
            let followed = wire.follows(&draft, step, status, content, learnt);
            if followed == Ok(true) {
                return self.follow(attempt.owner, now, wire);
            }
            let inside = || match content {
                Some(content) => wire.accepts(&draft, step, content, learnt),
                None => Ok(()),
            };
            let expected = wire.expected(&draft, step);
            let outcome = judge(expected, status, retry_after, inside, &mut failed);
            let failed = failed.or_else(|| followed.err());
            check = failed.map(|failed| (failed, draft, step));
            outcome
        } else if let Some(expected) = self.probe_expects.get(group) {
            judge(expected, status, retry_after, || Ok(()), &mut failed)
        } else {
            return;
        };
        let cause = match outcome {
            AttemptOutcome::Unexpected { status, .. } => Some(FailureCause::of_status(status)),
            AttemptOutcome::WronglyAllowed => Some(FailureCause::WronglyAllowed),
            AttemptOutcome::CheckFailed => Some(FailureCause::CheckFailed),
            _ => None,
        };
        if let Some(cause) = cause {
            let failure = NewFailure {
                class,
                cause,
                // Of one that failed a check the status was expected.
                status: Some(status).filter(|_| cause != FailureCause::CheckFailed),
                check,
                at: now,
                content,
            };
            self.count_failure(failure, wire);
        }
        self.tell_owner(attempt.owner, outcome, now, wire);
    }

    /// The answer to an attempt leads elsewhere: the operation asks there next.
    fn follow<W: Wire>(&mut self, owner: Owner, now: Nanos, wire: &mut W) {
        if let Owner::Operation(slot) = owner {
            self.follow_redirect(slot, now, wire);
        }
    }

    /// Counts a failure; the first of its kind is told with what was seen of it.
    fn count_failure<W: Wire>(&mut self, failure: NewFailure<'_, W::Content>, wire: &mut W) {
        self.ledger.failed(failure.class, failure.cause);
        let check = failure.check.map(|(check, ..)| check);
        let kind = (failure.class, failure.cause, failure.status, check);
        if self.noted.len() < NOTED_MAX && !self.noted.contains(&kind) {
            self.noted.push(kind);
            wire.first_failure(failure);
        }
    }

    /// Ends an attempt that failed without a usable response; nobody tries again at once.
    fn failed<W: Wire>(&mut self, slot: u32, cause: FailureCause, now: Nanos, wire: &mut W) {
        if let Some(attempt) = self.remove(slot) {
            self.count_unanswered(&attempt, cause, now, wire);
            self.tell_owner(attempt.owner, outcome(cause), now, wire);
        }
    }

    fn count_unanswered<W: Wire>(
        &mut self,
        attempt: &Attempt,
        cause: FailureCause,
        at: Nanos,
        wire: &mut W,
    ) {
        let failure = NewFailure {
            class: attempt.owner.class(),
            cause,
            status: None,
            check: None,
            at,
            content: None,
        };
        self.count_failure(failure, wire);
    }

    /// Ends an attempt whose connection can no longer answer it.
    ///
    /// A kept connection may have been closed by the server while a request
    /// was on its way: then the request is sent once more, on another one, where
    /// that cannot do it twice (RFC 9110, section 9.2.2; RFC 9112, section 9.3.1).
    fn lost<W: Wire>(
        &mut self,
        slot: u32,
        cause: FailureCause,
        (stale, handed_over): (bool, bool),
        now: Nanos,
        wire: &mut W,
    ) {
        let Some(attempt) = self.remove(slot) else {
            return;
        };
        self.count_unanswered(&attempt, cause, now, wire);
        let again = stale && self.may_resend(&attempt, handed_over, now, wire);
        if !(again && self.resend(attempt.owner, now, wire)) {
            self.tell_owner(attempt.owner, outcome(cause), now, wire);
        }
    }

    /// Whether the connection of an attempt that was lost had brought any answer.
    fn note_served(&mut self, slot: u32, served: bool) {
        if let Some(attempt) = self.attempts.get(slot)
            && let Owner::Operation(slot) = attempt.owner
            && let Some(operation) = self.operations.get_mut(slot)
        {
            operation.unserved = !served;
        }
    }

    /// A server has not processed an attempt's request, so that it may be made
    /// again as if it had not been (RFC 9113, section 8.7): whether it may. An
    /// operation's retries have no more of that than it has itself.
    fn note_unprocessed(&mut self, slot: u32) -> bool {
        let Some(attempt) = self.attempts.get_mut(slot) else {
            return false;
        };
        let Owner::Operation(slot) = attempt.owner else {
            return true;
        };
        let operation = self.operations.get_mut(slot);
        let Some(operation) = operation.filter(|it| it.unprocessed < UNPROCESSED_MAX) else {
            return false;
        };
        operation.unprocessed += 1;
        attempt.which = Try::First;
        true
    }

    fn may_resend<W: Wire>(
        &self,
        attempt: &Attempt,
        handed_over: bool,
        now: Nanos,
        wire: &W,
    ) -> bool {
        if attempt.which == Try::Resend {
            return false;
        }
        let Owner::Operation(slot) = attempt.owner else {
            return true;
        };
        self.operations.get(slot).is_some_and(|operation| {
            now < operation.machine.deadline(&self.policy)
                && (!handed_over || wire.idempotent(&operation.draft, operation.step))
        })
    }

    /// Makes an attempt's request once more, or has it wait for a connection;
    /// false where neither can be, since its operation makes another already.
    fn resend<W: Wire>(&mut self, owner: Owner, now: Nanos, wire: &mut W) -> bool {
        if let Owner::Operation(slot) = owner
            && !wire.has_room()
        {
            return match self.operations.get_mut(slot) {
                Some(operation) if !operation.under_way.any() => {
                    operation.resends = true;
                    self.wait(slot, now);
                    true
                }
                _ => false,
            };
        }
        self.launch(owner, Try::Resend, now, wire);
        true
    }

    /// Who made an attempt hears how it ended at `now`.
    fn tell_owner<W: Wire>(
        &mut self,
        owner: Owner,
        outcome: AttemptOutcome,
        now: Nanos,
        wire: &mut W,
    ) {
        match owner {
            Owner::Operation(slot) => self.attempt_ended(slot, outcome, now, wire),
            Owner::Probe {
                monitor,
                group,
                epoch,
            } => {
                let well = outcome == AttemptOutcome::Expected;
                self.ledger.probe_ended(group, well);
                self.probes.ended(monitor, epoch, now, well);
            }
        }
    }

    /// The attempt under way has run into its timeout, unless the generator held it up
    /// meanwhile: then it has as much time left.
    pub(super) fn time_out<W: Wire>(&mut self, slot: u32, wire: &mut W) {
        let now = self.now(wire);
        let Some(attempt) = self.attempts.get_mut(slot) else {
            return;
        };
        let serial = attempt.serial;
        let id = AttemptId { slot, serial };
        let held = wire.held_up(id);
        let longer = held > attempt.held;
        attempt.held = held;
        let attempt = *attempt;
        let until = attempt.until.saturating_add(held);
        if longer {
            let lane = &mut self.timeouts[attempt.owner.lane()];
            lane.remove(slot);
            return lane.push(slot, until);
        }
        self.attempt_over(&attempt, until, now);
        let cause = wire.time_out(id, now);
        self.failed(slot, cause, now, wire);
    }

    /// For how long the generator has held up what is under way for an operation.
    pub(super) fn held_up<W: Wire>(&self, under_way: &UnderWay, wire: &W) -> Nanos {
        let held = under_way.slots().filter_map(|slot| {
            let serial = self.attempts.get(slot)?.serial;
            Some(wire.held_up(AttemptId { slot, serial }))
        });
        held.max().unwrap_or(Nanos::ZERO)
    }

    /// Nobody waits for an attempt any more: what may still come belongs to nobody.
    pub(super) fn give_up<W: Wire>(&mut self, slot: u32, now: Nanos, wire: &mut W) {
        if let Some(attempt) = self.remove(slot) {
            self.ledger.cancelled(attempt.owner.class());
            let serial = attempt.serial;
            wire.cancel(AttemptId { slot, serial }, now);
        }
    }

    fn remove(&mut self, slot: u32) -> Option<Attempt> {
        let attempt = self.attempts.remove(slot)?;
        if let Owner::Operation(operation) = attempt.owner
            && let Some(operation) = self.operations.get_mut(operation)
        {
            operation.under_way.end(slot);
        }
        self.timeouts[attempt.owner.lane()].remove(slot);
        Some(attempt)
    }
}

/// What an attempt without a response comes to for who made it.
const fn outcome(cause: FailureCause) -> AttemptOutcome {
    match cause.counted() {
        Some(Unanswered::TimedOut) => AttemptOutcome::TimedOut,
        Some(Unanswered::Protocol) => AttemptOutcome::ProtocolError,
        Some(Unanswered::Connection) | None => AttemptOutcome::ConnectionFailed,
    }
}
