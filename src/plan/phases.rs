//! Names of the phases that a timeline cuts a run into.

use crate::model::{Action, Surge, When};

/// The phase before the first entry and the first surge.
pub(crate) const BASELINE: &str = "baseline";

/// The phase that begins with each entry, in the timeline's order; an entry here
/// is its time, its action and the name that the scenario gives its phase.
///
/// Entries at the same instant begin one phase: it has the last name that one
/// of them gives it, or else that of what the last of them does. A name that
/// was not given and is taken gets a number.
#[must_use]
pub(crate) fn phase_names(timeline: &[(&When, &Action, Option<&str>)]) -> Vec<String> {
    let mut names: Vec<Option<String>> = vec![None; timeline.len()];
    let mut taken: Vec<String> = vec![BASELINE.to_owned()];
    taken.extend(
        timeline
            .iter()
            .filter_map(|(.., given)| given.map(str::to_owned)),
    );
    for (index, (when, action, _)) in timeline.iter().enumerate() {
        if names[index].is_some() {
            continue;
        }
        let together = || timeline.iter().filter(|(other, ..)| other == when);
        let given = together().filter_map(|(.., given)| *given).next_back();
        let name = given.map_or_else(
            || {
                let last = together()
                    .next_back()
                    .map_or(*action, |(_, action, _)| action);
                let name = numbered(last.phase(), &taken);
                taken.push(name.clone());
                name
            },
            str::to_owned,
        );
        for ((other, ..), slot) in timeline.iter().zip(&mut names) {
            if other == when {
                *slot = Some(name.clone());
            }
        }
    }
    names.into_iter().flatten().collect()
}

/// The phases that begin where a surge does and where it is over, in the order
/// of time; a name that an entry's phase has already gets a number.
#[must_use]
pub(crate) fn surge_phases(surges: &[Surge], taken: &[&str]) -> Vec<String> {
    let mut taken: Vec<String> = taken.iter().map(|name| (*name).to_owned()).collect();
    let mut names = Vec::new();
    for surge in surges {
        let both = ["surge", "surge over"].into_iter();
        for name in both.take(1 + usize::from(surge.to.is_some())) {
            let name = numbered(name.to_owned(), &taken);
            taken.push(name.clone());
            names.push(name);
        }
    }
    names
}

fn numbered(name: String, taken: &[String]) -> String {
    let candidates = (2..).map(|number| format!("{name} {number}"));
    let mut all = std::iter::once(name.clone()).chain(candidates);
    all.find(|candidate| !taken.contains(candidate))
        .unwrap_or(name)
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
