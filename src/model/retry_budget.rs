//! A bound on retries as a share of the first tries.
//!
//! A number of retries for each operation multiplies the load in just the hour
//! in which the target can bear it least; a budget bounds the sum instead. It
//! is the token bucket of gRPC (proposal A6, "Throttling Retry Attempts") with
//! the reserve of Finagle's `RetryBudget`: each first try pays in a share of a
//! token, the reserve pays in with time, each retry takes one out, and what
//! does not fit is lost. So in any time t with n first tries, at most
//! burst + ratio × n + reserve × t retries are made. Finagle lets what was paid
//! in expire after ten seconds; here the bound of the bucket does the same work.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::clause;
use crate::units::{Nanos, Rate, Ratio, UnitError};

/// A token in the bucket's unit. Billionths, so that a reserve of whole tokens
/// a second pays in a whole number with each nanosecond.
const TOKEN: u64 = 1_000_000_000;
/// Tokens that the bucket holds where a text names no number: an operation or
/// two may use up all their retries before anything was paid in.
const BURST: u32 = 10;
/// More would be no bound in any run that one machine can drive.
const BURST_MAX: u32 = 1_000_000;
/// Ten retries for each first try bound nothing that a number of retries would not.
const RATIO_MAX: f64 = 10.0;
/// As much as is offered at most.
const RESERVE_MAX: f64 = 1e6;

/// How many retries all operations together may make. As text: `"20 %"`, with
/// `", reserve 10/s"` and `", burst 50"` added after commas.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RetryBudgetPolicy {
    /// Retries for each first try.
    pub ratio: Ratio,
    /// Retries that may be made whatever the first tries are.
    pub reserve: Rate,
    /// Retries that may be made at once; so many there are at the start.
    pub burst: u32,
}

const EXPECTED: &str = "a retry budget: retries for each first try, \"20 %\", also with \
     \", reserve 10/s\" and \", burst 50\"";

impl FromStr for RetryBudgetPolicy {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        parse(text).ok_or_else(|| UnitError::new(text, EXPECTED))
    }
}

fn parse(text: &str) -> Option<RetryBudgetPolicy> {
    let mut clauses = text.split(',').map(str::trim);
    let mut policy = RetryBudgetPolicy {
        ratio: clauses.next()?.parse().ok()?,
        reserve: Rate::default(),
        burst: BURST,
    };
    for part in clauses {
        if let Some(reserve) = clause(part, "reserve") {
            policy.reserve = reserve;
        } else {
            policy.burst = clause(part, "burst")?;
        }
    }
    let sound = policy.ratio.get() <= RATIO_MAX
        && policy.reserve.as_per_second() <= RESERVE_MAX
        && (1..=BURST_MAX).contains(&policy.burst);
    sound.then_some(policy)
}

impl fmt::Display for RetryBudgetPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ratio.fmt(f)?;
        if self.reserve > Rate::default() {
            write!(f, ", reserve {}", self.reserve)?;
        }
        if self.burst != BURST {
            write!(f, ", burst {}", self.burst)?;
        }
        Ok(())
    }
}

/// The bucket: full at time zero.
#[derive(Debug, Clone)]
pub(crate) struct RetryBudget {
    reserve: Rate,
    /// What a first try pays in, in billionths of a token, as are those below.
    deposit: u64,
    most: u64,
    balance: u64,
    /// What the reserve has paid in since time zero, what was lost included.
    paid_by_reserve: u64,
}

impl RetryBudget {
    /// A full bucket.
    pub(crate) fn new(policy: &RetryBudgetPolicy) -> Self {
        let most = u64::from(policy.burst) * TOKEN;
        Self {
            reserve: policy.reserve,
            deposit: scaled(policy.ratio.get()),
            most,
            balance: most,
            paid_by_reserve: 0,
        }
    }

    /// An operation makes its first try.
    pub(crate) fn first_try(&mut self) {
        self.pay_in(self.deposit);
    }

    /// Whether a retry may be made, which it is then held to be.
    pub(crate) fn retry(&mut self, now: Nanos) -> bool {
        // Over the whole time, so that no part of a token is rounded away.
        let paid = scaled(self.reserve.as_per_second() * now.as_secs_f64());
        self.pay_in(paid.saturating_sub(self.paid_by_reserve));
        // Answers are dated by the kernel, which may be a little back in time.
        self.paid_by_reserve = self.paid_by_reserve.max(paid);
        let left = self.balance.checked_sub(TOKEN);
        self.balance = left.unwrap_or(self.balance);
        left.is_some()
    }

    fn pay_in(&mut self, amount: u64) {
        self.balance = self.balance.saturating_add(amount).min(self.most);
    }
}

/// Tokens in the bucket's unit.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "never negative, and `as` stays at the end of the range"
)]
fn scaled(tokens: f64) -> u64 {
    (tokens * TOKEN as f64).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn budget(text: &str) -> RetryBudget {
        RetryBudget::new(&text.parse().unwrap())
    }

    /// Retries granted one after the other at one instant.
    fn granted(budget: &mut RetryBudget, now: Nanos) -> u32 {
        let mut granted = 0;
        while budget.retry(now) {
            granted += 1;
        }
        granted
    }

    #[test]
    fn first_tries_pay_for_retries() {
        let mut budget = budget("20 %, burst 3");
        assert_eq!(granted(&mut budget, Nanos::ZERO), 3); // full at the start
        for _ in 0..4 {
            budget.first_try();
        }
        assert!(!budget.retry(Nanos::from_secs(9))); // four fifths
        budget.first_try();
        assert_eq!(granted(&mut budget, Nanos::from_secs(9)), 1);
        for _ in 0..1_000 {
            budget.first_try();
        }
        assert_eq!(granted(&mut budget, Nanos::from_secs(9)), 3); // the rest is lost
    }

    #[test]
    fn the_reserve_pays_in_with_time_to_the_nanosecond() {
        let mut budget = budget("0 %, reserve 10/s, burst 2");
        assert_eq!(granted(&mut budget, Nanos::ZERO), 2);
        assert!(!budget.retry(Nanos(99_999_999)));
        assert!(budget.retry(Nanos(100_000_000)));
        assert!(!budget.retry(Nanos(199_999_999)));
        assert!(budget.retry(Nanos(200_000_000)));
        assert_eq!(granted(&mut budget, Nanos::from_secs(60)), 2);
    }

    #[test]
    fn what_is_no_budget_is_told() {
        for text in [
            "",
            "0.2",
            "-20 %",
            "20 %, burst",
            "20 %, burst 0",
            "20 %, reserve 10",
            "2000 %",
            "20 %, gift 5",
        ] {
            assert!(text.parse::<RetryBudgetPolicy>().is_err(), "{text}");
        }
    }

    proptest! {
        /// Never more than burst + ratio × first tries + reserve × time.
        #[test]
        fn retries_keep_the_bound(
            percent in 0u32..=300,
            per_second in 0u32..=20,
            burst in 1u32..=50,
            steps in prop::collection::vec((any::<bool>(), 0u64..50_000_000), 1..300),
        ) {
            let policy = RetryBudgetPolicy {
                ratio: Ratio::new(f64::from(percent) / 100.0).unwrap(),
                reserve: Rate::per_second(f64::from(per_second)).unwrap(),
                burst,
            };
            prop_assert_eq!(policy.to_string().parse(), Ok(policy));
            let mut budget = RetryBudget::new(&policy);
            let (mut now, mut tries, mut retries) = (Nanos::ZERO, 0u32, 0u32);
            for (first, pause) in steps {
                now += Nanos(pause);
                if first {
                    budget.first_try();
                    tries += 1;
                } else {
                    retries += u32::from(budget.retry(now));
                }
            }
            let paid = f64::from(burst)
                + policy.ratio.get() * f64::from(tries)
                + f64::from(per_second) * now.as_secs_f64();
            prop_assert!(f64::from(retries) <= paid + 1e-6, "{} of {}", retries, paid);
        }
    }
}
