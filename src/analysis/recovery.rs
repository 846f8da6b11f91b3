//! When service was lost and when it was back, by the scenario's own rule.
//!
//! Everything here lies on the intended-start axis: an operation delayed into
//! the recovery counts against the instant at which its user began to wait.
//! Both are judged over hold windows, which slide by one bucket: a window that is lost
//! tells that service was lost in it, and one that is back that it is back from its
//! start. `bounds` has the rule.
//!
//! The window is long, so that one second of few operations decides nothing, and an
//! instant must be known to a bucket. A loss is dated to the bucket from which on more
//! operations were hurt than is usual: the one from which their excess adds up to the
//! most within the first window that is lost. A recovery is dated to the start of its
//! window, whose first bucket must be back by itself too; else a window could begin with
//! the last bad buckets and thin them out with the good ones behind.

use std::ops::Range;

use super::baseline::Baseline;
use super::bounds::{Bounds, Counts};
use super::observation::Observation;
use super::series::{Bucket, Series};
use crate::plan::RecoveryRule;
use crate::units::Nanos;

/// Load this much above the baseline's still counts as at the baseline: the
/// same 5 % by which goodput may miss it.
const LOAD_TOLERANCE: f64 = 0.05;

/// Standard deviations of a count of random arrivals that pass for chance: of
/// a thousand windows three lie outside.
const CHANCE_DEVIATIONS: f64 = 3.0;

/// What users got, bucket by bucket, held against a baseline.
#[derive(Debug, Clone)]
pub(super) struct Service<'a> {
    buckets: &'a [Bucket],
    /// What users got in all buckets before each, and after the last.
    before: Vec<Counts>,
    bounds: Bounds<'a>,
    interval: Nanos,
    end: Nanos,
}

/// A loss of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Loss {
    /// The bucket from which on it is lost.
    pub bucket: Nanos,
    /// The intended start of the first operation that failed in that bucket; the bucket's
    /// start where none did, or none is known.
    pub first: Nanos,
}

impl<'a> Service<'a> {
    /// The observed service of a run, whose losses are looked for from the end of the
    /// baseline on.
    pub(super) fn new(
        series: &'a Series,
        observation: Observation,
        baseline: &'a Baseline,
        rule: &'a RecoveryRule,
    ) -> Self {
        let buckets = series.between(observation.from, observation.to);
        let mut before = vec![Counts::default()];
        before.extend(buckets.iter().scan(Counts::default(), |sum, bucket| {
            *sum = *sum + Counts::of(bucket, baseline);
            Some(*sum)
        }));
        Self {
            buckets,
            before,
            bounds: Bounds::new(baseline, rule, buckets.len()),
            interval: series.interval,
            end: observation.to,
        }
    }

    /// Width of a bucket.
    pub(super) const fn interval(&self) -> Nanos {
        self.interval
    }

    pub(super) const fn bounds(&self) -> &Bounds<'a> {
        &self.bounds
    }

    /// The hold window, at least one bucket.
    pub(super) fn hold(&self) -> Nanos {
        self.bounds.rule.hold.max(self.interval)
    }

    /// The end of the last bucket that was observed.
    pub(super) const fn end(&self) -> Nanos {
        self.end
    }

    /// The smallest share of the operations of a hold window that would be found lost if it
    /// failed.
    pub(super) fn smallest_loss(&self) -> Option<f64> {
        let baseline = self.bounds.baseline;
        let length = baseline.to.saturating_sub(baseline.from).0.max(1);
        let offered = u128::from(baseline.operations.scheduled) * u128::from(self.hold().0);
        let window = u64::try_from(offered / u128::from(length)).unwrap_or(u64::MAX);
        let operations = window.max(self.bounds.rule.operations_min);
        self.bounds.smallest_loss(operations)
    }

    /// The first loss of service in the buckets that begin at or after `from`. The last
    /// window may be shorter than the hold window, where no longer one was seen.
    pub(super) fn lost(&self, from: Nanos) -> Option<Loss> {
        let from = self.place(from);
        let last = self.place(self.end.saturating_sub(self.hold())).max(from);
        let starts = from..=last.min(self.buckets.len().checked_sub(1)?);
        let mut windows = starts.map(|start| (start, self.cut_window(start)));
        let (start, end) =
            windows.find(|(start, end)| self.bounds.is_lost(&self.counts(*start, *end)))?;
        let bucket = self.buckets.get(self.begins(start, end))?;
        let failed = bucket.operations.and_then(|own| own.first_failed());
        Some(Loss {
            bucket: bucket.from,
            first: failed.unwrap_or(bucket.from),
        })
    }

    /// The bucket of a lost window with which the loss begins. Beside the loss a stray
    /// failure before it is little, so the excess is added up twice: the second time above
    /// half of what it was in the stretch that was found first. What comes before and is
    /// more than chance belongs to it: a loss that begins in the middle of a bucket.
    fn begins(&self, start: usize, end: usize) -> usize {
        let allowed = self.bounds.allowed();
        let (first, last) = self.worst(start, end, allowed);
        let share = self.counts(first, last).hurt_share();
        let (mut begin, _) = self.worst(first, last, allowed.max(share / 2.0));
        while begin > start && !self.bounds.is_back(&self.counts(begin - 1, begin)) {
            begin -= 1;
        }
        begin
    }

    /// The buckets within a window in which the operations that were hurt exceed the share
    /// that is allowed by the most.
    fn worst(&self, start: usize, end: usize, allowed: f64) -> (usize, usize) {
        let (mut sum, mut most, mut begin) = (0.0, 0.0, start);
        let mut found = (start, end);
        for place in start..end {
            if sum <= 0.0 {
                (sum, begin) = (0.0, place);
            }
            sum += self.counts(place, place + 1).excess(allowed);
            if sum > most {
                (most, found) = (sum, (begin, place + 1));
            }
        }
        found
    }

    /// The start of the first hold window at or after `after` in which service is back;
    /// none where it was not seen.
    pub(super) fn back(&self, after: Nanos) -> Option<Nanos> {
        self.first_window(after, |counts| self.bounds.is_back(counts))
    }

    /// When goodput was first below half of the baseline's, or what the rule says instead,
    /// between two instants.
    pub(super) fn out(&self, from: Nanos, until: Nanos) -> Option<Nanos> {
        let mut places = self.place(from)..self.place(until);
        let out = places.find(|place| self.is_out(*place))?;
        Some(self.buckets.get(out)?.from)
    }

    /// When goodput was at least that again, for a hold window.
    pub(super) fn mitigated(&self, out: Nanos) -> Option<Nanos> {
        let least = self.bounds.rule.mitigated;
        self.first_window(out, |counts| self.bounds.goodput_within(counts, least))
    }

    /// Whether this bucket alone, or the hold window that begins with it, has less
    /// goodput than counts as mitigated.
    fn is_out(&self, place: usize) -> bool {
        let is_out = |end| self.bounds.is_out(&self.counts(place, end));
        is_out(place + 1) || self.window(place).is_some_and(is_out)
    }

    /// Stretches of buckets between two instants with less goodput than counts as
    /// mitigated, each from its start to its end.
    pub(super) fn outages(&self, from: Nanos, until: Nanos) -> Vec<(Nanos, Nanos)> {
        let mut outages: Vec<(Nanos, Nanos)> = Vec::new();
        let places = self.place(from)..self.place(until);
        for place in places.filter(|place| self.bounds.is_out(&self.counts(*place, place + 1))) {
            let bucket = &self.buckets[place];
            match outages.last_mut() {
                Some((_, to)) if *to == bucket.from => *to = bucket.to,
                _ => outages.push((bucket.from, bucket.to)),
            }
        }
        outages
    }

    /// How far a loss reaches that begins with a bucket: to the end of the one up to which
    /// the excess of operations that were hurt adds up to the most.
    pub(super) fn hurt_until(&self, from: Nanos, until: Nanos) -> Option<Nanos> {
        let (start, end) = (self.place(from), self.place(until));
        let allowed = self.bounds.allowed();
        let sums = (start..end).scan(0.0, |sum, place| {
            *sum += self.counts(place, place + 1).excess(allowed);
            Some((place, *sum))
        });
        let (last, _) = sums.max_by(|(_, one), (_, other)| one.total_cmp(other))?;
        Some(self.buckets.get(last)?.to)
    }

    /// What users got between two instants.
    pub(super) fn between(&self, from: Nanos, until: Nanos) -> Counts {
        let from = self.place(from);
        self.counts(from, self.place(until).max(from))
    }

    /// Whether service was back between two instants, taken together.
    pub(super) fn was_back(&self, from: Nanos, until: Nanos) -> bool {
        self.bounds.is_back(&self.between(from, until))
    }

    /// Whether some hold window since `after` had no more load than the
    /// baseline; none where no whole window was seen.
    pub(super) fn load_back(&self, after: Nanos) -> Option<bool> {
        let windows = self.place(after)..self.buckets.len();
        windows
            .filter_map(|start| Some(start..self.window(start)?))
            .map(|window| self.load_at_most_baseline(window))
            .reduce(|any, one| any || one)
    }

    /// Whether the last hold window had no more load than the baseline and
    /// less goodput than counts as mitigated: stuck.
    pub(super) fn ends_stuck(&self) -> bool {
        let last = self.last_window();
        let from = self.place(self.end.saturating_sub(self.hold()));
        last.scheduled > 0
            && self.load_at_most_baseline(from..self.place(self.end))
            && !self
                .bounds
                .goodput_within(&last, self.bounds.rule.mitigated)
    }

    /// Whether in some hold window at or after an instant goodput was less than counts as
    /// mitigated, with as many operations as tell it, whatever chance says of them.
    pub(super) fn was_out(&self, from: Nanos) -> bool {
        let rule = self.bounds.rule;
        let least = rule.mitigated.get() * self.bounds.baseline.goodput_share;
        let mut starts = self.place(from)..self.buckets.len();
        starts.any(|start| {
            let Some(end) = self.window_with_enough(start) else {
                return false;
            };
            let counts = self.counts(start, end);
            (counts.succeeded as f64) < least * counts.scheduled as f64
        })
    }

    /// Whether the last hold window was lost, beyond chance.
    pub(super) fn ends_lost(&self) -> bool {
        self.bounds.is_lost(&self.last_window())
    }

    fn last_window(&self) -> Counts {
        self.between(self.end.saturating_sub(self.hold()), self.end)
    }

    /// The place of the first bucket at or after an instant.
    fn place(&self, at: Nanos) -> usize {
        self.buckets.partition_point(|bucket| bucket.from < at)
    }

    /// What users got from one bucket to before another.
    fn counts(&self, start: usize, end: usize) -> Counts {
        let at = |place: usize| self.before[place.min(self.buckets.len())];
        at(end) - at(start)
    }

    fn first_window(&self, after: Nanos, holds: impl Fn(&Counts) -> bool) -> Option<Nanos> {
        let mut starts = self.place(after)..self.buckets.len();
        let found = starts.find(|start| {
            let first = self.counts(*start, start + 1);
            holds(&first)
                && self
                    .window_with_enough(*start)
                    .is_some_and(|end| holds(&self.counts(*start, end)))
        })?;
        Some(self.buckets.get(found)?.from)
    }

    /// Where the hold window that begins with a bucket ends; none where that would be
    /// past what was observed.
    fn window(&self, start: usize) -> Option<usize> {
        let to = self.buckets.get(start)?.from.saturating_add(self.hold());
        (to <= self.end).then(|| self.place(to))
    }

    /// The same, made longer until it holds the operations that the rule asks for.
    fn window_with_enough(&self, start: usize) -> Option<usize> {
        let end = self.window(start)?;
        let needed = self.bounds.rule.operations_min.max(1);
        let until = self.before.get(start)?.scheduled.saturating_add(needed);
        let enough = self.before.partition_point(|sum| sum.scheduled < until);
        Some(enough.max(end)).filter(|end| *end <= self.buckets.len())
    }

    /// The same, cut where it would reach past what was observed.
    fn cut_window(&self, start: usize) -> usize {
        self.window_with_enough(start).unwrap_or(self.buckets.len())
    }

    fn load_at_most_baseline(&self, window: Range<usize>) -> bool {
        let counts = self.counts(window.start, window.end);
        // Of whole buckets, so a window is seldom as long as the rule says.
        let buckets = self.buckets.get(window).unwrap_or_default();
        let lengths = buckets.iter().map(|it| it.to.saturating_sub(it.from));
        let seconds: f64 = lengths.map(Nanos::as_secs_f64).sum();
        let expected = self.bounds.baseline.offered_per_s() * seconds;
        // Both are counted: what the window has, and by what the baseline tells its rate.
        let both = 1.0 + seconds / self.bounds.baseline.seconds();
        let chance = CHANCE_DEVIATIONS * (expected * both).sqrt();
        counts.scheduled as f64 <= expected + chance.max(LOAD_TOLERANCE * expected)
    }
}
