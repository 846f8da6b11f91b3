//! What a build server is given: a step that cannot pass unmeasured, and cases that say what
//! was not told.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use super::command::{said, simulate, threadbare};

/// The step of action.yml with these arguments, in place of the program one that prints its
/// words and ends with 99.
fn step(arguments: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    fs::write(&program, "#!/bin/sh\nprintf '<%s>' \"$@\"\nexit 99\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    let action = Path::new(env!("CARGO_MANIFEST_DIR")).join("action.yml");
    let action = fs::read_to_string(action).unwrap();
    let (_, script) = action.split_once("      run: |\n").unwrap();
    Command::new("bash")
        .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script])
        .current_dir(folder.path())
        .env("THREADBARE", &program)
        .env("ARGUMENTS", arguments)
        .output()
        .unwrap()
}

#[test]
fn the_action_gives_its_arguments_to_the_program_and_runs_none_of_them() {
    for (arguments, words) in [
        (
            "load http://127.0.0.1:8080/?a=1&b=2 -R 500 --expect 'p99 <= 50ms'",
            "<load><http://127.0.0.1:8080/?a=1&b=2><-R><500><--expect><p99 <= 50ms>",
        ),
        (
            "load $(touch made) `touch made` ; touch made | true > made",
            "<load><$(touch><made)><`touch><made`><;><touch><made><|><true><>><made>",
        ),
        ("load\n  -R 500\n", "<load><-R><500>"),
        ("load \"a 'b\" c*", "<load><a 'b><c*>"),
    ] {
        let output = step(arguments);
        assert_eq!(output.status.code(), Some(99), "{}", said(&output));
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            words,
            "{arguments}"
        );
    }
    // What cannot be split is not run as something else.
    let output = step("load 'http://127.0.0.1:8080/");
    assert_ne!(output.status.code(), Some(0), "{}", said(&output));
    assert!(!said(&output).contains("<load>"), "{}", said(&output));
}

#[test]
fn what_cannot_be_told_is_skipped_with_its_reason_and_strict_makes_it_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["one", "other"] {
        simulate(folder.path(), name, &["interval=10s"]);
    }
    let junit = |strict: &[&str]| {
        let words = ["compare", "one", "other", "--quiet", "--out", "told"];
        let output = threadbare(folder.path(), &[&words[..], strict].concat());
        let junit = fs::read_to_string(folder.path().join("told/comparison.junit.xml")).unwrap();
        (output.status.code(), junit)
    };
    let (code, lenient) = junit(&[]);
    assert_eq!(code, Some(0), "{lenient}");
    assert!(
        lenient
            .contains("<skipped message=\"5 intervals are too few, 8 are needed: run longer\"/>"),
        "{lenient}"
    );
    assert!(lenient.contains("errors=\"0\""), "{lenient}");
    let (code, strict) = junit(&["--strict"]);
    assert_eq!(code, Some(99), "{strict}");
    assert!(
        strict.contains("<error message=\"cannot tell: "),
        "{strict}"
    );
    assert!(strict.contains("errors=\"1\""), "{strict}");
}

#[test]
fn what_is_too_short_or_failed_is_no_baseline_unless_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    simulate(folder.path(), "short", &["interval=10s"]);
    let expected = r#"expect=[{that="response p99", at_most="1us"}]"#;
    simulate(folder.path(), "failed", &[expected]);
    for (run, why) in [
        ("short", "5 intervals are too few, 8 are needed"),
        ("failed", "1 of 1 expectation did not hold"),
    ] {
        let accept = ["baseline", "accept", run, "--as", "main"];
        let output = threadbare(folder.path(), &accept);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains(why), "{}", said(&output));
        assert!(!folder.path().join("baselines/main.json").exists());
    }
    let accept = ["baseline", "accept", "failed", "--as", "main", "--anyway"];
    let output = threadbare(folder.path(), &accept);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    // Two together have as many intervals as are needed.
    simulate(folder.path(), "short-2", &["interval=10s"]);
    let accept = ["baseline", "accept", "short*", "--as", "main"];
    let output = threadbare(folder.path(), &accept);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn a_baseline_has_the_name_that_it_was_given_whatever_else_is_called_so() {
    let folder = tempfile::tempdir().unwrap();
    simulate(folder.path(), "run", &[]);
    std::os::unix::fs::symlink("run", folder.path().join("latest")).unwrap();
    fs::create_dir(folder.path().join("v1.2")).unwrap();
    // The link is the run, which is in the baseline once.
    let accept = ["baseline", "accept", "run", "latest", ".", "--as", "v1.2"];
    for _ in 0..2 {
        let output = threadbare(folder.path(), &accept);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let baseline = fs::read(folder.path().join("baselines/v1.2.json")).unwrap();
        let baseline: serde_json::Value = serde_json::from_slice(&baseline).unwrap();
        assert_eq!(baseline["runs"].as_array().unwrap().len(), 1);
    }
    // The folder of that name has no run.
    let output = threadbare(folder.path(), &["compare", "v1.2", "run", "--quiet"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}
