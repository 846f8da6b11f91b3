//! Which timeline entries are due: a pure machine that is told the time.

use super::{Entry, Trigger, When};
use crate::units::Nanos;

/// The plan's entries and when each is due.
#[derive(Debug)]
pub(crate) struct Timeline {
    entries: Vec<Entry>,
    /// When each entry is due; none while its event has not come. Emptied
    /// once it was given out.
    due: Vec<Due>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    At(Nanos),
    Waiting,
    Done,
}

impl Timeline {
    /// Every entry is to come.
    pub(crate) fn new(entries: &[Entry]) -> Self {
        Self {
            due: entries
                .iter()
                .map(|entry| match entry.when {
                    When::At(at) => Due::At(at),
                    When::After { .. } => Due::Waiting,
                })
                .collect(),
            entries: entries.to_vec(),
        }
    }

    /// An event happened: entries that wait for it are due after their delay.
    pub(crate) fn on(&mut self, now: Nanos, happened: &Trigger) {
        for (entry, due) in self.entries.iter().zip(&mut self.due) {
            if let (When::After { event, delay }, Due::Waiting) = (&entry.when, *due)
                && event == happened
            {
                *due = Due::At(now.saturating_add(*delay));
            }
        }
    }

    /// The instant at which the next entry is due.
    pub(crate) fn next_deadline(&self) -> Option<Nanos> {
        self.due
            .iter()
            .filter_map(|due| match due {
                Due::At(at) => Some(*at),
                _ => None,
            })
            .min()
    }

    /// Takes the entry that is due longest at `now`, the earlier in the plan
    /// first where two are due together: its place in the plan.
    pub(crate) fn take(&mut self, now: Nanos) -> Option<usize> {
        let (place, _) = self
            .due
            .iter()
            .enumerate()
            .filter_map(|(place, due)| match due {
                Due::At(at) if *at <= now => Some((place, *at)),
                _ => None,
            })
            .min_by_key(|(place, at)| (*at, *place))?;
        self.due[place] = Due::Done;
        Some(place)
    }

    /// The places of entries whose event never came.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = usize> + '_ {
        self.due
            .iter()
            .enumerate()
            .filter(|(_, due)| **due == Due::Waiting)
            .map(|(place, _)| place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Action, ServiceAction};

    fn entry(when: When) -> Entry {
        Entry {
            when,
            action: Action::Service(ServiceAction::Rollback),
            phase: "rollback".into(),
        }
    }

    #[test]
    fn entries_come_at_their_time_or_after_their_event_once() {
        let after = |event, seconds| When::After {
            event,
            delay: Nanos::from_secs(seconds),
        };
        let mut timeline = Timeline::new(&[
            entry(When::At(Nanos::from_secs(2))),
            entry(When::At(Nanos::from_secs(2))),
            entry(after(Trigger::RollbackRejected, 1)),
            entry(after(Trigger::Alert("never".into()), 1)),
        ]);
        assert_eq!(timeline.take(Nanos::from_secs(1)), None);
        assert_eq!(timeline.next_deadline(), Some(Nanos::from_secs(2)));
        assert_eq!(timeline.take(Nanos::from_secs(2)), Some(0));
        assert_eq!(timeline.take(Nanos::from_secs(2)), Some(1));
        timeline.on(Nanos::from_secs(3), &Trigger::RollbackRejected);
        timeline.on(Nanos::from_secs(9), &Trigger::RollbackRejected);
        assert_eq!(timeline.next_deadline(), Some(Nanos::from_secs(4)));
        assert_eq!(timeline.take(Nanos::from_secs(4)), Some(2));
        assert_eq!(timeline.take(Nanos::MAX), None);
        assert_eq!(timeline.waiting().collect::<Vec<_>>(), [3]);
    }
}
