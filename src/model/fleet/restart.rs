//! A restart, group by group: which instances leave together, and what came of it.

use std::ops::Range;

use crate::model::{Outcome, restarted};
use crate::units::Nanos;

/// Why a restart was cut short.
const ENDED: &str = "the fleet was ended";
/// Why a restart is not begun.
const UNDER_WAY: &str = "another restart is in progress";

/// A restart: all instances at once, or one after the other, each in service again
/// for a pause before the next leaves it.
#[derive(Debug)]
pub(crate) struct RestartOrder {
    pause: Option<Nanos>,
    all: usize,
    group: Range<usize>,
}

impl RestartOrder {
    pub(super) fn new(pause: Option<Nanos>, all: usize) -> Self {
        let group = 0..pause.map_or(all, |_| all.min(1));
        Self { pause, all, group }
    }

    /// What comes of one that is ordered while another is under way.
    pub(crate) fn refused() -> Outcome {
        Err(UNDER_WAY).into()
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

    /// What came of it, where every instance serves again but for these failures.
    pub(crate) fn ended(self, failures: &[String]) -> Outcome {
        let done = match failures {
            [] => Ok(restarted(self.pause, self.all)),
            failures => Err(failures.join("; ")),
        };
        done.into()
    }

    /// What came of it, where the fleet was ended meanwhile.
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
}
