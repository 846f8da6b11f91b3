//! The parts of `./test --long`, read in its script: what is missing there would only be found
//! after hours, and a test that no part runs would never be run.

use std::fs;
use std::path::{Path, PathBuf};

/// A part: its title, and its command with arguments.
struct Part {
    title: String,
    command: Vec<String>,
}

impl Part {
    /// The test binary and the filter of a part that runs tests.
    fn tests(&self) -> Option<(&str, &str)> {
        match &self.command[..] {
            [first, binary, filter, ..] if first == "ignored" || first == "renewed" => {
                Some((binary, filter))
            }
            _ => None,
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn script() -> String {
    fs::read_to_string(root().join("test")).unwrap()
}

/// The lines of a script that run a part, or tests that are not a part.
fn parts(script: &str) -> Vec<Part> {
    let whole = script.replace("\\\n", " ");
    let read = |line: &str| {
        let line = line.trim();
        let (title, command) = match line.strip_prefix("part \"") {
            Some(rest) => rest.split_once('"')?,
            None if line.starts_with("ignored ") || line.starts_with("renewed ") => ("", line),
            None => return None,
        };
        Some(Part {
            title: title.to_owned(),
            command: command.split_whitespace().map(str::to_owned).collect(),
        })
    };
    whole.lines().filter_map(read).collect()
}

/// Whether bash would find this command.
fn is_there(script: &str, command: &str) -> bool {
    let function = format!("{command}() {{");
    script.lines().any(|line| line.starts_with(&function))
        || command == "cargo"
        || (command.contains('/') && root().join(command).is_file())
}

/// The names of the tests of a binary, and whether they are ignored.
fn names(binary: &str) -> Vec<(String, bool)> {
    let mut names = Vec::new();
    collect(&root().join("tests").join(binary), "", &mut names);
    names
}

fn collect(folder: &Path, module: &str, names: &mut Vec<(String, bool)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        if path.is_dir() {
            collect(&path, &format!("{module}{stem}::"), names);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let module = match stem {
                "main" | "mod" => module.to_owned(),
                _ => format!("{module}{stem}::"),
            };
            declared(&fs::read_to_string(&path).unwrap(), &module, names);
        }
    }
}

/// The tests that a file declares: `#[test]`, other attributes, `fn NAME`.
fn declared(text: &str, module: &str, names: &mut Vec<(String, bool)>) {
    let mut attributes: Option<bool> = None;
    for line in text.lines().map(str::trim) {
        if line == "#[test]" {
            attributes = Some(false);
        } else if let Some(ignored) = &mut attributes {
            if line.starts_with("#[ignore") {
                *ignored = true;
            } else if let Some(rest) = line.strip_prefix("fn ") {
                let name = rest.split('(').next().unwrap();
                names.push((format!("{module}{name}"), *ignored));
                attributes = None;
            }
        }
    }
}

#[test]
fn every_part_has_a_command_that_is_there_and_tests_that_are_there() {
    let script = script();
    let parts = parts(&script);
    assert!(parts.len() > 20, "{} parts", parts.len());
    for part in &parts {
        let command = &part.command[0];
        assert!(is_there(&script, command), "{}: no {command}", part.title);
        if let Some((binary, filter)) = part.tests() {
            // `renewed` runs what is not ignored, and `ignored` nothing else.
            let wanted = command == "ignored";
            let names = names(binary);
            assert!(
                names
                    .iter()
                    .any(|(name, ignored)| name.contains(filter) && *ignored == wanted),
                "{}: tests/{binary} has no such test called {filter}",
                part.title
            );
        }
    }
    assert!(!is_there(&script, "debian_packages"));
    assert!(!is_there(&script, "packaging/none"));
}

/// What is ignored where no part looks for it would never be run.
fn ignored_in(place: &Path) -> usize {
    if place.is_dir() {
        let entries = fs::read_dir(place).unwrap();
        return entries
            .map(|entry| ignored_in(&entry.unwrap().path()))
            .sum();
    }
    let text = fs::read_to_string(place).unwrap_or_default();
    let lines = text.lines().map(str::trim);
    lines.filter(|line| line.starts_with("#[ignore")).count()
}

#[test]
fn every_ignored_test_is_run_by_a_part() {
    let parts = parts(&script());
    let run = |binary: &str, name: &str| {
        let mut parts = parts.iter().filter(|it| it.command[0] == "ignored");
        parts.any(|part| {
            let (of, filter) = part.tests().unwrap();
            of == binary && name.contains(filter)
        })
    };
    let mut missing = Vec::new();
    let mut seen = 0;
    for binary in ["quick", "live", "servers"] {
        let names = names(binary);
        let ignored: Vec<_> = names.iter().filter(|it| it.1).map(|it| &it.0).collect();
        assert!(!ignored.is_empty(), "{binary}");
        seen += ignored.len();
        missing.extend(ignored.into_iter().filter(|it| !run(binary, it)).cloned());
    }
    assert!(
        missing.is_empty(),
        "no part of ./test --long runs {missing:?}"
    );
    let all = ["src", "tests", "benches"].map(|place| ignored_in(&root().join(place)));
    assert_eq!(all.iter().sum::<usize>(), seen, "ignored elsewhere");
}

/// The prefixes that a filter of .config/nextest.toml stands for: `^a::(b|c)::|^d::`.
fn prefixes(filter: &str) -> Vec<String> {
    let mut prefixes = Vec::new();
    for from in filter.split('^').skip(1) {
        let from = from.trim_end_matches('|');
        match from.split_once('(') {
            None => prefixes.push(from.to_owned()),
            Some((before, rest)) => {
                let (choices, after) = rest.split_once(')').unwrap();
                let choices = choices.split('|');
                prefixes.extend(choices.map(|choice| format!("{before}{choice}{after}")));
            }
        }
    }
    prefixes
}

#[test]
fn every_group_of_live_tests_that_run_beside_each_other_is_there() {
    let settings = fs::read_to_string(root().join(".config/nextest.toml")).unwrap();
    let filters: Vec<_> = settings.split("test(/").skip(1).collect();
    let names = names("live");
    let mut seen = 0;
    for filter in filters {
        for prefix in prefixes(filter.split_once("/)").unwrap().0) {
            assert!(prefix.ends_with("::"), "{prefix} is not a whole module");
            assert!(
                names.iter().any(|(name, _)| name.starts_with(&prefix)),
                "tests/live has no {prefix}, which .config/nextest.toml names"
            );
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen}");
    assert_eq!(prefixes("^a::(b|c)::|^d::"), ["a::b::", "a::c::", "d::"]);
}
