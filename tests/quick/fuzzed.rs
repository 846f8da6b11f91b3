//! Every reader survives what it is given: the committed corpora, and mutations of them.
//! A few hundred of each in `./test`, a million of each in `./test --long`, which goes on
//! where it was interrupted and leaves its counts in reports/long/fuzz.json.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use threadbare::readers::READERS;

use crate::mutated::mutated;

/// Mutations of each reader in `./test`.
const FEW: u64 = 500;
/// Mutations of each reader in `./test --long`.
const MANY: u64 = 1_000_000;
/// How many each reader has seen.
const COUNTS: &str = "reports/long/fuzz.json";
/// Mutations after which the counts are written down.
const BATCH: u64 = 10_000;

fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// What lies in these folders.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
        .iter()
        .filter_map(|path| fs::read(path).ok())
        .collect()
}

/// A reader's corpus, and what the repository has of its kind beside that.
fn seeds(reader: &str) -> Vec<Vec<u8>> {
    let mut seeds = files(&place("fuzz/corpus").join(reader));
    assert!(!seeds.is_empty(), "{reader} has no corpus");
    if reader == "scenario" {
        seeds.extend(files(&place("scenarios")));
    }
    let sample = match reader {
        "header" => "run.json",
        "journal" => "journal.jsonl",
        "summary" => "summary.json",
        _ => return seeds,
    };
    seeds.extend(fs::read(place("reports/sample-missing-await").join(sample)));
    seeds
}

/// Reads one input; a panic names it.
fn read(name: &str, reader: fn(&[u8]), bytes: &[u8], which: &dyn Fn() -> String) {
    let survived = panic::catch_unwind(AssertUnwindSafe(|| reader(bytes))).is_ok();
    if !survived {
        let path = std::env::temp_dir().join(format!("fuzzed-{name}"));
        let _ = fs::write(&path, bytes);
        panic!(
            "{name} does not survive {}; it is in {}",
            which(),
            path.display()
        );
    }
}

#[test]
fn every_reader_survives_its_corpus_and_mutations_of_it() {
    for (name, reader) in READERS {
        let seeds = seeds(name);
        for (number, seed) in seeds.iter().enumerate() {
            read(name, reader, seed, &|| {
                format!("file {number} of its corpus")
            });
        }
        for number in 0..FEW {
            read(name, reader, &mutated(&seeds, number), &|| {
                format!("mutation {number}")
            });
        }
    }
}

/// Each reader has its target for cargo fuzz, and each target its reader.
#[test]
fn every_reader_has_a_fuzz_target() {
    let manifest = fs::read_to_string(place("fuzz/Cargo.toml")).unwrap();
    let targets = files(&place("fuzz/fuzz_targets"));
    assert_eq!(targets.len(), READERS.len());
    for (name, _) in READERS {
        let target = place("fuzz/fuzz_targets").join(format!("{name}.rs"));
        let text = fs::read_to_string(&target).unwrap();
        assert!(text.contains("threadbare::readers::"), "{name}");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
    }
}

/// Gives a reader its mutations from where it was left, and writes down how many it has seen.
fn many(name: &str, reader: fn(&[u8]), wanted: u64, counts: &Mutex<BTreeMap<String, u64>>) {
    let seeds = seeds(name);
    let mut done = counts
        .lock()
        .unwrap()
        .get(name)
        .copied()
        .unwrap_or_default();
    while done < wanted {
        let next = wanted.min(done + BATCH);
        for number in done..next {
            read(name, reader, &mutated(&seeds, number), &|| {
                format!("mutation {number}")
            });
        }
        done = next;
        let mut counts = counts.lock().unwrap();
        counts.insert(name.to_owned(), done);
        let text = serde_json::to_string_pretty(&*counts).unwrap() + "\n";
        fs::write(place(COUNTS), text).unwrap();
    }
}

#[test]
#[ignore = "takes half an hour, built for release: ./test --long"]
fn every_reader_survives_a_million_mutations() {
    let known = fs::read_to_string(place(COUNTS)).ok();
    let known = known.map(|text| serde_json::from_str(&text).unwrap());
    let counts = Mutex::new(known.unwrap_or_default());
    // A part of it, where somebody has less time: so many of each reader.
    let wanted = std::env::var("FUZZ_CASES").ok();
    let wanted = wanted.map_or(MANY, |text| text.parse().unwrap());
    let readers = Mutex::new(READERS.iter());
    let next = || readers.lock().unwrap().next();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                while let Some((name, reader)) = next() {
                    many(name, *reader, wanted, &counts);
                }
            });
        }
    });
}
