//! Names of the phases that a timeline cuts a run into.

use std::collections::{HashMap, HashSet};

use crate::model::{Action, Surge, When};

/// The phase before the first entry and the first surge.
pub(crate) const BASELINE: &str = "baseline";

/// The phase that begins with each entry, in the timeline's order; an entry here
/// is its time, its action and the name that the scenario gives its phase.
///
/// Entries at the same instant begin one phase: it has the last name that one
/// of them gives it, or else that of what the last of them does. A name that
/// was not given and is taken gets a number. What is only offered has a phase of its own.
pub(crate) fn phase_names(timeline: &[(&When, &Action, Option<&str>)]) -> Vec<String> {
    // Of the entries of each instant, the last name that is given, and the last action.
    let mut together: HashMap<&When, (Option<&str>, &Action)> = HashMap::new();
    let mut taken = Names::default();
    for &(when, action, given) in timeline {
        let (name, last) = together.entry(when).or_insert((None, action));
        *name = given.or(*name);
        *last = action;
        taken.names.extend(given.map(str::to_owned));
    }
    let mut phases: HashMap<&When, String> = HashMap::new();
    let names = timeline.iter().map(|&(when, action, given)| {
        if *when == When::Offered {
            return given.map_or_else(|| taken.numbered(&action.phase()), str::to_owned);
        }
        let phase = phases.entry(when).or_insert_with(|| match together[when] {
            (Some(given), _) => given.to_owned(),
            (None, last) => taken.numbered(&last.phase()),
        });
        phase.clone()
    });
    names.collect()
}

/// The phases that begin where a surge does and where it is over, in the order
/// of time; a name that an entry's phase has already gets a number.
pub(crate) fn surge_phases(surges: &[Surge], taken: &[&str]) -> Vec<String> {
    let mut own = Names::default();
    own.names
        .extend(taken.iter().map(|name| (*name).to_owned()));
    let mut names = Vec::new();
    for surge in surges {
        let both = ["surge", "surge over"].into_iter();
        let both = both.take(1 + usize::from(surge.to.is_some()));
        names.extend(both.map(|name| own.numbered(name)));
    }
    names
}

/// Names that are taken; of each, the last number that was tried.
struct Names {
    names: HashSet<String>,
    numbers: HashMap<String, u64>,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            names: HashSet::from([BASELINE.to_owned()]),
            numbers: HashMap::new(),
        }
    }
}

impl Names {
    /// Takes the name, with a number where it is taken.
    fn numbered(&mut self, name: &str) -> String {
        let mut candidate = name.to_owned();
        let number = self.numbers.entry(name.to_owned()).or_insert(1);
        while !self.names.insert(candidate.clone()) {
            *number += 1;
            candidate = format!("{name} {number}");
        }
        candidate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClientsAction, FleetAction, ServiceAction, SlowPart};
    use crate::units::Nanos;

    #[test]
    fn surges_have_phases_whose_names_no_entry_has() {
        let surge = |from, to: Option<u64>| Surge {
            from: Nanos::from_secs(from),
            to: to.map(Nanos::from_secs),
        };
        let surges = [surge(1, Some(2)), surge(3, None)];
        let names = surge_phases(&surges, &["push", "surge over"]);
        assert_eq!(names, ["surge", "surge over 2", "surge 2"]);
    }

    #[test]
    fn a_part_that_is_slow_names_its_phase() {
        let slow = |factor| {
            let part = SlowPart::Identity;
            Action::Fleet(FleetAction::Slow { part, factor }).phase()
        };
        assert_eq!(slow(5.0), "slow identity service");
        assert_eq!(slow(1.0), "identity service as usual");
    }

    #[test]
    fn entries_at_one_instant_share_a_phase_and_names_are_unique() {
        let entry = |at, action, phase| (When::At(Nanos::from_secs(at)), action, phase);
        let monitors = Action::Clients(ClientsAction::Monitors { on: false });
        let timeline = [
            entry(1, Action::Service(ServiceAction::Rollback), None),
            entry(2, monitors.clone(), Some("quiet")), // named by its first entry
            entry(2, Action::Service(ServiceAction::Rollback), None),
            entry(3, monitors, None), // named by what its last entry does
            entry(3, Action::Service(ServiceAction::Rollback), None),
            entry(
                4,
                Action::Service(ServiceAction::Rollback),
                Some("rollback 3"),
            ),
            entry(5, Action::Service(ServiceAction::Rollback), None),
        ];
        let timeline = timeline
            .each_ref()
            .map(|(when, action, phase)| (when, action, *phase));
        assert_eq!(
            phase_names(&timeline),
            [
                "rollback",
                "quiet",
                "quiet",
                "rollback 2",
                "rollback 2",
                "rollback 3",
                "rollback 4"
            ]
        );
    }
}
