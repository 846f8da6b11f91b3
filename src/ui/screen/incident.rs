//! The incident as it goes: in what condition the service is, in one word, and the times
//! to detect, to mitigate and to recover.
//!
//! By the scenario's own rule of recovery, over windows of a second and what is known
//! then: what a report says later is exact, this is what people can act on.

use super::series::{Series, Sums};
use crate::plan::{Action, RecoveryRule};
use crate::units::Nanos;

/// Goodput below this share of what is due is an outage. Ours.
const DOWN: f64 = 0.1;
/// Operations without success that no condition follows from, in one window.
const STRAYS: f64 = 2.0;

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
    /// The first cause began to act.
    pub began: Option<Nanos>,
    /// The first alert after it fired.
    pub detected: Option<Nanos>,
    /// Goodput was back to the share that counts as mitigated.
    pub mitigated: Option<Nanos>,
    /// Service was back for as long as the rule demands, from then on.
    pub recovered: Option<Nanos>,
}

/// What normal is, added up before anything was done.
#[derive(Debug, Clone, Copy, Default)]
struct Baseline {
    due: u64,
    good: u64,
    ended: u64,
    p99: Option<Nanos>,
}

/// Follows a run's condition.
#[derive(Debug, Default)]
pub(super) struct Incident {
    rule: RecoveryRule,
    warm_up: Nanos,
    pub condition: Condition,
    pub clock: IncidentClock,
    baseline: Baseline,
    /// The bucket that is looked at next.
    next: u64,
    /// Since when service is back, after it was not.
    back_since: Option<Nanos>,
    /// Whether goodput has been below the share that counts as mitigated.
    was_lost: bool,
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

    /// An action begins: one that begins a cause is where the clock starts.
    pub(super) fn action(&mut self, at: Nanos, action: &Action) {
        if action.begins().is_none() {
            return;
        }
        let over = self.clock.recovered.is_some();
        if self.clock.began.is_none() || over {
            self.clock = IncidentClock {
                began: Some(at),
                ..IncidentClock::default()
            };
            self.was_lost = false;
        }
    }

    /// An alert fired.
    pub(super) fn alert(&mut self, at: Nanos) {
        if self.clock.began.is_some() && self.clock.detected.is_none() {
            self.clock.detected = Some(at);
        }
    }

    /// Looks at every bucket that has become whole.
    pub(super) fn look(&mut self, series: &Series, now: Nanos) {
        let to = series.whole_to(now);
        while self.next < to {
            self.next += 1;
            let at = Nanos::from_secs_f64(series.seconds(self.next));
            let window = series.between(self.next.saturating_sub(series.window()), self.next);
            self.judge(at, &window);
        }
    }

    fn judge(&mut self, at: Nanos, window: &Sums) {
        let running = !matches!(
            self.condition,
            Condition::SetUp | Condition::Draining | Condition::Ended
        );
        if !running || at <= self.warm_up || window.due == 0 {
            return;
        }
        let ratio = self.goodput_share(window);
        self.mitigation(at, ratio);
        let well = ratio >= self.rule.goodput.get() && !self.errs(window) && !self.slow(window);
        if well {
            self.well(at);
        } else {
            self.back_since = None;
            self.clock.recovered = None;
            self.condition = if ratio < DOWN {
                Condition::Down
            } else {
                Condition::Degraded
            };
        }
        if self.clock.began.is_none() && well {
            self.note_baseline(window);
        }
    }

    fn well(&mut self, at: Nanos) {
        match self.condition {
            Condition::WarmUp | Condition::Normal => self.condition = Condition::Normal,
            Condition::Recovered => {}
            _ => {
                let since = *self.back_since.get_or_insert(at);
                let back = at.saturating_sub(since) >= self.rule.hold;
                self.condition = if back {
                    Condition::Recovered
                } else {
                    Condition::Recovering
                };
                if back && self.clock.began.is_some() {
                    self.clock.recovered = Some(since);
                }
            }
        }
    }

    fn mitigation(&mut self, at: Nanos, ratio: f64) {
        if self.clock.began.is_none() {
            return;
        }
        if ratio < self.rule.mitigated.get() {
            self.was_lost = true;
            self.clock.mitigated = None;
        } else if self.was_lost && self.clock.mitigated.is_none() {
            self.clock.mitigated = Some(at);
        }
    }

    fn note_baseline(&mut self, window: &Sums) {
        self.baseline.due += window.due;
        self.baseline.good += window.good();
        let ended = window.ended.max(window.ended_well + window.ended_badly);
        self.baseline.ended += ended;
        self.baseline.p99 = self.baseline.p99.max(window.p99);
    }

    /// Goodput / what was due, as a share of the same before the incident.
    fn goodput_share(&self, window: &Sums) -> f64 {
        let share = window.good() as f64 / window.due.max(1) as f64;
        let usual = if self.baseline.due > 0 {
            self.baseline.good as f64 / self.baseline.due as f64
        } else {
            1.0
        };
        if usual > 0.0 { share / usual } else { share }
    }

    fn errs(&self, window: &Sums) -> bool {
        let usual = if self.baseline.ended > 0 {
            1.0 - self.baseline.good as f64 / self.baseline.ended as f64
        } else {
            0.0
        };
        let margin = usual.max(0.0) + self.rule.error_margin.get();
        let ended = window.ended.max(window.ended_well + window.ended_badly);
        let share = window.error_share().unwrap_or(0.0);
        share > margin && share * ended as f64 > STRAYS
    }

    fn slow(&self, window: &Sums) -> bool {
        let (Some(usual), Some(p99)) = (self.baseline.p99, window.p99) else {
            return false;
        };
        let by_factor = Nanos::from_secs_f64(usual.as_secs_f64() * self.rule.p99_factor);
        p99 > by_factor.max(usual.saturating_add(self.rule.p99_margin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FleetAction;

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
        let cause = Action::Fleet(FleetAction::Pause { instances: None });
        let second = Nanos::from_secs;
        for (at, good, bad, word) in [
            (1, 50, 50, "warm-up"), // no figure of the warm-up counts
            (3, 100, 0, "normal"),
            (4, 98, 2, "normal"), // two strays
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
                incident.action(second(4), &cause);
                incident.alert(second(5));
            }
            incident.judge(second(at), &window(100, good, bad));
            assert_eq!(incident.condition.word(), word, "at {at} s");
            if at == 15 {
                let clock = IncidentClock {
                    began: Some(second(4)),
                    detected: Some(second(5)),
                    mitigated: Some(second(8)),
                    recovered: Some(second(11)),
                };
                assert_eq!(incident.clock, clock);
            }
        }
        assert_eq!(incident.clock.recovered, None);
        incident.load_ended();
        incident.judge(second(20), &window(100, 100, 0));
        assert_eq!(incident.condition.word(), "draining");
    }
}
