//! Names of the phases that a timeline cuts a run into.

use super::Entry;
use crate::model::{Action, Surge};

/// The phase before the first entry.
pub const BASELINE: &str = "baseline";

/// The phase that begins with each entry, in the timeline's order.
///
/// Entries at the same instant begin one phase: it has the last name that one
/// of them gives it, or else that of what the last of them does. A name that
/// was not given and is taken gets a number.
#[must_use]
pub fn phase_names(timeline: &[Entry]) -> Vec<String> {
    let mut names: Vec<Option<String>> = vec![None; timeline.len()];
    let mut taken: Vec<String> = vec![BASELINE.to_owned()];
    taken.extend(timeline.iter().filter_map(|entry| entry.phase.clone()));
    for index in 0..timeline.len() {
        if names[index].is_some() {
            continue;
        }
        let together = || {
            timeline
                .iter()
                .filter(|entry| entry.when == timeline[index].when)
        };
        let given = together()
            .filter_map(|entry| entry.phase.clone())
            .next_back();
        let name = given.unwrap_or_else(|| {
            let last = together().next_back().unwrap_or(&timeline[index]);
            let name = numbered(derived(&last.action), &taken);
            taken.push(name.clone());
            name
        });
        for (entry, slot) in timeline.iter().zip(&mut names) {
            if entry.when == timeline[index].when {
                *slot = Some(name.clone());
            }
        }
    }
    names.into_iter().flatten().collect()
}

/// The phases that begin where a surge does and where it is over, in the order
/// of time; a name that an entry's phase has already gets a number.
#[must_use]
pub fn surge_phases(surges: &[Surge], taken: &[&str]) -> Vec<String> {
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

fn derived(action: &Action) -> String {
    match action {
        Action::Admit { share } => format!("admit {share}"),
        Action::Monitors { on: true } => "monitors on".into(),
        Action::Monitors { on: false } => "monitors off".into(),
        Action::Retries { retries } => format!("retries {retries}"),
        Action::Hook { hook, .. } => hook.clone(),
        Action::Process { fault, .. } => fault.word().into(),
        Action::Configure { .. } => "push".into(),
        Action::Fault { name, .. } | Action::Occupy { name, .. } => name.clone(),
        Action::Undo { name } => format!("{name} undone"),
        Action::Slow { part, factor } if *factor > 1.0 => format!("slow {part}"),
        Action::Slow { part, .. } => format!("{part} as usual"),
        other => other.name().to_owned(),
    }
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
    use crate::model::{SlowPart, When};
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
            derived(&Action::Slow {
                part: SlowPart::Identity,
                factor,
            })
        };
        assert_eq!(slow(5.0), "slow identity service");
        assert_eq!(slow(1.0), "identity service as usual");
    }

    #[test]
    fn entries_at_one_instant_share_a_phase_and_names_are_unique() {
        let entry = |at, action, phase: Option<&str>| Entry {
            when: When::At(Nanos::from_secs(at)),
            action,
            phase: phase.map(str::to_owned),
        };
        let monitors = Action::Monitors { on: false };
        let timeline = [
            entry(1, Action::Rollback, None),
            entry(2, monitors.clone(), Some("quiet")), // named by its first entry
            entry(2, Action::Rollback, None),
            entry(3, monitors, None), // named by what its last entry does
            entry(3, Action::Rollback, None),
            entry(4, Action::Rollback, Some("rollback 3")),
            entry(5, Action::Rollback, None),
        ];
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
