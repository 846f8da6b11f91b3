//! The library of incidents: the list for a terminal, and docs/INCIDENTS.md.
//!
//! Both are made of the scenario files, and the document of committed simulations as well,
//! so neither can say what no file or run does. What was not run is said to be missing.

use std::fmt::Write as _;

use super::figures::{maybe, plural, words};
use super::what_if;
use crate::analysis::{Row, WhatIf};
use crate::plan::Plan;
use crate::record::printable;

/// What is above the groups of those that name no mechanism.
const OTHERS: &str = "others";
/// Characters of the longest bar.
const BAR: f64 = 40.0;

/// A scenario of the library.
#[derive(Debug, Clone)]
pub struct LibraryEntry {
    /// Its name.
    pub name: String,
    /// The scenario as it is.
    pub plan: Plan,
    /// Its variants.
    pub variants: Vec<Plan>,
    /// What it and its variants came to in virtual time, where that is committed.
    pub simulated: Option<WhatIf>,
    /// What they came to on the live fleet, likewise.
    pub live: Option<WhatIf>,
}

impl LibraryEntry {
    /// Whether a table is of the scenario and its variants as they are now.
    pub fn is_current(&self, found: &WhatIf) -> bool {
        let rows = std::iter::once(&found.base).chain(&found.alone);
        let plans = std::iter::once(&self.plan).chain(&self.variants);
        let pairs: Vec<_> = rows.zip(plans).collect();
        let same = |(row, plan): &(&Row, &Plan)| {
            let variant = plan.variant.as_ref();
            row.measures.first() == variant.map(|it| &it.name)
                && row.plan == plan.fingerprint()
                && (row.expected.is_empty() || row.expected == plan.expected())
        };
        pairs.len() == 1 + self.variants.len()
            && pairs.len() == 1 + found.alone.len()
            && pairs.iter().all(same)
    }
}

/// The entries by mechanism, in the order in which each comes first.
fn groups(entries: &[LibraryEntry]) -> Vec<(&str, Vec<&LibraryEntry>)> {
    let mut groups: Vec<(&str, Vec<&LibraryEntry>)> = Vec::new();
    for entry in entries {
        let mechanism = match entry.plan.mechanism.as_str() {
            "" => OTHERS,
            named => named,
        };
        match groups.iter_mut().find(|(name, _)| *name == mechanism) {
            Some((_, own)) => own.push(entry),
            None => groups.push((mechanism, vec![entry])),
        }
    }
    groups
}

/// The list for a terminal.
pub(crate) fn list(entries: &[LibraryEntry]) -> String {
    let mut text = String::new();
    for (mechanism, entries) in groups(entries) {
        let _ = writeln!(text, "{}\n", mechanism.to_uppercase());
        for entry in entries {
            let plan = &entry.plan;
            let _ = writeln!(text, "{}\n  {}", entry.name, plan.title);
            let _ = writeln!(text, "  claim: {}", plan.claim);
            for seen in &plan.seen {
                let _ = writeln!(text, "  symptom: \"{seen}\"");
            }
            let names = entry.variants.iter().filter_map(|it| {
                let name = &it.variant.as_ref()?.name;
                let verdict = it.declared_verdict().map(|(verdict, _)| verdict.word());
                Some(match verdict {
                    Some(verdict) => format!("{name} ({})", words(verdict)),
                    None => name.clone(),
                })
            });
            let names: Vec<String> = names.collect();
            if !names.is_empty() {
                let _ = writeln!(text, "  variants: {}", names.join(", "));
            }
            text.push('\n');
        }
    }
    text.push_str(
        "Run one with `threadbare run NAME`, from any folder; `threadbare variants NAME \
         --simulated` has its variants beside it.\n",
    );
    text
}

/// docs/INCIDENTS.md.
pub fn document(entries: &[LibraryEntry]) -> String {
    let mut text = String::from(
        "# The library of incidents\n\nMade from the scenario files and from committed \
         runs, simulated (`reports/simulated/`) and live (`reports/live/`); `threadbare list` shows \
         the same in short. Nothing of an outcome is scripted: a file says what was done, and what \
         followed was measured. Each table says which it is.\n\n",
    );
    for (column, meaning) in what_if::COLUMNS {
        let _ = writeln!(text, "- *{column}*: {meaning}");
    }
    text.push_str(
        "\n`unchanged` is the scenario as it is. `undetermined` stands where nothing that could \
         harm was ever active, or where it never ended. The live runs went on several scenarios at \
         a time on two cores, so their p99 is that of a busy machine; each says by itself whether \
         its measurement is valid, and only valid ones are here.\n\n## Which one is like what you saw?\n\n| what was seen | scenario | \
         mechanism |\n|---|---|---|\n",
    );
    for entry in entries {
        for seen in &entry.plan.seen {
            let (name, mechanism) = (&entry.name, &entry.plan.mechanism);
            let _ = writeln!(text, "| {} | [{name}](#{name}) | {mechanism} |", cell(seen));
        }
    }
    for (mechanism, entries) in groups(entries) {
        let _ = writeln!(text, "\n## {}", capital(mechanism));
        for entry in entries {
            chapter(&mut text, entry);
        }
    }
    text
}

fn chapter(text: &mut String, entry: &LibraryEntry) {
    let plan = &entry.plan;
    let name = &entry.name;
    let _ = writeln!(text, "\n### {name}\n\n**{}.** {}\n", plan.title, plan.claim);
    if !plan.source.is_empty() {
        let _ = writeln!(text, "- Source: {}", plan.source);
    }
    let declared = plan.declared_verdict();
    let share = |share: f64| Some(share).filter(|share| *share < 1.0);
    let declared = maybe(declared, |(it, of)| {
        format!("`{}`", what_if::in_words(it, share(of)))
    });
    let _ = writeln!(text, "- Declared verdict: {declared}");
    let surges = plan.surge_changes().into_iter().filter(|it| it.begins);
    let surges = surges.map(|_| "a surge of the load".to_owned());
    let actions = plan
        .timeline
        .iter()
        // No number of instances is all of them.
        .map(|entry| {
            entry
                .action
                .in_words()
                .replace("instances 0", "all instances")
        });
    let actions: Vec<String> = surges.chain(actions).collect();
    if !actions.is_empty() {
        let _ = writeln!(text, "- What is done: {}", cell(&actions.join(", ")));
    }
    let _ = writeln!(
        text,
        "- Run it: `threadbare run {name}` ({} of load), or `threadbare simulate {name}`",
        plan.end
    );
    let current = |found: &&WhatIf| entry.is_current(found);
    let simulated = entry.simulated.as_ref().filter(current);
    let live = entry.live.as_ref().filter(current);
    if simulated.is_none() {
        let why = match entry.simulated {
            None => "Not simulated yet",
            Some(_) => "Simulated in an older version only, whose figures are left out",
        };
        let _ = writeln!(
            text,
            "- {why}: `threadbare variants {name} --simulated --seeds 200`"
        );
    }
    if live.is_none() {
        let why = match entry.live {
            None => "Not run live with its variants yet",
            Some(_) => "Run live in an older version only, whose figures are left out",
        };
        let _ = writeln!(text, "- {why}: `threadbare variants {name} --seeds 5`");
    }
    text.push('\n');
    for variant in entry.variants.iter().filter_map(|it| it.variant.as_ref()) {
        let _ = writeln!(
            text,
            "- **{}**: {}",
            cell(&variant.name),
            cell(&variant.about)
        );
    }
    for (how, found) in [("Simulated", simulated), ("Live", live)] {
        if let Some(found) = found {
            table(text, how, found, entry);
        }
    }
}

/// What a scenario and its variants came to; the verdicts that they declare are those of now.
fn table(text: &mut String, how: &str, found: &WhatIf, entry: &LibraryEntry) {
    let seeds = plural(found.seeds.len() as u64, "seed");
    let _ = writeln!(text, "\n{how}, with {seeds}:\n");
    let columns = what_if::COLUMNS.map(|(name, _)| name);
    let _ = writeln!(text, "| {} |", columns.join(" | "));
    let _ = writeln!(text, "|---|---|---:|---:|---:|---:|---:|");
    let rows = std::iter::once(&found.base).chain(&found.alone);
    let plans = std::iter::once(&entry.plan).chain(&entry.variants);
    let rows: Vec<Row> = rows
        .zip(plans)
        .map(|(row, plan)| row.clone().declaring(plan))
        .collect();
    for row in &rows {
        let cells = what_if::cells(row, found.seeds.len() as u64).map(|it| cell(&it));
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    bars(text, &rows);
}

/// A bar of characters for each row: the operations that were lost.
fn bars(text: &mut String, rows: &[Row]) {
    let most = rows.iter().map(|row| row.lost.median).fold(1.0, f64::max);
    let name = |row: &Row| match row.measures.first() {
        Some(name) => name.clone(),
        None => "unchanged".to_owned(),
    };
    let widest = rows.iter().map(|row| name(row).chars().count()).max();
    text.push_str("\n```text\noperations lost, median\n");
    for row in rows {
        let long = crate::units::whole((BAR * row.lost.median / most).round());
        let bar = "█".repeat(usize::try_from(long).unwrap_or(0));
        let name = name(row);
        let gap = " ".repeat(widest.unwrap_or(0) - name.chars().count());
        let _ = writeln!(
            text,
            "{name}{gap}  {bar} {}",
            what_if::whole(row.lost.median)
        );
    }
    text.push_str("```\n");
}

/// A text within a table of Markdown.
fn cell(text: &str) -> String {
    printable(text).replace('|', "\\|")
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Outcome;
    use crate::model::{IncidentVerdict, Variant};

    fn entry(name: &str, mechanism: &str, seen: &[&str]) -> LibraryEntry {
        LibraryEntry {
            name: name.into(),
            plan: Plan {
                title: format!("About {name}"),
                claim: "It fails.".into(),
                mechanism: mechanism.into(),
                seen: seen.iter().map(|it| (*it).to_owned()).collect(),
                ..Plan::default()
            },
            variants: Vec::new(),
            simulated: None,
            live: None,
        }
    }

    #[test]
    fn those_of_one_mechanism_stand_together_and_what_was_not_run_is_said() {
        let entries = [
            entry("one", "retries", &["workers are busy | the load is gone"]),
            entry("two", "", &[]),
            entry("three", "retries", &[]),
        ];
        let list = list(&entries);
        let places = ["RETRIES", "one\n", "three\n", "OTHERS", "two\n"].map(|it| list.find(it));
        assert!(places.is_sorted() && places[0].is_some(), "{list}");
        assert!(list.contains("symptom: \"workers are busy"), "{list}");
        let document = document(&entries);
        assert!(
            document.contains("| workers are busy \\| the load is gone | [one](#one) | retries |")
        );
        assert_eq!(document.matches("Not simulated yet").count(), 3);
    }

    #[test]
    fn a_table_of_an_older_version_is_left_out_and_said_to_be() {
        let row = |plan: &Plan| {
            let named = plan.variant.as_ref();
            let named = named.map(|it| (it.name.as_str(), it.about.as_str()));
            let named: Vec<_> = named.into_iter().collect();
            let outcome = Outcome {
                verdict: IncidentVerdict::Metastable,
                lost: 7,
                scheduled: 9,
                recovery_s: None,
                recovery_censored_after_s: None,
                calm_p99_ms: None,
                calm_saturation: None,
            };
            Row {
                plan: plan.fingerprint(),
                ..Row::of(
                    &named,
                    std::slice::from_ref(&outcome),
                    std::slice::from_ref(&outcome),
                )
                .unwrap()
            }
        };
        let mut own = entry("one", "retries", &[]);
        let mut variant = own.plan.clone();
        variant.variant = Some(Variant {
            name: "no retries".into(),
            ..Variant::default()
        });
        variant.load.connections += 1;
        let found = WhatIf {
            scenario: "one".into(),
            title: String::new(),
            live: false,
            variants: true,
            seeds: vec![1],
            base: row(&own.plan),
            alone: vec![row(&variant)],
            pairs: Vec::new(),
            inapplicable: Vec::new(),
        };
        own.variants = vec![variant];
        own.simulated = Some(found.clone());
        let current = document(&[own.clone()]);
        assert!(current.contains("Simulated, with 1 seed"), "{current}");
        assert!(!current.contains("older version"), "{current}");
        let changes: [fn(&mut LibraryEntry); 4] = [
            |entry| entry.plan.load.connections += 9,
            |entry| entry.variants[0].load.connections += 9,
            |entry| entry.variants[0].variant = None,
            |entry| entry.variants.clear(),
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut entry = own.clone();
            change(&mut entry);
            let older = document(&[entry]);
            assert!(!older.contains("Simulated, with"), "{number}: {older}");
            assert!(
                older.contains("- Simulated in an older version only"),
                "{number}: {older}"
            );
        }
    }
}
