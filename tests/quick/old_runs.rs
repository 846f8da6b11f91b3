//! Runs of before, read again: the words and figures of every committed run are
//! written as they were.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use threadbare::analysis::limit::LimitFound;
use threadbare::analysis::{Findings, findings};
use threadbare::record::Record;
use threadbare::report;

/// Keys that findings have got since the first runs were committed; every other key
/// of a run must be in it.
const ADDED: [&str; 7] = [
    "/command",
    "/ending",
    "/incident/recovery_after_trigger_off_s",
    "/incident/trigger",
    "/incident/trigger_off_s",
    "/measurement/send_lag_us/p90",
    "/steady_state_returned",
];

/// Counters that journals have got since.
const COUNTERS_ADDED: [&str; 4] = [
    "accepts_failed",
    "busy_connection_ns",
    "busy_probe_ns",
    "finished_for_monitors",
];

const SEARCHES: &str = "reports/long/limits";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folders and files of a folder, sorted.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Takes out what has been added since, where the old run does not have it.
fn without_added(mut written: Value, old: &Value) -> Value {
    for key in ADDED {
        if old.pointer(key).is_none() {
            let (parent, name) = key.rsplit_once('/').unwrap();
            let parent = written.pointer_mut(parent).and_then(Value::as_object_mut);
            parent.unwrap().remove(name);
        }
    }
    written
}

/// The files below a folder, at any depth.
fn files(folder: &Path) -> Vec<PathBuf> {
    let below = |path: PathBuf| {
        if path.is_dir() {
            files(&path)
        } else {
            vec![path]
        }
    };
    entries(folder).into_iter().flat_map(below).collect()
}

#[test]
fn no_run_says_in_which_folder_of_a_machine_it_was_made() {
    let mut folders = entries(&root().join("reports"));
    folders.retain(|it| {
        let name = it.file_name().unwrap().to_str().unwrap();
        it.is_dir() && (["live", "long", "simulated"].contains(&name) || name.starts_with("sample"))
    });
    assert!(folders.len() > 3, "{folders:?}");
    for path in folders.iter().flat_map(|folder| files(folder)) {
        let text = String::from_utf8(fs::read(&path).unwrap()).unwrap();
        for folder in [
            "/home/",
            "/root/",
            "/tmp/",
            "/work/",
            env!("CARGO_MANIFEST_DIR"),
        ] {
            assert!(!text.contains(folder), "{}: {folder}", path.display());
        }
    }
}

#[test]
fn every_search_is_written_as_it_was() {
    let searches = entries(&root().join(SEARCHES));
    assert!(searches.len() >= 6, "{searches:?}");
    for path in searches {
        let old = json(&path);
        let read: LimitFound = serde_json::from_value(old.clone()).unwrap();
        assert_eq!(
            serde_json::to_value(read).unwrap(),
            old,
            "{}",
            path.display()
        );
    }
}

#[test]
fn every_summary_is_written_as_it_was() {
    let folders = entries(&root().join("reports/long"));
    // Beside them lie counts of kills and of fuzzing.
    let folders = folders.iter().filter(|folder| folder.is_dir());
    // What searches for a limit found has a form of its own.
    let folders = folders.filter(|folder| !folder.ends_with(SEARCHES));
    let summaries: Vec<_> = folders.flat_map(|folder| entries(folder)).collect();
    assert!(summaries.len() >= 45, "{summaries:?}");
    for path in summaries {
        let old = json(&path);
        let read: Findings = serde_json::from_value(old.clone()).unwrap();
        let written = serde_json::to_value(read).unwrap();
        assert_eq!(without_added(written, &old), old, "{}", path.display());
    }
}

#[test]
fn an_old_record_gives_the_same_findings_again() {
    let mut found = 0;
    for folder in entries(&root().join("reports")) {
        // Those that are committed: beside them lies whatever was run here.
        let name = folder.file_name().unwrap().to_str().unwrap();
        if !name.starts_with("sample") || !folder.join("run.json").exists() {
            continue;
        }
        found += 1;
        let record = Record::open(&folder).unwrap();
        let found = findings(&record);
        let old = json(&folder.join("summary.json"));
        // Through text, as the old one: numbers are read as both are.
        let written = report::json::render(&found).unwrap();
        let written = serde_json::from_str(&written).unwrap();
        assert_eq!(without_added(written, &old), old, "{}", folder.display());
        let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        assert_eq!(report::junit::render(&found).unwrap(), text("junit.xml"));
        let postmortem = report::markdown::render(&record, &found, None);
        assert_eq!(postmortem, text("postmortem.md"));
        for ((at, event), line) in record.events.iter().zip(text("journal.jsonl").lines()) {
            let mut written = serde_json::to_value(event).unwrap();
            written["at_ns"] = serde_json::to_value(at).unwrap();
            let old: Value = serde_json::from_str(line).unwrap();
            if let Some(counters) = written
                .pointer_mut("/counters")
                .and_then(Value::as_object_mut)
            {
                counters.retain(|name, _| {
                    !COUNTERS_ADDED.contains(&name.as_str()) || !old["counters"][name].is_null()
                });
            }
            assert_eq!(written, old);
        }
    }
    assert!(found > 0, "no run is committed with its record");
}
