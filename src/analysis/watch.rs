//! How service is, in one word, and the incident's clock, as far as both can be known while
//! a run goes on.
//!
//! This is an estimate by the plan's own rule, for the page and the screen alike. The report
//! is made from the whole record, which knows what was still under way here; at the end its
//! clock replaces this one. Pure: it is told events and readings.

use std::collections::{HashSet, VecDeque};

use super::Findings;
use crate::plan::{Plan, RecoveryRule};
use crate::record::Event;
use crate::units::Nanos;

/// What the word is judged by at least: a shorter time is one of few operations.
const LOOK_BACK: Nanos = Nanos::from_secs(1);
/// Standard deviations of a share of independent operations that pass for chance.
const CHANCE_DEVIATIONS: f64 = 3.0;
/// A p99 of fewer operations is one of its largest values.
const P99_OPERATIONS: u64 = 100;

/// What users got in one interval, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServiceReading {
    /// The beginning of the interval.
    pub from: Nanos,
    /// Its end.
    pub to: Nanos,
    /// Operations that were due in it.
    pub scheduled: u64,
    /// Of them succeeded; until it is settled, those that ended in it with success.
    pub succeeded: u64,
    /// 99th percentile of the response time.
    pub p99: Option<Nanos>,
    /// Whether nothing more of it is to come.
    pub settled: bool,
}

/// How service is, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ServiceState {
    /// The load has not begun.
    #[default]
    SetUp,
    /// Nothing is judged yet.
    WarmUp,
    /// As in the baseline.
    Normal,
    /// Fewer succeed than the plan's rule of recovery asks, or they are slow.
    Degraded,
    /// Fewer succeed than count as mitigated.
    Down,
    /// Service is back, and not yet for as long as the rule asks.
    Recovering,
    /// Service is back for good.
    Recovered,
    /// The load has ended, and what is under way may end.
    Draining,
    /// The run has ended.
    Ended,
}

impl ServiceState {
    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::SetUp => "set-up",
            Self::WarmUp => "warm-up",
            Self::Normal => "normal",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Recovering => "recovering",
            Self::Recovered => "recovered",
            Self::Draining => "draining",
            Self::Ended => "ended",
        }
    }
}

/// The incident's clock: instants since the load began, as far as they are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServiceClock {
    /// When service was lost.
    pub began: Option<Nanos>,
    /// When the first alert fired after it.
    pub detected: Option<Nanos>,
    /// When goodput was back at the share that counts as mitigated.
    pub mitigated: Option<Nanos>,
    /// When service was back.
    pub recovered: Option<Nanos>,
}

/// Follows a run.
#[derive(Debug)]
pub struct ServiceWatch {
    rule: RecoveryRule,
    warm_up: Nanos,
    /// When the first surge begins.
    surge: Option<Nanos>,
    stage: Stage,
    /// When the first thing was done.
    first_action: Option<Nanos>,
    baseline: Counts,
    /// The readings that are in it, by their ends.
    baseline_readings: HashSet<Nanos>,
    /// The p99 of the baseline's readings, in milliseconds: their mean, by operations.
    baseline_p99: (f64, u64),
    /// Readings, the newest last, as far back as the rule looks.
    seen: VecDeque<Seen>,
    clock: ServiceClock,
    /// When an alert fired last: before what it fires of is known here, at times.
    alert: Option<Nanos>,
    /// When goodput was below the share that counts as mitigated.
    out: Option<Nanos>,
    level: Level,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    SetUp,
    Load,
    Draining,
    Ended,
}

/// How service is beside its baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Normal,
    Degraded,
    Down,
}

/// What users got in one interval.
#[derive(Debug, Clone, Copy)]
struct Seen {
    to: Nanos,
    counts: Counts,
    p99_ms: Option<f64>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    scheduled: u64,
    succeeded: u64,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.scheduled = self.scheduled.saturating_add(other.scheduled);
        self.succeeded = self.succeeded.saturating_add(other.succeeded);
    }

    fn share(self) -> f64 {
        self.succeeded as f64 / self.scheduled.max(1) as f64
    }

    /// Whether fewer succeeded than this share, by more than chance.
    fn is_below(self, share: f64) -> bool {
        let all = self.scheduled as f64;
        let expected = share.clamp(0.0, 1.0) * all;
        let chance = CHANCE_DEVIATIONS * (expected * (1.0 - share.clamp(0.0, 1.0))).sqrt();
        all > 0.0 && (self.succeeded as f64) < expected - chance.max(1.0)
    }
}

impl ServiceWatch {
    /// Follows a run of this plan.
    pub fn new(plan: &Plan) -> Self {
        let surges = plan.surge_changes();
        Self {
            rule: plan.recovery,
            warm_up: plan.warm_up,
            surge: surges.iter().find(|it| it.begins).map(|it| it.at),
            stage: Stage::SetUp,
            first_action: None,
            baseline: Counts::default(),
            baseline_readings: HashSet::new(),
            baseline_p99: (0.0, 0),
            seen: VecDeque::new(),
            clock: ServiceClock::default(),
            alert: None,
            out: None,
            level: Level::Normal,
        }
    }

    /// Takes an event.
    pub fn event(&mut self, at: Nanos, event: &Event) {
        match event {
            Event::LoadStarted => self.stage = Stage::Load,
            Event::LoadEnded => self.stage = Stage::Draining,
            Event::RunEnded { .. } => self.stage = Stage::Ended,
            Event::ActionStarted { .. } => {
                self.first_action.get_or_insert(at);
            }
            Event::AlertFired { .. } => {
                self.alert = Some(at);
                self.detect();
            }
            _ => {}
        }
    }

    /// Takes a reading, or one that is known better now.
    pub fn reading(&mut self, reading: &ServiceReading) {
        let &ServiceReading { from, to, .. } = reading;
        if from < self.warm_up || reading.scheduled == 0 {
            return;
        }
        let counts = Counts {
            scheduled: reading.scheduled,
            succeeded: reading.succeeded,
        };
        let p99_ms = reading.p99.map(Nanos::as_millis_f64);
        let seen = Seen {
            to,
            counts,
            p99_ms: p99_ms.filter(|_| reading.succeeded >= P99_OPERATIONS),
        };
        let place = self.seen.partition_point(|own| own.to < to);
        match self.seen.get_mut(place) {
            Some(own) if own.to == to => *own = seen,
            _ => self.seen.insert(place, seen),
        }
        let newest = self.seen.back().map_or(to, |own| own.to);
        let oldest = newest.saturating_sub(self.rule.hold.max(LOOK_BACK) * 2);
        while self.seen.front().is_some_and(|own| own.to <= oldest) {
            self.seen.pop_front();
        }
        self.judge();
        let before = to <= self.baseline_until() && self.level == Level::Normal;
        if before && reading.settled && self.baseline_readings.insert(to) {
            self.baseline.add(counts);
            if let Some(p99_ms) = p99_ms {
                self.baseline_p99.0 += p99_ms * reading.succeeded as f64;
                self.baseline_p99.1 = self.baseline_p99.1.saturating_add(reading.succeeded);
            }
        }
    }

    /// How service is now.
    pub fn state(&self, now: Nanos) -> ServiceState {
        let recovered = self.clock.recovered.is_some();
        match (self.stage, self.level) {
            (Stage::SetUp, _) => ServiceState::SetUp,
            (Stage::Draining, _) => ServiceState::Draining,
            (Stage::Ended, _) => ServiceState::Ended,
            (Stage::Load, _) if now < self.warm_up => ServiceState::WarmUp,
            (Stage::Load, Level::Down) => ServiceState::Down,
            (Stage::Load, Level::Degraded) => ServiceState::Degraded,
            (Stage::Load, Level::Normal) if self.clock.began.is_none() => ServiceState::Normal,
            (Stage::Load, Level::Normal) if recovered => ServiceState::Recovered,
            (Stage::Load, Level::Normal) => ServiceState::Recovering,
        }
    }

    /// The incident's clock, as far as it is known.
    pub const fn clock(&self) -> ServiceClock {
        self.clock
    }

    /// What the analysis found replaces what was estimated.
    pub fn found(&mut self, findings: &Findings) {
        let incident = &findings.incident;
        let at = |seconds: Option<f64>| seconds.map(Nanos::from_secs_f64);
        self.clock = ServiceClock {
            began: at(incident.impact_s),
            detected: at(incident.detected_s),
            mitigated: at(incident.mitigated_s),
            recovered: at(incident.recovered_s),
        };
    }

    /// The end of the baseline.
    fn baseline_until(&self) -> Nanos {
        let action = self.first_action.unwrap_or(Nanos::MAX);
        action.min(self.surge.unwrap_or(Nanos::MAX))
    }

    /// What service was like before anything was done. Where that was too short to tell, every
    /// operation is expected to succeed: a room must not read `normal` over an outage.
    fn usual(&self) -> f64 {
        let enough = self.baseline.scheduled >= self.rule.operations_min.max(1);
        let share = Some(self.baseline.share()).filter(|share| enough && *share > 0.0);
        share.unwrap_or(1.0)
    }

    /// An alert that fired since service was lost has detected it.
    fn detect(&mut self) {
        let (Some(began), Some(alert)) = (self.clock.began, self.alert) else {
            return;
        };
        if alert >= began {
            self.clock.detected.get_or_insert(alert);
        }
    }

    fn judge(&mut self) {
        let usual = self.usual();
        let least = self.rule.goodput.get() * usual;
        let half = self.rule.mitigated.get() * usual;
        let (recent, slow) = self.recent();
        let before = self.level;
        self.level = if recent.is_below(half) {
            Level::Down
        } else if recent.is_below(least) || slow {
            Level::Degraded
        } else {
            Level::Normal
        };
        let newest = self.seen.back().map_or(Nanos::ZERO, |own| own.to);
        if self.level != Level::Normal && before == Level::Normal {
            // Not before what was done last before it; nothing may have been.
            let done = Some(self.baseline_until()).filter(|until| *until <= newest);
            let from = newest.saturating_sub(LOOK_BACK);
            let from = from.max(done.unwrap_or_default());
            if self.clock.began.is_some() {
                // Service is lost again: it had not recovered for good.
                self.clock.recovered = None;
            } else {
                self.clock.began = Some(from);
                self.detect();
            }
        }
        if self.level == Level::Down && self.out.is_none() {
            self.out = Some(newest);
            self.clock.mitigated = None;
        }
        if self.level != Level::Down
            && self.clock.mitigated.is_none()
            && let Some(since) = self.held_above(half, false)
            && self.out.take().is_some()
        {
            self.clock.mitigated = Some(since);
        }
        if self.level == Level::Normal
            && self.clock.began.is_some()
            && self.clock.recovered.is_none()
            && let Some(since) = self.held_above(least, true)
        {
            self.clock.recovered = Some(since);
        }
    }

    /// What users got in the newest readings, and whether it was slow.
    fn recent(&self) -> (Counts, bool) {
        let mut counts = Counts::default();
        let newest = self.seen.back().map_or(Nanos::ZERO, |own| own.to);
        let from = newest.saturating_sub(LOOK_BACK);
        let recent: Vec<&Seen> = self.seen.iter().filter(|own| own.to > from).collect();
        for own in &recent {
            counts.add(own.counts);
        }
        let told: Vec<&&Seen> = recent.iter().filter(|own| own.p99_ms.is_some()).collect();
        let slow = !told.is_empty() && told.iter().all(|own| self.is_slow(own));
        (counts, slow)
    }

    fn is_slow(&self, seen: &Seen) -> bool {
        if self.baseline_p99.1 == 0 {
            return false;
        }
        let usual = self.baseline_p99.0 / self.baseline_p99.1.max(1) as f64;
        let by_factor = usual * self.rule.p99_factor;
        let most = by_factor.max(usual + self.rule.p99_margin.as_millis_f64());
        seen.p99_ms.is_some_and(|p99| p99 > most)
    }

    /// Since when goodput has been above a share for a hold window, up to the newest reading.
    fn held_above(&self, share: f64, quick: bool) -> Option<Nanos> {
        let newest = self.seen.back()?.to;
        let from = newest.saturating_sub(self.rule.hold);
        let mut window = self.seen.iter().filter(|own| own.to > from);
        let covered = self.seen.front().is_some_and(|own| own.to <= from);
        let bad = |own: &Seen| own.counts.is_below(share) || quick && self.is_slow(own);
        (covered && !window.any(bad)).then_some(from)
    }
}
