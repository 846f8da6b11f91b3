//! What the clients need of whatever carries their requests.

use std::sync::Arc;

use super::ledger::{Class, Try, WireReport};
use crate::model::{
    CheckFailure, Elsewhere, Expected, FIRST_TRY, FailureCause, Learnt, Standing, time_left_ms,
};
use crate::plan::Draft;
use crate::record::{Sample, SlowOperation};
use crate::units::Nanos;

/// What carries attempts to a target and brings their ends back.
pub trait Wire {
    /// What of an answer is looked into, besides its status.
    type Content;

    /// The time. It never goes back.
    fn now(&mut self) -> Nanos;
    /// Whether a user's attempt would find a connection, kept or new.
    fn has_room(&self) -> bool;
    /// Sends an attempt. One that fails at once ends like any other, by
    /// [`Wire::next_end`]; nothing is called back from here.
    fn send(&mut self, outgoing: Outgoing<'_>);
    /// Nobody waits for the attempt any more: what may still come of it is dropped.
    fn cancel(&mut self, attempt: AttemptId, now: Nanos);
    /// The attempt's time is over. As [`Wire::cancel`], and what it was waiting for.
    fn time_out(&mut self, attempt: AttemptId, now: Nanos) -> FailureCause;
    /// For how long so far it was the generator that kept an attempt from going on: its
    /// connection was ready for the next step, and nobody had looked. It is waited for as
    /// much longer.
    fn held_up(&self, _attempt: AttemptId) -> Nanos {
        Nanos::ZERO
    }
    /// The next end that the clients have not been told of.
    fn next_end(&mut self) -> Option<AttemptEnd<Self::Content>>;

    /// Steps of an operation.
    fn steps(&self, draft: &Draft) -> usize;
    /// Whether making a step's request twice is the same as making it once.
    fn idempotent(&self, draft: &Draft, step: usize) -> bool;
    /// What the answer to a step's request must be.
    fn expected(&self, draft: &Draft, step: usize) -> &Expected;
    /// How long the user thinks before a step.
    fn pause(&self, draft: &Draft, step: usize) -> Nanos;
    /// Where an answer leads and is followed, the operation's next request is in
    /// `learnt`: true. False where the answer is to be judged.
    ///
    /// # Errors
    ///
    /// Why a redirect is not followed; it is then judged as any answer is.
    fn follows(
        &self,
        _draft: &Draft,
        _step: usize,
        _status: u16,
        _content: Option<&Self::Content>,
        _learnt: &mut Learnt,
    ) -> Result<bool, CheckFailure> {
        Ok(false)
    }
    /// Judges what was kept of an answer; what is to be captured of it is added to
    /// `learnt`.
    ///
    /// # Errors
    ///
    /// The first check that fails.
    fn accepts(
        &self,
        draft: &Draft,
        step: usize,
        content: &Self::Content,
        learnt: &mut Learnt,
    ) -> Result<(), CheckFailure>;

    /// An attempt has failed as none had before: the wire adds what it saw of it.
    fn first_failure(&mut self, failure: NewFailure<'_, Self::Content>);
    /// Takes the slowest operations of an interval, of those whose traces are recorded. What
    /// carries no requests that anybody traces lets them go.
    fn slowest(&mut self, _operations: Vec<SlowOperation>) {}
    /// What it has counted since it was last asked.
    fn report(&mut self) -> WireReport;
    /// Takes a sample of the clients' books.
    fn sample(&mut self, sample: Sample);
}

/// A generator that looks again after longer than this was away. Of what came meanwhile, and
/// is not noted by the kernel, it cannot tell when that was.
pub const AWAY: Nanos = Nanos::from_millis(5);

/// Which attempt: its slot, and a serial that tells it from others in that slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptId {
    /// Its slot: small, and used again.
    pub slot: u32,
    /// Its number.
    pub serial: u32,
}

/// An attempt on its way out.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// Which attempt it is.
    pub id: AttemptId,
    /// Which try of its step it is.
    pub which: Try,
    /// The instant of its send: now.
    pub sent: Nanos,
    /// An answer that is whole then or later is too late.
    pub until: Nanos,
    /// What it asks for.
    pub asks: Asks<'a>,
}

/// What an attempt asks for.
#[derive(Debug, Clone, Copy)]
pub enum Asks<'a> {
    /// A step of a user's operation.
    Step(StepRequest<'a>),
    /// A probe of the monitors of this group.
    Probe {
        /// The group's place in the plan.
        group: usize,
    },
}

impl Asks<'_> {
    /// Whose traffic it is.
    pub const fn class(&self) -> Class {
        match self {
            Self::Step(_) => Class::User,
            Self::Probe { .. } => Class::Monitor,
        }
    }

    /// Where it goes, if a redirect has led it elsewhere.
    pub fn elsewhere(&self) -> Option<&Arc<Elsewhere>> {
        match self {
            Self::Step(request) => request.learnt.redirected.as_ref()?.elsewhere.as_ref(),
            Self::Probe { .. } => None,
        }
    }
}

/// The request of one step of an operation: its values come from here.
#[derive(Debug, Clone, Copy)]
pub struct StepRequest<'a> {
    /// What chance has decided of the operation.
    pub draft: &'a Draft,
    /// Which of its steps.
    pub step: usize,
    /// What the answers to earlier steps brought.
    pub learnt: &'a Learnt,
    /// Until when somebody waits for the answer.
    pub waits_until: Nanos,
    /// Which try of the step it is.
    pub which: Try,
    /// Whether the step has been retried.
    pub retried: bool,
}

impl StepRequest<'_> {
    /// The milliseconds that somebody still waits at `now`.
    pub const fn left_ms(&self, now: Nanos) -> u64 {
        time_left_ms(now, self.waits_until)
    }

    /// The word for which attempt it is, as a header tells it. A target may never
    /// have heard of the request that a resend repeats.
    pub const fn attempt(&self) -> &'static str {
        match (self.which, self.retried) {
            (Try::First, _) | (Try::Resend, false) => FIRST_TRY,
            (Try::Hedge, _) => "hedge",
            (Try::Retry, _) | (Try::Resend, true) => "retry",
        }
    }

    /// What it is to a target that has to choose.
    pub fn standing(&self) -> Standing {
        Standing::of_attempt(Some(self.attempt().as_bytes()))
    }
}

/// A failure of a kind that had not been met before.
#[derive(Debug, Clone, Copy)]
pub struct NewFailure<'a, C> {
    /// Whose attempt it was.
    pub class: Class,
    /// Why it failed.
    pub cause: FailureCause,
    /// The status that was not expected, where that is the cause.
    pub status: Option<u16>,
    /// The check that failed, of which operation's which step.
    pub check: Option<(CheckFailure, Draft, usize)>,
    /// When.
    pub at: Nanos,
    /// What was kept of the answer, where anything was.
    pub content: Option<&'a C>,
}

/// The end of an attempt, as its wire tells it.
#[derive(Debug)]
pub struct AttemptEnd<C> {
    /// Which attempt.
    pub id: AttemptId,
    /// When it ended: for an answer, when the last byte had come.
    pub at: Nanos,
    /// Since when the wire could have known, as far as it can tell: at `at` or earlier.
    /// What passes from then on is the generator's time, and not the target's.
    pub ready: Nanos,
    /// When the wire saw it, at `at` or later.
    pub seen: Nanos,
    /// For how long before `ready` the generator held it up, as [`Wire::held_up`] has it.
    pub held: Nanos,
    /// How.
    pub how: End<C>,
}

/// How an attempt ended.
#[derive(Debug)]
pub enum End<C> {
    /// With a whole response in time.
    Answered {
        /// Its status code.
        status: u16,
        /// How long it asks to be left alone.
        retry_after: Option<Nanos>,
        /// What of it is looked into, where anything is.
        content: Option<C>,
    },
    /// A response was whole, after the timeout.
    TooLate,
    /// Its connection can no longer answer it.
    Lost {
        /// Why.
        cause: FailureCause,
        /// Whether the connection was a kept one that may have been closed before
        /// the request reached the server, which has said nothing to it.
        stale: bool,
        /// Whether any byte of the request was handed over.
        handed_over: bool,
        /// Whether the connection had brought an answer to any request.
        served: bool,
    },
    /// The server says that it has not processed the request.
    Unprocessed {
        /// Whether its connection had brought an answer to any request.
        served: bool,
    },
}
