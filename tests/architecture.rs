//! The rooms of the house, held: imports point one way, time is read in one
//! file, unsafe code is nowhere, and pure rooms do no I/O.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// The rank of every top-level module; a module imports lower ranks only.
const RANKS: [(&str, u32); 23] = [
    ("units", 0),
    ("clock", 1),
    ("rng", 1),
    ("error", 1),
    ("slots", 1),
    ("model", 2),
    ("process", 2),
    ("plan", 3),
    ("scenario", 4),
    ("record", 5),
    ("analysis", 6),
    ("load", 6),
    ("target", 6),
    ("fleet", 6),
    ("proxy", 6),
    ("gauges", 6),
    ("sim", 6),
    ("report", 7),
    ("ui", 7),
    ("live", 7),
    ("explore", 7),
    ("run", 8),
    ("cli", 9),
];

/// Modules that neither perform I/O nor read a clock.
const PURE: [&str; 4] = ["model", "plan", "analysis", "report"];

fn rank(module: &str) -> Option<u32> {
    RANKS
        .iter()
        .find(|(name, _)| *name == module)
        .map(|(_, rank)| *rank)
}

/// Every source file with the top-level module it belongs to and its code:
/// comments and unit tests are left out.
fn sources() -> Vec<(PathBuf, String, String)> {
    fn walk(directory: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let inside = path.strip_prefix(&root).unwrap();
            let module = inside.iter().next().unwrap().to_str().unwrap();
            let module = module.trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).unwrap();
            let code = text
                .split("#[cfg(test)]")
                .next()
                .unwrap()
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .collect::<Vec<_>>()
                .join("\n");
            (path, module, code)
        })
        .collect()
}

/// The modules named after every `crate::` in the code, `crate::{a, b}` included.
fn imports(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let word = |text: &str| -> String {
            text.trim_start()
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        };
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut start = 0;
            for (index, c) in group.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => {
                        names.push(word(&group[start..index]));
                        break;
                    }
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        names.push(word(&group[start..index]));
                        start = index + 1;
                    }
                    _ => {}
                }
            }
        } else {
            names.push(word(rest));
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[test]
fn imports_point_to_lower_ranks() {
    let mut wrong = Vec::new();
    for (path, module, code) in sources() {
        // The two roots: one declares every room, the other calls the last of them.
        if module == "main" || module == "lib" {
            continue;
        }
        let own = rank(&module).unwrap_or_else(|| panic!("{} has no rank", path.display()));
        for import in imports(&code) {
            let Some(imported) = rank(&import) else {
                continue; // a macro or an item of the crate's root
            };
            if import != module && imported >= own {
                wrong.push(format!("{}: {module} imports {import}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_clock_reads_time() {
    let readers = [
        "Instant::now",
        "SystemTime",
        "clock_gettime",
        "time::Instant",
    ];
    for (path, module, code) in sources() {
        if module == "clock" {
            continue;
        }
        for reader in readers {
            assert!(!code.contains(reader), "{} uses {reader}", path.display());
        }
    }
}

#[test]
fn pure_rooms_do_no_io() {
    let doors = [
        "std::net",
        "std::process",
        "std::thread",
        "tokio::",
        "rustix::",
        "File::",
        "fs::read",
    ];
    for (path, module, code) in sources() {
        if !PURE.contains(&module.as_str()) {
            continue;
        }
        for door in doors {
            assert!(!code.contains(door), "{} uses {door}", path.display());
        }
    }
}

#[test]
fn the_check_itself_sees_a_violation() {
    let code = "use crate::cli::Args;\nuse crate::{clock::Clock, live, model::{A, B}};";
    assert_eq!(imports(code), ["cli", "clock", "live", "model"]);
}
