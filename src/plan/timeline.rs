//! Which timeline entries are due: a pure machine that is told the time.

use std::collections::HashSet;

use super::{Entry, Plan, Trigger, When};
use crate::units::Nanos;

/// The plan's entries, those that people have added, and when each is due.
#[derive(Debug)]
pub(crate) struct Timeline {
    entries: Vec<Entry>,
    /// How many of them the plan has.
    planned: usize,
    /// Since when nothing is due, because somebody holds the timeline.
    held: Option<Nanos>,
    /// For how long it was held before.
    held_before: Nanos,
    /// When each entry is due; none while its event has not come. Emptied
    /// once it was given out.
    due: Vec<Due>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    At(Nanos),
    Waiting,
    Offered,
    Done,
}

impl Timeline {
    /// Every entry of the plan is to come, by itself or when people say so.
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            due: plan
                .timeline
                .iter()
                .map(|entry| match entry.when {
                    _ if plan.manual => Due::Offered,
                    When::At(at) => Due::At(at),
                    When::After { .. } => Due::Waiting,
                    When::Offered => Due::Offered,
                })
                .collect(),
            entries: plan.timeline.clone(),
            planned: plan.timeline.len(),
            held: None,
            held_before: Nanos::ZERO,
        }
    }

    /// The entries of the plan, and those that people have added.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// From now on nothing is due; false where that was so before.
    pub(crate) fn hold(&mut self, now: Nanos) -> bool {
        let free = self.held.is_none();
        self.held.get_or_insert(now);
        free
    }

    /// It goes on where it was held: everything comes as much later. For how long it was
    /// held; none where it was not.
    pub(crate) fn go_on(&mut self, now: Nanos) -> Option<Nanos> {
        let lasted = now.saturating_sub(self.held.take()?);
        self.held_before = self.held_before.saturating_add(lasted);
        for due in &mut self.due {
            if let Due::At(at) = due {
                *at = at.saturating_add(lasted);
            }
        }
        Some(lasted)
    }

    /// Somebody does what the entry at this place of the plan does: an entry of this kind that
    /// has not been carried out yet, which then does not come by itself, or else one more.
    /// The place of what is carried out; none where the plan has no such entry.
    pub(crate) fn order(&mut self, plan: &Plan, now: Nanos, offer: usize) -> Option<usize> {
        if let Some(place) = plan.entry_for(offer, |place| self.due[place] == Due::Done) {
            self.due[place] = Due::Done;
            return Some(place);
        }
        let again = plan.timeline.get(offer)?;
        Some(self.add(Entry {
            when: When::At(now),
            phase: self.numbered(&again.phase),
            ..again.clone()
        }))
    }

    /// An entry that the plan does not have, which is carried out now: its place.
    pub(crate) fn add(&mut self, entry: Entry) -> usize {
        self.entries.push(entry);
        self.due.push(Due::Done);
        self.entries.len() - 1
    }

    /// A phase's name that no entry has.
    pub(crate) fn numbered(&self, name: &str) -> String {
        let all: HashSet<&str> = self.entries.iter().map(|it| it.phase.as_str()).collect();
        if !all.contains(name) {
            return name.to_owned();
        }
        // As many numbers as entries: one of them is free.
        let mut numbers = (2..all.len() + 3).map(|number| format!("{name} {number}"));
        numbers
            .find(|it| !all.contains(it.as_str()))
            .unwrap_or_default()
    }

    /// An event happened: entries that wait for it are due after their delay.
    pub(crate) fn on(&mut self, now: Nanos, happened: &Trigger) {
        // Held, its clock stands still.
        let now = self.held.unwrap_or(now);
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
        let free = self.held.is_none().then_some(&self.due);
        free?
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
        if self.held.is_some() {
            return None;
        }
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

    /// Whether somebody holds it.
    pub(crate) const fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Whether it was ever held, and so comes later than planned.
    pub(crate) const fn was_held(&self) -> bool {
        self.held.is_some() || self.held_before.0 > 0
    }

    /// How many entries are due at or after an instant.
    pub(crate) fn after(&self, end: Nanos) -> usize {
        let late = |due: &&Due| matches!(due, Due::At(at) if *at >= end);
        self.due.iter().filter(late).count()
    }

    /// The places of entries whose event never came.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = usize> + '_ {
        let planned = self.due.iter().take(self.planned).enumerate();
        planned
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
            inject: None,
        }
    }

    fn plan(timeline: Vec<Entry>) -> Plan {
        Plan {
            timeline,
            ..Plan::default()
        }
    }

    #[test]
    fn a_timeline_that_is_held_goes_on_where_it_stood() {
        let alert = || Trigger::Alert("slow".into());
        let after = When::After {
            event: alert(),
            delay: Nanos::from_secs(2),
        };
        let at = |seconds| When::At(Nanos::from_secs(seconds));
        let plan = plan(vec![entry(at(5)), entry(at(20)), entry(after)]);
        let mut timeline = Timeline::new(&plan);
        assert!(timeline.hold(Nanos::from_secs(4)));
        assert!(!timeline.hold(Nanos::from_secs(6)), "held already");
        assert_eq!(timeline.take(Nanos::from_secs(30)), None);
        assert_eq!(timeline.next_deadline(), None);
        timeline.on(Nanos::from_secs(30), &alert());
        assert_eq!(
            timeline.go_on(Nanos::from_secs(34)),
            Some(Nanos::from_secs(30))
        );
        assert_eq!(timeline.go_on(Nanos::from_secs(34)), None, "free already");
        assert_eq!(timeline.next_deadline(), Some(Nanos::from_secs(35)));
        let order: Vec<_> = [35, 36, 50]
            .map(|at| timeline.take(Nanos::from_secs(at)))
            .into();
        assert_eq!(order, [Some(0), Some(2), Some(1)]);
    }

    #[test]
    fn what_people_do_does_not_come_by_itself_again() {
        let at = |seconds| When::At(Nanos::from_secs(seconds));
        let plan = plan(vec![entry(at(5)), entry(at(9)), entry(When::Offered)]);
        let mut timeline = Timeline::new(&plan);
        let now = Nanos::from_secs(7);
        assert_eq!(timeline.take(now), Some(0));
        // The next of its kind, then the one that is only offered, then one more.
        assert_eq!(timeline.order(&plan, now, 0), Some(1));
        assert_eq!(timeline.order(&plan, now, 0), Some(2));
        assert_eq!(timeline.order(&plan, now, 0), Some(3));
        assert_eq!(timeline.entries()[3].phase, "rollback 2");
        assert_eq!(timeline.order(&plan, now, 9), None, "no such offer");
        assert_eq!(timeline.take(Nanos::MAX), None);
        let by_hand = plan.by_hand();
        assert_eq!(Timeline::new(&by_hand).take(Nanos::MAX), None);
    }

    #[test]
    fn entries_come_at_their_time_or_after_their_event_once() {
        let after = |event, seconds| When::After {
            event,
            delay: Nanos::from_secs(seconds),
        };
        let entries = vec![
            entry(When::At(Nanos::from_secs(2))),
            entry(When::At(Nanos::from_secs(2))),
            entry(after(Trigger::RollbackRejected, 1)),
            entry(after(Trigger::Alert("never".into()), 1)),
        ];
        let mut timeline = Timeline::new(&plan(entries));
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
