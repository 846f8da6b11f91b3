//! Hooks push, hang and refuse, and are undone.

use std::fs;
use std::sync::Arc;

use threadbare::model::fault::Mode;
use threadbare::net::AllowedHosts;
use threadbare::proxy::{Api, Draft, Proxies, Settings};

use super::{Case, SOON, leftovers, on, said, url};
use crate::run::{alone, wait_until};
use crate::server::{ScriptedAnswer, Server};

#[test]
fn hooks_push_hang_and_refuse_and_are_undone() {
    let _alone = alone();
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let hooks = r#"
        [[hook]]
        name = "deploy"
        command = ["sh", "-c", "echo deployed; touch deployed"]
        undo = { command = ["rm", "deployed"] }
        [[hook]]
        name = "hang"
        command = ["sleep", "60"]
        timeout = "300ms"
        [[hook]]
        name = "back"
        command = ["sh", "-c", "echo the schema is newer; exit 2"]
        undo = { command = ["touch", "wrongly-undone"] }
        [[hook]]
        name = "by request"
        request = "POST URL/rollback"
        expect = "status 409"
        [[timeline]]
        at = "1500ms"
        do = "hook"
        hook = "deploy"
        as = "push"
        [[timeline]]
        at = "1600ms"
        do = "hook"
        hook = "hang"
        [[timeline]]
        at = "1700ms"
        do = "hook"
        hook = "back"
        as = "rollback"
        [[timeline]]
        after = "rollback rejected"
        do = "hook"
        hook = "by request"
        phase = "again"
    "#;
    let hooks = hooks.replace("URL", &url(&server));
    let case = Case::new(&on(&url(&server), "4s", &hooks));
    let output = case.run();
    assert_eq!(case.outcome(0)["outcome"], "applied", "{}", said(&output));
    let hung = case.outcome(1);
    assert_eq!(hung["outcome"], "failed");
    assert!(
        hung["reason"]
            .as_str()
            .unwrap()
            .contains("did not end within 300ms"),
        "{hung}"
    );
    let refused = case.outcome(2);
    assert_eq!(refused["outcome"], "rejected");
    assert_eq!(refused["check"], "back");
    assert!(
        refused["reason"]
            .as_str()
            .unwrap()
            .contains("the schema is newer"),
        "{refused}"
    );
    // The answer was 200 where 409 was expected.
    assert_eq!(case.outcome(3)["outcome"], "rejected");
    let because = case.summary()["incident"]["rollback_rejected_because"].clone();
    assert!(
        because.as_str().unwrap().contains("the schema is newer"),
        "{because}"
    );
    // The push is undone at the end, the refusal is not.
    assert!(!case.folder.path().join("deployed").exists());
    assert!(!case.folder.path().join("wrongly-undone").exists());
    assert_eq!(case.events("undone").len(), 1);
    assert_eq!(leftovers(case.folder.path()), Vec::<String>::new());
    let kept = fs::read_to_string(case.directory().join("hooks.log")).unwrap();
    assert!(
        kept.contains("deployed") && kept.contains("the schema is newer"),
        "{kept}"
    );
}

/// A second push that is refused changes nothing about the first, which is undone.
#[test]
fn a_refused_push_leaves_the_undo_of_an_earlier_one() {
    let _alone = alone();
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let twice = r#"
        [[hook]]
        name = "deploy"
        command = ["mkdir", "deployed"]
        undo = { command = ["rmdir", "deployed"] }
        [[timeline]]
        at = "700ms"
        do = "hook"
        hook = "deploy"
        as = "push"
        [[timeline]]
        at = "1200ms"
        do = "hook"
        hook = "deploy"
        as = "push"
        phase = "again"
    "#;
    let case = Case::new(&on(&url(&server), "2s", twice));
    case.run();
    assert_eq!(case.outcome(0)["outcome"], "applied");
    assert_eq!(case.outcome(1)["outcome"], "rejected");
    assert!(!case.folder.path().join("deployed").exists());
    let undone = case.events("undone");
    assert_eq!(undone.len(), 1, "{undone:?}");
}

/// Which of several pushes a rollback has undone is not known: all are, once more or not.
#[test]
fn a_rollback_takes_the_undo_of_no_other_push_away() {
    let _alone = alone();
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let two = r#"
        [[hook]]
        name = "deploy"
        command = ["touch", "deployed"]
        undo = { command = ["rm", "-f", "deployed"] }
        [[hook]]
        name = "flag"
        command = ["touch", "flag"]
        undo = { command = ["rm", "flag"] }
        [[hook]]
        name = "back"
        command = ["rm", "deployed"]
        [[timeline]]
        at = "700ms"
        do = "hook"
        hook = "deploy"
        as = "push"
        phase = "deployed"
        [[timeline]]
        at = "1200ms"
        do = "hook"
        hook = "flag"
        as = "push"
        phase = "flagged"
        [[timeline]]
        at = "1700ms"
        do = "hook"
        hook = "back"
        as = "rollback"
        phase = "rolled back"
    "#;
    let case = Case::new(&on(&url(&server), "2s", two));
    let output = case.run();
    for entry in 0..3 {
        let outcome = case.outcome(entry);
        assert_eq!(outcome["outcome"], "applied", "{}", said(&output));
    }
    for name in ["deployed", "flag"] {
        assert!(!case.folder.path().join(name).exists(), "{name}");
    }
    let undone = case.events("undone");
    assert_eq!(undone.len(), 2, "{undone:?}");
    assert_eq!(undone[0]["undo"], "call rm flag");
}

/// A proxy that stands beside a target is broken by hooks, as docs/TARGETS.md has it,
/// and mended by whoever outlives the run.
#[test]
fn a_proxy_beside_the_target_is_mended_when_the_conductor_dies() {
    let _alone = alone();
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let proxies = Arc::new(Proxies::new(Settings {
        seed: 1,
        connections_max: 100,
        allowed: AllowedHosts::default(),
    }));
    let database = proxies.create(&Draft {
        name: "database".into(),
        listen: String::new(),
        upstream: server.address().to_string(),
        enabled: true,
        mode: Mode::Tcp,
    });
    let any = "127.0.0.1:0".parse().unwrap();
    let api = Api::start(any, Arc::clone(&proxies)).unwrap();
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/TARGETS.md")).unwrap();
    let mut examples = page
        .split("```toml\n")
        .filter_map(|text| text.split("```").next());
    let hook = examples.find(|text| text.contains("/toxics")).unwrap();
    let hook = hook.replace("127.0.0.1:8474", &api.address().to_string());
    let push =
        "[[timeline]]\nat = \"1s\"\ndo = \"hook\"\nhook = \"slow database\"\nas = \"push\"\n";
    let url = format!("http://{}", database.unwrap());
    let case = Case::new(&on(&url, "60s", &format!("{hook}{push}")));
    let mut conductor = case.start();
    wait_until(SOON, "it is slow", || {
        !case.events("action_ended").is_empty()
    });
    let faults = || {
        proxies
            .with("database", |it| Ok(it.faults().len()))
            .unwrap()
    };
    assert_eq!(
        (case.outcome(0)["outcome"].as_str(), faults()),
        (Some("applied"), 1)
    );
    conductor.kill().unwrap();
    conductor.wait().unwrap();
    wait_until(SOON, "the guardian mends it", || faults() == 0);
}
