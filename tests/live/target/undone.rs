//! What acts is undone, whoever dies.

use std::fs;

use rustix::process::Signal;

use super::{Case, SOON, Theirs, command, free_port, recover, said, url};
use crate::rig::{alive, signal, state};
use crate::run::{alone, threadbare, wait_until};
use crate::server::{ScriptedAnswer, Server};

/// A pause of the target's process that the timeline never ends.
fn paused(theirs: &Theirs, end: &str, rest: &str) -> String {
    let target = format!(
        "end = \"{end}\"\n[target]\nport = {}\nready = \"GET /health\"\n[load]\nrate = \
         \"50/s\"\n[load.client]\ntimeout = \"200ms\"\n",
        theirs.port
    );
    let pause = "[[timeline]]\nat = \"1500ms\"\ndo = \"process\"\nfault = \"pause\"\n";
    format!("{target}{pause}{rest}")
}

#[test]
fn a_paused_process_goes_on_when_the_run_ends() {
    let _alone = alone();
    let theirs = Theirs::start();
    let limit = r#"
        [[timeline]]
        at = "1200ms"
        do = "process"
        fault = "limit"
        open_files = 64
        phase = "limited"
    "#;
    let files = || {
        let text = fs::read_to_string(format!("/proc/{}/limits", theirs.child.id())).unwrap();
        let line = text.lines().find(|line| line.starts_with("Max open files"));
        line.unwrap().to_owned()
    };
    let before = files();
    let case = Case::new(&paused(&theirs, "3s", limit));
    let child = case.start();
    wait_until(SOON, "it is paused", || {
        state(theirs.child.id()) == Some('T')
    });
    assert!(files() != before);
    let status = child.wait_with_output().unwrap().status;
    assert!(status.code().is_some());
    assert_eq!(case.pid(), theirs.child.id());
    assert_ne!(state(theirs.child.id()), Some('T'));
    assert_eq!(files(), before);
    assert!(theirs.serves());
    assert_eq!(case.events("undone").len(), 2);
    assert_eq!(case.events("steady_state")[0]["returned"], true);
    assert!(case.phase("pause", "error_share").as_f64().unwrap() > 0.9);
}

#[test]
fn a_stop_condition_undoes_at_once() {
    let _alone = alone();
    let theirs = Theirs::start();
    let stop = "[safety]\nabort_if = [\"error share > 50 % for 500ms\"]\n";
    let case = Case::new(&paused(&theirs, "60s", stop));
    let output = case.run();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let ended = case.events("run_ended")[0]["cause"].clone();
    assert_eq!(ended["cause"], "aborted");
    assert_eq!(ended["because"], "error share > 50 % for 500ms");
    assert_eq!(case.events("undone").len(), 1);
    assert!(theirs.serves());
    assert_eq!(case.summary()["complete"], false);
}

/// A hook that has no answer keeps nothing waiting: neither the end nor what acts.
#[test]
fn a_hook_without_an_answer_keeps_no_undo_waiting() {
    let _alone = alone();
    let theirs = Theirs::start();
    let silent = Server::start(|_| ScriptedAnswer::never());
    let rest = r#"
        [[hook]]
        name = "deploy"
        request = "POST URL/deploy"
        timeout = "10min"
        undo = { command = ["touch", "undone"] }
        [[timeline]]
        at = "1s"
        do = "hook"
        hook = "deploy"
        as = "push"
        phase = "push"
    "#;
    let rest = rest.replace("URL", &url(&silent));
    let case = Case::new(&paused(&theirs, "60s", &rest));
    let mut conductor = case.start();
    wait_until(SOON, "it is called, and the process paused", || {
        !silent.requests().is_empty() && state(theirs.child.id()) == Some('T')
    });
    signal(conductor.id(), Signal::INT);
    wait_until(SOON, "the run ends", || {
        conductor.try_wait().unwrap().is_some()
    });
    assert!(theirs.serves());
    assert!(case.folder.path().join("undone").exists());
    // That it had no answer by then is nobody's failure.
    let failures = case.summary()["failures"].to_string();
    assert!(!failures.contains("hook deploy"), "{failures}");
}

#[test]
fn an_expectation_that_can_no_longer_hold_undoes_at_once() {
    let _alone = alone();
    let theirs = Theirs::start();
    let expected = "[[expect]]\nthat = \"failures <= 0\"\nabort = true\n";
    let case = Case::new(&paused(&theirs, "60s", expected));
    let output = case.run();
    assert_eq!(output.status.code(), Some(99), "{}", said(&output));
    let ended = case.events("run_ended")[0]["cause"].clone();
    assert_eq!(ended["cause"], "aborted");
    assert_eq!(ended["expectation"], true);
    assert_eq!(case.events("undone").len(), 1);
    assert!(theirs.serves());
    let summary = case.summary();
    assert_eq!(summary["complete"], false);
    assert_eq!(summary["expectations"][0]["passed"], false);
    let reason = summary["ending"]["reasons"][0].as_str().unwrap();
    let told = "because an expectation can no longer hold (failures: ";
    assert!(reason.contains(told), "{reason}");
}

/// The guardian of a conductor.
pub(super) fn guardian(conductor: u32) -> u32 {
    child_of(conductor, "__guardian")
}

/// The child of a process whose command line has this word.
pub(super) fn child_of(process: u32, word: &str) -> u32 {
    let processes = fs::read_dir("/proc").unwrap();
    let found = processes.filter_map(|entry| {
        let path = entry.ok()?.path();
        let pid: u32 = path.file_name()?.to_str()?.parse().ok()?;
        let stat = fs::read_to_string(path.join("stat")).ok()?;
        let parent = stat.rsplit(')').next()?.split_whitespace().nth(1)?;
        let line = fs::read_to_string(path.join("cmdline")).ok()?;
        (parent == process.to_string() && line.contains(word)).then_some(pid)
    });
    found.last().unwrap()
}

#[test]
fn a_killed_conductor_is_undone_in_every_phase() {
    let _alone = alone();
    let rest = r#"
        [[timeline]]
        at = "1200ms"
        do = "hook"
        hook = "deploy"
        as = "push"
        phase = "push"
        [[timeline]]
        at = "2s"
        do = "process"
        fault = "continue"
        phase = "rollback"
        [[hook]]
        name = "deploy"
        command = ["touch", "deployed"]
        undo = { command = ["rm", "deployed"] }
    "#;
    for (phase, ended) in [
        ("baseline", 0),
        ("under the fault", 2),
        ("after the rollback", 3),
    ] {
        let theirs = Theirs::start();
        let mut scenario: toml::Table = paused(&theirs, "60s", rest).parse().unwrap();
        // Nothing more is done, however late the conductor dies.
        let timeline = scenario
            .get_mut("timeline")
            .and_then(|it| it.as_array_mut());
        timeline.unwrap().truncate(ended);
        let case = Case::new(&scenario.to_string());
        let mut child = case.start();
        wait_until(SOON, phase, || {
            !case.events("load_started").is_empty() && case.events("action_ended").len() >= ended
        });
        assert_eq!(state(theirs.child.id()) == Some('T'), ended == 2, "{phase}");
        child.kill().unwrap();
        child.wait().unwrap();
        wait_until(SOON, "it goes on", || {
            state(theirs.child.id()) != Some('T') && !case.folder.path().join("deployed").exists()
        });
        assert!(theirs.serves(), "{phase}");
        wait_until(SOON, "the guardian has done its work", || {
            recover(&case.directory(), &[]).status.success()
        });
        let output = recover(&case.directory(), &[]);
        assert!(
            said(&output).contains("Nothing is left to undo"),
            "{}",
            said(&output)
        );
        let undone = said(&output).matches("the guardian: ").count();
        assert_eq!(undone, [0, 0, 2, 1][ended], "{phase}: {}", said(&output));
        // The run can still be reported, as one that was not seen to its end.
        let report = threadbare()
            .arg("report")
            .arg(case.directory())
            .output()
            .unwrap();
        assert!(report.status.success());
        assert_eq!(case.summary()["complete"], false);
    }
}

#[test]
fn recover_undoes_what_nobody_could_and_does_so_once() {
    let _alone = alone();
    let theirs = Theirs::start();
    let case = Case::new(&paused(&theirs, "60s", ""));
    let mut child = case.start();
    wait_until(SOON, "it is paused", || {
        state(theirs.child.id()) == Some('T')
    });
    // While the run is under way it is not recovered.
    let output = recover(&case.directory(), &["--yes"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(
        said(&output).contains("still going on"),
        "{}",
        said(&output)
    );
    signal(guardian(child.id()), Signal::KILL);
    child.kill().unwrap();
    child.wait().unwrap();
    // What it would do is told first, and nothing is done unasked.
    let output = recover(&case.directory(), &[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains(&format!("continue the processes {}", theirs.child.id())));
    assert_eq!(state(theirs.child.id()), Some('T'));
    let output = recover(&case.directory(), &["--yes"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(theirs.serves());
    let output = recover(&case.directory(), &["--yes"]);
    assert!(
        said(&output).contains("Nothing is left to undo"),
        "{}",
        said(&output)
    );
    assert!(
        said(&output).contains("recover: continue the processes"),
        "{}",
        said(&output)
    );
}

/// A conductor that stands still would hold what it occupies while its undos are
/// carried out: the guardian ends it first.
#[test]
fn a_conductor_that_stands_still_is_ended_and_undone() {
    let _alone = alone();
    let theirs = Theirs::start();
    let occupied = r#"
        [[timeline]]
        at = "1s"
        do = "occupy"
        connections = 4
    "#;
    let text = paused(&theirs, "60s", occupied);
    let case = Case::new(&text);
    let mut conductor = case.start();
    wait_until(SOON, "it is occupied and paused", || {
        case.events("action_ended").len() == 2
    });
    signal(conductor.id(), Signal::STOP);
    wait_until(2 * SOON, "the guardian ends it", || {
        conductor.try_wait().unwrap().is_some()
    });
    wait_until(SOON, "the guardian has done its work", || {
        recover(&case.directory(), &[]).status.success()
    });
    assert!(theirs.serves());
}

#[test]
fn a_killed_conductor_leaves_no_command_behind() {
    let _alone = alone();
    let case = Case::new(&command(free_port(), "ready = \"GET /health\"", "60s", ""));
    let mut child = case.start();
    wait_until(SOON, "the load begins", || {
        !case.events("load_started").is_empty()
    });
    let pid = case.pid();
    // A stopped process hears nothing of the end.
    signal(pid, Signal::STOP);
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until(SOON, "the guardian ends the command", || !alive(pid));
}
