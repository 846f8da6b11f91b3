//! The incident as it goes: in what condition the service is, in one word, and the times
//! to detect, to mitigate and to recover.
//!
//! By the scenario's own rule of recovery, over windows of a second and what is known
//! then: what a report says later is exact, this is what people can act on.

use super::series::{Series, Sums};
use crate::plan::RecoveryRule;
use crate::units::Nanos;

/// Standard deviations of a share of independent operations that pass for chance.
const CHANCE_DEVIATIONS: f64 = 3.0;
/// A p99 of fewer operations is one of its largest values.
const P99_OPERATIONS: u64 = 100;
/// What a condition is judged over: service was lost within it.
const LOOK_BACK: Nanos = Nanos::from_secs(1);

/// In what condition a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Condition {
    #[default]
    SetUp,
    WarmUp,
    Normal,
    Degraded,
    Down,
    Recovering,
    Recovered,
    Draining,
    Ended,
}

impl Condition {
    /// The one word.
    pub(super) const fn word(self) -> &'static str {
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

/// When what became known of the incident.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct IncidentClock {
    /// Service was lost.
    pub began: Option<Nanos>,
    /// The first alert after that fired.
    pub detected: Option<Nanos>,
    /// Goodput was back to the share that counts as mitigated.
    pub mitigated: Option<Nanos>,
    /// Service was back for as long as the rule demands, from then on.
    pub recovered: Option<Nanos>,
}

/// What normal is, added up before service was lost.
#[derive(Debug, Clone, Copy, Default)]
struct Baseline {
    due: u64,
    good: u64,
    /// Seconds of p99, added up, and of how many buckets.
    p99: (f64, u32),
}

/// Follows a run's condition.
#[derive(Debug, Default)]
pub(super) struct Incident {
    rule: RecoveryRule,
    warm_up: Nanos,
    pub condition: Condition,
    pub clock: IncidentClock,
    baseline: Baseline,
    /// When something was done last.
    action: Option<Nanos>,
    /// When an alert fired last: before what it fires of is known here, at times.
    alert: Option<Nanos>,
    /// The bucket that is looked at next.
    next: u64,
    /// Since when service is back, after it was not.
    back_since: Option<Nanos>,
    /// Whether the last bucket was slow: one alone is chance.
    was_slow: bool,
}

impl Incident {
    pub(super) fn new(rule: RecoveryRule, warm_up: Nanos) -> Self {
        Self {
            rule,
            warm_up,
            ..Self::default()
        }
    }

    /// The load begins.
    pub(super) fn load_started(&mut self) {
        self.condition = Condition::WarmUp;
    }

    /// The load has ended: what is under way may end.
    pub(super) fn load_ended(&mut self) {
        self.condition = Condition::Draining;
    }

    /// The run has ended.
    pub(super) fn ended(&mut self) {
        self.condition = Condition::Ended;
    }

    /// Something is done: service is not lost by it before.
    pub(super) fn action(&mut self, at: Nanos) {
        self.action = Some(at);
    }

    /// An alert fired.
    pub(super) fn alert(&mut self, at: Nanos) {
        self.alert = Some(at);
        self.detect();
    }

    /// Looks at every bucket that has become whole.
    pub(super) fn look(&mut self, series: &Series, now: Nanos) {
        let to = series.whole_to(now);
        while self.next < to {
            let newest = series.between(self.next, self.next + 1);
            self.next += 1;
            let at = Nanos::from_secs_f64(series.seconds(self.next));
            let window = series.between(self.next.saturating_sub(series.window()), self.next);
            self.judge(at, &window, &newest);
        }
    }

    fn judge(&mut self, at: Nanos, window: &Sums, newest: &Sums) {
        let running = !matches!(
            self.condition,
            Condition::SetUp | Condition::Draining | Condition::Ended
        );
        if !running || at <= self.warm_up || window.due == 0 {
            return;
        }
        let is_slow = self.is_slow(newest);
        let was_slow = std::mem::replace(&mut self.was_slow, is_slow);
        let usual = self.usual();
        let is_down = is_below(window, self.rule.mitigated.get() * usual);
        if is_down {
            self.lost(at, Condition::Down);
            self.clock.mitigated = None;
            return;
        }
        if self.condition == Condition::Down {
            self.clock.mitigated.get_or_insert(at);
        }
        if is_below(window, self.rule.goodput.get() * usual) || (was_slow && is_slow) {
            self.lost(at, Condition::Degraded);
        } else {
            self.is_well(at);
            if self.clock.began.is_none() {
                self.note_baseline(newest);
            }
        }
    }

    fn lost(&mut self, at: Nanos, condition: Condition) {
        let from = at.saturating_sub(LOOK_BACK);
        let from = self.action.map_or(from, |action| from.max(action).min(at));
        self.clock.began.get_or_insert(from);
        self.detect();
        self.clock.recovered = None;
        self.back_since = None;
        self.condition = condition;
    }

    /// An alert that fired since service was lost has detected it.
    fn detect(&mut self) {
        if let (Some(began), Some(alert)) = (self.clock.began, self.alert)
            && alert >= began
        {
            self.clock.detected.get_or_insert(alert);
        }
    }

    fn is_well(&mut self, at: Nanos) {
        match self.condition {
            Condition::WarmUp | Condition::Normal => self.condition = Condition::Normal,
            Condition::Recovered => {}
            _ => {
                let since = *self.back_since.get_or_insert(at);
                let back = at.saturating_sub(since) >= self.rule.hold;
                self.condition = if back {
                    self.clock.recovered = Some(since);
                    Condition::Recovered
                } else {
                    Condition::Recovering
                };
            }
        }
    }

    fn note_baseline(&mut self, newest: &Sums) {
        self.baseline.due += newest.due;
        self.baseline.good += newest.good();
        if let Some(p99) = newest.p99.filter(|_| newest.good() >= P99_OPERATIONS) {
            self.baseline.p99.0 += p99.as_secs_f64();
            self.baseline.p99.1 += 1;
        }
    }

    /// Goodput / what was due before the incident; all of it where that was too short to tell.
    fn usual(&self) -> f64 {
        if self.baseline.due < self.rule.operations_min.max(1) {
            return 1.0;
        }
        self.baseline.good as f64 / self.baseline.due as f64
    }

    fn is_slow(&self, bucket: &Sums) -> bool {
        let (sum, buckets) = self.baseline.p99;
        let told = bucket.p99.filter(|_| bucket.good() >= P99_OPERATIONS);
        let Some(p99) = told.filter(|_| buckets > 0) else {
            return false;
        };
        let usual = sum / f64::from(buckets);
        let margin = usual + self.rule.p99_margin.as_secs_f64();
        p99.as_secs_f64() > margin.max(usual * self.rule.p99_factor)
    }
}

/// Whether fewer succeeded than this share of what was due, by more than chance.
fn is_below(window: &Sums, share: f64) -> bool {
    let share = share.clamp(0.0, 1.0);
    let expected = share * window.due as f64;
    let chance = CHANCE_DEVIATIONS * (expected * (1.0 - share)).sqrt();
    (window.good() as f64) < expected - chance.max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(due: u64, good: u64, bad: u64) -> Sums {
        Sums {
            buckets: 1,
            due,
            ended_well: good,
            ended_badly: bad,
            ..Sums::default()
        }
    }

    #[test]
    fn the_word_follows_what_users_get() {
        let rule = RecoveryRule {
            hold: Nanos::from_secs(3),
            ..RecoveryRule::default()
        };
        let mut incident = Incident::new(rule, Nanos::from_secs(2));
        assert_eq!(incident.condition.word(), "set-up");
        incident.load_started();
        let second = Nanos::from_secs;
        for (at, good, bad, word) in [
            (1, 50, 50, "warm-up"), // no figure of the warm-up counts
            (3, 100, 0, "normal"),
            (4, 98, 2, "normal"), // chance
            (5, 60, 40, "degraded"),
            (6, 60, 0, "degraded"), // 40 % hang
            (7, 5, 0, "down"),
            (8, 70, 30, "degraded"),
            (9, 100, 0, "recovering"),
            (10, 60, 40, "degraded"),
            (11, 100, 0, "recovering"),
            (13, 100, 0, "recovering"),
            (14, 100, 0, "recovered"),
            (15, 100, 0, "recovered"),
            (16, 0, 100, "down"),
        ] {
            if at == 5 {
                incident.alert(second(4)); // before anything: of no incident
                incident.action(Nanos::from_millis(4_200));
            }
            let figures = window(100, good, bad);
            incident.judge(second(at), &figures, &figures);
            assert_eq!(incident.condition.word(), word, "at {at} s");
            if at == 6 {
                incident.alert(second(6));
            }
            if at == 15 {
                let clock = IncidentClock {
                    began: Some(Nanos::from_millis(4_200)),
                    detected: Some(second(6)),
                    mitigated: Some(second(8)),
                    recovered: Some(second(11)),
                };
                assert_eq!(incident.clock, clock);
            }
        }
        assert_eq!(incident.clock.recovered, None);
        incident.load_ended();
        let figures = window(100, 100, 0);
        incident.judge(second(20), &figures, &figures);
        assert_eq!(incident.condition.word(), "draining");
    }
}
