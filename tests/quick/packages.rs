//! The archive of `cargo package` has what the program is built from and little else, and the
//! notes of a release are those of its version. That packages install and run is what
//! `./test --long` shows.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path};
use std::process::{Command, Output};

/// The archive has 5.3 MiB before it is compressed (1.4 MiB after); with the records that the
/// tests read it would have more than this.
const LARGEST_ARCHIVE_BYTES: u64 = 7 << 20;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files of the archive, as cargo itself lists them.
fn archive() -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let listed = Command::new(cargo)
        .args(["package", "--list", "--allow-dirty", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&listed.stderr);
    assert!(listed.status.success(), "{errors}");
    let list = String::from_utf8(listed.stdout).unwrap();
    list.lines().map(str::to_owned).collect()
}

fn ends(path: &str, ending: &str) -> bool {
    Path::new(path).extension().is_some_and(|it| it == ending)
}

/// The first text behind each of these marks.
fn texts_after<'a>(code: &'a str, mark: &'a str) -> impl Iterator<Item = &'a str> {
    let rests = code.split(mark).skip(1);
    rests.map(|rest| rest.split('"').nth(1).unwrap())
}

/// A path without the steps upwards in it.
fn straight(path: &Path) -> String {
    let mut parts = Vec::new();
    for part in path.components() {
        if part == Component::ParentDir {
            parts.pop();
        } else {
            parts.push(part.as_os_str().to_str().unwrap());
        }
    }
    parts.join("/")
}

/// The files that this code is compiled with: what it includes, and its pages' templates.
fn compiled_with(path: &str, code: &str) -> Vec<String> {
    // Unit tests stand at the end, and are not in what a package builds.
    let program = code.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let folder = Path::new(path).parent().unwrap();
    let beside = ["include_str!(", "include_bytes!(", "include!("];
    let beside = beside.iter().flat_map(|mark| texts_after(program, mark));
    let mut files: Vec<_> = beside.map(|file| straight(&folder.join(file))).collect();
    let pages = texts_after(program, "template(path = ");
    files.extend(pages.map(|page| format!("src/report/templates/{page}")));
    files.extend(texts_after(program, ".html\", config = ").map(str::to_owned));
    files
}

#[test]
fn files_that_code_is_compiled_with_are_found() {
    let code = "#[template(path = \"a.html\", config = \"src/b.toml\")]\n\
        const A: &str = include_str!(\n    \"../c.css\"\n);\n\
        #[cfg(test)]\nmod tests { const B: &str = include_str!(\"../../../reports/d.json\"); }";
    assert_eq!(
        compiled_with("src/x/y.rs", code),
        ["src/c.css", "src/report/templates/a.html", "src/b.toml"]
    );
}

#[test]
fn the_archive_has_all_that_the_program_is_compiled_with() {
    let archive = archive();
    let mut found = 0;
    let mut missing = Vec::new();
    let is_code = |path: &&String| {
        path.starts_with("src/") && ends(path, "rs") && !path.ends_with("/tests.rs")
    };
    for path in archive.iter().filter(is_code) {
        let code = fs::read_to_string(root().join(path)).unwrap();
        for file in compiled_with(path, &code) {
            found += 1;
            if !archive.contains(&file) {
                missing.push(format!("{path} needs {file}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    // Every scenario, preset, page and script is one.
    assert!(found > 50, "{found} files are named by the code");
    for file in [
        "Cargo.lock",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "src/main.rs",
        // Other templates name it, and no code does.
        "src/report/templates/page.html",
    ] {
        assert!(archive.contains(file), "{file}");
    }
}

#[test]
fn the_archive_is_small_and_has_nothing_of_the_tests() {
    let archive = archive();
    let places = ["benches/", "fuzz/", "reports/", "target/", "tests/"];
    let of_tests =
        |path: &&String| places.iter().any(|place| path.starts_with(place)) || ends(path, "snap");
    let found: Vec<_> = archive.iter().filter(of_tests).collect();
    assert!(found.is_empty(), "{found:?}");
    // What cargo writes itself is on no disk yet.
    let bytes = |path: &String| fs::metadata(root().join(path)).map_or(0, |file| file.len());
    let sum: u64 = archive.iter().map(bytes).sum();
    assert!(sum > 1 << 20, "{sum} bytes are no whole archive");
    assert!(sum < LARGEST_ARCHIVE_BYTES, "{sum} bytes");
}

fn release_notes(arguments: &[&str]) -> Output {
    Command::new(root().join("packaging/release-notes"))
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn the_notes_of_a_version_are_what_is_below_its_heading() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("CHANGELOG.md");
    let changelog = "# Changelog\n\nWhat a user sees.\n\n## Unreleased\n\n- Next.\n\n\
        ## [1.10.0] - 2026-03-01\n\n- One\n  in two lines.\n\n### Mended\n\n- Two.\n\n\
        ## 1.1.0\n- Old.\n\n## v1.0.0 (2026-01-01)\n\n- First.\n\n## 0.9.0\n\n";
    fs::write(&file, changelog).unwrap();
    let file = file.to_str().unwrap();
    for (version, notes) in [
        ("Unreleased", "- Next."),
        ("1.10.0", "- One\n  in two lines.\n\n### Mended\n\n- Two."),
        ("v1.10.0", "- One\n  in two lines.\n\n### Mended\n\n- Two."),
        ("1.1.0", "- Old."),
        ("1.0.0", "- First."),
    ] {
        let printed = release_notes(&[version, file]);
        assert_eq!(printed.status.code(), Some(0), "{version}");
        let printed = String::from_utf8(printed.stdout).unwrap();
        assert_eq!(printed.trim_end(), notes, "{version}");
    }
    // A part of a version, one that is not there, and one of which nothing is written.
    for version in ["1.1", "2.0.0", "0.9.0"] {
        let printed = release_notes(&[version, file]);
        assert_eq!(printed.status.code(), Some(1), "{version}");
        assert!(printed.stdout.is_empty(), "{version}");
        let error = String::from_utf8(printed.stderr).unwrap();
        let expected = format!(
            "failed to find notes of {version}: {file} has \
             Unreleased 1.10.0 1.1.0 1.0.0 0.9.0; write them there first\n"
        );
        assert_eq!(error, expected);
    }
    assert_eq!(release_notes(&[]).status.code(), Some(2));
}

#[test]
fn there_are_notes_of_this_version_or_of_the_next() {
    let of = |version| release_notes(&[version]).status.success();
    assert!(of(env!("CARGO_PKG_VERSION")) || of("Unreleased"));
}
