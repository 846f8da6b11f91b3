//! An undo that is under way is waited for, and not begun again beside itself.

use std::fs;

use rustix::process::Signal;

use super::super::undone::guardian;
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
