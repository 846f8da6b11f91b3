//! Processes that crash again and again, and a supervisor that starts them anew.

use serde::{Deserialize, Serialize};

use super::Attribute;
use super::catalogue::Fault;
use crate::model::Distribution;
use crate::units::Nanos;

/// Crashes of whole instances, again and again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CrashLoop {
    /// From the instant at which a process serves until it crashes.
    pub after: Distribution,
    /// The supervisor's pause after the first crash.
    pub back_off: Nanos,
    /// How many times longer each further pause is.
    pub factor: u64,
    /// The longest pause.
    pub most: Nanos,
    /// Instances that it reaches.
    pub instances: u64,
}

impl Default for CrashLoop {
    fn default() -> Self {
        Self {
            after: Distribution::Exponential {
                mean: Nanos::from_secs(5),
            },
            back_off: Nanos::ZERO,
            factor: 2,
            most: Nanos::from_secs(10),
            instances: 0,
        }
    }
}

/// The largest growth of the pauses; the kubelet has 2.
const FACTOR_MAX: u64 = 100;

impl Fault for CrashLoop {
    const ABOUT: &'static str = "The process of an instance ends some time after it began to serve, \
         and with it what it works on and what waits in it. Its supervisor starts it again, at \
         once or after a back-off, with empty caches. Until it serves, the balancer's requests to \
         it are answered 502.";
    const CAUSE: &'static str = "crash loop";
    const UNDO: &'static str = "No process crashes any more. One that is down starts when its pause \
         is over.";

    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        let after = "How long a process serves until it crashes; each draws its own.";
        let back_off = "The supervisor's pause after the first crash; 0: it starts at once.";
        let factor = "How many times longer each further pause is.";
        let most = "The longest pause. After a process has served for longer, the next is as \
                    the first.";
        vec![
            Attribute::durations("after", &mut self.after, after),
            Attribute::time("back_off", &mut self.back_off, back_off),
            Attribute::count("factor", &mut self.factor, factor),
            Attribute::time("most", &mut self.most, most),
            Attribute::instances(&mut self.instances),
        ]
    }

    fn mistake(&self) -> Option<(&'static str, String)> {
        // Each crash is a process that starts.
        if self.after.mean() < Nanos::from_millis(10) {
            let sentence = format!("{} is less than 10 ms in the mean", self.after);
            return Some(("after", sentence));
        }
        if !(1..=FACTOR_MAX).contains(&self.factor) {
            let sentence = format!("{} is not from 1 to {FACTOR_MAX}", self.factor);
            return Some(("factor", sentence));
        }
        (self.most < self.back_off).then(|| {
            let sentence = format!(
                "{} is less than the first pause, {}",
                self.most, self.back_off
            );
            ("most", sentence)
        })
    }

    fn instances(&self) -> u64 {
        self.instances
    }
}

impl CrashLoop {
    /// The supervisor's pause after a crash, of a process that had served for so long;
    /// `crashes` counts those in a row, and is one more then.
    pub(crate) fn pause(&self, crashes: &mut u32, served: Nanos) -> Nanos {
        if served > self.most {
            *crashes = 0;
        }
        let grown = self.factor.saturating_pow(*crashes);
        *crashes = crashes.saturating_add(1);
        Nanos(self.back_off.0.saturating_mul(grown)).min(self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_begin_anew_after_a_long_life() {
        let second = Nanos::from_secs(1);
        let crashes = CrashLoop {
            back_off: second,
            most: second * 5,
            ..CrashLoop::default()
        };
        let mut row = 0;
        let pauses = [1, 1, 1, 5, 6, 1].map(|served| crashes.pause(&mut row, second * served).0);
        assert_eq!(
            pauses,
            [1, 2, 4, 5, 1, 2].map(|seconds| (second * seconds).0)
        );
        let mut row = 0;
        let at_once = CrashLoop::default();
        assert_eq!(at_once.pause(&mut row, second), Nanos::ZERO);
        assert_eq!(at_once.pause(&mut row, second), Nanos::ZERO);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (fault, attribute) in [
            (
                CrashLoop {
                    after: Distribution::Constant(Nanos::from_millis(9)),
                    ..CrashLoop::default()
                },
                "after",
            ),
            (
                CrashLoop {
                    factor: 0,
                    ..CrashLoop::default()
                },
                "factor",
            ),
            (
                CrashLoop {
                    back_off: Nanos::from_secs(11),
                    ..CrashLoop::default()
                },
                "most",
            ),
        ] {
            assert_eq!(fault.mistake().map(|it| it.0), Some(attribute), "{fault:?}");
        }
    }
}
