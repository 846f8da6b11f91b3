//! An undo that is under way is waited for, and not begun again beside itself.

use std::fs;
use std::process::Command;

use rustix::process::Signal;

use super::super::undone::{child_of, guardian};
use super::super::{SOON, on, url};
use super::{Case, recover, said, signal};
use crate::run::{alone, wait_until};
use crate::server::{ScriptedAnswer, Server};

/// A push whose undo takes two seconds, and says when it begins and ends.
const SLOW: &str = r#"
    [[hook]]
    name = "deploy"
    command = ["true"]
    undo = { command = ["sh", "-c", "echo begun >> undone; sleep 2; echo ended >> undone"] }
    [[timeline]]
    at = "700ms"
    do = "hook"
    hook = "deploy"
    as = "push"
"#;

#[test]
fn an_undo_goes_on_when_its_conductor_ends_and_is_not_begun_again() {
    let _alone = alone();
    let server = Server::start(|_| ScriptedAnswer::status(200));
    for second in [Signal::INT, Signal::KILL] {
        let case = Case::new(&on(&url(&server), "60s", SLOW));
        let undone = || fs::read_to_string(case.folder.path().join("undone")).unwrap_or_default();
        let mut child = case.start();
        wait_until(SOON, "it is deployed", || {
            !case.events("action_ended").is_empty()
        });
        signal(child.id(), Signal::INT);
        wait_until(SOON, "the undo begins", || undone() == "begun\n");
        signal(child.id(), second);
        let status = child.wait().unwrap();
        assert_eq!(undone(), "begun\n", "{status}");
        // Whoever would recover it now is told to wait.
        let output = recover(&case.directory(), &["--yes"]);
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        assert!(
            said(&output).contains("is being undone now"),
            "{}",
            said(&output)
        );
        wait_until(SOON, "it is undone", || {
            recover(&case.directory(), &[]).status.success()
        });
        assert_eq!(undone(), "begun\nended\n");
        let text = fs::read_to_string(case.directory().join("undo.jsonl")).unwrap();
        assert!(text.contains("\"outcome\":\"applied\""), "{text}");
    }
}

/// The guardian that undoes for a dead conductor may die as well.
#[test]
fn an_undo_goes_on_when_the_guardian_ends() {
    let _alone = alone();
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let case = Case::new(&on(&url(&server), "60s", SLOW));
    let undone = || fs::read_to_string(case.folder.path().join("undone")).unwrap_or_default();
    let mut child = case.start();
    wait_until(SOON, "it is deployed", || {
        !case.events("action_ended").is_empty()
    });
    let guardian = guardian(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until(SOON, "the guardian begins the undo", || {
        undone() == "begun\n"
    });
    signal(guardian, Signal::KILL);
    let text = fs::read_to_string(case.directory().join("undo.jsonl")).unwrap();
    assert!(text.contains("\"started\""), "{text}");
    wait_until(SOON, "it is undone", || {
        recover(&case.directory(), &[]).status.success()
    });
    assert_eq!(undone(), "begun\nended\n");
}

/// What carries an undo out may be killed as well: its command goes on, and is waited for.
#[test]
fn a_command_whose_carrier_was_killed_is_not_begun_beside_itself() {
    let _alone = alone();
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let case = Case::new(&on(&url(&server), "60s", SLOW));
    let undone = || fs::read_to_string(case.folder.path().join("undone")).unwrap_or_default();
    let mut conductor = case.start();
    wait_until(SOON, "it is deployed", || {
        !case.events("action_ended").is_empty()
    });
    signal(conductor.id(), Signal::INT);
    wait_until(SOON, "the undo begins", || undone() == "begun\n");
    signal(child_of(conductor.id(), "__undo"), Signal::KILL);
    conductor.wait().unwrap();
    // What came of the first is not known, so it is called again, after it.
    wait_until(SOON, "it is undone", || {
        recover(&case.directory(), &["--yes"]).status.success()
    });
    assert_eq!(undone(), "begun\nended\nbegun\nended\n");
}

/// Whoever starts the run may ignore the ends of children, and hand that down.
#[test]
fn an_undo_is_called_once_where_the_ends_of_children_are_ignored() {
    let _alone = alone();
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let case = Case::new(&on(
        &url(&server),
        "1500ms",
        &SLOW.replace("sleep 2", "true"),
    ));
    let run = case.command(&["--out", case.directory().to_str().unwrap()]);
    // Not every shell can.
    let output = Command::new("bash")
        .args(["-c", "trap '' CHLD; exec \"$0\" \"$@\""])
        .arg(run.get_program())
        .args(run.get_args())
        .output()
        .unwrap();
    assert_eq!(case.outcome(0)["outcome"], "applied", "{}", said(&output));
    let undone = fs::read_to_string(case.folder.path().join("undone")).unwrap();
    assert_eq!(undone, "begun\nended\n");
    assert_eq!(case.events("undone")[0]["outcome"]["outcome"], "applied");
}

/// What could not be undone is told by the exit code, and tried again.
#[test]
fn a_run_that_leaves_something_undone_has_failed() {
    let _alone = alone();
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let hook = SLOW.replace(
        "\"echo begun >> undone; sleep 2; echo ended >> undone\"",
        "\"test -e allowed && touch undone\"",
    );
    let case = Case::new(&on(&url(&server), "2s", &hook));
    let output = case.run();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("could not be carried out"),
        "{}",
        said(&output)
    );
    let left = recover(&case.directory(), &["--yes"]);
    assert_eq!(left.status.code(), Some(1), "{}", said(&left));
    fs::write(case.folder.path().join("allowed"), "").unwrap();
    let done = recover(&case.directory(), &["--yes"]);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert!(case.folder.path().join("undone").exists());
}
