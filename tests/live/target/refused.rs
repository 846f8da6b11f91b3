//! What is touched only when it was asked for.

use std::fs;

use super::{Case, on, said, url};
use crate::run::alone;
use crate::server::{ScriptedAnswer, Server};

#[test]
fn a_dry_run_says_everything_and_touches_nothing() {
    let _alone = alone();
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let rest = r#"
        [[hook]]
        name = "deploy"
        request = "POST URL/deploy"
        undo = { command = ["touch", "undone"] }
        [[timeline]]
        at = "7s"
        do = "hook"
        hook = "deploy"
        as = "push"
        [[timeline]]
        after = "alert errors"
        delay = "2s"
        do = "hook"
        hook = "deploy"
        as = "rollback"
        [[alert]]
        name = "errors"
        when = "error share > 50 %"
        for = "1s"
        [safety]
        abort_if = ["error share > 90 % for 30s"]
    "#;
    let case = Case::new(&on(
        &url(&server),
        "20s",
        &rest.replace("URL", &url(&server)),
    ));
    let output = case
        .command(&["--dry-run"])
        .current_dir(case.folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let said = said(&output);
    for told in [
        "100/s",
        "7.0 s  hook `deploy`",
        "2s after the alert `errors`",
        "touch undone within 30s",
        "error share > 90 % for 30s",
        "GET http://127.0.0.1",
    ] {
        assert!(said.contains(told), "{told} in {said}");
    }
    assert_eq!(server.connections(), 0);
    let mut left: Vec<_> = fs::read_dir(case.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["case.toml", "server.py"]);
}

#[test]
fn what_must_not_be_touched_is_refused_before_anything_is_made() {
    let elsewhere = on("http://192.0.2.7:80", "3s", "");
    let named = format!("{elsewhere}\n[safety]\nhosts = [\"192.0.2.7\"]\n");
    let much = format!("{named}rate_max = \"99/s\"\n");
    let long = format!("{named}rate_max = \"1000/s\"\nduration_max = \"2s\"\n");
    // Each request may be sent once more; two of a hook and of its undo make it more than
    // is allowed.
    let hook = "[[hook]]\nname = \"deploy\"\nrequest = \"POST http://192.0.2.7/x\"\nundo = \
                { request = \"POST http://192.0.2.7/y\" }\n[[timeline]]\nat = \"1s\"\ndo = \
                \"hook\"\nhook = \"deploy\"\n";
    let called = format!("{named}rate_max = \"201/s\"\n{hook}");
    let first = "end = \"3s\"\n[target]\nurl = \"http://127.0.0.1:1\"\npid = 2\n[load]\nrate = \
                 \"1/s\"\n";
    let own = first.replace("pid = 2", &format!("pid = {}", std::process::id()));
    for (text, arguments, told) in [
        (
            elsewhere.as_str(),
            &["--allow-host", "192.0.2.7"][..],
            "[safety] hosts",
        ),
        (&named, &[][..], "--allow-host 192.0.2.7"),
        (
            &named,
            &["--allow-host", "192.0.2.70"][..],
            "--allow-host 192.0.2.7",
        ),
        (&much, &["--allow-host", "192.0.2.7"][..], "rate_max"),
        (
            &called,
            &["--allow-host", "192.0.2.7"][..],
            "could send 202 requests/s",
        ),
        (&long, &["--allow-host", "192.0.2.7"][..], "duration_max"),
    ] {
        let case = Case::new(text);
        let out = case.directory();
        let mut command = case.command(arguments);
        let output = command.arg("--out").arg(&out).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}: {}", said(&output));
        assert!(said(&output).contains(told), "{told}: {}", said(&output));
        assert!(!out.exists());
        // A dry run asks the same rule.
        let output = case.command(arguments).arg("--dry-run").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}: {}", said(&output));
        assert!(said(&output).contains(told), "{told}: {}", said(&output));
    }
    let _alone = alone();
    let case = Case::new(&own);
    let dry = case.command(&["--dry-run"]).output().unwrap();
    assert_eq!(dry.status.code(), Some(2), "{}", said(&dry));
    let output = case.run();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(
        said(&output).contains("does not touch it"),
        "{}",
        said(&output)
    );
}
