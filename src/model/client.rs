//! What a user's client does with an operation: attempts, retries, deadline.
//!
//! The timeout limits one attempt on the wire; the deadline limits the whole
//! operation from its intended start. They are apart on purpose: a client that
//! confuses them retries work that nobody waits for.

use std::collections::BTreeSet;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Backoff, Breaker, BreakerPolicy, Pass, RetryBudget, RetryBudgetPolicy};
use crate::named::named;
use crate::rng::StdRng;
use crate::units::{Nanos, UnitError};

/// How clients behave; the same for every operation that starts under it.
///
/// What a policy of the first format did not know is left out of the text where
/// it has no effect, so that such a policy is still written as it was then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClientPolicy {
    /// Limit on one attempt, from its send.
    pub timeout: Nanos,
    /// Limit on an operation, from its intended start; none waits for ever.
    pub deadline: Option<Nanos>,
    /// Attempts after the first.
    pub retries: u32,
    /// Pause before each of them.
    pub backoff: Backoff,
    /// What is retried.
    #[serde(default, skip_serializing_if = "RetryOn::is_default")]
    pub retry_on: RetryOn,
    /// Whether a pause is at least as long as the answer asks for (`Retry-After`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub respect_retry_after: bool,
    /// A bound on the retries of all operations together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_budget: Option<RetryBudgetPolicy>,
    /// When no operation is begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<BreakerPolicy>,
    /// How long a first try goes unanswered before a second one is made beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hedge_after: Option<Nanos>,
}

impl Default for ClientPolicy {
    /// Patient and plain: a second for each attempt, for ever in all, no retry.
    fn default() -> Self {
        Self {
            timeout: Nanos::from_secs(1),
            deadline: None,
            retries: 0,
            backoff: Backoff::None,
            retry_on: RetryOn::default(),
            respect_retry_after: false,
            retry_budget: None,
            breaker: None,
            hedge_after: None,
        }
    }
}

named! {
    /// An outcome of an attempt that may be retried.
    #[derive(PartialOrd, Ord)]
    pub enum Retryable {
        /// An unexpected 5xx status.
        ServerError = "server_error",
        /// The status 429.
        TooManyRequests = "too_many_requests",
        /// No response within the timeout.
        Timeout = "timeout",
        /// The connection was refused, reset or closed.
        Connection = "connection",
        /// The response was not HTTP.
        Protocol = "protocol",
    }
}

impl Retryable {
    /// What an attempt's outcome is for a client that may retry; none where no
    /// client would, since the same request would be answered the same way.
    const fn of(outcome: AttemptOutcome) -> Option<Self> {
        match outcome {
            AttemptOutcome::Unexpected { status: 429, .. } => Some(Self::TooManyRequests),
            AttemptOutcome::Unexpected { status, .. } if status >= 500 => Some(Self::ServerError),
            AttemptOutcome::TimedOut => Some(Self::Timeout),
            AttemptOutcome::ConnectionFailed => Some(Self::Connection),
            AttemptOutcome::ProtocolError => Some(Self::Protocol),
            AttemptOutcome::Expected
            | AttemptOutcome::Unexpected { .. }
            | AttemptOutcome::WronglyAllowed
            | AttemptOutcome::CheckFailed => None,
        }
    }
}

impl FromStr for Retryable {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let found = Self::ALL.into_iter().find(|(_, word)| *word == text.trim());
        found.map(|(outcome, _)| outcome).ok_or_else(|| {
            UnitError::new(
                text,
                "an outcome that may be retried: server_error, too_many_requests, timeout, \
                 connection or protocol",
            )
        })
    }
}

/// The outcomes that a client retries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RetryOn(BTreeSet<Retryable>);

impl RetryOn {
    /// Whether it is what clients retry unless told otherwise.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Its outcomes, each once, in the order of [`Retryable::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = Retryable> {
        self.0.iter().copied()
    }
}

impl Default for RetryOn {
    /// All but 429: who was told that it asks too often should not ask again at once.
    fn default() -> Self {
        let all = Retryable::ALL.map(|(outcome, _)| outcome).into_iter();
        all.filter(|outcome| *outcome != Retryable::TooManyRequests)
            .collect()
    }
}

impl FromIterator<Retryable> for RetryOn {
    fn from_iter<I: IntoIterator<Item = Retryable>>(outcomes: I) -> Self {
        Self(outcomes.into_iter().collect())
    }
}

/// What all operations of one client share: its budget, its breaker, its chance.
#[derive(Debug)]
pub(crate) struct Client {
    budget: Option<RetryBudget>,
    breaker: Option<Breaker>,
    jitter: StdRng,
}

impl Client {
    /// A client at time zero; `jitter` is drawn from for pauses and nothing else.
    pub(crate) fn new(policy: &ClientPolicy, jitter: StdRng) -> Self {
        Self {
            budget: policy.retry_budget.as_ref().map(RetryBudget::new),
            breaker: policy.breaker.map(Breaker::new),
            jitter,
        }
    }

    /// Whether there is a breaker, which must be told the time.
    pub(crate) const fn has_breaker(&self) -> bool {
        self.breaker.is_some()
    }

    /// Lets an operation begin at `now`; none where the breaker sheds it.
    pub(crate) fn admit(&mut self, now: Nanos) -> Option<Pass> {
        match &mut self.breaker {
            Some(breaker) => breaker.admit(now),
            None => Some(Pass::default()),
        }
    }

    /// An operation makes its first try.
    pub(crate) fn first_try(&mut self) {
        if let Some(budget) = &mut self.budget {
            budget.first_try();
        }
    }

    /// An operation that was let through has ended so at `now`.
    pub(crate) fn ended(&mut self, operation: &Operation, terminal: Terminal, now: Nanos) {
        if let Some(breaker) = &mut self.breaker {
            breaker.ended(operation.pass, terminal, now);
        }
    }

    /// Whether the budget grants one attempt more at `now`, which takes it out:
    /// a retry, or a hedge, which is load just as well.
    pub(crate) fn grants_retry(&mut self, now: Nanos) -> bool {
        let budget = self.budget.as_mut();
        budget.is_none_or(|budget| budget.retry(now))
    }
}

/// How one attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AttemptOutcome {
    /// The response that the request expects.
    Expected,
    /// Another response, with this status.
    Unexpected {
        /// The HTTP status code.
        status: u16,
        /// How long the answer asks to be left alone (`Retry-After`).
        retry_after: Option<Nanos>,
    },
    /// A request that should have been refused was not.
    WronglyAllowed,
    /// The status was expected, and the rest of the response was not.
    CheckFailed,
    /// No response within the timeout.
    TimedOut,
    /// The connection was refused, reset or closed.
    ConnectionFailed,
    /// The response was not HTTP.
    ProtocolError,
}

impl AttemptOutcome {
    /// Whether a response came, of whatever kind.
    const fn is_answer(self) -> bool {
        match self {
            Self::Expected | Self::Unexpected { .. } | Self::WronglyAllowed | Self::CheckFailed => {
                true
            }
            Self::TimedOut | Self::ConnectionFailed | Self::ProtocolError => false,
        }
    }
}

/// Why an operation failed, from its last attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FailureKind {
    /// Answered with an unexpected 5xx status.
    ServerError,
    /// Answered with another unexpected status.
    Refused,
    /// Answered, though it should have been refused.
    WronglyAllowed,
    /// Answered with an expected status, and the rest was not as expected.
    Check,
    /// The connection was refused, reset or closed.
    Connection,
    /// The response was not HTTP.
    Protocol,
}

/// The first terminal event of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Terminal {
    /// The expected response came before the deadline.
    Succeeded,
    /// The last attempt was answered, refused or broken.
    Failed(FailureKind),
    /// The last attempt ran into its timeout before the deadline.
    TimedOut,
    /// The deadline came first.
    MissedDeadline,
    /// The generator gave it up at a stated backlog bound.
    Shed,
    /// It was not begun, since the client's circuit breaker was open.
    ShedByBreaker,
}

/// What to do after an attempt's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Wait for the other attempt that is under way.
    AwaitOther,
    /// Try again at this instant.
    Retry(Nanos),
    /// The operation has ended.
    Ended(Terminal),
}

/// An operation under way: its intended start and the attempts it has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Operation {
    intended: Nanos,
    retries_made: u32,
    pass: Pass,
}

impl Operation {
    /// An operation that was scheduled for `intended` and let through with this pass.
    pub(crate) const fn new(intended: Nanos, pass: Pass) -> Self {
        Self {
            intended,
            retries_made: 0,
            pass,
        }
    }

    /// Attempts after the first so far.
    pub(crate) const fn retries_made(&self) -> u32 {
        self.retries_made
    }

    /// The instant at which the operation ends as missed; [`Nanos::MAX`] without a deadline.
    pub(crate) fn deadline(&self, policy: &ClientPolicy) -> Nanos {
        policy
            .deadline
            .map_or(Nanos::MAX, |limit| self.intended.saturating_add(limit))
    }

    /// Goes on with its next step, whose retries count anew.
    pub(crate) const fn next_step(&mut self) {
        self.retries_made = 0;
    }

    /// When a second attempt is made beside a first try sent at `sent`, should
    /// that be unanswered then; none where nobody would wait for it.
    pub(crate) fn hedge_at(&self, sent: Nanos, policy: &ClientPolicy) -> Option<Nanos> {
        let at = sent.saturating_add(policy.hedge_after?);
        (at < self.deadline(policy)).then_some(at)
    }

    /// Takes an attempt's end at `now`; `another`: whether one more is under way.
    ///
    /// The first answer decides, whatever it is; while another attempt may
    /// still be answered, one that was not decides nothing (Dean and Barroso,
    /// "The Tail at Scale", 2013: hedged requests). Whatever is under way after
    /// a decision is to be cancelled.
    ///
    /// Answers, timeouts and broken connections are retried as the policy says;
    /// an unexpected answer that is neither 5xx nor 429 is final, since the same
    /// request would be answered the same way. A retry that could only start at
    /// or after the deadline, or that the client's budget refuses, is not made:
    /// the operation then waits for nothing and ends at once with what its last
    /// attempt came to.
    pub(crate) fn on(
        &mut self,
        now: Nanos,
        outcome: AttemptOutcome,
        another: bool,
        policy: &ClientPolicy,
        client: &mut Client,
    ) -> Next {
        let deadline = self.deadline(policy);
        if now >= deadline {
            return Next::Ended(Terminal::MissedDeadline);
        }
        if another && !outcome.is_answer() {
            return Next::AwaitOther;
        }
        let retried = Retryable::of(outcome).is_some_and(|it| policy.retry_on.0.contains(&it));
        if retried && self.retries_made < policy.retries {
            let pause = policy
                .backoff
                .pause(self.retries_made + 1, &mut client.jitter);
            let at = now.saturating_add(pause.max(asked_for(outcome, policy)));
            // The budget is asked last, since it takes out what it grants.
            if at < deadline && client.grants_retry(now) {
                self.retries_made += 1;
                return Next::Retry(at);
            }
        }
        Next::Ended(terminal(outcome))
    }
}

/// The pause that the answer asks for, where that is respected.
fn asked_for(outcome: AttemptOutcome, policy: &ClientPolicy) -> Nanos {
    match outcome {
        AttemptOutcome::Unexpected { retry_after, .. } if policy.respect_retry_after => {
            retry_after.unwrap_or(Nanos::ZERO)
        }
        _ => Nanos::ZERO,
    }
}

/// What an operation comes to whose last attempt ended so.
const fn terminal(outcome: AttemptOutcome) -> Terminal {
    match outcome {
        AttemptOutcome::Expected => Terminal::Succeeded,
        AttemptOutcome::WronglyAllowed => Terminal::Failed(FailureKind::WronglyAllowed),
        AttemptOutcome::Unexpected { status, .. } if status >= 500 => {
            Terminal::Failed(FailureKind::ServerError)
        }
        AttemptOutcome::Unexpected { .. } => Terminal::Failed(FailureKind::Refused),
        AttemptOutcome::CheckFailed => Terminal::Failed(FailureKind::Check),
        AttemptOutcome::TimedOut => Terminal::TimedOut,
        AttemptOutcome::ConnectionFailed => Terminal::Failed(FailureKind::Connection),
        AttemptOutcome::ProtocolError => Terminal::Failed(FailureKind::Protocol),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;

    const MS: fn(u64) -> Nanos = Nanos::from_millis;

    fn policy(retries: u32, backoff: &str) -> ClientPolicy {
        ClientPolicy {
            timeout: MS(500),
            deadline: Some(Nanos::from_secs(2)),
            retries,
            backoff: backoff.parse().unwrap(),
            ..ClientPolicy::default()
        }
    }

    fn client(policy: &ClientPolicy) -> Client {
        Client::new(policy, rng::stream(1, "jitter"))
    }

    fn operation(intended: Nanos) -> Operation {
        Operation::new(intended, Pass::default())
    }

    const fn status(status: u16) -> AttemptOutcome {
        AttemptOutcome::Unexpected {
            status,
            retry_after: None,
        }
    }

    /// What comes of the first attempt's end after 10 ms.
    fn first(outcome: AttemptOutcome, policy: &ClientPolicy) -> Next {
        operation(Nanos::ZERO).on(MS(10), outcome, false, policy, &mut client(policy))
    }

    #[test]
    fn retries_what_it_is_told_to_and_nothing_else() {
        let unless_told = policy(1, "none");
        let mut throttled = policy(1, "none");
        throttled.retry_on = [Retryable::TooManyRequests].into_iter().collect();
        let refused = Terminal::Failed(FailureKind::Refused);
        let server_error = Terminal::Failed(FailureKind::ServerError);
        for (outcome, retried, retried_if_throttled, terminal) in [
            (AttemptOutcome::Expected, false, false, Terminal::Succeeded),
            (status(500), true, false, server_error),
            (status(503), true, false, server_error),
            (status(403), false, false, refused),
            (status(429), false, true, refused),
            (
                AttemptOutcome::WronglyAllowed,
                false,
                false,
                Terminal::Failed(FailureKind::WronglyAllowed),
            ),
            (AttemptOutcome::TimedOut, true, false, Terminal::TimedOut),
            (
                AttemptOutcome::ConnectionFailed,
                true,
                false,
                Terminal::Failed(FailureKind::Connection),
            ),
            (
                AttemptOutcome::ProtocolError,
                true,
                false,
                Terminal::Failed(FailureKind::Protocol),
            ),
        ] {
            for (policy, retried) in [(&unless_told, retried), (&throttled, retried_if_throttled)] {
                let next = if retried {
                    Next::Retry(MS(10))
                } else {
                    Next::Ended(terminal)
                };
                assert_eq!(first(outcome, policy), next, "{outcome:?}");
            }
        }
    }

    #[test]
    fn stops_after_the_last_retry_and_says_what_it_came_to() {
        let policy = policy(2, "exponential 50ms..1s");
        let (mut client, mut operation) = (client(&policy), operation(Nanos::ZERO));
        for (ended, at) in [(500, 550), (1_050, 1_150)] {
            assert_eq!(
                operation.on(
                    MS(ended),
                    AttemptOutcome::TimedOut,
                    false,
                    &policy,
                    &mut client
                ),
                Next::Retry(MS(at))
            );
        }
        assert_eq!(
            operation.on(
                MS(1_650),
                AttemptOutcome::TimedOut,
                false,
                &policy,
                &mut client
            ),
            Next::Ended(Terminal::TimedOut)
        );
        assert_eq!(operation.retries_made(), 2);
    }

    #[test]
    fn the_deadline_counts_from_the_intended_start() {
        let policy = policy(9, "100ms");
        let (mut client, mut operation) = (client(&policy), operation(Nanos::from_secs(10)));
        // A success after the deadline is none.
        let late = Nanos::from_secs(12);
        assert_eq!(
            operation.on(late, AttemptOutcome::Expected, false, &policy, &mut client),
            Next::Ended(Terminal::MissedDeadline)
        );
        // No retry that could only start after it.
        assert_eq!(
            operation.on(
                MS(11_950),
                AttemptOutcome::TimedOut,
                false,
                &policy,
                &mut client
            ),
            Next::Ended(Terminal::TimedOut)
        );
    }

    #[test]
    fn the_longer_of_backoff_and_retry_after_is_waited_for() {
        let mut policy = policy(1, "100ms");
        let asked = |after| AttemptOutcome::Unexpected {
            status: 503,
            retry_after: Some(after),
        };
        // Not respected: whatever the answer asks for.
        assert_eq!(first(asked(MS(1_000)), &policy), Next::Retry(MS(110)));
        policy.respect_retry_after = true;
        for (outcome, at) in [
            (asked(MS(1_000)), 1_010),
            (asked(MS(0)), 110),
            (status(503), 110),
        ] {
            assert_eq!(first(outcome, &policy), Next::Retry(MS(at)), "{outcome:?}");
        }
        // Past the deadline nobody waits, however long is asked for.
        let ended = Next::Ended(Terminal::Failed(FailureKind::ServerError));
        assert_eq!(first(asked(Nanos::MAX), &policy), ended);
    }

    #[test]
    fn what_the_budget_refuses_ends_and_what_is_not_made_costs_nothing() {
        let mut policy = policy(3, "none");
        policy.retry_budget = Some("50 %, burst 2".parse().unwrap());
        let mut client = client(&policy);
        // Neither a final answer nor a retry past the deadline takes a token out.
        operation(Nanos::ZERO).on(MS(1), status(404), false, &policy, &mut client);
        let hasty = ClientPolicy {
            backoff: "1h".parse().unwrap(),
            ..policy.clone()
        };
        operation(Nanos::ZERO).on(MS(1), status(500), false, &hasty, &mut client);
        let mut first = operation(Nanos::ZERO);
        for next in [
            Next::Retry(MS(1)),
            Next::Retry(MS(1)),
            Next::Ended(Terminal::Failed(FailureKind::ServerError)),
        ] {
            assert_eq!(
                first.on(MS(1), status(500), false, &policy, &mut client),
                next
            );
        }
        assert_eq!(first.retries_made(), 2);
        // Two first tries pay for one retry.
        client.first_try();
        client.first_try();
        let next =
            operation(MS(1)).on(MS(2), AttemptOutcome::TimedOut, false, &policy, &mut client);
        assert_eq!(next, Next::Retry(MS(2)));
    }

    #[test]
    fn the_first_answer_decides_and_what_is_none_waits_for_the_other() {
        let policy = policy(1, "none");
        let on = |outcome, another| {
            operation(Nanos::ZERO).on(MS(10), outcome, another, &policy, &mut client(&policy))
        };
        for unanswered in [
            AttemptOutcome::TimedOut,
            AttemptOutcome::ConnectionFailed,
            AttemptOutcome::ProtocolError,
        ] {
            assert_eq!(on(unanswered, true), Next::AwaitOther);
            assert_eq!(on(unanswered, false), Next::Retry(MS(10)));
        }
        let succeeded = Next::Ended(Terminal::Succeeded);
        assert_eq!(on(AttemptOutcome::Expected, true), succeeded);
        assert_eq!(on(status(500), true), Next::Retry(MS(10)));
        let late = operation(Nanos::ZERO).on(
            Nanos::from_secs(2),
            AttemptOutcome::TimedOut,
            true,
            &policy,
            &mut client(&policy),
        );
        assert_eq!(late, Next::Ended(Terminal::MissedDeadline));
    }

    #[test]
    fn a_hedge_that_nobody_would_wait_for_is_not_made() {
        let mut policy = policy(0, "none");
        let operation = operation(MS(100));
        assert_eq!(operation.hedge_at(MS(100), &policy), None);
        policy.hedge_after = Some(MS(300));
        assert_eq!(operation.hedge_at(MS(150), &policy), Some(MS(450)));
        assert_eq!(operation.hedge_at(MS(1_799), &policy), Some(MS(2_099)));
        assert_eq!(operation.hedge_at(MS(1_800), &policy), None);
    }

    #[test]
    fn a_policy_of_the_first_format_is_written_as_it_was() {
        let text = r#"{"timeout":500000000,"deadline":2000000000,"retries":3,"backoff":"none"}"#;
        let read: ClientPolicy = serde_json::from_str(text).unwrap();
        assert_eq!(read, policy(3, "none"));
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        let mut policy = policy(3, "exponential 50ms..2s, full jitter");
        policy.retry_on = [Retryable::Timeout].into_iter().collect();
        policy.respect_retry_after = true;
        policy.retry_budget = Some("20 %, reserve 10/s".parse().unwrap());
        policy.breaker = Some("50 % of 100, trials 3".parse().unwrap());
        policy.hedge_after = Some(MS(50));
        let text = serde_json::to_string(&policy).unwrap();
        assert_eq!(serde_json::from_str::<ClientPolicy>(&text).unwrap(), policy);
    }
}
