//! What is read has an end: of a device, of a file that is too large, of one that nests
//! without end. Whoever named it learns which bound it was.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use threadbare::bounds::{self, Bound, Bytes};

use crate::documented::documented;

fn table() -> String {
    let mut table = String::from(
        "| what is read | bytes | entries | nesting | time |\n|---|---|---|---|---|\n",
    );
    for bound in &bounds::ALL {
        let entries = bound.entries.map(|(most, what)| format!("{most} {what}"));
        let depth = bound.depth.map(|depth| depth.to_string());
        let dash = || "–".to_owned();
        let (entries, depth) = (entries.unwrap_or_else(dash), depth.unwrap_or_else(dash));
        let Bound {
            reader,
            bytes,
            time,
            ..
        } = bound;
        let bytes = Bytes(*bytes);
        let _ = writeln!(
            table,
            "| {reader} | {bytes} | {entries} | {depth} | {time} |"
        );
    }
    table
}

#[test]
fn the_documents_have_every_bound() {
    let again = "cargo test --test quick bounds";
    documented("docs/BOUNDS.md", "bounds", &table(), again);
}

fn threadbare(arguments: &[&str]) -> Output {
    let mut threadbare = Command::new(env!("CARGO_BIN_EXE_threadbare"));
    threadbare.args(arguments).stdin(Stdio::null());
    threadbare.output().unwrap()
}

/// Asserts that the command is wrong usage, and says this.
fn assert_refused(arguments: &[&str], told: &[&str]) {
    let output = threadbare(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    for part in told {
        assert!(said.contains(part), "{arguments:?}: `{part}` in {said}");
    }
}

/// Every way in which a command reads a file that its user names, with its bound.
fn readers(folder: &Path, file: &str) -> Vec<(Vec<String>, Bound)> {
    let operations = |name: &str, values: &str, body: &str| -> String {
        let path = folder.join(name);
        let step =
            format!("[[operation]]\nname='a'\n[[operation.step]]\nrequest='POST /'\n{body}\n");
        fs::write(&path, format!("{values}\n{step}")).unwrap();
        path.to_string_lossy().into_owned()
    };
    let values = operations(
        "values.toml",
        &format!("[[values]]\nname='v'\ncsv='{file}'"),
        "",
    );
    let body = operations("body.toml", "", &format!("body_file='{file}'"));
    let load = |more: &[&str]| {
        let all = ["load", "https://127.0.0.1:1/"].iter().chain(more);
        all.map(ToString::to_string).collect::<Vec<_>>()
    };
    let link = format!("@{file}");
    let occupy = ["occupy", "127.0.0.1:1", "--tell", &link].map(str::to_owned);
    vec![
        (occupy.to_vec(), bounds::LINK),
        (vec!["check".into(), file.into()], bounds::SCENARIO),
        (load(&["--file", file]), bounds::SCENARIO),
        (load(&["--file", &values]), bounds::VALUES),
        (load(&["--file", &body]), bounds::BODY),
        (load(&["-D", file]), bounds::BODY),
        (load(&["--replay", file]), bounds::REPLAY),
        (load(&["--cacert", file]), bounds::CERTIFICATES),
        (load(&["--cert", file, "--key", file]), bounds::CERTIFICATES),
    ]
}

fn each(folder: &Path, file: &str, check: impl Fn(&[&str], &Bound)) {
    for (arguments, bound) in readers(folder, file) {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        check(&arguments, &bound);
    }
}

#[test]
fn a_device_is_refused_wherever_a_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    each(folder.path(), "/dev/zero", |arguments, _| {
        assert_refused(
            arguments,
            &["it is no regular file but a device", "name a file"],
        );
    });
}

#[test]
fn a_file_past_its_bound_is_refused_wherever_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large");
    let file = File::create(&path).unwrap();
    each(
        folder.path(),
        &path.to_string_lossy(),
        |arguments, bound| {
            file.set_len(bound.bytes + 1).unwrap(); // takes no room on the disk
            let bytes = Bytes(bound.bytes).to_string();
            assert_refused(arguments, &["is longer than", &bytes, bound.instead]);
        },
    );
}

#[test]
fn many_files_are_bounded_together() {
    let folder = tempfile::tempdir().unwrap();
    let large = File::create(folder.path().join("large")).unwrap();
    large.set_len(bounds::BODY.bytes).unwrap();
    let mut text = String::from("[[operation]]\nname='a'\n");
    for _ in 0..5 {
        text.push_str("[[operation.step]]\nrequest='POST /'\nbody_file='large'\n");
    }
    let path = folder.path().join("operations.toml");
    fs::write(&path, text).unwrap();
    let path = path.to_string_lossy().into_owned();
    assert_refused(
        &["load", "http://127.0.0.1:1/", "--file", &path],
        &[bounds::NAMED.instead],
    );
}

#[test]
fn more_times_and_cells_than_fit_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("many");
    fs::write(&path, "1\n".repeat(10_000_001)).unwrap();
    let file = path.to_string_lossy().into_owned();
    let load = ["load", "http://127.0.0.1:1/", "--replay", &file];
    assert_refused(&load, &["more than 10000000 times", bounds::REPLAY.instead]);
    let operations = folder.path().join("operations.toml");
    let step = "[[operation]]\nname='a'\n[[operation.step]]\nrequest='GET /${v.1}'\n";
    fs::write(
        &operations,
        format!("[[values]]\nname='v'\ncsv='{file}'\n{step}"),
    )
    .unwrap();
    let operations = operations.to_string_lossy().into_owned();
    let load = ["load", "http://127.0.0.1:1/", "--file", &operations];
    // The first line names the column.
    fs::write(&path, "1\n".repeat(10_000_002)).unwrap();
    assert_refused(&load, &["more than 10000000 cells", bounds::VALUES.instead]);
}

#[test]
fn what_nests_without_end_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deep.toml");
    for text in [
        format!("a = {}", "[".repeat(400_000)),
        format!("a = {}", "{a=".repeat(200_000)),
        format!("{} = 1", "a.".repeat(200_000) + "a"),
        format!("[{}]", "a.".repeat(200_000) + "a"),
        (0..2000).fold(String::new(), |text, depth| {
            text + &format!("[{}]\n", vec!["a"; depth / 10 + 1].join("."))
        }),
    ] {
        fs::write(&file, &text).unwrap();
        let path = file.to_string_lossy().into_owned();
        assert_refused(&["check", &path], &["mistake"]);
        assert_refused(
            &["load", "http://127.0.0.1:1/", "--file", &path],
            &["mistake"],
        );
    }
}

#[test]
fn a_pipe_of_a_shell_is_read_as_a_file() {
    let script = "\"$0\" check <(\"$0\" init --preset url)";
    let output = Command::new("bash")
        .args(["-c", script, env!("CARGO_BIN_EXE_threadbare")])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("no mistakes"), "{said} {output:?}");
}

#[test]
fn text_that_is_not_utf8_has_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("latin.toml");
    fs::write(&path, b"title = 'a'\nclaim = 'f\xfcr'\n").unwrap();
    let file = path.to_string_lossy().into_owned();
    let told = ["it is not UTF-8 text: line 2, column 11 holds the byte 0xfc"];
    assert_refused(&["check", &file], &told);
    assert_refused(&["load", "http://127.0.0.1:1/", "--file", &file], &told);
    fs::write(&path, b"a,b\n1,2\n3,\xff\n").unwrap();
    let (_folder, values) = operations_with(&file);
    let told = ["cannot be read", "line 3"];
    assert_refused(
        &[
            "load",
            "http://127.0.0.1:1/",
            "--file",
            &values.to_string_lossy(),
        ],
        &told,
    );
}

fn operations_with(csv: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("operations.toml");
    let step = "[[operation]]\nname='a'\n[[operation.step]]\nrequest='GET /${v.a}'\n";
    fs::write(&path, format!("[[values]]\nname='v'\ncsv='{csv}'\n{step}")).unwrap();
    (folder, path)
}

#[test]
fn mistakes_in_a_file_that_a_scenario_names_are_shown_as_lines() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("operations.toml"),
        "[[operation]]\nname='a'\nstp=1\n",
    )
    .unwrap();
    let scenario = folder.path().join("a.toml");
    let text = "title='a'\nclaim='b'\nend='9s'\n[target]\nurl='http://127.0.0.1:1'\n\
        [load]\nrate='1/s'\noperations='operations.toml'\n";
    fs::write(&scenario, text).unwrap();
    let output = threadbare(&["check", &scenario.to_string_lossy()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("has no key `stp`"), "{said}");
    assert!(said.contains("^^^ unknown key"), "{said}");
    assert!(!said.contains("\\n"), "{said}");
}

#[test]
fn a_number_past_its_bound_is_refused() {
    for flags in [
        &["--retries", "101"][..],
        &["--retries", "4294967295"],
        &["--connections", "1000001"],
        &["--threads", "1025"],
        &["--backlog", "1000001"],
        &["--http2", "--streams", "10001"],
        &["--http2", "--streams", "10000", "--connections", "1000"],
        &["-R", "1e300"],
        &["-R", "1000000001/s"],
        &["-R", "1:1000000001"],
    ] {
        let mut all = vec!["load", "http://127.0.0.1:1/"];
        all.extend(flags);
        assert_refused(&all, &[]);
    }
}
