//! `threadbare simulate`, `what-if` and `sweep` as their user meets them.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use threadbare::analysis::{Findings, Sweep, WhatIf};
use threadbare::record::Backend;
use threadbare::scenario;

/// A fleet that a simulation is not done with soon: days of it.
const ENDLESS: [&str; 10] = [
    "--set",
    "story.scale=1",
    "--set",
    "end=23h",
    "--set",
    "timeline=[]",
    "--set",
    "expect=[]",
    "--set",
    "load.rate=900/s",
];

fn threadbare(command: &str, scenario: &str, directory: &Path) -> Command {
    let mut threadbare = Command::new(env!("CARGO_BIN_EXE_threadbare"));
    threadbare.args([command, scenario, "--out"]).arg(directory);
    threadbare
}

fn error(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn summary(directory: &Path) -> Findings {
    serde_json::from_slice(&fs::read(directory.join("summary.json")).unwrap()).unwrap()
}

fn text(directory: &Path, name: &str) -> String {
    fs::read_to_string(directory.join(name)).unwrap()
}

#[test]
fn a_simulated_run_leaves_what_a_live_one_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
    for directory in [&one, &other] {
        let output = threadbare("simulate", "missing-await", directory)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", error(&output));
    }
    let found = summary(&one);
    assert_eq!(found.backend, Backend::Sim);
    assert!(found.complete);
    assert_eq!(found.incident.verdict.word(), "recovered_by_intervention");
    for name in ["report.html", "postmortem.md", "junit.xml"] {
        assert!(!text(&one, name).is_empty(), "{name}");
    }
    let page = text(&one, "report.html");
    assert!(page.contains("simulated"));
    assert!(!page.contains("Machine CPU"));
    // The same seed, the same bytes; run.json tells when it was started.
    for name in ["journal.jsonl", "series.csv", "latency.hlog"] {
        assert_eq!(text(&one, name), text(&other, name), "{name}");
    }
    // And again from the record alone.
    let output = Command::new(env!("CARGO_BIN_EXE_threadbare"))
        .arg("report")
        .arg(&one)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", error(&output));
    assert_eq!(summary(&one), found);
}

#[test]
fn a_directory_that_is_taken_is_told_before_anything_is_computed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine"), "kept").unwrap();
    for (command, flags) in [
        ("simulate", ["--seeds", "9"]),
        ("simulate", ["--seeds", "1"]),
        ("what-if", ["--seeds", "9"]),
    ] {
        // Days of virtual time, which nobody waits for.
        let output = threadbare(command, "missing-await", folder.path())
            .args(ENDLESS)
            .args(flags)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{command}");
        assert!(
            error(&output).contains("is not empty"),
            "{}",
            error(&output)
        );
        assert_eq!(text(folder.path(), "mine"), "kept");
    }
}

#[test]
fn seeds_that_met_a_bound_leave_their_directory_free() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("run");
    let output = threadbare("simulate", "missing-await", &directory)
        .args(["--seeds", "2", "--events", "3000"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
}

#[test]
fn an_explosion_stops_at_its_bound_with_what_was_reached() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("run");
    let output = threadbare("simulate", "missing-await", &directory)
        .args(["--events", "300000"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = error(&output);
    assert!(told.contains("--events can raise"), "{told}");
    assert!(told.contains("s of virtual time"), "{told}");
    let found = summary(&directory);
    assert!(!found.complete && found.conservation.scheduled > 0);
}

#[test]
fn a_plan_too_large_for_memory_is_refused_with_the_estimate() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("run");
    let output = threadbare("simulate", "missing-await", &directory)
        .args(["--memory", "1", "--set", "target.fleet.instances=10000"])
        .args(["--set", "target.fleet.users=100000"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = error(&output);
    assert!(told.contains("10000 instances of 4 workers"), "{told}");
    assert!(told.contains("need about 1.5 GiB"), "{told}");
}

#[test]
fn an_interrupted_simulation_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("run");
    let mut child = threadbare("simulate", "missing-await", &directory)
        .args(ENDLESS)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Its first line of progress tells that it is under way.
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.contains("simulated"), "{first}");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    // Read to its end, so that nothing it says is held up.
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    let found = summary(&directory);
    assert!(!found.complete && found.conservation.scheduled > 0);
    let page = text(&directory, "report.html");
    assert!(page.contains("incomplete"));
}

#[test]
fn measures_are_ranked_on_the_page_and_in_the_draft() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("run");
    let output = threadbare("what-if", "missing-await", &directory)
        .args(["--alone", "--seeds", "2"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", error(&output));
    let found: WhatIf = serde_json::from_str(&text(&directory, "what-if.json")).unwrap();
    assert_eq!(found.seeds, [1, 2]);
    let row = |name: &str| {
        let mut rows = found.alone.iter();
        rows.find(|row| row.measures == [name]).unwrap()
    };
    // As it is, it takes a restart; with a bounded queue the rollback is enough.
    assert_eq!(found.base.verdicts[0].0.word(), "recovered_by_intervention");
    assert_eq!(
        row("bounded queue").verdicts[0].0.word(),
        "recovered_with_the_trigger"
    );
    assert!(row("bounded queue").lost.median < found.base.lost.median);
    assert!(
        found
            .alone
            .is_sorted_by(|one, other| one.lost.median <= other.lost.median)
    );
    for name in ["report.html", "postmortem.md"] {
        let page = text(&directory, name);
        assert!(page.contains("What could have been different"), "{name}");
        assert!(page.contains("back-off with jitter"), "{name}");
    }
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(
        table.contains("unchanged") && table.contains("bounded queue"),
        "{table}"
    );
}

#[test]
fn a_map_is_drawn_and_its_edge_refined() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("map");
    let ways = ["--x", "load.rate=100..600/s", "--points", "5"];
    let output = threadbare("sweep", "missing-await", &directory)
        .args(ways)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", error(&output));
    let map: Sweep = serde_json::from_str(&text(&directory, "sweep.json")).unwrap();
    assert_eq!(map.regions[0].len(), 5);
    let [edge] = map.edges.as_slice() else {
        panic!("one edge: {:?}", map.edges);
    };
    assert!(edge.stuck - edge.comes_back < 125.0 / 32.0, "{edge:?}");
    assert!(text(&directory, "sweep.svg").contains("<rect"));
    assert!(text(&directory, "sweep.html").contains("Hidden capacity"));

    // What is there is not overwritten, and nothing is computed in vain.
    let output = threadbare("sweep", "missing-await", &directory)
        .args(ways)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(error(&output).contains("is not empty"));
}

#[test]
fn mistakes_are_told_before_anything_is_simulated() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("run");
    for (command, arguments, told) in [
        ("simulate", ["--set", "load.rat=5/s"], "`rate`"),
        ("simulate", ["--set", "load.rate=fast"], "a rate"),
        (
            "sweep",
            ["--x", "load.rate=9..2/s"],
            "not a range of values",
        ),
        ("sweep", ["--x", "load.rat=2..9/s"], "`rate`"),
        ("what-if", ["--seeds", "0"], "0"),
    ] {
        let output = threadbare(command, "missing-await", &directory)
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = error(&output);
        assert!(said.contains(told), "{arguments:?}: {said}");
        assert!(!directory.exists(), "{arguments:?}");
    }
}

const WITH_A_VARIANT: &str = r#"
title = "a"
claim = "b"
end = "10s"
warm_up = "1s"

[target.fleet]
instances = 1

[load]
arrivals = "constant"
rate = "20/s"
mix = [{ weight = 1, request = "list tasks", role = "viewer" }]

[[variant]]
name = "more"
about = "Half as many again."
set = ["load.rate=30/s"]
"#;

#[test]
fn a_table_of_variants_says_of_which_plans_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    let path = file.to_str().unwrap();
    let fingerprints = |text: &str| {
        fs::write(&file, text).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_threadbare"))
            .args(["variants", path, "--fingerprints"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", error(&output));
        let lines = String::from_utf8(output.stdout).unwrap();
        let lines = lines.lines().map(|line| line.split('\t'));
        lines
            .map(|mut line| {
                let mut next = || line.next().unwrap().to_owned();
                let (plan, _expected) = (next(), next());
                (plan, next())
            })
            .collect::<Vec<_>>()
    };
    let told = fingerprints(WITH_A_VARIANT);
    let names: Vec<&str> = told.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["unchanged", "more"]);
    assert_eq!(
        scenario::load(path, false).unwrap().fingerprint(),
        told[0].0
    );
    assert_ne!(told[0].0, told[1].0);
    // What was tried is in the table.
    let directory = folder.path().join("tried");
    threadbare("variants", path, &directory)
        .args(["--simulated", "--seeds", "1"])
        .output()
        .unwrap();
    let found: WhatIf = serde_json::from_str(&text(&directory, "variants.json")).unwrap();
    assert_eq!(
        (&found.base.plan, &found.alone[0].plan),
        (&told[0].0, &told[1].0)
    );
    let expected = scenario::load(path, false).unwrap().expected();
    assert_eq!(found.base.expected, expected);
    // Prose and a comment are no other plan, and a rate is: of the one whose rate it is.
    let retold = WITH_A_VARIANT.replace("Half as many again.", "More of it.");
    let retold = retold.replace("claim = \"b\"", "claim = \"c\" # as it was seen");
    assert_eq!(fingerprints(&retold), told);
    let faster = fingerprints(&WITH_A_VARIANT.replace("20/s", "25/s"));
    assert_ne!(faster[0], told[0]);
    assert_eq!(faster[1], told[1]);
}

#[test]
fn a_table_of_variants_names_each_expectation_that_did_not_hold() {
    let tried = |expected: &str| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.toml");
        fs::write(&file, format!("{WITH_A_VARIANT}expect = [{expected:?}]\n")).unwrap();
        let directory = folder.path().join("tried");
        let output = threadbare("variants", file.to_str().unwrap(), &directory)
            .args(["--simulated", "--seeds", "2"])
            .output()
            .unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        let found: WhatIf = serde_json::from_str(&text(&directory, "variants.json")).unwrap();
        let page = text(&directory, "variants.html");
        (output.status.code(), shown, found, page)
    };
    let (code, shown, found, page) = tried("goodput share <= 1 %");
    assert_eq!(code, Some(99), "{shown}");
    let line = "more: ✗ goodput share, at most 1 %: held in 0 of 2";
    assert!(
        shown.contains("Expectations that did not hold\n  more: ✗") && shown.contains(line),
        "{shown}"
    );
    assert!(page.contains("goodput share, at most 1 %: held in 0 of 2"));
    assert!(found.base.failed.is_empty());
    assert_eq!(found.alone[0].failed.len(), 1);
    // Two of two say little of a share: it is named, and has not failed.
    let (code, shown, found, page) = tried("goodput share >= 99 % in 95 % of seeds");
    assert_eq!(code, Some(97), "{shown}");
    assert!(
        shown.contains("goodput share, at least 99 %, in at least 95 % of seeds: held in 2 of 2")
            && shown.contains("cannot tell of so few whether it holds in 95.0 %: 74 seeds can"),
        "{shown}"
    );
    assert!(found.alone[0].failed.is_empty());
    assert!(!page.contains("Expectations that did not hold"));
}
