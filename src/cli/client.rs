//! Arguments that say how clients behave: the flags of a [`ClientPolicy`].

use clap::Args;

use crate::model::{Backoff, BreakerPolicy, ClientPolicy, RetryBudgetPolicy, Retryable};
use crate::units::Nanos;

#[derive(Debug, Args)]
pub(super) struct ClientArguments {
    /// Limit on one attempt, from its send
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = super::some_time)]
    timeout: Nanos,
    /// Limit on an operation, from its intended start [default: none]
    #[arg(long, value_name = "TIME")]
    deadline: Option<Nanos>,
    /// Attempts after the first, at most 100
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100))]
    retries: u32,
    /// Pause before each retry: `none`, `100ms`, or for example
    /// `exponential 50ms..2s, full jitter`; also `factor 3` and `equal jitter`
    #[arg(long, value_name = "PAUSE", default_value_t = Backoff::None, requires = "retries")]
    backoff: Backoff,
    /// Outcomes that are retried; also possible: `too_many_requests`
    #[arg(
        long,
        value_name = "OUTCOMES",
        value_delimiter = ',',
        default_value = "server_error,timeout,connection,protocol"
    )]
    retry_on: Vec<Retryable>,
    /// Pause at least as many seconds as the `Retry-After` of an answer says
    #[arg(long)]
    respect_retry_after: bool,
    /// Limit on the retries of all operations, as a share of the first tries, such
    /// as `20 %` or `20 %, reserve 10/s, burst 50`; each thread has its own
    /// [default: none]
    #[arg(long, value_name = "BUDGET")]
    retry_budget: Option<RetryBudgetPolicy>,
    /// Circuit breaker: start no operation after `5 failures, pause 5s` (in a row) or
    /// `50 % of 100, trials 3`; each thread has its own [default: never]
    #[arg(long, value_name = "BREAKER")]
    breaker: Option<BreakerPolicy>,
    /// Hedge: send a second attempt when the first try is unanswered for this long,
    /// if the method is safe to repeat; the first answer counts [default: never]
    #[arg(long, value_name = "TIME")]
    hedge_after: Option<Nanos>,
}

impl ClientArguments {
    pub(super) fn policy(&self) -> ClientPolicy {
        ClientPolicy {
            timeout: self.timeout,
            deadline: self.deadline,
            retries: self.retries,
            backoff: self.backoff,
            retry_on: self.retry_on.iter().copied().collect(),
            respect_retry_after: self.respect_retry_after,
            retry_budget: self.retry_budget,
            breaker: self.breaker,
            hedge_after: self.hedge_after,
        }
    }

    /// How long what is under way may take to end: every attempt and the pauses
    /// between them, and a hedge; with a deadline, no longer than that.
    pub(super) fn longest(&self) -> Nanos {
        let retries = u64::from(self.retries);
        let pauses = self.backoff.longest().0.saturating_mul(retries);
        let attempts = self.timeout.0.saturating_mul(retries + 1);
        let hedge = self.hedge_after.unwrap_or(Nanos::ZERO);
        let patience = Nanos(attempts.saturating_add(pauses)).saturating_add(hedge);
        self.deadline.unwrap_or(patience).max(self.timeout)
    }
}
