//! One rule for service that is lost and service that is back: what users got in some
//! buckets, held against the baseline, with an allowance for chance.
//!
//! There are three signs, and each is a count of operations: those that did not succeed
//! (goodput), those that ended without success (errors), and those that succeeded and
//! took longer than the bound on the p99 (latency: a p99 is above its bound exactly where
//! more than one in a hundred is). Each count has a bound, the scenario's own.
//!
//! Service is *lost* where a sign is over its bound by more than chance explains, and
//! *back* where each is within its bound, or over it by no more than chance. Between the
//! two lies what cannot be told. Chance is asked twice, since either question alone is
//! wrong somewhere: of few operations a share may be over its bound by luck, and of a
//! short baseline the bound itself may be too low by luck.

use std::ops::{Add, Sub};

use super::baseline::{Baseline, slow};
use super::chance;
use super::series::{Bucket, bad};
use crate::plan::RecoveryRule;
use crate::units::{Ratio, whole};

/// Of a p99's operations, one in a hundred is longer.
const SLOW_SHARE: f64 = 0.01;
/// A pause of the machine delays many operations of one or two buckets at once. What is
/// slow in no more than a tenth of the buckets …
const SLOW_BUCKETS: f64 = 0.1;
/// … and less than this share of the operations is such a pause, and no state: of ten
/// seconds, half a second.
const SLOW_AT_ONCE: f64 = 0.05;
/// The chance that one healthy window is taken for one that is not back: it delays a
/// recovery by a bucket.
const CHANCE: f64 = 0.01;
/// The chance that anything is found lost in a whole healthy run, divided among its
/// windows (Bonferroni).
const CHANCE_OF_RUN: f64 = 0.01;
/// Signs, each of which may be over its bound by chance.
const SIGNS: f64 = 3.0;
/// Shares are quotients: what differs by rounding is equal.
const ROUNDING: f64 = 1e-9;

/// What users got in some buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    pub buckets: u64,
    pub scheduled: u64,
    pub succeeded: u64,
    pub ended: u64,
    /// Ended without success.
    pub bad: u64,
    /// Succeeded, and took longer than the bound.
    pub slow: u64,
    /// Buckets in which more than one in a hundred did.
    pub slow_buckets: u64,
}

impl Counts {
    pub(super) fn of(bucket: &Bucket, baseline: &Baseline) -> Self {
        let operations = bucket.operations.unwrap_or_default();
        let slow = slow(bucket, baseline.slow_above);
        let is_slow = slow as f64 > SLOW_SHARE * operations.succeeded as f64;
        Self {
            buckets: 1,
            scheduled: operations.scheduled,
            succeeded: operations.succeeded,
            ended: operations.ended(),
            bad: bad(&operations),
            slow,
            slow_buckets: u64::from(is_slow),
        }
    }

    /// Operations that did not succeed.
    pub(super) const fn failed(&self) -> u64 {
        self.scheduled.saturating_sub(self.succeeded)
    }

    /// Whether what was slow is a state, and no pause of the machine.
    fn slow_lasts(&self) -> bool {
        self.slow_buckets as f64 > SLOW_BUCKETS * self.buckets as f64
            || self.slow as f64 >= SLOW_AT_ONCE * self.succeeded as f64
    }

    fn hurt(&self) -> f64 {
        self.failed().saturating_add(self.slow) as f64
    }

    /// Operations that failed or were slow / scheduled; zero where none was.
    pub(super) fn hurt_share(&self) -> f64 {
        self.hurt() / self.scheduled.max(1) as f64
    }

    /// By how many operations those that were hurt exceed a share; negative where they are
    /// fewer.
    pub(super) fn excess(&self, share: f64) -> f64 {
        self.hurt() - share * self.scheduled as f64
    }

    fn each(self, other: Self, of: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            buckets: of(self.buckets, other.buckets),
            scheduled: of(self.scheduled, other.scheduled),
            succeeded: of(self.succeeded, other.succeeded),
            ended: of(self.ended, other.ended),
            bad: of(self.bad, other.bad),
            slow: of(self.slow, other.slow),
            slow_buckets: of(self.slow_buckets, other.slow_buckets),
        }
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.each(other, u64::saturating_add)
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.each(other, u64::saturating_sub)
    }
}

/// One sign: so many of so many, the baseline's, and the share that is allowed.
#[derive(Debug, Clone, Copy)]
struct Sign {
    hit: u64,
    of: u64,
    usual: (u64, u64),
    allowed: f64,
    /// How many of them count as one, since they come together.
    burst: f64,
}

impl Sign {
    fn is_over(&self) -> bool {
        self.of > 0 && self.hit as f64 > (self.allowed + ROUNDING) * self.of as f64
    }

    /// A count, as so many independent events: both tests below are of such.
    fn independent(&self, count: u64) -> u64 {
        whole(count as f64 / self.burst)
    }

    /// The chance that the baseline's own service shows as much.
    fn chance(&self) -> f64 {
        let [hit, of, usual, usual_of] =
            [self.hit, self.of, self.usual.0, self.usual.1].map(|count| self.independent(count));
        chance::same_share(hit, of, usual, usual_of)
    }

    fn is_within(&self) -> bool {
        !self.is_over() || self.chance() >= CHANCE
    }

    /// Over the bound, and by more than chance of this probability explains.
    fn is_beyond(&self, chance: f64) -> bool {
        self.is_over()
            && self.chance() < chance
            && chance::binomial(
                self.independent(self.hit),
                self.independent(self.of),
                self.allowed,
            ) < chance
    }
}

/// The bounds of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds<'a> {
    pub baseline: &'a Baseline,
    pub rule: &'a RecoveryRule,
    /// The chance that is allowed to each sign of each window.
    chance: f64,
}

impl<'a> Bounds<'a> {
    /// Bounds where so many windows are looked at.
    pub(super) fn new(baseline: &'a Baseline, rule: &'a RecoveryRule, windows: usize) -> Self {
        Self {
            baseline,
            rule,
            chance: CHANCE_OF_RUN / (SIGNS * windows.max(1) as f64),
        }
    }

    fn goodput(&self, counts: &Counts, least: Ratio) -> Sign {
        let usual = &self.baseline.operations;
        Sign {
            hit: counts.failed(),
            of: counts.scheduled,
            usual: (
                usual.scheduled.saturating_sub(usual.succeeded),
                usual.scheduled,
            ),
            allowed: 1.0 - least.get() * self.baseline.goodput_share,
            burst: self.baseline.burst,
        }
    }

    fn errors(&self, counts: &Counts) -> Sign {
        let usual = &self.baseline.operations;
        Sign {
            hit: counts.bad,
            of: counts.ended,
            usual: (bad(usual), usual.ended()),
            allowed: self.baseline.error_share + self.rule.error_margin.get(),
            burst: self.baseline.burst,
        }
    }

    fn latency(&self, counts: &Counts) -> Sign {
        Sign {
            hit: counts.slow,
            of: counts.succeeded,
            usual: (self.baseline.slow, self.baseline.operations.succeeded),
            allowed: SLOW_SHARE,
            burst: 1.0,
        }
    }

    /// Whether operations were refused, broken or not answered, beyond the bounds and
    /// chance.
    pub(super) fn is_failing(&self, counts: &Counts) -> bool {
        self.goodput(counts, self.rule.goodput)
            .is_beyond(self.chance)
            || self.errors(counts).is_beyond(self.chance)
    }

    /// Whether operations were slow, beyond the bound and chance.
    pub(super) fn is_slow(&self, counts: &Counts) -> bool {
        counts.slow_lasts() && self.latency(counts).is_beyond(self.chance)
    }

    /// Whether service was lost.
    pub(super) fn is_lost(&self, counts: &Counts) -> bool {
        self.is_failing(counts) || self.is_slow(counts)
    }

    /// Whether service was back.
    pub(super) fn is_back(&self, counts: &Counts) -> bool {
        self.goodput(counts, self.rule.goodput).is_within()
            && self.errors(counts).is_within()
            && (!counts.slow_lasts() || self.latency(counts).is_within())
    }

    /// Whether goodput was at least this share of the baseline's, as far as chance lets
    /// it be told; so it is where nothing was offered.
    pub(super) fn goodput_within(&self, counts: &Counts, least: Ratio) -> bool {
        self.goodput(counts, least).is_within()
    }

    /// Whether more operations failed than the baseline's service explains by chance,
    /// within the bounds or not.
    pub(super) fn is_unusual(&self, counts: &Counts) -> bool {
        self.goodput(counts, self.rule.goodput).chance() < CHANCE
    }

    /// Whether goodput was below the share that counts as mitigated.
    pub(super) fn is_out(&self, counts: &Counts) -> bool {
        self.goodput(counts, self.rule.mitigated)
            .is_beyond(self.chance)
    }

    /// The share of operations half-way between the baseline and the bounds: what is hurt
    /// beyond it belongs to a loss. An operation is hurt that failed or was slow.
    pub(super) fn allowed(&self) -> f64 {
        let usual = 1.0 - self.baseline.goodput_share;
        usual + f64::midpoint(self.rule.error_margin.get(), SLOW_SHARE)
    }

    /// The smallest share of so many operations that would be found lost if it failed.
    pub(super) fn smallest_loss(&self, operations: u64) -> Option<f64> {
        let lost = |failed: u64| {
            self.is_failing(&Counts {
                buckets: 1,
                scheduled: operations,
                succeeded: operations.saturating_sub(failed),
                ended: operations,
                bad: failed,
                ..Counts::default()
            })
        };
        let (mut none, mut found) = (0, operations);
        if !lost(found) {
            return None;
        }
        while none + 1 < found {
            let middle = none.midpoint(found);
            *(if lost(middle) { &mut found } else { &mut none }) = middle;
        }
        Some(found as f64 / operations as f64)
    }
}
