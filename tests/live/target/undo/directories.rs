//! No undo depends on where the run directory is, nor on a log in it.

use std::fs;

use super::super::{SOON, on, url};
use super::{Case, said};
use crate::run::{alone, wait_until};
use crate::server::{ScriptedAnswer, Server};

const DEPLOYED: &str = r#"
    [[hook]]
    name = "deploy"
    command = ["touch", "deployed"]
    undo = { command = ["rm", "deployed"] }
    [[timeline]]
    at = "700ms"
    do = "hook"
    hook = "deploy"
    as = "push"
"#;

#[test]
fn a_killed_conductor_is_undone_where_its_directory_was_moved_or_removed() {
    let _alone = alone();
    let server = Server::start(|_| ScriptedAnswer::status(200));
    for moved in [true, false] {
        let case = Case::new(&on(&url(&server), "60s", DEPLOYED));
        let mut child = case.start();
        wait_until(SOON, "it is deployed", || {
            !case.events("action_ended").is_empty()
        });
        if moved {
            fs::rename(case.directory(), case.folder.path().join("elsewhere")).unwrap();
        } else {
            fs::remove_dir_all(case.directory()).unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        wait_until(SOON, "the guardian undoes it", || {
            !case.folder.path().join("deployed").exists()
        });
    }
}

#[test]
fn a_run_whose_directory_was_removed_is_undone_and_has_failed() {
    let _alone = alone();
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let case = Case::new(&on(&url(&server), "3s", DEPLOYED));
    let child = case
        .command(&["--out", case.directory().to_str().unwrap()])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    wait_until(SOON, "it is deployed", || {
        !case.events("action_ended").is_empty()
    });
    fs::remove_dir_all(case.directory()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(!case.folder.path().join("deployed").exists());
}
