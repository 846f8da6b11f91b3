//! A restart, group by group: which instances leave together, and the result.
//! Instances that are lost, and a cold start, are restarts too: what differs is who
//! leaves first.

use std::ops::Range;

use crate::model::{Outcome, restarted};
use crate::units::Nanos;

/// Why a restart was cut short.
const ENDED: &str = "the fleet was ended";
/// Why a restart is not begun.
const UNDER_WAY: &str = "another restart is in progress";
/// The same, where the number of instances changes.
const SCALING: &str = "the autoscaler is starting or ending an instance";

/// A restart: all instances at once, or one after the other, each in service again
/// for a pause before the next leaves it.
#[derive(Debug)]
pub(crate) struct RestartOrder {
    kind: RestartKind,
    pause: Option<Nanos>,
    /// Instances that it reaches, from the first on.
    all: usize,
    group: Range<usize>,
}

/// Why instances leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RestartKind {
    Restart,
    /// They were lost, of so many.
    Loss(usize),
    /// All leave before the first comes back.
    ColdStart,
}

impl RestartOrder {
    pub(super) fn new(pause: Option<Nanos>, all: usize) -> Self {
        let group = 0..pause.map_or(all, |_| all.min(1));
        Self {
            kind: RestartKind::Restart,
            pause,
            all,
            group,
        }
    }

    /// So many of all instances are lost, and new ones come in their places.
    pub(super) fn loss(lost: usize, all: usize) -> Self {
        Self {
            kind: RestartKind::Loss(all),
            ..Self::new(None, lost)
        }
    }

    /// All instances stop, and start one after the other.
    pub(super) fn cold_start(pause: Nanos, all: usize) -> Self {
        Self {
            kind: RestartKind::ColdStart,
            ..Self::new(Some(pause), all)
        }
    }

    /// The instances that stop before anything else is done; empty where each group
    /// stops when it is its turn.
    pub(crate) fn stops_first(&self) -> Range<usize> {
        match self.kind {
            RestartKind::ColdStart => 0..self.all,
            RestartKind::Restart | RestartKind::Loss(_) => 0..0,
        }
    }

    /// Whether a group still runs when it is its turn.
    pub(crate) fn stops_groups(&self) -> bool {
        self.kind != RestartKind::ColdStart
    }

    /// What comes of one that is ordered while another is under way.
    pub(crate) fn refused() -> Outcome {
        Err(UNDER_WAY).into()
    }

    /// What comes of one that is ordered while an instance starts or leaves.
    pub(crate) fn refused_while_scaling() -> Outcome {
        Err(SCALING).into()
    }

    /// The instances that leave the rotation together, are stopped and start again.
    pub(crate) fn group(&self) -> Range<usize> {
        self.group.clone()
    }

    /// The group serves again: the pause before the next one, which is the group
    /// from now on; none after the last.
    pub(crate) fn next_group(&mut self) -> Option<Nanos> {
        let end = self.group.end;
        let pause = self.pause.filter(|_| end < self.all)?;
        self.group = end..end + 1;
        Some(pause)
    }

    /// The result, where every instance serves again but for these failures.
    pub(crate) fn ended(self, failures: &[String]) -> Outcome {
        let done = match failures {
            [] => Ok(self.done()),
            failures => Err(failures.join("; ")),
        };
        done.into()
    }

    fn done(&self) -> String {
        match (self.kind, self.pause) {
            (RestartKind::Loss(all), _) => {
                format!("{} of {all} instances lost, and replaced", self.all)
            }
            (RestartKind::ColdStart, Some(pause)) => {
                let all = self.all;
                format!("{all} instances stopped, and started one after the other, {pause} apart")
            }
            (_, pause) => restarted(pause, self.all),
        }
    }

    /// The result, where the fleet was ended meanwhile.
    pub(crate) fn cut_short(self, mut failures: Vec<String>) -> Outcome {
        failures.push(ENDED.to_owned());
        self.ended(&failures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_goes_group_by_group() {
        let second = Nanos::from_secs(1);
        let mut at_once = RestartOrder::new(None, 3);
        assert_eq!((at_once.group(), at_once.next_group()), (0..3, None));
        let mut gradual = RestartOrder::new(Some(second), 3);
        let groups = [
            (gradual.group(), gradual.next_group()),
            (gradual.group(), gradual.next_group()),
            (gradual.group(), gradual.next_group()),
        ];
        let expected = [(0..1, Some(second)), (1..2, Some(second)), (2..3, None)];
        assert_eq!(groups, expected);
        let failed = |reason: &str| Outcome::Failed {
            reason: reason.into(),
        };
        let cut = gradual.cut_short(vec!["instance-2: gone".into()]);
        assert_eq!(cut, failed("instance-2: gone; the fleet was ended"));
        assert_eq!(at_once.cut_short(Vec::new()), failed("the fleet was ended"));
    }

    #[test]
    fn who_leaves_first_is_what_differs() {
        let applied = |detail: &str| Outcome::Applied {
            detail: detail.into(),
        };
        let second = Nanos::from_secs(1);
        let mut lost = RestartOrder::loss(1, 3);
        assert_eq!((lost.stops_first(), lost.stops_groups()), (0..0, true));
        assert_eq!((lost.group(), lost.next_group()), (0..1, None));
        let said = "1 of 3 instances lost, and replaced";
        assert_eq!(lost.ended(&[]), applied(said));
        let mut cold = RestartOrder::cold_start(second, 2);
        assert_eq!((cold.stops_first(), cold.stops_groups()), (0..2, false));
        let groups = (cold.group(), cold.next_group(), cold.group());
        assert_eq!(groups, (0..1, Some(second), 1..2));
        assert_eq!(cold.next_group(), None);
        let said = "2 instances stopped, and started one after the other, 1s apart";
        assert_eq!(cold.ended(&[]), applied(said));
    }
}
