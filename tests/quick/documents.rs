//! Pages of docs/ that list things, held to the lists themselves.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::simulated::simulated;
use threadbare::analysis::{self, Proportion, WhatIf};
use threadbare::model::fault::{FleetFaultKind, fault_page};
use threadbare::model::{Cause, SlowPart};
use threadbare::report::library::{self, LibraryEntry};
use threadbare::scenario;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// The first cells of the table with this head.
fn column<'a>(page: &'a str, head: &str) -> Vec<&'a str> {
    let lines = page.lines().skip_while(|line| *line != head).skip(2);
    let rows = lines.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.split('|').nth(1).unwrap().trim())
        .collect()
}

/// The cause after this one, in the order of their declaration: another one does not
/// compile until it stands here, and then is missed in the page.
const fn following(cause: Cause) -> Option<Cause> {
    match cause {
        Cause::Push => Some(Cause::Slow(SlowPart::Application)),
        Cause::Slow(SlowPart::Application) => Some(Cause::Slow(SlowPart::Database)),
        Cause::Slow(SlowPart::Database) => Some(Cause::Slow(SlowPart::Identity)),
        Cause::Slow(SlowPart::Identity) => Some(Cause::Pause),
        Cause::Pause => Some(Cause::Loss),
        Cause::Loss => Some(Cause::Kill),
        Cause::Kill => Some(Cause::Limit),
        Cause::Limit => Some(Cause::Broken(FleetFaultKind::IdentityDown)),
        Cause::Broken(_) => Some(Cause::Fault),
        Cause::Fault => Some(Cause::Occupation),
        Cause::Occupation => Some(Cause::Outside),
        Cause::Outside => Some(Cause::Surge),
        Cause::Surge => None,
    }
}

#[test]
fn every_cause_of_an_incident_is_in_the_terms() {
    let mut causes = vec![Cause::Push];
    while let Some(next) = following(causes[causes.len() - 1]) {
        causes.push(next);
    }
    // The three parts that can be slow share a row.
    let mut names: Vec<&str> = causes
        .iter()
        .map(|cause| match cause {
            Cause::Slow(_) => "slowdown of a part",
            Cause::Broken(_) => "fault of the fleet",
            cause => cause.name(),
        })
        .collect();
    names.dedup();
    let terms = page("docs/TERMS.md");
    assert_eq!(column(&terms, "| cause | begins with | ends with |"), names);
}

/// docs/FAULTS.md is what the catalogue says. To renew it after a change:
/// `THREADBARE_UPDATE=1 cargo test --test quick documents`.
#[test]
fn the_page_of_faults_is_the_catalogue() {
    if std::env::var_os("THREADBARE_UPDATE").is_some() {
        fs::write(root().join("docs/FAULTS.md"), fault_page()).unwrap();
    }
    assert!(
        page("docs/FAULTS.md") == fault_page(),
        "docs/FAULTS.md is not current: run `THREADBARE_UPDATE=1 cargo test --test quick documents`"
    );
}

#[test]
fn every_file_of_a_run_is_in_the_guide() {
    let run = fs::read_dir(root().join("reports/sample-missing-await")).unwrap();
    let files = run.map(|file| file.unwrap().file_name().into_string().unwrap());
    let guide = page("docs/SCENARIOS.md");
    let listed = column(&guide, "| file | what it is |");
    let listed: BTreeSet<&str> = listed
        .iter()
        .flat_map(|cell| cell.split(", "))
        .map(|name| name.trim_matches('`'))
        .collect();
    for file in files {
        assert!(
            listed.contains(&*file),
            "{file} is not in docs/SCENARIOS.md"
        );
    }
}

/// Whether all seeds were run, and each plan came to the verdict that it declares: in every
/// seed, or in as many as its share asks for; and whether this version, which may judge by other
/// rules than that which made the table, simulates the first seed as it did.
fn holds(entry: &LibraryEntry, found: &WhatIf, file: &str) {
    let seeds = if found.live { 5 } else { 200 };
    assert_eq!(found.seeds.len(), seeds, "{file}");
    let rows = std::iter::once(&found.base).chain(&found.alone);
    let plans = std::iter::once(&entry.plan).chain(&entry.variants);
    for (row, plan) in rows.zip(plans) {
        let (most, count) = row.verdicts[0];
        if !found.live && count == seeds as u64 {
            let now = analysis::findings(&simulated(plan.clone()))
                .incident
                .verdict;
            assert_eq!(now, most, "{file}: {:?}: made by older rules", row.measures);
        }
        let tried: u64 = row.verdicts.iter().map(|(_, count)| count).sum();
        assert_eq!(tried, seeds as u64, "{file}: {:?}", row.measures);
        assert!(row.failed.is_empty(), "{file}: {:?}", row.failed);
        let Some((declared, share)) = plan.declared_verdict() else {
            continue;
        };
        let mut own = row.verdicts.iter().filter(|(it, _)| *it == declared);
        let held = own.next().map_or(0, |(_, count)| *count);
        let own = Proportion::of(held, tried);
        let right = match (share < 1.0, found.live) {
            (false, _) => held == tried,
            // Five seeds can refute a share of nine in ten, and not show it.
            (true, true) => own.high >= share,
            (true, false) => own.low >= share,
        };
        assert!(right, "{file}: {:?}: {:?}", row.measures, row.verdicts);
    }
}

/// docs/INCIDENTS.md is made of the scenario files and of what `threadbare variants NAME` has
/// written into reports/simulated/ and reports/live/.
#[test]
fn the_library_is_what_the_files_and_the_committed_runs_say() {
    let entries = scenario::shipped().iter().map(|(name, _)| {
        let committed = |of: &str| {
            let file = root().join(format!("reports/{of}/{name}.json"));
            let text = fs::read_to_string(file).ok()?;
            Some(serde_json::from_str(&text).unwrap())
        };
        LibraryEntry {
            name: (*name).to_owned(),
            plan: scenario::load(name, false).unwrap(),
            variants: scenario::variants(name, &scenario::Changes::default(), false).unwrap(),
            simulated: committed("simulated"),
            live: committed("live"),
        }
    });
    let entries: Vec<LibraryEntry> = entries.collect();
    for entry in &entries {
        for (live, found) in [(false, &entry.simulated), (true, &entry.live)] {
            let Some(found) = found else { continue };
            assert_eq!(found.scenario, entry.name);
            assert_eq!(found.live, live, "{}", entry.name);
            let of = if live { "live" } else { "simulated" };
            if entry.is_current(found) {
                holds(entry, found, &format!("reports/{of}/{}.json", entry.name));
            } else {
                // The page says so; `./test --long` makes it anew.
                eprintln!("reports/{of}/{}.json is of an older version", entry.name);
            }
        }
    }
    let path = root().join("docs/INCIDENTS.md");
    let document = library::document(&entries);
    if fs::read_to_string(&path).unwrap_or_default() == document {
        return;
    }
    assert!(
        std::env::var_os("THREADBARE_UPDATE").is_some(),
        "docs/INCIDENTS.md is not current: run `THREADBARE_UPDATE=1 cargo test --test quick library`"
    );
    fs::write(path, document).unwrap();
}
