//! Who dies, and what becomes of the rest.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::conserved;
use rustix::process::Signal;
use serde_json::Value;

use super::rig::{Agent, Nats, PATIENCE, Target, found, load};
use crate::run::{alone, events, summary, threadbare, wait_until};

const LOAD: [&str; 8] = [
    "-R",
    "200",
    "-d",
    "8s",
    "--generators",
    "2",
    "--lease",
    "2s",
];

/// A load of two agents, well under way.
fn begun(nats: &Nats, target: &Target, more: &[&str]) -> std::process::Child {
    let arguments = [&LOAD[..], more].concat();
    let load = load(&target.url(), &nats.url(), &arguments);
    wait_until(PATIENCE, "the load is under way", || target.asked() > 200);
    load
}

#[test]
fn an_agent_that_is_killed_leaves_the_others_their_shares() {
    let _alone = alone();
    let nats = Nats::start(&[]);
    let [_east, mut west] = ["east-1", "west-1"].map(|name| Agent::start(&nats.url(), name));
    let target = Target::start();
    let load = begun(&nats, &target, &[]);
    west.kill();
    let (found, code) = found(load);
    assert_eq!(code, 97, "{found}");
    let reasons = found["measurement"]["reasons"].to_string();
    assert!(
        reasons.contains("agent west-1 was lost") && reasons.contains("50 %"),
        "{reasons}"
    );
    assert!(!reasons.contains("does not add up"), "{reasons}");
    let agents = &found["agents"]["agents"];
    assert!(agents[0]["lost_s"].is_null());
    let lost = agents[1]["lost_s"].as_f64().unwrap();
    assert!((0.0..8.0).contains(&lost), "{lost}");
    // The whole share of one, and of the other what was told.
    let scheduled = conserved(&found);
    assert!((800..1_600).contains(&scheduled), "{scheduled}");
}

#[test]
fn an_agent_that_stands_still_is_lost_and_sends_nothing_when_it_wakes() {
    let _alone = alone();
    let nats = Nats::start(&[]);
    let [_east, west] = ["east-1", "west-1"].map(|name| Agent::start(&nats.url(), name));
    let target = Target::start();
    let load = begun(&nats, &target, &[]);
    west.signal(Signal::STOP);
    let (found, code) = found(load);
    assert_eq!(code, 97, "{found}");
    let reasons = found["measurement"]["reasons"].to_string();
    assert!(reasons.contains("agent west-1 was lost"), "{reasons}");
    conserved(&found);
    // Some six hundred of its operations are overdue. What was under way may be asked yet.
    let before = target.asked();
    west.signal(Signal::CONT);
    west.await_saying("let go");
    // It waits for the next load, and counts nothing of the last.
    let arguments = ["-n", "20", "-R", "100", "--generators", "2"];
    let (next, code) = super::found(super::load(&target.url(), &nats.url(), &arguments));
    assert!(matches!(code, 0 | 97), "{next}");
    assert_eq!(conserved(&next), 20);
    let late = target.asked() - before - 20;
    assert!(late < 20, "{late} were sent after the lease");
}

#[test]
fn an_agent_that_is_ended_says_so_at_once() {
    let _alone = alone();
    let nats = Nats::start(&[]);
    let [_east, west] = ["east-1", "west-1"].map(|name| Agent::start(&nats.url(), name));
    let target = Target::start();
    let arguments = [&LOAD[..6], &["--lease", "5min"][..]].concat();
    let load = load(&target.url(), &nats.url(), &arguments);
    wait_until(PATIENCE, "the load is under way", || target.asked() > 200);
    west.signal(Signal::TERM);
    // Nobody waits for its lease.
    let (found, code) = found(load);
    assert_eq!(code, 97, "{found}");
    let reasons = found["measurement"]["reasons"].to_string();
    assert!(reasons.contains("the agent was stopped"), "{reasons}");
    conserved(&found);
}

#[test]
fn a_run_ends_with_an_agent_where_it_is_told_to() {
    let _alone = alone();
    let nats = Nats::start(&[]);
    let [_east, mut west] = ["east-1", "west-1"].map(|name| Agent::start(&nats.url(), name));
    let target = Target::start();
    let more = ["-d", "60s", "--on-agent-lost", "stop"];
    let arguments = [&LOAD[..2], &LOAD[4..], &more[..]].concat();
    let load = load(&target.url(), &nats.url(), &arguments);
    wait_until(PATIENCE, "the load is under way", || target.asked() > 200);
    let killed = Instant::now();
    west.kill();
    let (found, code) = found(load);
    assert!(
        killed.elapsed() < Duration::from_secs(30),
        "{:?}",
        killed.elapsed()
    );
    // As a run that its own stop condition ended.
    assert_eq!(code, 1, "{found}");
    assert_eq!(found["complete"], false);
    let reasons = found["ending"]["reasons"].to_string();
    assert!(reasons.contains("west-1 was lost"), "{reasons}");
    conserved(&found);
}

#[test]
fn a_run_of_the_fleet_that_ends_early_has_what_the_others_counted() {
    let _alone = alone();
    let nats = Nats::start(&[]);
    let [_east, mut west] = ["east-1", "west-1"].map(|name| Agent::start(&nats.url(), name));
    let folder = tempfile::tempdir().unwrap();
    let (file, run) = (folder.path().join("mine.toml"), folder.path().join("run"));
    fs::write(&file, super::fleet("60s")).unwrap();
    let mut child = threadbare()
        .args(["run", "--agents", &nats.url(), "--generators", "2"])
        .args(["--lease", "2s", "--on-agent-lost", "stop", "--out"])
        .args([&run, &file])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until(PATIENCE, "agents send the load", || {
        let began = |event: &Value| event["event"] == "load_started";
        events(&run).iter().any(began)
    });
    west.await_saying("the load begins");
    west.kill();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(1));
    let found = summary(&run).unwrap();
    assert_eq!(found["complete"], false);
    conserved(&found);
    // The other told its end, though the run did not wait for the load's.
    let ended = |event: &&Value| event["event"] == "agents_ended";
    let all = events(&run);
    let ended = all.iter().find(ended).unwrap();
    assert_eq!(ended["agents"][0]["agent"], "east-1");
}

#[test]
fn a_nats_server_that_restarts_costs_nothing() {
    let _alone = alone();
    let mut nats = Nats::start(&[]);
    let agents = ["east-1", "west-1"].map(|name| Agent::start(&nats.url(), name));
    let target = Target::start();
    let arguments = [&LOAD[..6], &["--lease", "10s"][..]].concat();
    let load = load(&target.url(), &nats.url(), &arguments);
    wait_until(PATIENCE, "the load is under way", || target.asked() > 200);
    nats.kill();
    // The load goes on meanwhile: its agents know what to do, and say what they miss.
    agents[0].await_saying("the connection to the NATS server is lost");
    let before = target.asked();
    wait_until(PATIENCE, "the load goes on", || {
        target.asked() > before + 200
    });
    nats.start_again();
    agents[0].await_saying("connected to the NATS server again");
    let (found, code) = found(load);
    assert!(matches!(code, 0 | 97), "{found}");
    assert_eq!(conserved(&found), 1_600);
    assert_eq!(target.asked(), 1_600);
    for agent in found["agents"]["agents"].as_array().unwrap() {
        assert!(agent["lost_s"].is_null(), "{agent}");
    }
    assert!(
        agents
            .iter()
            .all(|agent| !agent.has_said("nothing was heard"))
    );
}

#[test]
fn agents_stop_by_themselves_when_the_conductor_is_gone() {
    let _alone = alone();
    let nats = Nats::start(&[]);
    let agents = ["east-1", "west-1"].map(|name| Agent::start(&nats.url(), name));
    let target = Target::start();
    let arguments = ["-R", "200", "-d", "60s", "--lease", "2s"];
    let mut load = load(&target.url(), &nats.url(), &arguments);
    wait_until(PATIENCE, "the load is under way", || target.asked() > 200);
    load.kill().unwrap();
    load.wait().unwrap();
    for agent in &agents {
        agent.await_saying("nothing was heard of the conductor for 2s");
    }
    // What is on its way may still arrive; then nothing does.
    let mut last = target.asked();
    let mut quiet = Instant::now();
    wait_until(PATIENCE, "nothing is sent any more", || {
        let now = target.asked();
        if now != last {
            last = now;
            quiet = Instant::now();
        }
        quiet.elapsed() > Duration::from_secs(1)
    });
    // They are free for the next.
    let arguments = ["-n", "20", "-R", "100", "--generators", "2"];
    let before = target.asked();
    let (found, code) = found(super::rig::load(&target.url(), &nats.url(), &arguments));
    assert!(matches!(code, 0 | 97), "{found}");
    assert_eq!(target.asked() - before, 20);
}
