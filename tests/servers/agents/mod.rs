//! Agents over a real NATS server, as their users run them.

mod failures;
mod network;
mod rig;
mod seen;
mod work;

use std::fs;

use crate::run::{alone, threadbare};
use rig::{Agent, Nats, Target, found, load, said};

/// What must hold whoever died: nothing is counted twice, and nothing is made up.
fn conserved(found: &serde_json::Value) -> u64 {
    let count = |key: &str| found["conservation"][key].as_u64().unwrap();
    let ends = [
        "succeeded",
        "failed",
        "timed_out",
        "missed_deadline",
        "shed",
        "unfinished",
    ];
    let scheduled = count("scheduled");
    assert_eq!(
        scheduled,
        ends.iter().map(|key| count(key)).sum::<u64>(),
        "{found}"
    );
    scheduled
}

#[test]
fn two_agents_send_the_schedule_of_one_machine() {
    let _alone = alone();
    let nats = Nats::start(&[]);
    let _agents = ["east-1", "west-1"].map(|name| Agent::start(&nats.url(), name));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("operations.toml");
    let text = "[[values]]\nname = 'item'\nrange = [1, 1000]\n\n[[operation]]\nname = 'a'\n\
                [[operation.step]]\nrequest = 'GET /${number}/${item}'\n";
    fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    let arguments = [
        "-R",
        "500",
        "-d",
        "3s",
        "--arrivals",
        "poisson",
        "--seed",
        "5",
        "--file",
        &file,
    ];
    let here = Target::start();
    let output = threadbare()
        .args(["load", &here.url(), "--json"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        matches!(output.status.code(), Some(0 | 97)),
        "{}",
        said(&output)
    );
    let there = Target::start();
    let with = [&arguments[..], &["--generators", "2"][..]].concat();
    let (found, code) = found(load(&there.url(), &nats.url(), &with));
    assert!(matches!(code, 0 | 97), "{found}");
    // The same operations, with the same values, each once.
    assert_eq!(there.paths(), here.paths());
    assert_eq!(conserved(&found), there.asked() as u64);
    let agents = &found["agents"];
    let names: Vec<_> = agents["agents"].as_array().unwrap().iter().collect();
    assert_eq!(
        (names[0]["name"].as_str(), names[1]["name"].as_str()),
        (Some("east-1"), Some("west-1"))
    );
    for agent in names {
        assert_eq!(agent["share"], 0.5);
        assert!(agent["deliveries"].as_u64().unwrap() > 0 && agent["lost_s"].is_null());
        assert!(agent["busy_max"].is_number() && agent["machine_busy_max"].is_number());
    }
    // Clocks of one machine: what is measured is the measurement.
    let (skew, bound) = (&agents["skew_us"], &agents["skew_bound_us"]);
    let (skew, bound) = (skew.as_f64().unwrap(), bound.as_f64().unwrap());
    assert!(skew < 50_000.0 && bound < 50_000.0, "{skew} ± {bound} µs");
}

#[test]
fn agents_in_a_closed_loop_share_its_users() {
    let _alone = alone();
    let nats = Nats::start(&[]);
    let _agents = ["a", "b"].map(|name| Agent::start(&nats.url(), name));
    let target = Target::start();
    let arguments = ["-c", "6", "-n", "600", "--think", "1ms", "-d", "30s"];
    let (found, code) = found(load(&target.url(), &nats.url(), &arguments));
    assert!(matches!(code, 0 | 97), "{found}");
    assert_eq!((conserved(&found), target.asked()), (600, 600));
}

/// A run of the fleet that nothing happens in.
fn fleet(end: &str) -> String {
    format!(
        "title='a'\nclaim='b'\nend='{end}'\nwarm_up='1s'\n[target.fleet]\ninstances=2\n\
         [load]\nrate='60/s'\n\
         mix=[{{ weight=1, request='list tasks', role='viewer' }}]\n"
    )
}

#[test]
fn a_run_of_the_fleet_is_sent_by_agents_of_this_machine() {
    let _alone = alone();
    let nats = Nats::start(&[]);
    let _agents = ["a", "b"].map(|name| Agent::start(&nats.url(), name));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    fs::write(&file, fleet("4s")).unwrap();
    let run = folder.path().join("run");
    let output = threadbare()
        .args(["run", "--agents", &nats.url(), "--generators", "2", "--out"])
        .args([&run, &file])
        .output()
        .unwrap();
    assert!(
        matches!(output.status.code(), Some(0 | 97)),
        "{}",
        said(&output)
    );
    let found = crate::run::summary(&run).unwrap();
    assert!(conserved(&found) > 100);
    assert_eq!(found["agents"]["agents"].as_array().unwrap().len(), 2);
    let journal = fs::read_to_string(run.join("journal.jsonl")).unwrap();
    assert!(journal.contains("agents_began") && journal.contains("agents_ended"));
    // Reported again, it is the same.
    let again = threadbare().arg("report").arg(&run).output().unwrap();
    let text = String::from_utf8_lossy(&again.stdout);
    assert!(text.contains("2 agents sent the load"), "{text}");
}

#[test]
fn a_token_and_encryption_are_needed_where_they_are_asked_for() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let nats = Nats::encrypted(folder.path(), "s3cret");
    let ca = folder.path().join("ca.pem").display().to_string();
    let url = nats.encrypted_url();
    let agents = |token: &str, ca: &[&str]| {
        let output = threadbare()
            .args(["agents", &url])
            .args(ca)
            .env("THREADBARE_NATS_TOKEN", token)
            .output()
            .unwrap();
        (output.status.code(), said(&output), output.stdout)
    };
    let trusted = ["--nats-ca", &ca];
    // Without the token, with another, and without the certificate.
    for (token, trusted) in [("", &trusted[..]), ("other", &trusted), ("s3cret", &[])] {
        let (code, said, _) = agents(token, trusted);
        assert_eq!(code, Some(3), "{said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
    let token = [("THREADBARE_NATS_TOKEN", "s3cret")];
    let _agent = Agent::with(&url, "east-1", &trusted, &token);
    let (code, said, listed) = agents("s3cret", &trusted);
    assert_eq!(code, Some(0), "{said}");
    assert!(String::from_utf8_lossy(&listed).contains("east-1"));
    let target = Target::start();
    let run = folder.path().join("run").display().to_string();
    let with_token = url.replace("tls://", "tls://s3cret@");
    let arguments = [
        "-n",
        "50",
        "-R",
        "100",
        "-H",
        "authorization: Bearer t0ken-of-the-load",
        "--agents-ca",
        &ca,
        "--out",
        &run,
    ];
    let (found, code) = found(load(&target.url(), &with_token, &arguments));
    assert!(matches!(code, 0 | 97), "{found}");
    assert_eq!(target.asked(), 50);
    // What is secret is in no file, and in no answer.
    for entry in fs::read_dir(&run).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let clean = !text.contains("s3cret") && !text.contains("t0ken-of-the-load");
        assert!(clean, "{}", path.display());
    }
    assert!(!found.to_string().contains("s3cret"));
}

#[test]
fn an_agent_sends_to_no_host_that_its_own_start_did_not_allow() {
    let _alone = alone();
    let nats = Nats::start(&[]);
    let _agent = Agent::start(&nats.url(), "east-1");
    // An address of the documentation's network (RFC 5737): nothing is sent to it.
    let arguments = ["-n", "1", "-R", "1", "--allow-host", "192.0.2.1"];
    let load = load("http://192.0.2.1/", &nats.url(), &arguments);
    let output = load.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let said = said(&output);
    assert!(
        said.contains("east-1") && said.contains("--allow-host 192.0.2.1"),
        "{said}"
    );
}

#[test]
fn nothing_is_waited_for_that_is_not_there() {
    let _alone = alone();
    let target = Target::start();
    let refused = |url: &str, command: &[&str]| {
        let output = threadbare()
            .args(command)
            .arg(url)
            .env("THREADBARE_NATS_TOKEN", "")
            .output()
            .unwrap();
        (output.status.code(), said(&output))
    };
    let [port] = crate::server::free_ports();
    let nobody = format!("nats://127.0.0.1:{port}");
    let target_url = target.url();
    let load = ["load", &target_url, "-n", "1", "-R", "1", "--agents"];
    for command in [&load[..], &["agents"]] {
        let (code, said) = refused(&nobody, command);
        assert_eq!(code, Some(3), "{said}");
        assert!(
            said.contains("failed to connect to the NATS server"),
            "{said}"
        );
    }
    // A server, and nobody at it.
    let nats = Nats::start(&[]);
    let sweep = ["simulate", "retry-collapse", "--seeds", "2", "--agents"];
    for command in [&load[..], &sweep] {
        let (code, said) = refused(&nats.url(), command);
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains("0 agents are free"), "{said}");
    }
    // A server that takes less than agents send.
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("small.conf");
    fs::write(&config, "max_payload: 1000\n").unwrap();
    let small = Nats::start(&["-c", &config.display().to_string()]);
    let (code, said) = refused(&small.url(), &load);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("raise its max_payload"), "{said}");
    assert_eq!(target.asked(), 0);
}

#[test]
fn what_is_secret_goes_to_no_server_that_others_can_read() {
    // An address of the documentation's network (RFC 5737): nothing is sent to it.
    let refused = |command: &[&str], token: &str| {
        let output = threadbare()
            .args(command)
            .env("THREADBARE_NATS_TOKEN", token)
            .output()
            .unwrap();
        let said = said(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains("use tls://") && !said.contains("s3cret"),
            "{said}"
        );
    };
    let there = "nats://192.0.2.1";
    refused(&["agents", there], "s3cret");
    refused(&["agents", "nats://me:s3cret@192.0.2.1"], "");
    refused(&["agent", "--nats", there, "--name", "a"], "s3cret");
    let load = ["load", "http://127.0.0.1:9/", "-n", "1", "-R", "1"];
    refused(&[&load[..], &["--agents", there]].concat(), "");
}

#[test]
fn whoever_is_there_is_listed_with_what_it_does() {
    let _alone = alone();
    let nats = Nats::start(&[]);
    let list = || {
        let output = threadbare()
            .args(["agents", &nats.url(), "--json"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    assert_eq!(list(), serde_json::json!([]));
    let _agents = ["b", "a"].map(|name| Agent::start(&nats.url(), name));
    let listed = list();
    let names: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["name"])
        .collect();
    assert_eq!(names, ["a", "b"]);
    assert!(listed[0]["cores"].as_u64().unwrap() >= 1 && listed[0]["busy"].is_null());
    assert!(listed[0]["offset_bound_us"].as_f64().unwrap() < 50_000.0);
    let target = Target::start();
    let arguments = ["-R", "20", "-d", "60s", "--generators", "1"];
    let mut load = load(&target.url(), &nats.url(), &arguments);
    crate::run::wait_until(rig::PATIENCE, "it is busy", || !list()[0]["busy"].is_null());
    assert!(list()[1]["busy"].is_null());
    load.kill().unwrap();
    load.wait().unwrap();
}
