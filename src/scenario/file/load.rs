//! Keys of `[load]`: what users do, and how their clients behave.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PlacedText;
use crate::model::{
    ArrivalProcess, Backoff, BreakerPolicy, ClientPolicy, Request, RetryBudgetPolicy, Retryable,
    Role,
};
use crate::scenario::leaf::{Spanned, Text, Word};
use crate::scenario::operations::{Operation, Values};
use crate::scenario::quantities::{Moment, Positive};
use crate::units::{Nanos, Rate};

/// What users do: when, what and how patiently.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct Load {
    /// How arrivals are spread; they come at the rate whatever the fleet does.
    #[serde(default = "arrivals")]
    pub(in crate::scenario) arrivals: Word<ArrivalProcess>,
    /// Operations scheduled per second, from the start on.
    #[schemars(required)]
    pub(in crate::scenario) rate: Option<PlacedText<Rate>>,
    /// Changes of the rate.
    #[serde(default)]
    pub(in crate::scenario) step: Vec<Step>,
    /// A sine around the current rate.
    pub(in crate::scenario) swing: Option<Swing>,
    /// What operations ask the built-in fleet for; an operation is of a kind
    /// with probability weight / sum of weights.
    #[schemars(length(min = 1))]
    pub(in crate::scenario) mix: Option<Spanned<Vec<Mix>>>,
    /// What operations ask the user's target for; see docs/LOAD.md.
    #[schemars(length(min = 1))]
    pub(in crate::scenario) operation: Option<Spanned<Vec<Operation>>>,
    /// Values that those operations differ by: tables from which each operation draws a row.
    #[serde(default)]
    pub(in crate::scenario) values: Vec<Spanned<Values>>,
    /// A file of operations in place of `operation`, relative to this file's folder.
    pub(in crate::scenario) operations: Option<Spanned<String>>,
    /// How clients behave.
    #[serde(default)]
    pub(in crate::scenario) client: Client,
    /// Clients of the built-in fleet that hold a session each, beside these operations.
    pub(in crate::scenario) sessions: Option<Spanned<Sessions>>,
    /// Limit on connections; when all are in use, operations wait for one.
    /// Unless set, as many as the highest rate can need, and 1024 at least; over HTTP/2 that
    /// number divided by `streams`.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub(in crate::scenario) connections: Option<u32>,
    /// Limit on concurrent requests on each HTTP/2 connection (`http2` in [target]); 32 unless
    /// set. A server that allows fewer gets no more.
    #[schemars(range(min = 1, max = 10_000))]
    pub(in crate::scenario) streams: Option<Spanned<u32>>,
    /// Operations that may wait for a connection; one more is shed.
    #[serde(default = "backlog")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(in crate::scenario) backlog: u32,
}

const fn arrivals() -> Word<ArrivalProcess> {
    Word(ArrivalProcess::Poisson)
}

const fn backlog() -> u32 {
    crate::model::Load::BACKLOG
}

/// Clients that hold a session each, on a connection of its own. Setting one up takes a
/// worker, and the verification of a user whose roles are not held; then it costs nothing
/// until its instance goes. Whoever loses a session, or is refused one, comes again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct Sessions {
    /// How many.
    #[schemars(required, range(min = 1, max = 1000))]
    pub(in crate::scenario) count: Option<u32>,
    /// The pause before a client comes again: always the same such as "100ms", or
    /// "exponential 100ms..10s, full jitter".
    #[serde(default = "reconnect")]
    pub(in crate::scenario) reconnect: PlacedText<Backoff>,
}

fn reconnect() -> PlacedText<Backoff> {
    super::text("100ms").into()
}

/// A change of the rate.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct Step {
    /// When the step begins.
    #[schemars(required)]
    pub(in crate::scenario) at: Option<PlacedText<Moment>>,
    /// Operations scheduled per second.
    #[schemars(required)]
    pub(in crate::scenario) rate: Option<PlacedText<Rate>>,
    /// How long it lasts; then the rate before it is back. Without it, until the next step.
    pub(in crate::scenario) r#for: Option<PlacedText<Positive>>,
}

/// A sine around the current rate: it begins at the rate, upwards, and again with
/// each step.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct Swing {
    /// The amplitude; at most the rate.
    #[schemars(required)]
    pub(in crate::scenario) amplitude: Option<PlacedText<Rate>>,
    /// The length of one period.
    #[schemars(required)]
    pub(in crate::scenario) period: Option<Text<Positive>>,
}

/// One kind of operation.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct Mix {
    /// Its share of the operations is weight / sum of weights.
    #[schemars(required, range(min = 1, max = 1_000_000))]
    pub(in crate::scenario) weight: Option<u32>,
    /// What it asks for.
    #[schemars(required)]
    pub(in crate::scenario) request: Option<Word<Request>>,
    /// The role of the user who asks.
    #[schemars(required)]
    pub(in crate::scenario) role: Option<Word<Role>>,
    /// Whether the right answer is a refusal (403).
    #[serde(default)]
    pub(in crate::scenario) refused: bool,
}

/// How clients behave.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::scenario) struct Client {
    /// Limit on one attempt, from its send.
    pub(in crate::scenario) timeout: Text<Positive>,
    /// Limit on an operation, from its intended start; without it clients wait for ever.
    pub(in crate::scenario) deadline: Option<Text<Positive>>,
    /// Attempts after the first.
    #[schemars(range(min = 0, max = 100))]
    pub(in crate::scenario) retries: u32,
    /// The pause before each retry: "none", always the same such as "100ms", or
    /// "exponential 50ms..2s".
    pub(in crate::scenario) backoff: Text<Backoff>,
    /// The outcomes of an attempt that are retried.
    pub(in crate::scenario) retry_on: Vec<Word<Retryable>>,
    /// Whether a pause is at least as long as the answer asks for, in seconds, with Retry-After.
    pub(in crate::scenario) respect_retry_after: bool,
    /// How many retries all operations together may make, as a share of the first tries.
    pub(in crate::scenario) retry_budget: Option<Text<RetryBudgetPolicy>>,
    /// What opens the clients' circuit breaker, and for how long: "5 failures"
    /// in a row, or "50 % of 100".
    pub(in crate::scenario) breaker: Option<Text<BreakerPolicy>>,
    /// How long the first try of a request that may be made twice (GET) goes
    /// unanswered before a second one is made beside it.
    pub(in crate::scenario) hedge_after: Option<PlacedText<Positive>>,
}

impl Default for Client {
    fn default() -> Self {
        let policy = ClientPolicy::default();
        Self {
            timeout: Text(Positive(policy.timeout)),
            deadline: policy.deadline.map(|deadline| Text(Positive(deadline))),
            retries: policy.retries,
            backoff: Text(policy.backoff),
            retry_on: policy.retry_on.iter().map(Word).collect(),
            respect_retry_after: policy.respect_retry_after,
            retry_budget: policy.retry_budget.map(Text),
            breaker: policy.breaker.map(Text),
            hedge_after: policy.hedge_after.map(|after| Text(Positive(after)).into()),
        }
    }
}

impl Client {
    /// How long clients wait for an operation: at least, where there is no deadline.
    pub(in crate::scenario) fn patience(&self) -> Nanos {
        self.deadline.unwrap_or(self.timeout).0.0
    }

    /// The policy that this says.
    pub(in crate::scenario) fn policy(&self) -> ClientPolicy {
        ClientPolicy {
            timeout: self.timeout.0.0,
            deadline: self.deadline.map(|deadline| deadline.0.0),
            retries: self.retries,
            backoff: self.backoff.0,
            retry_on: self.retry_on.iter().map(|outcome| outcome.0).collect(),
            respect_retry_after: self.respect_retry_after,
            retry_budget: self.retry_budget.map(|budget| budget.0),
            breaker: self.breaker.map(|breaker| breaker.0),
            hedge_after: self.hedge_after.as_ref().map(|after| after.value.0.0),
        }
    }
}
