//! How many instances there are: an autoscaler that watches how busy workers are.
//!
//! It knows what a gauge says at the edges of intervals, and nothing else: neither why
//! workers are busy nor whether one more instance would help. It adds or removes one
//! instance at a time, after the gauge has said so for a while, and decides nothing while
//! an instance starts or leaves. Each decision has its reason.

use serde::{Deserialize, Serialize};

use crate::units::{Nanos, Ratio};

/// The autoscaler's parameters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AutoscalerSpec {
    /// Instances at least.
    pub least: u32,
    /// Instances at most.
    pub most: u32,
    /// The share of busy workers above which an instance is added.
    pub add_above: Ratio,
    /// The share of busy workers below which one is removed.
    pub remove_below: Ratio,
    /// For how long that must have held, before it decides.
    pub delay: Nanos,
}

/// A change of the number of instances, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScalingDecision {
    /// Instances before it.
    pub from: u32,
    /// Instances after it.
    pub to: u32,
    /// Why, as a clause.
    pub reason: String,
}

/// What there is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ScalingStep {
    /// An instance starts at this place.
    Starts(usize, ScalingDecision),
    /// The one that starts has had its time: it serves from now on.
    Joins(usize),
    /// The instance at this place gets no requests any more.
    Leaves(usize, ScalingDecision),
    /// The one that left has had an interval to finish, and ends.
    Ends(usize),
}

/// What goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Watches,
    Starts { ready: Nanos },
    Leaves,
}

/// The autoscaler of a fleet.
#[derive(Debug, Clone)]
pub(crate) struct Autoscaler {
    spec: AutoscalerSpec,
    boot: Nanos,
    /// Instances that serve: those at the first places.
    instances: u32,
    doing: Doing,
    /// Up to where it has looked.
    looked_to: Nanos,
    /// Since when the gauge has said that there are too few, or too many.
    few: Option<Nanos>,
    many: Option<Nanos>,
}

impl Autoscaler {
    /// One of a fleet of so many instances, which take so long to boot.
    pub(crate) const fn new(spec: AutoscalerSpec, instances: u32, boot: Nanos) -> Self {
        Self {
            spec,
            boot,
            instances,
            doing: Doing::Watches,
            looked_to: Nanos::ZERO,
            few: None,
            many: None,
        }
    }

    /// Whether an instance starts or leaves.
    pub(crate) fn is_scaling(&self) -> bool {
        self.doing != Doing::Watches
    }

    /// What there is to be done at the edge of an interval from `from` to `now`, in which
    /// this share of the workers was busy; none where no gauge could be read. Between two
    /// looks that leave a time out, as while instances restart, nothing has held.
    pub(crate) fn step(
        &mut self,
        from: Nanos,
        now: Nanos,
        busy: Option<f64>,
    ) -> Option<ScalingStep> {
        let last = self.instances as usize;
        if from > std::mem::replace(&mut self.looked_to, now) {
            (self.few, self.many) = (None, None);
        }
        match self.doing {
            Doing::Starts { ready } if now >= ready => {
                self.doing = Doing::Watches;
                return Some(ScalingStep::Joins(last));
            }
            Doing::Starts { .. } => return None,
            Doing::Leaves => {
                self.doing = Doing::Watches;
                return Some(ScalingStep::Ends(last));
            }
            Doing::Watches => {}
        }
        let held = |since: &mut Option<Nanos>, holds: bool| {
            *since = holds.then(|| since.unwrap_or(from));
            since.map(|since| now.saturating_sub(since))
        };
        let spec = self.spec;
        let above = busy.is_some_and(|busy| busy > spec.add_above.get());
        let below = busy.is_some_and(|busy| busy < spec.remove_below.get());
        let few = held(&mut self.few, above).filter(|held| *held >= spec.delay);
        let many = held(&mut self.many, below).filter(|held| *held >= spec.delay);
        let busy = busy.unwrap_or_default();
        if let Some(held) = few.filter(|_| self.instances < spec.most) {
            let bound = format!("above {}", spec.add_above);
            self.doing = Doing::Starts {
                ready: now.saturating_add(self.boot),
            };
            let decision = self.decided(self.instances + 1, busy, &bound, held);
            return Some(ScalingStep::Starts(last, decision));
        }
        let held = many.filter(|_| self.instances > spec.least)?;
        let bound = format!("below {}", spec.remove_below);
        self.doing = Doing::Leaves;
        let decision = self.decided(self.instances - 1, busy, &bound, held);
        self.instances -= 1;
        Some(ScalingStep::Leaves(last - 1, decision))
    }

    /// The gauge must say so anew before the next decision.
    fn decided(&mut self, to: u32, busy: f64, bound: &str, held: Nanos) -> ScalingDecision {
        (self.few, self.many) = (None, None);
        ScalingDecision {
            from: self.instances,
            to,
            reason: format!(
                "{:.0} % of the workers were busy, and it was {bound} for {held}",
                busy * 100.0
            ),
        }
    }

    /// The instance that started serves.
    pub(crate) const fn joined(&mut self) {
        self.instances += 1;
    }

    /// The instance that was to leave goes on serving.
    pub(crate) const fn stays(&mut self) {
        self.instances += 1;
        self.doing = Doing::Watches;
    }

    /// The instance that was to start does not.
    pub(crate) const fn failed(&mut self) {
        self.doing = Doing::Watches;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Nanos {
        Nanos::from_secs(seconds)
    }

    fn autoscaler() -> Autoscaler {
        let spec = AutoscalerSpec {
            least: 2,
            most: 3,
            add_above: Ratio::new(0.8).unwrap(),
            remove_below: Ratio::new(0.3).unwrap(),
            delay: s(3),
        };
        Autoscaler::new(spec, 2, s(2))
    }

    /// What it does at the edges of seconds, with these shares in them.
    fn steps(
        scaler: &mut Autoscaler,
        first: u64,
        shares: &[Option<f64>],
    ) -> Vec<(u64, ScalingStep)> {
        let mut done = Vec::new();
        for (second, busy) in (first..).zip(shares) {
            if let Some(step) = scaler.step(s(second), s(second + 1), *busy) {
                if matches!(step, ScalingStep::Joins(_)) {
                    scaler.joined();
                }
                done.push((second + 1, step));
            }
        }
        done
    }

    #[test]
    fn it_adds_after_its_delay_and_removes_after_its_delay() {
        let mut scaler = autoscaler();
        let added = ScalingDecision {
            from: 2,
            to: 3,
            reason: "90 % of the workers were busy, and it was above 80 % for 3s".into(),
        };
        let removed = ScalingDecision {
            from: 3,
            to: 2,
            reason: "10 % of the workers were busy, and it was below 30 % for 3s".into(),
        };
        // Booting takes two seconds, and at most there are three.
        let busy = [Some(0.9); 12];
        let expected = [
            (3, ScalingStep::Starts(2, added)),
            (5, ScalingStep::Joins(2)),
        ];
        assert_eq!(steps(&mut scaler, 0, &busy), expected);
        // One that leaves has an interval to finish, and at least there are two.
        let idle = [Some(0.1); 12];
        let expected = [
            (15, ScalingStep::Leaves(2, removed)),
            (16, ScalingStep::Ends(2)),
        ];
        assert_eq!(steps(&mut scaler, 12, &idle), expected);
    }

    #[test]
    fn what_does_not_last_or_cannot_be_read_moves_nothing() {
        let mut scaler = autoscaler();
        let broken = [0.9, 0.9, 0.8, 0.9, 0.9, 0.5, 0.3, 0.3].map(Some);
        assert_eq!(steps(&mut scaler, 0, &broken), []);
        let unread = [Some(0.9), Some(0.9), None, Some(0.9), Some(0.9)];
        assert_eq!(steps(&mut scaler, 8, &unread), []);
    }

    #[test]
    fn what_it_did_not_look_at_has_not_held() {
        let mut scaler = autoscaler();
        assert_eq!(steps(&mut scaler, 0, &[Some(0.9); 2]), []);
        // Instances restarted for ten seconds, and it did not look.
        assert_eq!(steps(&mut scaler, 12, &[Some(0.9); 2]), []);
        let added = steps(&mut scaler, 14, &[Some(0.9)]);
        let [(15, ScalingStep::Starts(2, decision))] = &added[..] else {
            panic!("{added:?}");
        };
        assert!(decision.reason.ends_with("for 3s"), "{}", decision.reason);
    }

    #[test]
    fn one_that_could_not_start_is_tried_again() {
        let mut scaler = autoscaler();
        assert_eq!(steps(&mut scaler, 0, &[Some(0.9); 3]).len(), 1);
        assert!(scaler.is_scaling());
        scaler.failed();
        assert!(!scaler.is_scaling());
        assert_eq!(steps(&mut scaler, 3, &[Some(0.9); 3]).len(), 1);
    }

    #[test]
    fn one_that_could_not_leave_is_counted_and_asked_again() {
        let mut scaler = autoscaler();
        // Two, and a third that joins after its boot.
        assert_eq!(steps(&mut scaler, 0, &[Some(0.9); 5]).len(), 2);
        let left = steps(&mut scaler, 5, &[Some(0.1); 3]);
        assert!(matches!(left[..], [(8, ScalingStep::Leaves(2, _))]));
        scaler.stays();
        assert!(!scaler.is_scaling());
        let again = steps(&mut scaler, 8, &[Some(0.1); 4]);
        assert_eq!(again[0], (11, left[0].1.clone()));
        assert_eq!(again[1], (12, ScalingStep::Ends(2)));
    }
}
