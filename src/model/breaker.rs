//! A client that stops asking a target that does not answer.
//!
//! closed → open after failures, half-open after a pause, closed again after as
//! many trials as were asked for have gone well (Nygard, *Release It!*, 2007,
//! ch. 5). It guards operations, not attempts: a retry is the operation's own
//! business, and an operation that was let through goes on though the breaker
//! opens. What began before a change of state says nothing about the target
//! after it, so every operation carries a pass of the state that let it through.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{FailureKind, Terminal, clause};
use crate::units::{Nanos, Ratio, UnitError};

/// Time it stays open where a text names none: that of Hystrix
/// (`sleepWindowInMilliseconds`).
const PAUSE: Nanos = Nanos::from_secs(5);
/// Trials where a text names no number, likewise of Hystrix.
const TRIALS: u32 = 1;
/// A longer memory than any run of one machine fills in a phase.
const COUNT_MAX: u32 = 100_000;

/// When a circuit breaker opens and closes. As text: `"5 failures"` or
/// `"50 % of 100"`, with `", pause 5s"` and `", trials 1"` added after commas.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BreakerPolicy {
    /// What opens it.
    pub trip: Trip,
    /// How long it lets nothing through.
    pub pause: Nanos,
    /// Operations that it then lets through, and that must all go well.
    pub trials: u32,
}

/// What opens a circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trip {
    /// So many operations in a row failed.
    Failures(u32),
    /// Of the last so many operations, this share or more failed.
    Share {
        /// The share.
        share: Ratio,
        /// How many are looked at; before there are as many, it stays closed.
        of: u32,
    },
}

const EXPECTED: &str = "a circuit breaker: what opens it, \"5 failures\" in a row or \
     \"50 % of 100\", also with \", pause 5s\" and \", trials 1\"";

impl FromStr for BreakerPolicy {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        parse(text).ok_or_else(|| UnitError::new(text, EXPECTED))
    }
}

fn parse(text: &str) -> Option<BreakerPolicy> {
    let mut clauses = text.split(',').map(str::trim);
    let trip = trip(clauses.next()?)?;
    let mut policy = BreakerPolicy {
        trip,
        pause: PAUSE,
        trials: TRIALS,
    };
    for part in clauses {
        if let Some(pause) = clause(part, "pause") {
            policy.pause = pause;
        } else {
            policy.trials = clause(part, "trials")?;
        }
    }
    let sound = policy.pause > Nanos::ZERO && (1..=COUNT_MAX).contains(&policy.trials);
    sound.then_some(policy)
}

fn trip(text: &str) -> Option<Trip> {
    let counted = |count: &str| {
        let count = count.trim().parse().ok()?;
        (1..=COUNT_MAX).contains(&count).then_some(count)
    };
    if let Some((share, of)) = text.split_once(" of ") {
        let share: Ratio = share.parse().ok()?;
        // Nothing is at least 0 % for ever, and nothing is more than the whole.
        (share > Ratio::default() && share <= Ratio::WHOLE).then_some(())?;
        return Some(Trip::Share {
            share,
            of: counted(of)?,
        });
    }
    let failures = text
        .strip_suffix("failures")
        .or_else(|| text.strip_suffix("failure"))?;
    Some(Trip::Failures(counted(failures)?))
}

impl fmt::Display for BreakerPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.trip {
            Trip::Failures(1) => f.write_str("1 failure")?,
            Trip::Failures(count) => write!(f, "{count} failures")?,
            Trip::Share { share, of } => write!(f, "{share} of {of}")?,
        }
        write!(f, ", pause {}, trials {}", self.pause, self.trials)
    }
}

/// Says which state of the breaker let an operation through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Pass(u32);

/// The breaker of a client.
#[derive(Debug, Clone)]
pub(crate) struct Breaker {
    policy: BreakerPolicy,
    state: BreakerState,
    /// Changes of state so far: passes of another number are void.
    changes: u32,
}

#[derive(Debug, Clone)]
enum BreakerState {
    Closed(Memory),
    Open {
        until: Nanos,
    },
    HalfOpen {
        /// Trials let through, less those that said nothing.
        admitted: u32,
        /// Trials that went well.
        passed: u32,
    },
}

/// What a closed breaker remembers.
#[derive(Debug, Clone, Default)]
struct Memory {
    /// Whether each of the last operations failed; empty where only those in a row count.
    last: VecDeque<bool>,
    /// Failures in a row, or among the last.
    failures: u32,
}

impl Memory {
    /// Remembers an operation; whether that opens the breaker.
    fn note(&mut self, failed: bool, trip: Trip) -> bool {
        match trip {
            Trip::Failures(count) => {
                self.failures = if failed { self.failures + 1 } else { 0 };
                self.failures >= count
            }
            Trip::Share { share, of } => {
                self.failures += u32::from(failed);
                self.last.push_back(failed);
                if self.last.len() > of as usize {
                    let forgotten = self.last.pop_front().unwrap_or_default();
                    self.failures -= u32::from(forgotten);
                }
                let known = self.last.len() == of as usize;
                known && f64::from(self.failures) >= share.get() * f64::from(of)
            }
        }
    }
}

impl Breaker {
    /// A closed breaker.
    pub(crate) fn new(policy: BreakerPolicy) -> Self {
        Self {
            policy,
            state: BreakerState::Closed(Memory::default()),
            changes: 0,
        }
    }

    /// The pass of an operation that begins at `now`; none where it is shed.
    pub(crate) fn admit(&mut self, now: Nanos) -> Option<Pass> {
        if matches!(self.state, BreakerState::Open { until } if now >= until) {
            self.enter(BreakerState::HalfOpen {
                admitted: 0,
                passed: 0,
            });
        }
        let admitted = match &mut self.state {
            BreakerState::Closed(_) => true,
            BreakerState::Open { .. } => false,
            BreakerState::HalfOpen { admitted, .. } => {
                let free = *admitted < self.policy.trials;
                *admitted += u32::from(free);
                free
            }
        };
        admitted.then_some(Pass(self.changes))
    }

    /// An operation with this pass has ended so at `now`.
    pub(crate) fn ended(&mut self, pass: Pass, terminal: Terminal, now: Nanos) {
        if pass.0 != self.changes {
            return;
        }
        let failed = failed(terminal);
        match &mut self.state {
            BreakerState::Closed(memory) => {
                if failed.is_some_and(|failed| memory.note(failed, self.policy.trip)) {
                    self.open(now);
                }
            }
            // Nothing was let through in it.
            BreakerState::Open { .. } => {}
            BreakerState::HalfOpen { admitted, passed } => match failed {
                None => *admitted -= 1,
                Some(true) => self.open(now),
                Some(false) => {
                    *passed += 1;
                    if *passed >= self.policy.trials {
                        self.enter(BreakerState::Closed(Memory::default()));
                    }
                }
            },
        }
    }

    fn open(&mut self, now: Nanos) {
        let until = now.saturating_add(self.policy.pause);
        self.enter(BreakerState::Open { until });
    }

    fn enter(&mut self, state: BreakerState) {
        self.state = state;
        self.changes = self.changes.wrapping_add(1);
    }
}

/// Whether an operation that ended so says that the target fails; none where it
/// never got that far. A target that answers, if only to refuse, is at work.
const fn failed(terminal: Terminal) -> Option<bool> {
    match terminal {
        Terminal::Succeeded
        | Terminal::Failed(
            FailureKind::Refused | FailureKind::WronglyAllowed | FailureKind::Check,
        ) => Some(false),
        Terminal::Failed(
            FailureKind::ServerError | FailureKind::Connection | FailureKind::Protocol,
        )
        | Terminal::TimedOut
        | Terminal::MissedDeadline => Some(true),
        Terminal::Shed | Terminal::ShedByBreaker => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WELL: Terminal = Terminal::Succeeded;
    const BADLY: Terminal = Terminal::Failed(FailureKind::ServerError);

    fn breaker(text: &str) -> Breaker {
        Breaker::new(text.parse().unwrap())
    }

    const fn s(seconds: u64) -> Nanos {
        Nanos::from_secs(seconds)
    }

    /// An operation that begins and ends at `now`; whether it was let through.
    fn operation(breaker: &mut Breaker, terminal: Terminal, now: Nanos) -> bool {
        let pass = breaker.admit(now);
        if let Some(pass) = pass {
            breaker.ended(pass, terminal, now);
        }
        pass.is_some()
    }

    #[test]
    fn failures_in_a_row_open_it_and_trials_close_it() {
        let mut breaker = breaker("3 failures, pause 10s, trials 2");
        // A success between them begins the row anew; a refusal is an answer.
        let refused = Terminal::Failed(FailureKind::Refused);
        for terminal in [BADLY, BADLY, WELL, BADLY, Terminal::TimedOut, refused] {
            assert!(operation(&mut breaker, terminal, s(1)));
        }
        for _ in 0..3 {
            assert!(operation(&mut breaker, Terminal::MissedDeadline, s(2)));
        }
        assert_eq!(breaker.admit(Nanos(s(12).0 - 1)), None);
        // Two trials at a time, and no more.
        let trials = [breaker.admit(s(12)).unwrap(), breaker.admit(s(12)).unwrap()];
        assert_eq!(breaker.admit(s(13)), None);
        breaker.ended(trials[0], WELL, s(13));
        assert_eq!(breaker.admit(s(13)), None);
        breaker.ended(trials[1], WELL, s(14));
        // Closed: the row begins anew.
        assert!(operation(&mut breaker, BADLY, s(14)) && operation(&mut breaker, BADLY, s(14)));
        assert!(operation(&mut breaker, WELL, s(14)));
    }

    #[test]
    fn a_trial_that_fails_opens_it_for_another_pause() {
        let mut breaker = breaker("1 failure, pause 10s, trials 2");
        assert!(operation(&mut breaker, BADLY, s(0)));
        let trials = [breaker.admit(s(10)).unwrap(), breaker.admit(s(10)).unwrap()];
        breaker.ended(trials[0], BADLY, s(11));
        breaker.ended(trials[1], WELL, s(12)); // says nothing any more
        assert_eq!(breaker.admit(Nanos(s(21).0 - 1)), None);
        assert!(breaker.admit(s(21)).is_some());
    }

    #[test]
    fn what_began_before_a_change_says_nothing_after_it() {
        let mut breaker = breaker("1 failure, pause 10s");
        let early = breaker.admit(s(0)).unwrap();
        assert!(operation(&mut breaker, BADLY, s(1)));
        let trial = breaker.admit(s(11)).unwrap();
        breaker.ended(early, BADLY, s(12));
        breaker.ended(trial, WELL, s(13));
        assert!(breaker.admit(s(13)).is_some());
    }

    #[test]
    fn a_trial_that_never_reached_the_target_is_given_back() {
        let mut breaker = breaker("1 failure, pause 10s");
        assert!(operation(&mut breaker, BADLY, s(0)));
        assert!(operation(&mut breaker, Terminal::Shed, s(10)));
        assert!(operation(&mut breaker, WELL, s(10)));
        assert!(operation(&mut breaker, WELL, s(10)));
    }

    #[test]
    fn a_share_of_the_last_opens_it_once_there_are_as_many() {
        let mut breaker = breaker("50 % of 4, pause 10s");
        for terminal in [BADLY, BADLY, WELL] {
            assert!(operation(&mut breaker, terminal, s(0)));
        }
        // The fourth makes it two of four.
        assert!(operation(&mut breaker, WELL, s(0)));
        assert_eq!(breaker.admit(s(1)), None);
        // Closed again it has forgotten; failures further apart than four do not add up.
        assert!(operation(&mut breaker, WELL, s(10)));
        for terminal in [BADLY, WELL, WELL, WELL, BADLY, WELL, WELL, WELL] {
            assert!(operation(&mut breaker, terminal, s(10)));
        }
        assert!(operation(&mut breaker, BADLY, s(10)) && operation(&mut breaker, WELL, s(10)));
        assert!(operation(&mut breaker, BADLY, s(10)));
        assert_eq!(breaker.admit(s(11)), None);
    }

    #[test]
    fn what_is_no_breaker_is_told_and_texts_are_read_back() {
        for text in [
            "",
            "failures",
            "0 failures",
            "0 % of 10",
            "101 % of 10",
            "50 % of 0",
            "5 failures, pause 0s",
            "5 failures, trials 0",
            "5 failures, patience 5s",
        ] {
            assert!(text.parse::<BreakerPolicy>().is_err(), "{text}");
        }
        for text in [
            "1 failure, pause 5s, trials 1",
            "50 % of 100, pause 1min, trials 3",
        ] {
            let policy: BreakerPolicy = text.parse().unwrap();
            assert_eq!(policy.to_string(), text);
        }
        assert_eq!(
            "1 failure".parse(),
            "1 failures, pause 5s".parse::<BreakerPolicy>()
        );
    }

    proptest! {
        /// Whatever happens, it never stays shut: once everything that was let
        /// through has ended and the pause is over, an operation gets through.
        #[test]
        fn it_never_stays_shut(
            by_share in any::<bool>(),
            trials in 1u32..4,
            steps in prop::collection::vec((0u64..3, 0usize..8, 0usize..4), 0..200),
        ) {
            let text = if by_share { "40 % of 5" } else { "2 failures" };
            let mut breaker = breaker(&format!("{text}, pause 5s, trials {trials}"));
            let terminals = [WELL, BADLY, Terminal::Shed, Terminal::TimedOut];
            let (mut now, mut under_way) = (Nanos::ZERO, Vec::new());
            for (seconds, ended, terminal) in steps {
                now += s(seconds);
                under_way.extend(breaker.admit(now));
                if ended < under_way.len() {
                    breaker.ended(under_way.swap_remove(ended), terminals[terminal], now);
                }
            }
            for pass in under_way {
                breaker.ended(pass, BADLY, now);
            }
            prop_assert!(breaker.admit(now + s(5)).is_some());
        }
    }
}
