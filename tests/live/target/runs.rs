//! Runs on a URL and on a command, and what they record.

use std::fs;

use super::{Case, command, free_port, leftovers, on, said, url};
use crate::founding::pids;
use crate::rig::alive;
use crate::run::{alone, threadbare};
use crate::server::{ScriptedAnswer, Server, Then};

#[test]
fn a_url_is_loaded_recorded_and_reported_without_gauges_that_nobody_read() {
    let _alone = alone();
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let monitor = "[[monitor]]\nname = \"health\"\nprobe = \"/health\"\nevery = \"100ms\"\n";
    let case = Case::new(&on(&url(&server), "2s", monitor));
    let output = case.run();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(case.summary()["conservation"]["succeeded"], 200);
    for figure in ["saturation", "zombie_share"] {
        assert!(case.phase("baseline", figure).is_null(), "{figure}");
    }
    assert!(case.phase("baseline", "queue_depth")["max"].is_null());
    assert!(
        case.phase("baseline", "probes_per_operation")
            .as_f64()
            .unwrap()
            > 0.05
    );
    let postmortem = fs::read_to_string(case.directory().join("postmortem.md")).unwrap();
    assert!(!postmortem.contains("0 of 0"), "{postmortem}");
    assert_eq!(case.events("steady_state")[0]["returned"], true);
}

#[test]
fn several_urls_share_the_load_by_their_weights_exactly() {
    let _alone = alone();
    let servers = [(); 2].map(|()| Server::start(|_| ScriptedAnswer::status(200)));
    let text = format!(
        "end = \"2s\"\n[target]\nurls = [{{ url = \"{}\", weight = 3 }}, {{ url = \"{}\" }}]\n\
         [load]\nrate = \"100/s\"\narrivals = \"constant\"\n\
         [[expect]]\nthat = \"goodput of {1}/ <= 30/s\"\n",
        url(&servers[0]),
        url(&servers[1])
    );
    let case = Case::new(&text);
    let output = case.run();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let counts = servers.each_ref().map(|server| server.requests().len());
    // One every 10 ms: 200, and three of every four are the first's.
    assert_eq!(counts, [150, 50]);
    let summary = case.summary();
    assert_eq!(summary["conservation"]["succeeded"], 200);
    // Each has figures of its own: without the warm-up of half a second.
    let figures = summary["urls"].as_array().unwrap().iter();
    let figures = figures.map(|it| (it["url"].as_str().unwrap(), it["operations"].as_u64()));
    let named = servers.each_ref().map(url);
    assert_eq!(
        figures.collect::<Vec<_>>(),
        [
            (named[0].as_str(), Some(112)),
            (named[1].as_str(), Some(38))
        ]
    );
    assert!(said(&output).contains("URLs"), "{}", said(&output));
}

#[test]
fn a_command_is_awaited_watched_pushed_rolled_back_and_ended() {
    let _alone = alone();
    let port = free_port();
    let target = "env = { API_TOKEN = \"hunter2\" }\nready = \"GET /health\"";
    let timeline = r#"
        [[timeline]]
        at = "2s"
        do = "configure"
        env = { BROKEN = "yes", DB_PASSWORD = "hunter2" }
        phase = "push"
        [[timeline]]
        at = "4s"
        do = "rollback"
    "#;
    let case = Case::new(&command(port, target, "6s", timeline));
    let output = case.run();
    assert!(output.status.code().is_some(), "{}", said(&output));
    for entry in [0, 1] {
        assert_eq!(
            case.outcome(entry)["outcome"],
            "applied",
            "{}",
            said(&output)
        );
    }
    // Each configuration is a process of its own, and the last one is ended too.
    assert_eq!(case.events("serving").len(), 3);
    assert_eq!(case.events("ended").len(), 3);
    let (pids, directory) = (pids(&case.directory()), case.directory());
    assert!(!pids.into_iter().any(alive));
    assert!(case.phase("push", "error_share").as_f64().unwrap() > 0.9);
    assert!(case.phase("rollback", "goodput_per_s").as_f64().unwrap() > 30.0);
    let trigger = case.summary()["incident"]["trigger_s"].as_f64().unwrap();
    assert!((2.0..2.5).contains(&trigger), "{trigger}");
    assert!(
        case.summary()["incident"]["rollback_applied_s"]
            .as_f64()
            .unwrap()
            >= 4.0
    );
    let output = fs::read_to_string(directory.join("target.log")).unwrap();
    assert_eq!(output.matches("listening on").count(), 3, "{output}");
    // Threads and memory were read; secrets were not written.
    let series = fs::read_to_string(directory.join("series.csv")).unwrap();
    assert!(series.contains("process,target,threads_max"), "{series}");
    for entry in fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("hunter2"), "{}", path.display());
    }
}

#[test]
fn a_push_that_is_never_ready_makes_way_for_its_rollback_and_is_the_cause() {
    let _alone = alone();
    let timeline = r#"
        [[timeline]]
        at = "2s"
        do = "configure"
        env = { BROKEN = "yes", HEALTH = "503" }
        phase = "push"
        [[timeline]]
        at = "4s"
        do = "rollback"
    "#;
    let text = command(free_port(), "ready = \"GET /health\"", "6s", timeline);
    let case = Case::new(&text);
    let output = case.run();
    let [push, rollback] = [0, 1].map(|entry| case.outcome(entry));
    assert_eq!(push["outcome"], "applied", "{}", said(&output));
    let detail = push["detail"].as_str().unwrap();
    assert!(
        detail.contains("the next action came before it was ready"),
        "{detail}"
    );
    assert_eq!(rollback["outcome"], "applied", "{}", said(&output));
    let incident = &case.summary()["incident"];
    let instant = |name: &str| incident[name].as_f64().unwrap();
    assert!((2.0..2.5).contains(&instant("trigger_s")), "{incident}");
    assert!(
        (4.0..6.0).contains(&instant("rollback_applied_s")),
        "{incident}"
    );
}

#[test]
fn a_push_whose_process_ends_at_once_is_the_cause_of_what_follows() {
    let _alone = alone();
    let timeline = r#"
        [[timeline]]
        at = "2s"
        do = "configure"
        args = ["no-such-file.py"]
        phase = "push"
        [[timeline]]
        at = "4s"
        do = "rollback"
    "#;
    let text = command(free_port(), "ready = \"GET /health\"", "6s", timeline);
    let case = Case::new(&text);
    let output = case.run();
    let detail = case.outcome(0)["detail"].to_string();
    assert!(detail.contains("exit status: 2"), "{}", said(&output));
    let incident = &case.summary()["incident"];
    assert!((2.0..2.5).contains(&incident["trigger_s"].as_f64().unwrap()));
    assert!(case.phase("rollback", "goodput_per_s").as_f64().unwrap() > 30.0);
}

#[test]
fn a_command_that_ends_in_the_run_is_a_recorded_datum() {
    let _alone = alone();
    let end = r#"
        [[hook]]
        name = "end it"
        request = "GET http://127.0.0.1:PORT/end"
        [[timeline]]
        at = "1500ms"
        do = "hook"
        hook = "end it"
    "#;
    let port = free_port();
    let end = end.replace("PORT", &port.to_string());
    let case = Case::new(&command(port, "ready = \"GET /health\"", "3s", &end));
    let output = case.run();
    let died = case.events("died");
    assert_eq!(died.len(), 1, "{}", said(&output));
    assert_eq!(died[0]["status"], "exit status: 7");
    assert_eq!(case.outcome(0)["outcome"], "failed"); // it never answered
    // The run went on to its end, and is no success: the target does not serve.
    assert_eq!(case.events("run_ended")[0]["cause"]["cause"], "completed");
    assert_eq!(case.summary()["steady_state_returned"], false);
    assert_ne!(output.status.code(), Some(0));
}

#[test]
fn a_target_that_cannot_be_had_is_an_unfit_environment_and_leaves_nothing() {
    let _alone = alone();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().port();
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let busy = server.address().port();
    let never = "env = { HEALTH = \"503\" }\nready = \"GET /health\"\nready_within = \"700ms\"";
    let mut failing = command(free_port(), "ready = \"GET /health\"", "3s", "");
    failing = failing.replace("\"server.py\"", "\"no-such-file.py\"");
    let proxy =
        format!("[[proxy]]\nname = \"db\"\nlisten = \"127.0.0.1:{busy}\"\nto = \"127.0.0.1:1\"\n");
    for (text, told) in [
        (
            command(free_port(), "", "3s", &proxy),
            "the proxy `db`: failed to listen on",
        ),
        (command(free_port(), never, "3s", ""), "answered 503"),
        (failing, "no-such-file.py"),
        (command(busy, "", "3s", ""), "already serves"),
        (
            on(&format!("http://127.0.0.1:{}", free_port()), "3s", ""),
            "did not",
        ),
        (
            on(&format!("http://127.0.0.1:{taken}"), "3s", ""),
            "did not",
        ),
    ] {
        let case = Case::new(&text);
        let output = case.run();
        assert_eq!(output.status.code(), Some(3), "{told}: {}", said(&output));
        assert!(said(&output).contains(told), "{told}: {}", said(&output));
        assert!(!pids(&case.directory()).into_iter().any(alive));
        assert_eq!(leftovers(case.folder.path()), Vec::<String>::new());
    }
}

#[test]
fn nothing_is_injected_into_what_is_broken_already() {
    let _alone = alone();
    // It answers its health check, and closes every other connection.
    let server = Server::start(|request| {
        if request.line().contains("/health") {
            return ScriptedAnswer::status(200);
        }
        ScriptedAnswer::text("").then(Then::Close)
    });
    let hook = r#"
        [[hook]]
        name = "deploy"
        command = ["touch", "deployed"]
        [[timeline]]
        at = "1500ms"
        do = "hook"
        hook = "deploy"
        as = "push"
    "#;
    let case = Case::new(&on(&url(&server), "3s", hook));
    let output = case.run();
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(
        said(&output).contains("not healthy before the first fault"),
        "{}",
        said(&output)
    );
    assert!(!case.folder.path().join("deployed").exists());
    assert!(case.events("action_started").is_empty());
}

#[test]
fn a_variant_that_cannot_be_run_is_left_out_and_the_table_says_why() {
    let _alone = alone();
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let case = Case::new(&on(&url(&server), "3s", ""));
    let nobody = format!("gone: target.url=http://127.0.0.1:{}", free_port());
    let output = threadbare()
        .arg("what-if")
        .arg(case.folder.path().join("case.toml"))
        .args(["--live", "--try", &nobody, "--quiet", "--out"])
        .arg(case.folder.path().join("tried"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(97), "{}", said(&output));
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(
        table.contains("unchanged") && table.contains("Runs: "),
        "{table}"
    );
    assert!(
        table.contains("gone") && table.contains("it could not be run: "),
        "{table}"
    );
}

#[test]
fn variants_are_run_with_several_seeds_and_their_table_is_in_the_report() {
    let _alone = alone();
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let every_other_fails = Server::start(|request| {
        ScriptedAnswer::status(if request.index % 2 == 0 { 200 } else { 500 })
    });
    let case = Case::new(&on(&url(&server), "3s", ""));
    let tried = case.folder.path().join("tried");
    let half = format!("half: target.url={}", url(&every_other_fails));
    let output = threadbare()
        .arg("what-if")
        .arg(case.folder.path().join("case.toml"))
        .args(["--live", "--seeds", "2", "--try", &half, "--quiet", "--out"])
        .arg(&tried)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let read = |name: &str| fs::read_to_string(tried.join(name)).unwrap();
    let told: serde_json::Value = serde_json::from_str(&read("0-seed-1/what-if.json")).unwrap();
    assert_eq!(told["seeds"], serde_json::json!([1, 2]), "{told}");
    let row = &told["alone"][0];
    assert!(row["lost"]["min"].as_f64() > Some(0.0), "{row}");
    assert!(row["saved"]["half_width"].is_number(), "{row}");
    for name in ["report.html", "postmortem.md"] {
        let page = read(&format!("0-seed-1/{name}"));
        assert!(page.contains("run live with 2 seeds"), "{name}");
    }
    assert!(tried.join("1-seed-2/report.html").is_file());
}

#[test]
fn variants_that_go_on_run_only_what_does_not_lie_there() {
    let _alone = alone();
    let server = Server::start(|_| ScriptedAnswer::status(200));
    let case = Case::new(&on(&url(&server), "3s", ""));
    let tried = case.folder.path().join("tried");
    let go = |rate: &str| {
        let output = threadbare()
            .arg("variants")
            .arg(case.folder.path().join("case.toml"))
            .args(["--set", &format!("other: load.rate={rate}")])
            .args(["--quiet", "--resume", "--out"])
            .arg(&tried)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    };
    let journal = |run: &str| fs::read(tried.join(run).join("journal.jsonl")).unwrap();
    go("20/s");
    let (first, other) = (journal("0"), journal("1"));
    fs::remove_dir_all(tried.join("1")).unwrap();
    go("20/s");
    assert_eq!(journal("0"), first);
    assert_ne!(journal("1"), other);
    // A run of another plan is none of this one, and stays where it is.
    let other = journal("1");
    go("30/s");
    assert_eq!((journal("0"), journal("1")), (first, other));
    assert!(tried.join("1-again/report.html").is_file());
}
