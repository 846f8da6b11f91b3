//! `threadbare runs` as its user meets it.

use std::fs;

use serde_json::Value;

use super::folder::{Folder, answer, assert_refused, json};

#[test]
fn runs_are_listed_the_newest_first_with_their_figures() {
    let folder = Folder::new();
    folder.run("old", 2, 100.0);
    folder.run("new", 3, 112.0);
    folder.edited("failed", 1, 90.0, |header, summary| {
        summary["verdict"] = "failed".into();
        summary["incident"]["recovery_after_rollback_s"] = Value::Null;
        summary["incident"]["recovery_after_rollback_censored_after_s"] = 40.0.into();
        header["plan"]["seed"] = 7.into();
    });
    fs::create_dir(folder.path("sweep")).unwrap();
    fs::write(folder.path("notes.txt"), "no run").unwrap();
    let said = answer(&folder.threadbare("runs", "", &[]), 0);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 4, "{said}");
    let columns = [
        "run", "started", "scenario", "made", "verdict", "p99", "errors",
    ];
    assert_eq!(
        lines[0].split_whitespace().take(7).collect::<Vec<_>>(),
        columns
    );
    for (line, told) in [
        (
            1,
            [
                "new",
                "2026-11-03 00:00 UTC",
                "missing-await",
                "live, seed 1",
                "passed",
                "112 ms",
                "recovered in",
                "2 cores of AMD EPYC",
            ],
        ),
        (
            3,
            [
                "failed",
                "2026-11-01 00:00 UTC",
                "missing-await",
                "live, seed 7",
                "failed",
                "90.0 ms",
                "not recovered in 40.0 s",
                "%",
            ],
        ),
    ] {
        for part in told {
            assert!(lines[line].contains(part), "`{part}` in {said}");
        }
    }
    let quiet = answer(&folder.threadbare("runs", "", &["--quiet"]), 0);
    let names = ["new", "old", "failed"].map(|name| folder.path(name).display().to_string());
    assert_eq!(quiet.lines().collect::<Vec<_>>(), names);
}

#[test]
fn the_list_is_json_as_well() {
    let folder = Folder::new();
    folder.run("a", 1, 100.0);
    let list = json(&folder.threadbare("runs", "", &["--json"]));
    let run = &list[0];
    assert_eq!(run["response_p99_ms"], 100.0);
    assert_eq!(run["started"], "2026-11-01 00:00 UTC");
    assert_eq!(run["verdict"], "passed");
    assert_eq!(run["machine"]["cores"], 2);
    assert!(run["recovery_s"].as_f64().unwrap() > 0.0);
    assert!(run["error_share"].as_f64().unwrap() > 0.0);
    // Of what was never judged there are no figures.
    folder.edited("b", 2, 100.0, |_, summary| {
        summary["measurement"]["validity"] = "invalid".into();
        summary["verdict"] = "invalid".into();
    });
    let list = json(&folder.threadbare("runs", "", &["--json"]));
    assert_eq!(list[0]["verdict"], "invalid");
    assert!(list[0]["response_p99_ms"].is_null());
}

#[test]
fn a_run_that_cannot_be_read_says_so_and_stops_nothing() {
    let folder = Folder::new();
    folder.run("good", 9, 100.0);
    folder.edited("unreported", 8, 0.0, |_, summary| *summary = Value::Null);
    folder.edited("cut", 7, 100.0, |_, summary| {
        summary["complete"] = false.into();
    });
    folder.edited("later", 6, 100.0, |header, _| header["format"] = 2.into());
    folder.run("damaged", 5, 100.0);
    fs::write(
        folder.path("damaged").join("summary.json"),
        "{\n\"format\": 1,\n",
    )
    .unwrap();
    folder.edited("headless", 4, 100.0, |header, _| *header = Value::Null);
    let said = answer(&folder.threadbare("runs", "", &[]), 0);
    let line = |name: &str| {
        let path = folder.path(name).display().to_string();
        let found = said.lines().find(|line| line.starts_with(&path));
        found
            .unwrap_or_else(|| panic!("{name} in {said}"))
            .to_owned()
    };
    for (name, told) in [
        ("good", "passed"),
        ("unreported", "incomplete"),
        ("cut", "incomplete"),
        ("later", "damaged"),
        ("damaged", "damaged"),
        ("headless", "passed"),
    ] {
        assert!(line(name).contains(told), "{name}: {told} in {said}");
    }
    for problem in [
        "later is a run of format 2, and this version reads format 1",
        "use the version of threadbare that wrote it",
        "summary.json: it is damaged in line 3",
        "damaged` writes it again",
    ] {
        assert!(said.contains(problem), "{problem} in {said}");
    }
}

#[test]
fn a_folder_without_runs_is_told_in_one_sentence() {
    let folder = Folder::new();
    let told = [
        "failed to find runs in",
        "it is not a run, and none lies there",
        "`threadbare run",
    ];
    assert_refused(&folder.threadbare("runs", "", &[]), &told);
    assert_refused(
        &folder.threadbare("runs", "nowhere", &[]),
        &["nowhere", "No such file"],
    );
    fs::write(folder.path("file"), "").unwrap();
    assert_refused(
        &folder.threadbare("runs", "file", &[]),
        &["file", "Not a directory"],
    );
}

#[test]
fn a_run_alone_and_a_pattern_are_listed_too() {
    let folder = Folder::new();
    for name in ["main-1", "main-2", "pr-1"] {
        folder.run(name, 1, 100.0);
    }
    for (name, listed) in [
        ("main-1", 1),
        ("main-*", 2),
        ("*-1", 2),
        ("??-?", 1),
        ("", 3),
    ] {
        let list = json(&folder.threadbare("runs", name, &["--json"]));
        assert_eq!(list.as_array().unwrap().len(), listed, "{name}");
    }
    assert_refused(&folder.threadbare("runs", "no-*", &[]), &["no-*"]);
}

#[test]
fn more_runs_than_the_bound_are_refused() {
    let folder = Folder::new();
    for number in 0..=10_000 {
        let directory = folder.path(&format!("{number}"));
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("run.json"), "").unwrap();
    }
    let told = ["more than 10000 runs", "name fewer of them"];
    assert_refused(&folder.threadbare("runs", "", &[]), &told);
    assert_refused(&folder.threadbare("trend", "", &[]), &told);
}
