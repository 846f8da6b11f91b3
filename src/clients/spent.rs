//! Whose each nanosecond of an operation was (docs/TERMS.md, "Whose time it was").
//!
//! Between its intended start and its end an operation does one thing at a time, and each
//! has one who answers for it. So the parts add up to the whole, to the nanosecond.

use crate::units::Nanos;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// It could go on, and nobody has seen to it yet: the generator's time.
    Due,
    /// It waits for a connection: the time of the clients' limit, except for the time in
    /// which a connection lay unused because the generator had not seen that it was free.
    /// `unused_before`: how long that had been in all when the wait began.
    AwaitsConnection { unused_before: Nanos },
    /// An attempt is under way: the target's time.
    InFlight,
    /// It pauses until then: before a retry, or as a user who thinks before the next step.
    Pauses { until: Nanos, thinks: bool },
}

/// The parts of a time, by who answers for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Times {
    /// The target, with its network and accept queue.
    pub(super) target: Nanos,
    /// The clients' limit of connections.
    pub(super) connection_wait: Nanos,
    /// The clients' pauses before retries.
    pub(super) pauses: Nanos,
    /// The user who thinks between steps: no part of a response time.
    pub(super) thinking: Nanos,
    /// The generator and its machine.
    pub(super) generator: Nanos,
}

/// The time of one operation so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spent {
    doing: Doing,
    /// Up to where it is accounted for.
    to: Nanos,
    pub(super) times: Times,
    /// Connection wait of its latest wait.
    pub(super) waited: Nanos,
}

impl Spent {
    /// That of an operation which was due at `intended`.
    pub(super) fn new(intended: Nanos) -> Self {
        Self {
            doing: Doing::Due,
            to: intended,
            times: Times::default(),
            waited: Nanos::ZERO,
        }
    }

    /// Up to where it is accounted for: its end, once it has ended.
    pub(super) const fn to(&self) -> Nanos {
        self.to
    }

    /// From `now` on it does this; `unused`: how long connections have lain unused in
    /// all, while operations waited for one. An instant that is accounted for already
    /// changes nothing but what it does.
    pub(super) fn turn(&mut self, now: Nanos, unused: Nanos, doing: Doing) {
        self.pass(now, unused);
        self.doing = doing;
        if matches!(doing, Doing::AwaitsConnection { .. }) {
            self.waited = Nanos::ZERO;
        }
    }

    /// Of the time of an attempt so much was the generator's: it could go on, and nobody
    /// had seen that.
    pub(super) fn held_up(&mut self, held: Nanos) {
        let own = held.min(self.times.target);
        self.times.target = self.times.target - own;
        self.times.generator += own;
    }

    fn pass(&mut self, now: Nanos, unused: Nanos) {
        let passed = now.saturating_sub(self.to);
        self.to = self.to.max(now);
        let times = &mut self.times;
        match &mut self.doing {
            Doing::Due => times.generator += passed,
            Doing::InFlight => times.target += passed,
            Doing::AwaitsConnection { unused_before } => {
                let own = unused.saturating_sub(*unused_before).min(passed);
                *unused_before = unused;
                times.generator += own;
                times.connection_wait += passed - own;
                self.waited += passed - own;
            }
            Doing::Pauses { until, thinks } => {
                let late = now.saturating_sub(*until).min(passed);
                let part = if *thinks {
                    &mut times.thinking
                } else {
                    &mut times.pauses
                };
                *part += passed - late;
                times.generator += late;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(value: u64) -> Nanos {
        Nanos::from_millis(value)
    }

    #[test]
    fn each_state_has_its_owner_and_the_parts_are_the_whole() {
        let mut spent = Spent::new(ms(10));
        spent.turn(
            ms(12),
            ms(0),
            Doing::AwaitsConnection {
                unused_before: ms(0),
            },
        );
        spent.turn(ms(20), ms(3), Doing::Due); // of 8 ms a connection lay unused for 3
        spent.turn(ms(21), ms(3), Doing::InFlight);
        let pause = Doing::Pauses {
            until: ms(60),
            thinks: false,
        };
        spent.turn(ms(50), ms(3), pause);
        spent.turn(ms(64), ms(3), Doing::InFlight); // 4 ms late
        let think = Doing::Pauses {
            until: ms(80),
            thinks: true,
        };
        spent.turn(ms(70), ms(3), think);
        spent.turn(ms(75), ms(3), Doing::Due); // ended in the pause
        spent.turn(ms(74), ms(3), Doing::Due); // accounted for already
        assert_eq!(spent.to(), ms(75));
        assert_eq!(spent.waited, ms(5));
        let expected = Times {
            target: ms(29 + 6),
            connection_wait: ms(5),
            pauses: ms(10),
            thinking: ms(5),
            generator: ms(2 + 3 + 1 + 4),
        };
        assert_eq!(spent.times, expected);
    }

    #[test]
    fn an_attempt_that_was_held_up_is_the_generators_for_as_long() {
        let mut spent = Spent::new(ms(0));
        spent.turn(ms(0), ms(0), Doing::InFlight);
        spent.turn(ms(30), ms(0), Doing::Due);
        spent.held_up(ms(20));
        assert_eq!(
            (spent.times.target, spent.times.generator),
            (ms(10), ms(20))
        );
        // No more than there was.
        spent.held_up(ms(20));
        assert_eq!((spent.times.target, spent.times.generator), (ms(0), ms(30)));
    }

    #[test]
    fn no_more_of_a_wait_is_the_generators_than_there_was() {
        let mut spent = Spent::new(ms(0));
        spent.turn(
            ms(0),
            ms(5),
            Doing::AwaitsConnection {
                unused_before: ms(5),
            },
        );
        spent.turn(ms(2), ms(9), Doing::Due);
        assert_eq!((spent.times.generator, spent.waited), (ms(2), ms(0)));
    }
}
