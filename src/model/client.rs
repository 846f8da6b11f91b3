//! What a user's client does with an operation: attempts, retries, deadline.
//!
//! The timeout limits one attempt on the wire; the deadline limits the whole
//! operation from its intended start. They are apart on purpose: a client that
//! confuses them retries work that nobody waits for.

use serde::{Deserialize, Serialize};

use crate::units::Nanos;

/// Pause between an attempt's failure and the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// At once.
    None,
    /// Always the same.
    Fixed(Nanos),
}

/// How clients behave; the same for every operation that starts under it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientPolicy {
    /// Limit on one attempt, from its send.
    pub timeout: Nanos,
    /// Limit on an operation, from its intended start; none waits for ever.
    pub deadline: Option<Nanos>,
    /// Attempts after the first.
    pub retries: u32,
    /// Pause before each of them.
    pub backoff: Backoff,
}

/// How one attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The response that the request expects.
    Expected,
    /// Another response, with this status.
    Unexpected {
        /// The HTTP status code.
        status: u16,
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

/// Why an operation failed, from its last attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
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
pub enum Terminal {
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
}

/// What to do after an attempt's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Try again at this instant.
    Retry(Nanos),
    /// The operation has ended.
    Ended(Terminal),
}

/// An operation under way: its intended start and the attempts it has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    intended: Nanos,
    retries_made: u32,
}

impl Operation {
    /// An operation that was scheduled for `intended`.
    #[must_use]
    pub const fn new(intended: Nanos) -> Self {
        Self {
            intended,
            retries_made: 0,
        }
    }

    /// When it was scheduled for.
    #[must_use]
    pub const fn intended(&self) -> Nanos {
        self.intended
    }

    /// Attempts after the first so far.
    #[must_use]
    pub const fn retries_made(&self) -> u32 {
        self.retries_made
    }

    /// The instant at which the operation ends as missed; [`Nanos::MAX`] without a deadline.
    #[must_use]
    pub fn deadline(&self, policy: &ClientPolicy) -> Nanos {
        policy
            .deadline
            .map_or(Nanos::MAX, |limit| self.intended.saturating_add(limit))
    }

    /// Goes on with its next step, whose retries count anew.
    pub const fn next_step(&mut self) {
        self.retries_made = 0;
    }

    /// Takes an attempt's end at `now`.
    ///
    /// 5xx answers, timeouts, broken connections and broken responses are
    /// retried; any other unexpected answer is final, since the same request
    /// would be answered the same way. A retry that could only start at or
    /// after the deadline is not made: the operation then waits for nothing and
    /// ends at once with what its last attempt came to.
    pub fn on(&mut self, now: Nanos, outcome: AttemptOutcome, policy: &ClientPolicy) -> Next {
        let deadline = self.deadline(policy);
        if now >= deadline {
            return Next::Ended(Terminal::MissedDeadline);
        }
        let (terminal, retried) = match outcome {
            AttemptOutcome::Expected => (Terminal::Succeeded, false),
            AttemptOutcome::WronglyAllowed => {
                (Terminal::Failed(FailureKind::WronglyAllowed), false)
            }
            AttemptOutcome::Unexpected { status } if status >= 500 => {
                (Terminal::Failed(FailureKind::ServerError), true)
            }
            AttemptOutcome::Unexpected { .. } => (Terminal::Failed(FailureKind::Refused), false),
            AttemptOutcome::CheckFailed => (Terminal::Failed(FailureKind::Check), false),
            AttemptOutcome::TimedOut => (Terminal::TimedOut, true),
            AttemptOutcome::ConnectionFailed => (Terminal::Failed(FailureKind::Connection), true),
            AttemptOutcome::ProtocolError => (Terminal::Failed(FailureKind::Protocol), true),
        };
        let pause = match policy.backoff {
            Backoff::None => Nanos::ZERO,
            Backoff::Fixed(pause) => pause,
        };
        let at = now.saturating_add(pause);
        if retried && self.retries_made < policy.retries && at < deadline {
            self.retries_made += 1;
            return Next::Retry(at);
        }
        Next::Ended(terminal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(retries: u32, backoff: Backoff) -> ClientPolicy {
        ClientPolicy {
            timeout: Nanos::from_millis(500),
            deadline: Some(Nanos::from_secs(2)),
            retries,
            backoff,
        }
    }

    #[test]
    fn retries_what_may_pass_and_nothing_else() {
        let policy = policy(1, Backoff::None);
        let at = Nanos::from_millis(10);
        for (outcome, next) in [
            (AttemptOutcome::Expected, Next::Ended(Terminal::Succeeded)),
            (AttemptOutcome::Unexpected { status: 500 }, Next::Retry(at)),
            (AttemptOutcome::Unexpected { status: 503 }, Next::Retry(at)),
            (
                AttemptOutcome::Unexpected { status: 403 },
                Next::Ended(Terminal::Failed(FailureKind::Refused)),
            ),
            (
                AttemptOutcome::WronglyAllowed,
                Next::Ended(Terminal::Failed(FailureKind::WronglyAllowed)),
            ),
            (AttemptOutcome::TimedOut, Next::Retry(at)),
            (AttemptOutcome::ConnectionFailed, Next::Retry(at)),
            (AttemptOutcome::ProtocolError, Next::Retry(at)),
        ] {
            let mut operation = Operation::new(Nanos::ZERO);
            assert_eq!(operation.on(at, outcome, &policy), next, "{outcome:?}");
        }
    }

    #[test]
    fn stops_after_the_last_retry_and_says_what_it_came_to() {
        let policy = policy(2, Backoff::None);
        let mut operation = Operation::new(Nanos::ZERO);
        for ms in [500, 1000] {
            let at = Nanos::from_millis(ms);
            assert_eq!(
                operation.on(at, AttemptOutcome::TimedOut, &policy),
                Next::Retry(at)
            );
        }
        assert_eq!(
            operation.on(Nanos::from_millis(1500), AttemptOutcome::TimedOut, &policy),
            Next::Ended(Terminal::TimedOut)
        );
        assert_eq!(operation.retries_made(), 2);
    }

    #[test]
    fn the_deadline_counts_from_the_intended_start() {
        let policy = policy(9, Backoff::Fixed(Nanos::from_millis(100)));
        let mut operation = Operation::new(Nanos::from_secs(10));
        // A success after the deadline is none.
        assert_eq!(
            operation.on(Nanos::from_secs(12), AttemptOutcome::Expected, &policy),
            Next::Ended(Terminal::MissedDeadline)
        );
        // No retry that could only start after it.
        let late = Nanos::from_millis(11_950);
        assert_eq!(
            operation.on(late, AttemptOutcome::TimedOut, &policy),
            Next::Ended(Terminal::TimedOut)
        );
    }
}
